"""Finds jumps: components that leap between two snapshots and otherwise move smoothly."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dynred.data.trajectories import Trajectories
from dynred.data.variables import variables_of

FEWEST = 8  # snapshots of a trajectory below which nothing is said
WRAP, RESET = 2.0, 10.0  # a wrap, or a reset, is so many times larger than the steps around it
ABOVE = 4.0  # a reset is so many times larger than nine of ten steps
AROUND = 3  # steps on either side that a jump is held against
MOST = 0.3  # fraction of the steps: more are no jumps but the motion itself
EQUAL = 0.05  # relative spread of the periods by which wraps jump
PERIODS = {2 * math.pi: "", 360.0: " --angle-unit degrees"}  # of angles, by which a single wrap is known


@dataclass(frozen=True)
class Jumps:
    """The jumps of one component.

    Attributes:
        component: its index.
        name: the name of its variable, by which the user knows it.
        size: the period of a wrap, or the median size of resets, in state units.
        times: when they occur, of all trajectories; the middle of the two snapshots.
        wrap: whether a period of one size undoes all, as that of an angle does.
    """

    component: int
    name: str
    size: float
    times: tuple[float, ...]
    wrap: bool

    def __str__(self) -> str:
        when = f"at {len(self.times)} times" if len(self.times) > 1 else f"once, at t = {self.times[0]:.4g}"
        unit = next((unit for period, unit in PERIODS.items() if abs(self.size - period) <= EQUAL * period), None)
        said = f" (--angle {self.name}{unit})" if unit is not None else ""
        angle = f"declare the angle{said}; " if self.wrap else ""
        return (
            f"component {self.component} jumps by {self.size:.3g} {when}: {angle}cut trajectories there; "
            "or use discrete dynamics"
        )


def find_jumps(trajectories: Trajectories) -> list[Jumps]:
    """Jumps by component, of angles that are wrapped and of states that are reset.

    A jump is a step between two snapshots that is several times larger than the steps next to it, and that no step back
    undoes. Steps that go against the motion, and that a period of one size turns into steps with it, are wraps; others
    must be larger, as motion that is coarsely sampled has large steps, too, but none that leave all around them behind.
    Noise makes all steps alike.
    """
    parts = [(part.t.double().numpy(), part.states.detach().double().numpy()) for part in trajectories]
    parts = [part for part in parts if len(part[0]) >= FEWEST]
    jumps = []
    variables = variables_of(trajectories.attributes, trajectories.dim)
    names = [variable.name for variable in variables for _ in range(variable.width)]
    for component in range(trajectories.dim):
        leaps = [leap for t, x in parts for leap in _leaps(t, x[:, component])]
        steps = sum(len(t) - 1 for t, _ in parts)
        sizes = np.concatenate([np.abs(np.diff(x[:, component])) for _, x in parts]) if parts else np.zeros(1)
        jump = _jumps(component, names[component], leaps, ABOVE * float(np.quantile(sizes, 0.9)))
        if jump is not None and len(jump.times) <= MOST * steps:
            jumps.append(jump)
    return jumps


@dataclass(frozen=True)
class _Leap:
    """A large step: its time, its size, the step without it (the mean of both neighbours), and how it compares."""

    time: float
    step: float
    usual: float
    ratio: float


def _leaps(t: Float[np.ndarray, " T"], x: Float[np.ndarray, " T"]) -> list[_Leap]:
    steps = np.diff(x)
    sizes = np.abs(steps)
    leaps = []
    for i in range(1, len(steps) - 1):
        sides = np.r_[sizes[i - 1], sizes[i + 1]]
        if sizes[i] > WRAP * sides.max():
            around = np.r_[steps[max(0, i - AROUND) : i], steps[i + 1 : i + 1 + AROUND]]
            undone = np.abs(steps[i] + around).min() < sizes[i] / 2
            most = max(float(sides.max()), 1e-9 * float(np.abs(x).max()))
            if not undone:
                middle = float(t[i] + t[i + 1]) / 2
                leaps.append(_Leap(middle, float(steps[i]), float(steps[i - 1] + steps[i + 1]) / 2, sizes[i] / most))
    return leaps


def _jumps(component: int, name: str, leaps: list[_Leap], least: float) -> Jumps | None:
    """The wraps among the leaps where there are some, else the resets; None where there are neither."""
    against = [leap for leap in leaps if leap.step * leap.usual < 0]
    periods = np.array([abs(leap.step - leap.usual) for leap in against])
    if len(periods):
        period = float(np.median(periods))
        known = any(abs(period - p) <= EQUAL * p for p in PERIODS)
        equal = len(periods) > 1 and float(periods.std()) <= EQUAL * period
        if len(periods) >= len(leaps) / 2 and (known or equal):
            return Jumps(component, name, period, tuple(leap.time for leap in against), True)
    resets = [leap for leap in leaps if leap.ratio >= RESET and abs(leap.step) >= least]
    if not resets:
        return None
    size = float(np.median([abs(leap.step) for leap in resets]))
    return Jumps(component, name, size, tuple(leap.time for leap in resets), False)
