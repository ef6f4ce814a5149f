"""The main job in one call: simulate, reduce, learn latent dynamics, evaluate. Chooses defaults, computes nothing."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from dynred.arguments import public
from dynred.checks import integer, positive, refuse
from dynred.data.reading import ReadingSpec
from dynred.data.split import Parts
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Chain, TransformSpec
from dynred.dynamics.base import DynamicsSpec
from dynred.errors import InputError
from dynred.evaluation.evaluate import score
from dynred.evaluation.records import Cost
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.expected_time import time_to_fit, time_to_reduce
from dynred.experiments.open_source import source_of
from dynred.experiments.plan_source import plan_of
from dynred.experiments.reduction import Reduction
from dynred.experiments.requirements import check_reduction
from dynred.experiments.source import Source
from dynred.experiments.spec import ExperimentSpec, check_latent_dim, default_reducer, model_spec, of_second_order
from dynred.experiments.stage_forms import REDUCER, SIMULATION
from dynred.experiments.transform_parts import fit_chain, prepared
from dynred.memory import peak_memory_mb
from dynred.models.bands import Calibration, calibrate
from dynred.models.base import Model
from dynred.models.forecast import forecast_to_score
from dynred.models.joint import JointSpec
from dynred.models.partition import PartitionSpec
from dynred.models.spec import ModelSpec
from dynred.models.transformed import transformed
from dynred.reducers.base import ReducerSpec
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.shared_stages import Form
from dynred.views import progress_bar

T = TypeVar("T")


@public
def reduce(
    source: Any,
    latent_dim: int,
    *,
    t: Any = None,
    dt: float | None = None,
    dim: int | None = None,
    reading: ReadingSpec | None = None,
    seed: int = 0,
    data: DataSpec | None = None,
    reducer: ReducerSpec | None = None,
    dynamics: DynamicsSpec | None = None,
    partition: PartitionSpec | None = None,
    joint: JointSpec | None = None,
    threshold: float = 0.5,
    test: Any = None,
    transforms: Sequence[TransformSpec] = (),
    minutes: float | None = None,
    runtime: Runtime | None = None,
    progress: bool = False,
) -> Reduction:
    """From an equation or data to a scored reduced model.

    Args:
        source: a System, its name or file, or a function f(t, x) with `dim`; data without an equation: whatever
            `Trajectories.of` takes, or a file of any kind in `dynred.data.readers`.
        latent_dim: number R of latent coordinates, 1 <= R < D.
        t: times of an array, or of a list of arrays.
        dt: time between snapshots of data that hold no times.
        dim: dimension D of the state of a function.
        reading: what cannot be guessed of data: names of states, time and trajectories, axes.
        seed: decides every draw.
        data: which trajectories; default `DataSpec()`.
        reducer: default `AutoReducerSpec(latent_dim)`, which leaves the choice to the data. Its own `latent_dim` must
            agree.
        dynamics: default `NeuralODESpec()`, or `MapSpec()` of a system that is a map; with neither reducer nor dynamics
            given, equivariant ones where a continuous symmetry is declared and they predict validation trajectories
            better, and `SecondOrderSpec` and `AccelerationSpec` of the defaults for a system of second order where
            `latent_dim` is even.
        partition: with more than one chart, the model is an atlas with reducer and dynamics in each; default: one.
        joint: refines reducer and dynamics together at the end; default: no refinement. Not with several charts.
        threshold: rollout error that counts as lost.
        test: data that are the test, or a file of them; default: the test is taken from the source, as `data` says.
        transforms: what is done to the states before the model is fitted, in order, e.g. `[DelaysSpec()]`; the model
            undoes it in its predictions. Default: variables that the data name are scaled, where their spreads differ
            by more than 30 times.
        minutes: chooses trajectories and training (of data, training alone) so that the answer comes within so many
            minutes, see `dynred.plan`; what `data`, `reducer` and `dynamics` say stays. None takes the settings as they
            are.
        runtime: device, progress, checkpoints.
        progress: whether to show a bar, on standard error or in a notebook.

    Returns:
        The model, its scores, and the trajectories and predictions behind them.

    Raises:
        InputError: the source or the settings are unusable.
        DivergenceError: the full system diverged.
    """
    positive("threshold", threshold)
    source, data = source_of(source, test, t=t, dt=dt, dim=dim, reading=reading), data or DataSpec()
    named = transforms
    source, transforms = source.compressing(transforms)
    kept = [
        name for name, given in (("reducer", reducer), ("dynamics", dynamics), ("joint", joint)) if given is not None
    ]
    reducer, dynamics = _chosen(source, latent_dim, reducer, dynamics, joint, transforms)
    if minutes is not None:
        asked = ExperimentSpec(
            *("given", latent_dim, {}, seed, threshold, data, reducer, dynamics),
            joint=joint,
            test=None if test is None else "given",
            transforms=tuple(transforms),
        )
        planned = plan_of(asked, source, minutes, fixed=kept).apply(asked)
        assert planned.reducer is not None
        data, reducer, dynamics = planned.data, planned.reducer, planned.dynamics
    source = source.for_dynamics(dynamics)
    spec = model_spec(reducer, dynamics, partition, joint)
    check_reduction(source.sizes(data), reducer, dynamics, simulated=source.simulated)
    runtime = runtime or Runtime()
    with progress_bar() if progress else nullcontext(runtime.progress) as shown:
        stages = _Stages(source, spec, data, transforms, seed, threshold, replace(runtime, progress=shown))
        parts = stages.simulate()
        chain = fit_chain(transforms, parts.train, parts.compression)
        if chain is not None:
            check_latent_dim(latent_dim, chain.dim, dynamics)
        model = stages.fit(parts, chain, {"transforms": [each.to_dict() for each in named]})
        return stages.evaluate(model, parts)


def _chosen(
    source: Source,
    latent_dim: int,
    reducer: ReducerSpec | None,
    dynamics: DynamicsSpec | None,
    joint: JointSpec | None,
    transforms: Sequence[TransformSpec],
) -> tuple[ReducerSpec, DynamicsSpec]:
    """The settings of reducer and dynamics: those that are given, else the defaults for the source."""
    halves = source.system is not None and source.system.second_order and reducer is None and dynamics is None
    named = dynamics is not None
    dynamics = dynamics or source.default_dynamics
    if transforms or source.has_angles:  # they may change the dimension, which is checked then
        integer("latent_dim", latent_dim, 1)
    else:
        check_latent_dim(latent_dim, source.dim, dynamics)
    if reducer is None:
        reducer = default_reducer(latent_dim, joint, dynamics)
        reducer = reducer.without_symmetry() if named else reducer
    reducer = reducer.for_states(source.dim if not transforms else 0)
    if halves and joint is None and latent_dim % 2 == 0:
        reducer, dynamics = of_second_order(reducer, dynamics)
    if reducer.latent_dim != latent_dim:
        raise refuse("latent_dim", f"that of the reducer's settings, {reducer.latent_dim}", latent_dim)
    return reducer, dynamics


@dataclass(frozen=True, eq=False)
class _Stages:
    """The stages of `reduce`, which are timed.

    Attributes:
        source: what the reduction starts from.
        spec: the settings of the model.
        data: which trajectories.
        transforms: what is done to the states before the model is fitted.
        seed: decides every draw.
        threshold: rollout error that counts as lost.
        runtime: device, progress, checkpoints.
        seconds: time that every stage took, by the name of its entry in `Cost`.
    """

    source: Source
    spec: ModelSpec
    data: DataSpec
    transforms: Sequence[TransformSpec]
    seed: int
    threshold: float
    runtime: Runtime
    seconds: dict[str, float] = field(default_factory=dict)

    def simulate(self) -> Parts:
        """Training, validation and test trajectories, and what the test is."""
        source, data, seed = self.source, self.data, self.seed

        def simulated() -> Parts:
            parts = source.parts(data, seed, self.runtime)
            return source.trusted(parts, data, seed, self.threshold, self.runtime)

        if source.simulated:
            self._expect(lambda: time_to_reduce(self.spec, source, data, self.transforms, seed=seed))

        with self._timed("simulate_s"):
            if not source.simulated:  # to divide data takes less than to read them in parts
                return simulated()
            return self._shared("simulation", self._data_settings(), simulated, SIMULATION)

    def fit(self, parts: Parts, chain: Chain | None, settings: dict[str, Any]) -> Model:
        """The model: coordinates, then dynamics in them, then both refined together where the settings say so; of
        transformed states where there are transforms. `settings` decide the states, beside source and data."""
        spec, runtime, about = self.spec, self.runtime, self.source.about(parts, self.seed)
        train, validation = parts.train, parts.validation
        if chain is not None:
            train, validation = chain.transformed(train), chain.transformed(validation)
        if not self.source.simulated:
            self._expect(lambda: time_to_fit(spec, train, parts.test))

        def fitted() -> Any:
            return spec.fit_coordinates(train, validation, rng=generator(self.seed, "reducer"), runtime=runtime)

        with self._timed("reducer_s"):
            if (own := spec.coordinate_settings()) is None:
                coordinates = fitted()
            else:
                deciding = {**self._data_settings(), **settings, **own, "seed": self.seed}
                coordinates = self._shared("reducer", deciding, fitted, REDUCER)
        with self._timed("dynamics_s"):
            model = spec.fit_dynamics(
                coordinates,
                train,
                validation,
                rng=generator(self.seed, "dynamics"),
                runtime=runtime,
                about=about,
            )
            model = spec.refine(model, train, validation, rng=generator(self.seed, "joint"), runtime=runtime)
            return transformed(model, chain)

    def evaluate(self, model: Model, parts: Parts) -> Reduction:
        """The model with its scores, predictions and calibration, and with the cost of all stages."""
        with self._timed("evaluate_s"):
            self.runtime.progress("evaluate", 0, 1)
            learned, parts = (parts.train, parts.validation), prepared(model, parts)
            predictions = forecast_to_score(model, parts.test, parts.held_out.largest)
            calibration = calibrated(model.core, parts.validation)
            evaluation = score(
                *(predictions, model, parts.train, self.source.system, self.threshold),
                calibration=calibration,
                held_out=parts.held_out,
                notes=parts.notes,
            )
            self.runtime.progress("evaluate", 1, 1)
        reused = () if self.runtime.shared is None else tuple(self.runtime.shared.reused)
        cost = Cost(**self.seconds, peak_memory_mb=peak_memory_mb(), parameters=model.parameter_count, reused=reused)
        evaluation = replace(evaluation, cost=cost)
        return Reduction(model, evaluation, predictions, *learned, calibration, self.source, self.seed)

    def _expect(self, measured: Callable[[], Mapping[str, float]]) -> None:
        """Tells whoever wants to know how long the work will take."""
        if self.runtime.expecting is not None and (seconds := measured()):
            self.runtime.expecting(seconds)

    def _data_settings(self) -> dict[str, Any]:
        """What decides the trajectories, beside the source."""
        drawn = replace(self.data, seed=self.data.seed_of(self.seed))
        return {"data": drawn.to_dict(), "threshold": self.threshold, "device": str(self.runtime.torch_device())}

    def _shared(self, name: str, settings: dict[str, Any], compute: Callable[[], T], form: Form[T]) -> T:
        shared = self.runtime.shared
        return compute() if shared is None else shared.obtain(name, settings, compute, form)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def calibrated(model: Model, validation: Trajectories) -> Calibration | None:
    """The calibration of bands, None where validation trajectories are too few or sampled at different times."""
    try:
        return calibrate(model, validation)
    except InputError:
        return None
