"""How long a reduction will take on this machine, found out before it begins. Nothing is refused because of it.

The measurements behind it are those of a plan, on fewer states. They take some seconds, and are left out where counting
alone says that the work is short.
"""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch

from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import TransformSpec
from dynred.experiments.costs import (
    NOMINAL,
    NUMBERS,
    START,
    Costs,
    Line,
    measure,
    rehearse,
    times_of,
    training_paths,
)
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.pilot import pilot
from dynred.experiments.source import Source
from dynred.experiments.transform_parts import fit_chain
from dynred.models.spec import ModelSpec
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.simulate import simulate

SHORT = 10.0  # seconds that counting must come to; shorter work is not announced
PER_NUMBER = 1e-5  # seconds of fitting and scoring for each number in the states, for the count
EVALUATIONS = 20  # of the velocity between two snapshots, for the count
ROWS = 4  # states whose velocities are timed, for the count
PILOT, LOOKING = 1.0, 16.0  # seconds that the pilot may take, and the measurements: a fit an eighth of that
WINDOWS, WINDOW = 8, 33  # pieces of trajectories to which a model is fitted on trial, and the snapshots of each


def time_to_reduce(
    settings: ModelSpec, source: Source, data: DataSpec, transforms: Sequence[TransformSpec] = (), *, seed: int = 0
) -> dict[str, float]:
    """The seconds that the stages of a reduction will take, roughly, before its trajectories are simulated.

    Training that stops early, and stages that are there already, take less.

    Args:
        settings: those of the model.
        source: what is simulated.
        data: which trajectories.
        transforms: what is done to the states before the model is fitted.
        seed: decides which states are looked at.

    Returns:
        Seconds of `simulate`, `fit`, `score` and `report`; nothing where counting comes to less than `SHORT`, and where
        the measurements fail, since the work will say why it does.
    """
    return _quietly(lambda: _of_system(settings, source, data, transforms, seed))


def time_to_fit(settings: ModelSpec, train: Trajectories, test: Trajectories) -> dict[str, float]:
    """The seconds that the stages after simulation will take, roughly: `fit`, `score`, `report`.

    Args:
        settings: those of the model.
        train: what it will be fitted to, transformed.
        test: the test trajectories.

    Returns:
        As `time_to_reduce`.
    """
    return _quietly(lambda: _of_data(settings, train, test))


def in_words(seconds: Mapping[str, float]) -> str:
    """The seconds of stages in a sentence, e.g. `About 40 s: simulate 12 s, fit 25 s, score 3 s.`"""
    parts = ", ".join(f"{stage} {_duration(value)}" for stage, value in seconds.items() if value >= 0.5)
    return f"About {_duration(sum(seconds.values()))}: {parts}."


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.2g} minutes" if seconds < 6000 else f"{seconds / 3600:.2g} hours"


def _quietly(measured: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What is measured; nothing where that fails. The work itself warns and fails in its own words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return measured()
        except Exception:  # of a user's function too, whatever it raises
            return {}


def _of_system(
    settings: ModelSpec, source: Source, data: DataSpec, transforms: Sequence[TransformSpec], seed: int
) -> dict[str, float]:
    system, sizes = source.system, source.sizes(data)
    assert system is not None
    snapshots = sizes.train + sizes.validation + sizes.test
    if _counted(settings, snapshots, sizes.dim) + EVALUATIONS * snapshots * _evaluation(system, seed) < SHORT:
        return {}
    times, solver = times_of(data, system), data.solver
    if system.discrete:
        costs = _of_map(settings, system, seed)
    else:
        look = pilot(system, PILOT, seed, solver)
        look = replace(look, states=_excerpt(_transformed(look.states, transforms)))
        costs = measure(settings, system, look, times["sampling"], LOOKING, solver=solver)
    return {**costs.stages(times, data.counts, _steps(settings)), "report": START}


def _of_data(settings: ModelSpec, train: Trajectories, test: Trajectories) -> dict[str, float]:
    snapshots = len(train.states)
    if _counted(settings, snapshots, train.dim) < SHORT:
        return {}
    learning = rehearse(settings, _excerpt(train), LOOKING)
    fit = learning.preparing(snapshots) + learning.step * _steps(settings)
    return {"fit": fit, "score": learning.scoring(snapshots + len(test.states)), "report": START}


def _of_map(settings: ModelSpec, system: System, seed: int) -> Costs:
    """The costs of a map, which is iterated: as much work for many trajectories as for few, but for large states."""
    times = system.sampling * torch.arange(WINDOWS * WINDOW, dtype=torch.float64)
    start = time.perf_counter()
    states = simulate(system, ROWS, times, rng=generator(seed, "pilot"), transient=0.0)
    unit = (time.perf_counter() - start) / float(times[-1])
    learning = rehearse(settings, _excerpt(states), LOOKING)
    return Costs(Line(unit, 0.0), learning.preparing, learning.step, learning.scoring, 1, 1.0, 0.0, 0.0)


def _counted(settings: ModelSpec, snapshots: int, dim: int) -> float:
    """Seconds of fitting and scoring, by counting alone."""
    return PER_NUMBER * snapshots * dim + NOMINAL * _steps(settings)


def _steps(settings: ModelSpec) -> int:
    return max((settings.setting(path).steps for path in training_paths(settings)), default=0)


def _evaluation(system: System, seed: int) -> float:
    """Seconds of a velocity of one state."""
    ode, rng = system.underlying, generator(seed, "pilot")
    values = ode.draw_parameters(ROWS, rng)
    field, x = ode.at(values), ode.initial(ROWS, rng, values)
    start = time.perf_counter()
    field(torch.zeros((), dtype=torch.float64), x)
    return (time.perf_counter() - start) / ROWS


def _transformed(states: Trajectories, transforms: Sequence[TransformSpec]) -> Trajectories:
    chain = fit_chain(transforms, states)
    return states if chain is None else chain.transformed(states)


def _excerpt(states: Trajectories) -> Trajectories:
    """Few short pieces from everywhere in the trajectories; of large states fewer snapshots."""
    most = max(16, NUMBERS // states.dim)
    pieces = states.windows(min(WINDOW, most, int(states.lengths.max())))
    count = min(WINDOWS, len(pieces), max(1, most // int(pieces.lengths[0])))
    return pieces[torch.linspace(0, len(pieces) - 1, count).round().long()]
