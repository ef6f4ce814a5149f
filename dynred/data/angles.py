"""Angles among the variables of data: declared by name, kept in the attributes of trajectories, unwrapped where
differences count."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import one_of, refuse
from dynred.data.jumps import find_jumps
from dynred.data.trajectories import Trajectories
from dynred.data.variables import variables_of

KEY = "angles"  # of the attributes of trajectories: the period of every angle by the name of its variable
TURN: Mapping[str, float] = {"radians": 2 * math.pi, "degrees": 360.0}
Unit = Literal["radians", "degrees"]
EQUAL = 0.05  # how far the size of a jump may be from a turn
FAR = 0.5  # of a turn: no two samples of an angle that was followed lie further apart


def with_angles(trajectories: Trajectories, names: Sequence[str], unit: Unit) -> Trajectories:
    """Trajectories some of whose variables are angles, wrapped or not.

    Args:
        trajectories: the data.
        names: variables that are angles, all of their components.
        unit: their unit.

    Raises:
        InputError: there is no such variable, or its values are those of the other unit.
    """
    if not names:
        return trajectories
    known = [variable.name for variable in variables_of(trajectories.attributes, trajectories.dim)]
    for name in names:
        one_of("angles (--angle)", name, known)
    angles = {**trajectories.attributes.get(KEY, {}), **dict.fromkeys(names, TURN[unit])}
    marked = replace(trajectories, attributes={**trajectories.attributes, KEY: angles})
    for component, name in enumerate(_names(trajectories)):
        if name in names:
            _check_unit(trajectories, component, name, unit)
    return marked


def turns(attributes: Mapping[str, Any], dim: int) -> list[float]:
    """The period of every component [D], 0 of those that are no angles; attributes come from files, so nothing in them
    is taken on trust."""
    angles = attributes.get(KEY)
    angles = angles if isinstance(angles, Mapping) else {}
    names = [variable.name for variable in variables_of(attributes, dim) for _ in range(variable.width)]
    return [float(angles[name]) if angles.get(name) in TURN.values() else 0.0 for name in names]


def unwrapped(trajectories: Trajectories) -> Trajectories:
    """Trajectories whose angles are continuous in time; missing values are passed over. The same where none are."""
    periods = turns(trajectories.attributes, trajectories.dim)
    if not any(periods):
        return trajectories
    states = trajectories.states.double().numpy().copy()
    for first, count in zip(trajectories.starts.tolist(), trajectories.lengths.tolist(), strict=True):
        for component in np.flatnonzero(periods):
            x = states[first : first + count, component]
            known = np.isfinite(x)
            x[known] = np.unwrap(x[known], period=periods[component])
    return replace(trajectories, states=torch.from_numpy(states).to(trajectories.states.dtype))


def apart(difference: Float[Tensor, "M D"], periods: Sequence[float]) -> Float[Tensor, "M D"]:
    """Differences of states, those of angles by the shorter way round."""
    period = torch.tensor(periods, dtype=difference.dtype)
    whole = torch.where(period > 0, difference / period.where(period > 0, 1.0), 0.0).round()
    return difference - whole * period


def _names(trajectories: Trajectories) -> list[str]:
    variables = variables_of(trajectories.attributes, trajectories.dim)
    return [variable.name for variable in variables for _ in range(variable.width)]


def _check_unit(trajectories: Trajectories, component: int, name: str, unit: Unit) -> None:
    """Refuses values that leap by a turn of the other unit, and radians that leap between two samples by more than half
    a turn and are not wrapped."""
    x = trajectories.states[:, component]
    x = x[torch.isfinite(x)]
    if not len(x):
        return
    other = "degrees" if unit == "radians" else "radians"
    alone = replace(trajectories, states=trajectories.states[:, [component]].nan_to_num(nan=0.0), velocities=None)
    sizes = [jump.size for jump in find_jumps(alone) if jump.wrap]
    leaps = any(abs(size - TURN[other]) <= EQUAL * TURN[other] for size in sizes)
    inner = trajectories.owner.diff() == 0
    steps = trajectories.states[:, component].double().diff()[inner].abs()
    steps = steps[torch.isfinite(steps)]
    low, high = float(x.min()), float(x.max())
    wide = high - low > (1 + EQUAL) * TURN[unit] and len(steps) > 0 and float(steps.max()) > FAR * TURN[unit]
    if leaps or (unit == "radians" and wide):
        largest = f", which differ by up to {float(steps.max()):.4g} from one sample to the next" if len(steps) else ""
        actual = f"values from {low:.4g} to {high:.4g}{largest}"
        raise refuse(f"angle {name}", f"in {unit}", actual, f"--angle-unit {other} says that they are {other}.")
