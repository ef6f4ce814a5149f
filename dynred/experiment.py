"""An experiment: settings in, a run folder out, resumable at any moment.

A run folder holds `experiment.json` (settings, seed, versions), `model.safetensors`, `evaluation.json`,
`certificate.json` and `report.html`; while it runs, also `checkpoints/`.
"""

import importlib.metadata
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from dynred.bands import Calibration
from dynred.certificate import Certificate
from dynred.certify import FOLLOWED, certify
from dynred.charts import PartitionSpec
from dynred.checks import integer, positive, refuse
from dynred.dynamics.base import DynamicsSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import DynredError, FileFormatError, InputError
from dynred.evaluate import score
from dynred.evaluation import Evaluation
from dynred.files import read_json, write_json
from dynred.forecast import Forecast, forecast
from dynred.joint import JointSpec
from dynred.long_time import long_time
from dynred.model import Model, load_model
from dynred.optimise import Runtime
from dynred.pipeline import DataSpec, calibrated, reduce, simulate_parts, split_data
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import ReducerSpec
from dynred.report.page import write_report
from dynred.rng import generator
from dynred.scores import Cost
from dynred.spec import Spec
from dynred.storage import SUFFIXES, load_trajectories
from dynred.system import KnownSet, System, find_system
from dynred.trajectories import Trajectories

