"""An experiment: settings in, a run folder out, resumable at any moment.

A run folder holds `experiment.json` (settings, seed, versions), `model.safetensors`, `evaluation.json`,
`certificate.json` and `report.html`; while it runs, also `checkpoints/`.
"""

from dataclasses import replace
from pathlib import Path

from dynred.arguments import public
from dynred.evaluation.evaluation import Evaluation, read_evaluation
from dynred.experiments.folder import CHECKPOINTS, RunFolder
from dynred.experiments.origin import check_same, identity_of, origin
from dynred.experiments.pipeline import reduce
from dynred.experiments.publish import publish
from dynred.experiments.source import Source
from dynred.experiments.spec import ExperimentSpec
from dynred.plugins import recorded
from dynred.runtime import Runtime
from dynred.trust import Code, allow


@public
def run(
    spec: ExperimentSpec,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    runtime: Runtime | None = None,
) -> Evaluation:
    """Runs an experiment into a folder.

    Args:
        spec: the settings.
        out: the run folder; new or without a run, unless `resume` or `overwrite`. Default: `spec.default_out`.
        resume: go on from the last checkpoint of the same settings and source; the result is the same, bit for bit at
            the same number of threads, as that of an uninterrupted run. A finished run is returned as it is.
        overwrite: replace a run that is there.
        runtime: device and progress; checkpoints go into `out`.

    Returns:
        The scores; everything else is in the folder.

    Raises:
        InputError: unusable settings, a folder that is in use, or a run of other settings or of a source that was
            changed. Nothing is written then.
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
                folder.clear_checkpoints()  # of a process that was killed right at its end
                return read_evaluation(folder / "evaluation.json")
            begun = stored
        folder.check_kept(resume=resume, overwrite=overwrite)  # somebody may have been here meanwhile
        if not (resume and folder.begun):
            folder.clear()
            folder.begin(begun)
        for code in Code.listed(begun["code"]):
            allow(code)
        identity = identity_of(begun)
        runtime = replace(runtime or Runtime(), checkpoints=folder / CHECKPOINTS, identity=identity)
        try:
            return _compute(spec, source, folder, runtime)
        except BaseException:
            if not folder.begun:  # nothing was computed yet: leave no half-written run behind
                folder.clear()
            raise


def _compute(spec: ExperimentSpec, source: Source, folder: RunFolder, runtime: Runtime) -> Evaluation:
    made = reduce(
        source,
        spec.latent_dim,
        seed=spec.seed,
        data=spec.data,
        reducer=spec.reducer,
        dynamics=spec.dynamics,
        partition=spec.partition,
        joint=spec.joint,
        threshold=spec.threshold,
        runtime=runtime,
    )
    model = made.model.described(experiment=runtime.identity)
    model.save(folder / "model.safetensors")
    publish(folder, model, made.evaluation, made.forecast, source, made.calibration)
    folder.clear_checkpoints()
    return made.evaluation


def stored_spec(out: str | Path) -> ExperimentSpec:
    """The settings of a run folder, without what they name.

    Raises:
        FileFormatError: no run there, or one of a newer schema.
        InputError: settings of a class that is not imported.
    """
    return ExperimentSpec.from_dict(RunFolder(out).manifest()["spec"])
