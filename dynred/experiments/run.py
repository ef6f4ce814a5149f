"""An experiment: settings in, a run folder out, resumable at any moment.

A run folder holds `experiment.json` (settings, seed, versions), `model.safetensors`, `evaluation.json`,
`certificate.json` and `report.html`; while it runs, also `checkpoints/`.
"""

import importlib.metadata
import os
import platform
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dynred.arguments import public
from dynred.checks import integer, positive, refuse
from dynred.data.screening import is_data
from dynred.data.trajectories import Trajectories
from dynred.dynamics.base import DynamicsSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import DynredWarning, FileFormatError, InputError
from dynred.evaluation.certificate import Certificate
from dynred.evaluation.certify import FOLLOWED, certify
from dynred.evaluation.evaluate import score
from dynred.evaluation.evaluation import Evaluation, read_evaluation
from dynred.evaluation.long_time import long_time
from dynred.evaluation.records import Cost
from dynred.experiments.folder import CHECKPOINTS, RunFolder
from dynred.experiments.pipeline import DataSpec, calibrated, reduce, simulate_parts, split_data
from dynred.experiments.source import Source, changes, fingerprint, open_source
from dynred.files import checksum, write_json
from dynred.kinds import current
from dynred.memory import check_memory
from dynred.models.bands import Calibration
from dynred.models.charts import PartitionSpec
from dynred.models.forecast import Forecast, forecast
from dynred.models.joint import JointSpec
from dynred.models.reduced import Model, load_model
from dynred.ode.system import KnownSet, System
from dynred.plugins import code_in, code_of, is_foreign, load_code, only, recorded, reopen
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import ReducerSpec
from dynred.report.page import write_report
from dynred.rng import generator
from dynred.spec import Spec
from dynred.training.minimise import Runtime, threads
from dynred.trust import Code, allow
from dynred.user_code import user_code

COPIES = 4  # of the samples of a certificate: states, reconstructions, their differences, and those on the tube
PACKAGES = ("dynred", "torch", "torchdiffeq", "numpy", "scipy")


@dataclass(frozen=True)
class ExperimentSpec(Spec):
    """Everything that decides the result of `dynred reduce`.

    Attributes:
        source: name or file of a system, or a data file (.npz, .zarr, .nc).
        latent_dim: number R of latent coordinates, that of the reducer's settings; `updated` moves both.
        arguments: structural choices of the system, e.g. {"length": 44.0}.
        seed: decides every draw.
        threshold: rollout error that counts as lost.
        data: which trajectories.
        reducer, dynamics: the model; a reducer that is left out (None) is an autoencoder.
        partition: with more than one chart, an atlas with a reducer and dynamics in each.
        joint: refine both together at the end; None leaves it out.
    """

    source: str
    latent_dim: int
    arguments: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    threshold: float = 0.5
    data: DataSpec = field(default_factory=DataSpec)
    reducer: ReducerSpec | None = None
    dynamics: DynamicsSpec = field(default_factory=NeuralODESpec)
    partition: PartitionSpec = field(default_factory=PartitionSpec)
    joint: JointSpec | None = None

    def __post_init__(self):
        if not self.source:
            raise refuse("source", "the name of a system, or a file", repr(self.source))
        integer("latent_dim", self.latent_dim, 1)
        integer("seed", self.seed, 0)
        positive("threshold", self.threshold)
        if self.reducer is None:
            object.__setattr__(self, "reducer", AutoencoderSpec(self.latent_dim))
        elif self.reducer.latent_dim != self.latent_dim:
            advice = "Set `latent_dim`, which moves that of the reducer, too."
            raise refuse("reducer.latent_dim", f"latent_dim, {self.latent_dim}", self.reducer.latent_dim, advice)

    def updated(self, path: str, value: object) -> "ExperimentSpec":
        """See `Spec.updated`. The reducer's `latent_dim` moves with that of the experiment."""
        if path != "latent_dim" or self.reducer is None:
            return super().updated(path, value)
        return replace(self, latent_dim=value, reducer=self.reducer.updated(path, value))  # type: ignore[arg-type] # checked

    def open(self) -> Source:
        """The system, checked, or the data.

        Raises:
            InputError: unknown, unusable, or of no more than `latent_dim` dimensions.
        """
        found = open_source(self.source, self.arguments)
        advice = f"The state has {found.dim} dimensions; a reduction has fewer."
        integer("latent_dim", self.latent_dim, 1, found.dim - 1, advice)
        return found


