"""An experiment: settings in, a run folder out, resumable at any moment.

A run folder holds `experiment.json` (settings, seed, versions), `model.safetensors`, `evaluation.json`,
`certificate.json` and `report.html`; while it runs, also `checkpoints/`.
"""

from dataclasses import replace
from pathlib import Path

from dynred.arguments import public
from dynred.evaluation.evaluation import Evaluation, read_evaluation
from dynred.experiments.earlier import todays
from dynred.experiments.folder import CHECKPOINTS, RunFolder
from dynred.experiments.origin import basis_of, check_same, identity_of, origin
from dynred.experiments.pipeline import reduce
from dynred.experiments.publish import publish
from dynred.experiments.source import Source
from dynred.experiments.spec import ExperimentSpec
from dynred.plugins import recorded
from dynred.runtime import Runtime
from dynred.shared_stages import SharedStages
from dynred.trust import Code, allow


@public
def run(
    spec: ExperimentSpec,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    runtime: Runtime | None = None,
    shared: str | Path | None = None,
    wait: bool = True,
) -> Evaluation:
    """Runs an experiment into a folder.

    Args:
        spec: the settings.
        out: the run folder; it must not hold a run, unless `resume` or `overwrite` is set. Default: `spec.default_out`.
        resume: go on from the last checkpoint of the same settings and source. The result is that of an uninterrupted
            run, bit for bit at the same number of threads. The scores of a finished run are returned as they are.
        overwrite: replace a run that is there.
        runtime: names the device and reports progress; checkpoints go into `out`.
        shared: a folder in which runs keep the stages that others may have in common with them: simulations, fitted
            reducers. What is there already is read instead of computed. Default: nothing is shared.
        wait: whether to wait for a stage that another run computes just now.

    Returns:
        The scores; everything else is in the folder.

    Raises:
        InputError: the settings are unusable, the folder is in use, or it holds a run of other settings or of a source
            that was changed. Nothing is written then.
        BusyError: another process works on the run; or, unless `wait` is set, on one of its stages.
    """
    folder = RunFolder(spec.default_out if out is None else out)
    folder.check_free(resume=resume, overwrite=overwrite)
    with recorded() as asked:
        source = spec.open()
    begun = origin(spec, source, asked, folder)
    with folder.locked():
        if resume and folder.holds_run:
            stored = folder.manifest()
            check_same(begun, stored, folder)
            if folder.finished:
                folder.clear_checkpoints()  # a process that was killed right at its end may have left some
                return read_evaluation(folder / "evaluation.json")
            begun = stored
        folder.check_kept(resume=resume, overwrite=overwrite)  # another process may have been here meanwhile
        if not (resume and folder.begun):
            folder.clear()
            folder.begin(begun)
        for code in Code.listed(begun["code"]):
            allow(code)
        identity = identity_of(begun)
        stages = None if shared is None else SharedStages(Path(shared), basis_of(begun), identity, wait)
        runtime = replace(runtime or Runtime(), checkpoints=folder / CHECKPOINTS, identity=identity, shared=stages)
        try:
            return _compute(spec, source, folder, runtime)
        except BaseException:
            if not folder.begun:  # nothing was computed yet: leave no half-written run behind
                folder.clear()
            raise


def _compute(spec: ExperimentSpec, source: Source, folder: RunFolder, runtime: Runtime) -> Evaluation:
    reduction = reduce(
        source,
        spec.latent_dim,
        seed=spec.seed,
        data=spec.data,
        reducer=spec.reducer,
        dynamics=spec.dynamics,
        partition=spec.partition,
        joint=spec.joint,
        threshold=spec.threshold,
        transforms=spec.transforms,
        runtime=runtime,
    )
    model = reduction.model.described(experiment=runtime.identity)
    model.save(folder / "model.safetensors")
    publish(folder, model, reduction.evaluation, reduction.scored, source, reduction.calibration)
    folder.clear_checkpoints()
    return reduction.evaluation


def stored_spec(out: str | Path) -> ExperimentSpec:
    """The settings of a run folder; the source that they name is not opened.

    Raises:
        FileFormatError: the folder holds no run, or one of a newer schema.
        InputError: some settings are of a class that is not imported.
    """
    return ExperimentSpec.from_dict(todays(RunFolder(out).manifest()["spec"]))