SCHEMA = 1
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

    def open(self) -> System | Trajectories:
        """The system, checked, or the data.

        Raises:
            InputError: unknown, unusable, or of no more than `latent_dim` dimensions.
        """
        found: System | Trajectories
        if Path(self.source).suffix in SUFFIXES:
            found = load_trajectories(self.source)
            name = str(found.attributes.get("system", Path(self.source).stem))
            found = replace(found, attributes={**found.attributes, "system": name})
        else:
            found = find_system(self.source, **self.arguments)
            _ = found.right_hand_side  # recognised, and refused if unusable, before anything is written
        advice = f"The state has {found.dim} dimensions; a reduction has fewer."
        integer("latent_dim", self.latent_dim, 1, found.dim - 1, advice)
        return found


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
        out: the run folder; new, unless `resume` or `overwrite`.
        resume: go on from the last checkpoint of the same settings; the result is the same, bit for bit, as that of an
            uninterrupted run. A finished run is returned as it is.
        overwrite: replace a run that is there.
        runtime: device and progress; checkpoints go into `out`.

    Returns:
        The scores; everything else is in the folder.

    Raises:
        InputError: unusable settings, or a folder that is in use. Nothing is written then.
    """
    out, runtime = Path(out), runtime or Runtime()
    if out.exists() and not out.is_dir():
        raise refuse("out", "a folder", f"the file {out}")
    if (out / "experiment.json").exists():
        if resume:
            _check_same(spec, out)
            if (out / "report.html").exists():
                return Evaluation.from_dict(read_json(out / "evaluation.json"))
        elif not overwrite:
            raise refuse("out", "a folder without a run", f"{out}", "Use --resume or --overwrite.")
    source = spec.open()
    existed = out.exists()
    if not (resume and (out / "checkpoints").exists()):
        _clear(out)
    write_json(out / "experiment.json", settings(spec))
    runtime = replace(runtime, checkpoints=out / "checkpoints")
    try:
        return _compute(spec, source, out, runtime)
    except DynredError:
        if not (out / "checkpoints").exists():  # nothing was computed yet: leave no half-written run behind
            _clear(out) if existed else shutil.rmtree(out, ignore_errors=True)
        raise


def _compute(spec: ExperimentSpec, source: System | Trajectories, out: Path, runtime: Runtime) -> Evaluation:
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
    made.model.save(out / "model.safetensors")
    _publish(out, made.model, made.evaluation, made.forecast, source, made.calibration)
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    return made.evaluation


def _publish(
    out: Path,
    model: Model,
    evaluation: Evaluation,
    found: Forecast,
    source: System | Trajectories,
    calibration: Calibration | None,
) -> None:
    write_json(out / "evaluation.json", evaluation.to_dict())
    if calibration is not None:
        write_json(out / "calibration.json", calibration.to_dict())
    stored = read_json(out / "experiment.json")
    promised = certificate(model, source, found.truth, generator(stored["seed"], "certificate"))
    write_json(out / "certificate.json", promised.to_dict())
    grid = source.grid if isinstance(source, System) else None
    write_report(out / "report.html", model, evaluation, found, grid=grid, certificate=promised, settings=stored)


def certificate(
    model: Model, source: System | Trajectories, test: Trajectories, rng: torch.Generator, samples: int = 10_000
) -> Certificate:
    """The certificate on points of K: drawn where the system can draw them, else the test trajectories."""
    known = _known(source)
    points = known.sample(samples, rng) if known.sample else test
    return certify(model, points, rng=rng, known=known, truth=test)


def _known(source: System | Trajectories) -> KnownSet:
    # What is known of K holds at the default parameters: not where the system draws others.
    return source.known if isinstance(source, System) and source.sample_parameters is None else KnownSet()


def evaluate_run(out: str | Path, *, long: bool = False, runtime: Runtime | None = None) -> Evaluation:
    """Scores the model of a run folder again, on the same test trajectories, and renews evaluation.json and the report.

    Args:
        out: the run folder.
        long: also roll the model out for very long and compute its Lyapunov exponents (`dynred.long_time`), which may
            take half an hour; without, what was found of these before is kept.
        runtime: device and progress.

    Raises:
        FileFormatError: no run there, or an unreadable one.
        InputError: its system or data are gone or changed.
    """
    out, runtime = Path(out), runtime or Runtime()
    spec = stored_spec(out)
    model = load_model(out)
    source = spec.open()
    if source.dim != model.state_dim:
        raise refuse("the source of the run", f"of {model.state_dim} dimensions, like its model", source.dim)
    system = source if isinstance(source, System) else None
    if isinstance(source, System):
        train, validation, test = simulate_parts(source, spec.data, spec.seed, runtime)
    else:
        train, validation, test = split_data(source, spec.data, generator(spec.seed, "split"))
    found = forecast(model, test)
    before = out / "evaluation.json"
    known = Evaluation.from_dict(read_json(before)) if before.exists() else None
    extra = known.long_time if known else None
    if long:
        if system is None:
            raise refuse("long", "asked of a run whose system is an equation", f"data, {spec.source}")
        extra = long_time(model, system, progress=runtime.progress)
    cost = known.cost if known else Cost()
    calibration = calibrated(model, validation)
    scored = score(found, model, train, system, spec.threshold, cost=cost, long_time=extra, calibration=calibration)
    _publish(out, model, scored, found, source, calibration)
    return scored


def certify_run(
    out: str | Path, *, samples: int = 100_000, seed: int = 1, runtime: Runtime | None = None
) -> Certificate:
    """Certifies the model of a run folder on a denser sample of K than its report does, and renews certificate.json.

    Args:
        out: the run folder.
        samples: points of K, where its system can draw them; else as many snapshots at least, from fresh simulations
            of new initial states; data without an equation have no more than their test trajectories.
        seed: of the sample.
        runtime: progress.

    Raises:
        FileFormatError: no run there, or an unreadable one.
        InputError: its system or data are gone or changed.
    """
    out, runtime = Path(out), runtime or Runtime()
    integer("samples", samples, 2)
    spec, model = stored_spec(out), load_model(out)
    source = spec.open()
    if isinstance(source, System):
        _, _, test = simulate_parts(source, replace(spec.data, train=1, validation=1, test=FOLLOWED), seed, runtime)
        if _known(source).sample is None:
            more = -(-samples // int(test.lengths[0]))
            _, _, test = simulate_parts(source, replace(spec.data, train=1, validation=1, test=more), seed, runtime)
    else:
        _, _, test = split_data(source, spec.data, generator(spec.seed, "split"))
    found = certificate(model, source, test, generator(seed, "certificate"), samples)
    write_json(out / "certificate.json", found.to_dict())
    return found


def stored_spec(out: str | Path) -> ExperimentSpec:
    """The settings of a run folder.

    Raises:
        FileFormatError: no run there, or one of a newer schema.
    """
    path = Path(out) / "experiment.json"
    if not path.exists():
        raise FileFormatError(f"{out} holds no run: it has no experiment.json.")
    stored = read_json(path)
    if not isinstance(stored, dict) or "spec" not in stored or stored.get("schema", SCHEMA + 1) > SCHEMA:
        raise FileFormatError(
            f"{path} must be settings of schema {SCHEMA} or older. Install a newer dynred to read it."
        )
    return ExperimentSpec.from_dict(stored["spec"])


def settings(spec: ExperimentSpec) -> dict[str, Any]:
    """The content of experiment.json."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    versions["python"] = platform.python_version()
    return {"schema": SCHEMA, "digest": spec.digest(), "seed": spec.seed, "versions": versions, "spec": spec.to_dict()}


def _check_same(spec: ExperimentSpec, out: Path) -> None:
    stored = stored_spec(out).to_dict()
    differing = [key for key, value in spec.to_dict().items() if stored.get(key) != value]
    if differing:
        advice = f"They differ in: {', '.join(differing)}. Use another folder, or --overwrite."
        raise InputError(f"--resume must be given the settings of the run in {out}, got others. {advice}")


def _clear(out: Path) -> None:
    for name in (
        "experiment.json",
        "model.safetensors",
        "evaluation.json",
        "certificate.json",
        "calibration.json",
        "report.html",
    ):
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