@public
def run(
    spec: ExperimentSpec,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    runtime: Runtime | None = None,
) -> Evaluation:
    """Runs an experiment into a folder.

    Args:
        spec: the settings.
        out: the run folder; new or without a run, unless `resume` or `overwrite`.
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
    folder = RunFolder(out)
    folder.check_free(resume=resume, overwrite=overwrite)
    with recorded() as asked:
        source = spec.open()
    begun = origin(spec, source, asked, folder)
    with folder.locked():
        if resume and folder.holds_run:
            stored = folder.manifest()
            _check_same(begun, stored, folder)
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
        identity = _identity(begun)
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
    _publish(folder, model, made.evaluation, made.forecast, source, made.calibration)
    folder.clear_checkpoints()
    return made.evaluation


def _publish(
    folder: RunFolder,
    model: Model,
    evaluation: Evaluation,
    found: Forecast,
    source: Source,
    calibration: Calibration | None,
) -> None:
    # The names are the run's own: what has them may be replaced.
    write_json(folder / "evaluation.json", evaluation.to_dict(), Path.is_file)
    if calibration is not None:
        write_json(folder / "calibration.json", calibration.to_dict(), Path.is_file)
    stored = folder.manifest()
    promised = certificate(model, source, found.truth, generator(stored["seed"], "certificate"))
    write_json(folder / "certificate.json", promised.to_dict(), Path.is_file)
    grid = source.grid if isinstance(source, System) else None
    write_report(
        folder / "report.html",
        model,
        evaluation,
        found,
        grid=grid,
        certificate=promised,
        settings=stored,
        ours=Path.is_file,
    )


def certificate(
    model: Model, source: Source, test: Trajectories, rng: torch.Generator, samples: int = 10_000
) -> Certificate:
    """The certificate on points of K: drawn where the system can draw them, else the test trajectories."""
    known = _known(source)
    points: Tensor | Trajectories = test
    if known.sample:
        with user_code("the sampler of K"):
            points = known.sample(samples, rng)
    return certify(model, points, rng=rng, known=known, truth=test)


def _known(source: Source) -> KnownSet:
    # What is known of K holds at the default parameters: not where the system draws others.
    return source.known if isinstance(source, System) and source.sample_parameters is None else KnownSet()


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A run folder that was read.

    Attributes:
        folder: where it is.
        spec: its settings.
        source: the system or data that it was made from, found again and unchanged.
        model: its model.
    """

    folder: RunFolder
    spec: ExperimentSpec
    source: Source
    model: Model

    def parts(self, runtime: Runtime) -> tuple[Trajectories, ...]:
        """Training, validation and test trajectories, as they were."""
        if isinstance(self.source, System):
            return simulate_parts(self.source, self.spec.data, self.spec.seed, runtime)
        return split_data(self.source, self.spec.data, generator(self.spec.seed, "split"))


@contextmanager
def opened(
    out: str | Path, *, plugins: Sequence[str | Path] = (), trust: bool = False, to_write: bool = False
) -> Iterator[StoredRun]:
    """A run folder, read for the block that follows. In the block, no code outside dynred runs but what is permitted.

    Settings in a folder are somebody's text. Systems of the catalogue and data files that they name are opened; code
    that they name (a system's file, a module, a plug-in) only if the user ran the same code before, or says so here.

    Args:
        out: the run folder.
        plugins: files whose code may run: systems or plug-ins that the run names.
        trust: whether whatever code the run names may run.
        to_write: whether the block writes into the folder, which is locked then, from before it is read.

    Raises:
        FileFormatError: no run there, or an unreadable one.
        InputError: its source is gone or changed, its code may not run, or another process writes there.
    """
    folder = RunFolder(out)
    folder.manifest()  # so that nothing is locked where there is no run
    with folder.locked() if to_write else nullcontext():
        yield from _opened(folder, plugins, trust)


def _opened(folder: RunFolder, plugins: Sequence[str | Path], trust: bool) -> Iterator[StoredRun]:
    stored = folder.manifest()
    allowed = _Permission(folder, stored, plugins, trust)
    # Before the settings are read, which may be of classes in it:
    for code in [*map(code_of, map(str, plugins)), *map(allowed, Code.listed(stored.get("code", [])))]:
        load_code(code)
    spec = ExperimentSpec.from_dict(stored["spec"])
    spec = replace(
        spec, source=allowed.name(spec.source), data=replace(spec.data, solver=allowed.name(spec.data.solver))
    )
    with only(allowed.code):
        model = load_model(folder / "model.safetensors")
        if model.about.get("experiment", _identity(stored)) != _identity(stored):
            raise FileFormatError(f"{folder.path} holds the model of one run beside the settings of another.")
        source = _reopened(folder, spec, stored)
        if source.dim != model.state_dim:
            raise refuse("the source of the run", f"of {model.state_dim} dimensions, like its model", source.dim)
        yield StoredRun(folder, spec, source, model)


