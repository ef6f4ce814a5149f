"""What the stages of a reduction cost on this machine: measured at two sizes each, and drawn on as straight lines."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace

import torch

from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import TransformSpec
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.map import MapSpec
from dynred.errors import DynredError
from dynred.evaluation.evaluate import evaluate
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.pilot import Pilot
from dynred.experiments.system_source import CHECKED, FINER
from dynred.experiments.transform_parts import fit_chain
from dynred.models.base import Model
from dynred.models.reduced import ReducedSpec
from dynred.models.spec import ModelSpec
from dynred.ode.system import System
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.choose_solver import choose_solver
from dynred.simulation.simulate import simulate
from dynred.simulation.trusted import FACTOR
from dynred.solvers.base import Solver
from dynred.spec import Spec
from dynred.training.minimise import TrainingSpec

FEW, MANY = 2, 16  # trajectories
STEPS = 50  # of training
PART = 0.3  # seconds that the simulation of a few trajectories should take
TIGHTER = 1.5  # times as long: an adaptive solver with a tenth of the tolerance
NOMINAL = 0.02  # seconds of a training step, where none can be measured
SNAPSHOTS, NUMBERS = 512, 2**18  # of the pilot that are fitted: most snapshots, and most numbers in them
MEASUREMENTS = 8  # share the time: one that takes more than its part is not repeated at a larger size
TRAJECTORIES = 32  # most that are fitted
WARM = 0.5  # seconds: a first fit that took longer is not repeated, what it had to load is little of it
COPIES = 4  # of these, for the larger of two measurements
START = 6.0  # seconds: imports, certificate, report
ROLLOUTS = 3.0  # seconds that the model is rolled out for its scores


@dataclass(frozen=True)
class Line:
    """A cost `fixed + each * units`, in seconds."""

    fixed: float
    each: float

    def __call__(self, units: float) -> float:
        """Seconds of so many units."""
        return self.fixed + self.each * units

    @classmethod
    def through(cls, few: float, seconds_few: float, many: float, seconds_many: float) -> "Line":
        """The line through two measurements; it never falls, and never starts below zero."""
        each = max(0.0, (seconds_many - seconds_few) / (many - few))
        return cls(max(0.0, seconds_few - each * few), each)


@dataclass(frozen=True)
class Costs:
    """What the stages cost.

    Attributes:
        simulation: seconds of a time unit, by the number of trajectories.
        preparing: seconds of fitting without steps, by the snapshots of training.
        step: seconds of a training step of coordinates and one of dynamics.
        scoring: seconds of scores, by the snapshots of training and test.
        processes: how many share the trajectories of a simulation.
        finer: how many times as long a test takes as other trajectories.
        checking: how many times as long the second solution takes that is ten times finer than the test.
        seconds: what the measurements took.
    """

    simulation: Line
    preparing: Line
    step: float
    scoring: Line
    processes: int
    finer: float
    checking: float
    seconds: float

    def simulate(self, trajectories: int, duration: float) -> float:
        """Seconds of a simulation."""
        alone = duration * self.simulation(trajectories)
        return alone / min(self.processes, trajectories) if alone > 1 else alone

    def check(self, trajectories: int, duration: float) -> float:
        """Seconds of the second solution that tells until when the test can be trusted."""
        return self.checking * self.simulate(min(CHECKED, trajectories), duration)

    def test(self, trajectories: int, duration: float) -> float:
        """Seconds of the simulation of a test."""
        return self.finer * self.simulate(trajectories, duration)

    def fit(self, steps: int, snapshots: float) -> float:
        """Seconds of fitting coordinates and dynamics."""
        return self.preparing(snapshots) + self.step * steps

    def steps(self, seconds: float) -> float:
        """The steps of training that fit into so many seconds."""
        return max(0.0, seconds) / max(self.step, 1e-9)

    def score(self, snapshots: float) -> float:
        """Seconds of scoring."""
        return self.scoring(snapshots)

    def stages(self, times: Mapping[str, float], counts: Mapping[str, int], steps: int) -> dict[str, float]:
        """What the stages of a reduction of a system take: `simulate`, `fit` and `score`.

        Args:
            times: what `times_of` says of its trajectories.
            counts: the number of its trajectories in each set, by its name.
            steps: the steps of training.
        """
        whole, test = times["transient"] + times["duration"], times["transient"] + times["horizon"]
        truth = sum(self.simulate(counts[name], whole) for name in ("train", "validation"))
        truth += self.test(counts["test"], test) + self.check(counts["test"], times["horizon"])
        known = counts["train"] * (times["duration"] / times["sampling"] + 1)
        scored = counts["test"] * (times["horizon"] / times["sampling"] + 1)
        again = self.simulate(counts["test"], times["horizon"])  # for the speed-up
        return {
            "simulate": truth,
            "fit": self.fit(steps, known),
            "score": self.score(known + scored) + again,
        }


def times_of(data: DataSpec, system: System) -> dict[str, float]:
    """The transient, duration, horizon and sampling of the trajectories of a system, in time units."""
    steps, sampling = data.steps(system), data.sampling or system.sampling
    transient = system.transient if data.transient is None else data.transient
    lengths = {"duration": steps["train"] * sampling, "horizon": steps["test"] * sampling}
    return {"transient": transient, **lengths, "sampling": sampling}


def measure(
    settings: ModelSpec,
    system: System,
    look: Pilot,
    sampling: float,
    seconds: float,
    *,
    solver: str = "auto",
    transforms: Sequence[TransformSpec] = (),
) -> Costs:
    """Measures the costs on the states of a pilot.

    Args:
        settings: those of the model.
        system: the ODE.
        look: the pilot.
        sampling: time between snapshots, on which the choice of the solver depends.
        seconds: what the measurements may take, roughly.
        solver: as for `simulate`.
        transforms: what is done to the states before the model is fitted.
    """
    began = time.perf_counter()
    simulation, method, processes = _simulation(system, look, sampling, solver)
    learning = rehearse(settings, look.states, seconds, transforms)
    finer, checking = (1.0, TIGHTER) if method.adaptive else (FINER, FINER * FACTOR)
    seconds = time.perf_counter() - began
    return Costs(simulation, learning.preparing, learning.step, learning.scoring, processes, finer, checking, seconds)


def _simulation(system: System, look: Pilot, sampling: float, solver: str) -> tuple[Line, Solver, int]:
    """Seconds of a time unit by the number of trajectories, the solver, and how many processes share these."""
    ode, x = system.underlying, look.last
    values = {name: value[:1] if value.ndim else value for name, value in look.parameters.items()}
    field, grid = ode.at(values), sampling * torch.arange(2, dtype=torch.float64)
    method, _ = choose_solver(field, x[:1], grid, solver, count=10 * MANY)
    span = PART * look.span / max(look.seconds, 1e-3)
    gap = min(sampling, span)
    times = gap * torch.arange(1 + max(1, min(100, round(span / gap))), dtype=torch.float64)

    def seconds(n: int) -> float:
        rows = torch.arange(n) % len(x)
        own = {name: value[rows] if value.ndim else value for name, value in look.parameters.items()}
        start = time.perf_counter()
        simulate(ode, times=times, initial=x[rows], parameters=own, rng=generator(0, "costs"), solver=method)
        return (time.perf_counter() - start) / float(times[-1])

    line = Line.through(FEW, seconds(FEW), MANY, seconds(MANY))
    return line, method, method.processes(field)


@dataclass(frozen=True)
class Rehearsal:
    """What learning from some states costs.

    Attributes:
        preparing: seconds of fitting without steps, by the snapshots of training.
        step: seconds of a training step of coordinates and one of dynamics.
        scoring: seconds of scores, by the snapshots of training and test.
    """

    preparing: Line
    step: float
    scoring: Line


def rehearse(
    settings: ModelSpec, states: Trajectories, seconds: float, transforms: Sequence[TransformSpec] = ()
) -> Rehearsal:
    """Learns from a few of the states, at two sizes.

    Where one measurement takes long already, the larger one is left out, and the cost taken not to grow. Where so few
    states allow no fit, steps are nominal.

    Args:
        settings: those of the model.
        states: states with velocities, where the dynamics need some.
        seconds: what the measurements may take, roughly.
        transforms: what is done to the states before.
    """
    states = states[states.lengths > states.lengths.max() // 2]  # a pilot may end in the midst of some
    if int(states.lengths.max()) < 2:
        return Rehearsal(Line(1.0, 0.0), NOMINAL, Line(ROLLOUTS, 0.0))
    with suppress(DynredError):  # or be too short for delays
        chain = fit_chain(transforms, states)
        states = states if chain is None else chain.transformed(states)
    states = _thinned(states)
    many, long = Trajectories.concatenate([states] * COPIES), seconds / MEASUREMENTS
    m, n = len(states.states), len(many.states)
    try:
        first, step = _fitted(settings, states, states)
        preparing = Line(first, 0.0)
        if first + STEPS * step <= long:
            small, _ = (first, step) if first > WARM else _fitted(settings, states, states)
            large, step = _fitted(settings, many, states)
            preparing = Line.through(m, small, n, large)
    except DynredError:
        preparing, step = Line(1.0, 0.0), NOMINAL
    # A network that is hardly trained may move as fast as it likes, and its rollouts take any time: a linear model.
    linear = ReducedSpec(PODSpec(1), LinearSpec() if states.velocities is not None else MapSpec())
    coordinates = linear.fit_coordinates(states, states, rng=generator(0, "costs"))
    model = linear.fit_dynamics(coordinates, states, states, rng=generator(0, "costs"))
    first = _scored(model, states)
    scoring = Line(first, 0.0)
    if first <= long:
        scoring = Line.through(2 * m, _scored(model, states), 2 * n, _scored(model, many))
    return Rehearsal(preparing, step, replace(scoring, fixed=scoring.fixed + ROLLOUTS))


def _fitted(settings: ModelSpec, train: Trajectories, held: Trajectories) -> tuple[float, float]:
    """The seconds of a short fit without its steps of training, and the seconds of a step of all that is trained."""
    for path in training_paths(settings):
        settings = settings.updated(f"{path}.steps", STEPS).updated(f"{path}.validations", 1)
    start, rng = time.perf_counter(), generator(0, "costs")
    coordinates = settings.fit_coordinates(train, held, rng=rng)
    model = settings.fit_dynamics(coordinates, train, held, rng=rng)
    trained = sum(history.seconds[-1] for history in model.histories)
    return max(0.0, time.perf_counter() - start - trained), trained / STEPS


def _thinned(states: Trajectories) -> Trajectories:
    """Snapshots in even distances of some of the trajectories, few enough that fitting them takes seconds."""
    states = states[:: -(-len(states) // TRAJECTORIES)]
    most = max(16, min(SNAPSHOTS, NUMBERS // states.dim) // len(states))
    stride = -(-int(states.lengths.max()) // most)
    if stride == 1:
        return states
    place = torch.arange(len(states.t)) - states.starts[states.owner]
    rows = torch.nonzero(place % stride == 0)[:, 0]
    return replace(
        states,
        states=states.states[rows],
        t=states.t[rows],
        lengths=torch.bincount(states.owner[rows]),
        velocities=None if states.velocities is None else states.velocities[rows],
        inputs=None if states.inputs is None else states.inputs[rows],
    )


def _scored(model: Model, states: Trajectories) -> float:
    start = time.perf_counter()
    evaluate(model, states, train=states)
    return time.perf_counter() - start


def training_paths(spec: Spec, above: str = "") -> list[str]:
    """The dotted paths of all settings of training within others."""
    paths = []
    for each in fields(spec):
        value = getattr(spec, each.name)
        if isinstance(value, TrainingSpec):
            paths.append(f"{above}{each.name}")
        elif isinstance(value, Spec):
            paths += training_paths(value, f"{above}{each.name}.")
    return paths
