"""A pilot: a few trajectories of a system, as long as it takes to see its time scales, and what they cost."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.numerics.size import size_of
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.simulate import simulate

TRAJECTORIES = 4
INTERVALS = 256  # between the snapshots of a piece
FIRST = 10.0  # of size over speed at the start: the first piece
WANTED = 20.0  # slow time scales that a pilot should last
ENOUGH = 100.0  # slow time scales after which nothing is waited for
SETTLED = 0.2  # relative difference of size and speed of two pieces that look alike
RESTS = 1e-3  # of the first speed: slower motion is the approach to a state of rest
MOST_PIECES = 30


@dataclass(frozen=True, eq=False)
class Pilot:
    """What a pilot shows.

    Attributes:
        states: trajectories of its last piece, at equal times.
        span: time that it lasts, from the initial states on, in time units.
        fast: period of the root mean square frequency of the motion, in time units.
        slow: four times the time in which the motion forgets its phase (where its autocorrelation first vanishes): the
            period of an oscillation.
        rests: whether trajectories end at rest.
        settled: whether the last two pieces look alike, so that the last one shows the long-time motion.
        seconds: what the pilot took.
        last: states of the ODE with which the pilot ends [n, D].
        parameters: those of the trajectories, one value or one for each [n].
    """

    states: Trajectories
    span: float
    fast: float
    slow: float
    rests: bool
    settled: bool
    seconds: float
    last: Float[Tensor, "n D"]
    parameters: Mapping[str, Float[Tensor, "*#n"]]

    @property
    def transient(self) -> float:
        """A time after which the motion looks as it does in the long run. The last piece is half of the pilot; the one
        before, which looks like it where the motion is settled, begins after a quarter."""
        return 0.0 if self.rests else self.span / 4


def pilot(system: System, seconds: float, seed: int, solver: str = "auto") -> Pilot:
    """Follows a few trajectories, in pieces each as long as all before, until they show their time scales.

    Args:
        system: the ODE.
        seconds: what it may take.
        seed: decides the initial states.
        solver: as for `simulate`.

    Raises:
        InputError: the right-hand side is bad.
        DivergenceError: a trajectory diverged.
    """
    began, rng = time.perf_counter(), generator(seed, "pilot")
    ode = system.underlying
    values = system.draw_parameters(TRAJECTORIES, rng)
    x = ode.initial(TRAJECTORIES, rng, values)
    span, now, earlier, speeds = _natural_time(ode, values, x), 0.0, None, []
    for _ in range(MOST_PIECES):
        times = now + span * torch.linspace(0, 1, INTERVALS + 1, dtype=torch.float64)
        spent = time.perf_counter() - began
        piece = simulate(
            ode, times=times, initial=x, parameters=values, rng=rng, solver=solver, time_limit=max(0.1, seconds - spent)
        )
        took = time.perf_counter() - began - spent
        shape = _shape(piece)
        speeds.append(shape[1])
        settled = earlier is not None and all(abs(a - b) <= SETTLED * b for a, b in zip(earlier, shape, strict=True))
        earlier, now = shape, float(piece.t.max())
        rests = shape[1] <= RESTS * speeds[0]
        fast, slow = _time_scales(piece)
        enough = rests or now >= (WANTED if settled else ENOUGH) * slow
        if enough or "status" in piece.attributes or spent + took * 3 > seconds:
            break
        x, span = piece.stacked()[:, -1], now
    last = torch.stack([each.states[-1] for each in piece])
    seen = piece if system.observation is None else piece.map(system.observation.map)
    return Pilot(seen, now, fast, slow, rests, settled, time.perf_counter() - began, last, values)


def _natural_time(system: System, values: dict[str, Tensor], x: Float[Tensor, "n D"]) -> float:
    """How long the initial states take to move as far as they are apart, roughly."""
    speed = float(size_of(system.at(values)(torch.zeros((), dtype=torch.float64), x).flatten()))
    return FIRST * (float(size_of(x.flatten())) / speed if speed > 0 else 1.0)


def _shape(piece: Trajectories) -> tuple[float, float]:
    """Root mean square distance from the mean of a trajectory, and speed."""
    assert piece.velocities is not None
    away = torch.cat([each.states - each.states.mean(0) for each in piece])
    return float(away.pow(2).sum(1).mean().sqrt()), float(piece.velocities.pow(2).sum(1).mean().sqrt())


def _time_scales(piece: Trajectories) -> tuple[float, float]:
    """`fast` and `slow` of a Pilot."""
    size, speed = _shape(piece)
    lengths = set(piece.lengths.tolist())
    span = float(piece.t.max() - piece.t.min())
    if len(lengths) > 1 or max(lengths) < INTERVALS // 2 or not (size > 0 and speed > 0):
        return max(span, 1e-300) / 10, max(span, 1e-300)
    fast = 2 * math.pi * size / speed
    y = piece.stacked()
    y = y - y.mean(1, keepdim=True)
    products = (y @ y.transpose(1, 2)).mean(0)  # of states at two times
    correlation = torch.stack([products.diagonal(shift).mean() for shift in range(1, y.shape[1] // 2)])
    gone = torch.nonzero(correlation <= 0)
    gap = span / (y.shape[1] - 1)
    return fast, max(fast, 4 * gap * (int(gone[0]) + 1)) if len(gone) else span