@public
def evaluate_run(
    out: str | Path,
    *,
    long: bool = False,
    runtime: Runtime | None = None,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
) -> Evaluation:
    """Scores the model of a run folder again, on the same test trajectories, and renews evaluation.json and the report.

    Args:
        out: the run folder.
        long: also roll the model out for very long and compute its Lyapunov exponents
            (`dynred.evaluation.long_time`), which may take half an hour; without, what was found of these before is
            kept.
        runtime: device and progress.
        plugins, trust: which code of one's own may run; see `opened`.

    Raises:
        FileFormatError: no run there, or an unreadable one.
        InputError: its system or data are gone or changed, or its code may not run.
    """
    runtime = runtime or Runtime()
    with opened(out, plugins=plugins, trust=trust, to_write=True) as stored:
        spec, model, source = stored.spec, stored.model, stored.source
        system = source if isinstance(source, System) else None
        if long and system is None:
            raise refuse("long", "asked of a run whose system is an equation", f"data, {spec.source}")
        train, validation, test = stored.parts(runtime)
        found = forecast(model, test)
        before = stored.folder / "evaluation.json"
        known = read_evaluation(before) if before.exists() else None
        extra = known.long_time if known else None
        if long and system is not None:
            extra = long_time(model, system, progress=runtime.progress)
        cost = known.cost if known else Cost()
        calibration = calibrated(model, validation)
        scored = score(found, model, train, system, spec.threshold, cost=cost, long_time=extra, calibration=calibration)
        _publish(stored.folder, model, scored, found, source, calibration)
        return scored


@public
def certify_run(
    out: str | Path,
    *,
    samples: int = 100_000,
    seed: int = 1,
    runtime: Runtime | None = None,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
) -> Certificate:
    """Certifies the model of a run folder on a denser sample of K than its report does, and renews certificate.json.

    Args:
        out: the run folder.
        samples: points of K, where its system can draw them; else as many snapshots at least, from fresh simulations
            of new initial states; data without an equation have no more than their test trajectories.
        seed: of the sample.
        runtime: progress.
        plugins, trust: which code of one's own may run; see `opened`.

    Raises:
        FileFormatError: no run there, or an unreadable one.
        InputError: its system or data are gone or changed, or its code may not run.
    """
    runtime = runtime or Runtime()
    integer("samples", samples, 2)
    integer("seed", seed, 0)
    with opened(out, plugins=plugins, trust=trust, to_write=True) as stored:
        spec, model, source = stored.spec, stored.model, stored.source
        check_memory(f"a certificate on {samples} samples", COPIES * 8 * samples * source.dim, "Take fewer samples.")
        if isinstance(source, System):
            _, _, test = simulate_parts(source, replace(spec.data, train=1, validation=1, test=FOLLOWED), seed, runtime)
            if _known(source).sample is None:
                more = -(-samples // int(test.lengths[0]))
                _, _, test = simulate_parts(source, replace(spec.data, train=1, validation=1, test=more), seed, runtime)
        else:
            _, _, test = stored.parts(runtime)
        found = certificate(model, source, test, generator(seed, "certificate"), samples)
        write_json(stored.folder / "certificate.json", found.to_dict(), Path.is_file)
        return found


def stored_spec(out: str | Path) -> ExperimentSpec:
    """The settings of a run folder, without what they name.

    Raises:
        FileFormatError: no run there, or one of a newer schema.
        InputError: settings of a class that is not imported.
    """
    return ExperimentSpec.from_dict(RunFolder(out).manifest()["spec"])


# -- where a run comes from ------------------------------------------------------------------------------------------


def origin(spec: ExperimentSpec, source: Source, asked: Sequence[str], folder: RunFolder) -> dict[str, Any]:
    """What experiment.json says of a run: its settings, and by which source, code and versions it was made.

    Args:
        spec: the settings.
        source: what they name.
        asked: names of code outside dynred that was loaded for it.
        folder: of the run.
    """
    settings = spec.to_dict()
    names = [*asked, spec.data.solver] if is_foreign(spec.data.solver) else asked
    code = {one.name: one for one in (*map(code_of, names), *code_in(settings))}
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    path = str(Path(spec.source).resolve()) if is_data(spec.source) else None
    return {
        "digest": spec.digest(),
        "seed": spec.seed,
        "threads": threads(),
        "versions": {**versions, "python": platform.python_version()},
        "folder": str(folder.path.resolve()),
        "source": {"path": path, **fingerprint(source)},
        "code": [one.to_dict() for one in code.values()],
        "spec": settings,
    }


def _identity(stored: Mapping[str, Any]) -> str:
    """What a checkpoint and a model carry of the run that they belong to."""
    digests = sorted(str(code["digest"]) for code in stored.get("code", []))
    return checksum({"spec": stored["spec"], "source": stored.get("source"), "code": digests})


def _check_same(begun: Mapping[str, Any], stored: Mapping[str, Any], folder: RunFolder) -> None:
    spec, before = begun["spec"], current(stored["spec"])
    differing = [key for key, value in spec.items() if before.get(key) != value]
    if differing:
        advice = f"They differ in: {', '.join(differing)}. Use another folder, or --overwrite."
        raise InputError(f"--resume must be given the settings of the run in {folder.path}, got others. {advice}")
    if "source" not in stored and not folder.finished:
        raise refuse(
            "--resume", "given a run of this version of dynred", "one of an earlier version", "Use --overwrite."
        )
    digests = {code["name"]: code["digest"] for code in stored.get("code", [])}
    changed = [code["name"] for code in begun["code"] if digests.get(code["name"], code["digest"]) != code["digest"]]
    changed += [f"its {name}" for name in changes(stored.get("source") or {}, begun["source"]) if name != "path"]
    if changed:
        advice = f"Changed: {', '.join(changed)}. Restore it, use another folder, or --overwrite."
        raise InputError(f"--resume must be given the source of the run in {folder.path}, got a changed one. {advice}")
    if stored.get("threads", begun["threads"]) != begun["threads"]:
        threads = f"{begun['threads']} threads instead of {stored['threads']}"
        warnings.warn(f"Resumed with {threads}: the result may differ in its last digits.", DynredWarning, stacklevel=3)


class _Permission:
    """Which code a stored run may run: that which was asked for with success, each with the place where it is now."""

    def __init__(self, folder: RunFolder, stored: Mapping[str, Any], plugins: Sequence[str | Path], trust: bool):
        self.folder, self.stored, self.plugins, self.trust = folder, stored, plugins, trust
        self._now: dict[str, Code] = {}

    @property
    def code(self) -> list[Code]:
        """All of it."""
        return list(self._now.values())

    def __call__(self, code: Code) -> Code:
        places = _moved(self.folder, self.stored, code.path)
        run = f"the run in {self.folder.path}"
        self._now[code.name] = reopen(code, run, places=places, plugins=self.plugins, trust=self.trust)
        return self._now[code.name]

    def name(self, name: str) -> str:
        """The name to use now for what a setting names."""
        if is_data(name) or not is_foreign(name):
            return name
        return (self._now.get(name) or self(Code(name, None, None))).name


def _reopened(folder: RunFolder, spec: ExperimentSpec, stored: Mapping[str, Any]) -> Source:
    """The source of a stored run, as it was.

    Raises:
        InputError: it is gone or changed.
    """
    before = stored.get("source") or {}
    if not is_data(spec.source):
        source = spec.open()
        if differing := changes(before, fingerprint(source)):
            advice = "Restore it, or reduce again into another folder."
            actual = f"another one: they differ in {', '.join(differing)}"
            raise refuse(f"{spec.source}, the system of the run in {folder.path},", "as it was", actual, advice)
        return source
    paths = [Path(str(before["path"]))] if before.get("path") else []
    paths += [*_moved(folder, stored, before.get("path")), Path(spec.source)]
    there = [path for path in dict.fromkeys(paths) if path.exists()]
    for path in there:
        source = spec.updated("source", str(path)).open()
        if not changes(before, fingerprint(source)):
            return source
    actual = f"{there[0]}, whose content is another" if there else f"no such file ({', '.join(map(str, paths))})"
    raise refuse(f"the data of the run in {folder.path}", "as they were", actual, "Restore them, or reduce again.")


def _moved(folder: RunFolder, stored: Mapping[str, Any], path: str | None) -> list[Path]:
    """Where a file is now if it moved together with the run folder."""
    try:
        return [folder.path / os.path.relpath(str(path), stored["folder"])] if path else []
    except (KeyError, TypeError, ValueError):  # an earlier version's run; another drive
        return []
