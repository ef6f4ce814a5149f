"""What a reduction starts from, a system or data: opened by its name, and recognised again by its content."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from dynred.data.screening import is_data
from dynred.data.storage import load_trajectories
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.ode.system import System, find_system
from dynred.rng import generator

Source = System | Trajectories

TOLERANCE = 1e-6  # of the values of an equation, relative: other machines round otherwise
_NUMBERS = ("dim", "transient", "duration", "sampling", "time_scale")


def open_source(name: str, arguments: Mapping[str, Any]) -> Source:
    """A system, checked, or data.

    Args:
        name: of a system or its file, or a data file (.npz, .zarr, .nc).
        arguments: structural choices of the system.

    Raises:
        InputError: unknown or unusable.
    """
    if is_data(name):
        if arguments:
            raise InputError(f"arguments (--with) must be none for data, got {', '.join(arguments)} for {name}.")
        found = load_trajectories(name)
        title = str(found.attributes.get("system", Path(name).stem))
        return replace(found, attributes={**found.attributes, "system": title})
    system = find_system(name, **arguments)
    _ = system.right_hand_side  # recognised, and refused if unusable, before anything is written
    return system


def fingerprint(source: Source) -> dict[str, Any]:
    """What tells a source from another, as plain JSON data: the digest of data, values of an equation at two states."""
    if isinstance(source, Trajectories):
        return {"kind": "data", "digest": source.digest()}
    x = source.initial(2, generator(0, "fingerprint"))
    t = torch.tensor(0.3, dtype=torch.float64)
    velocity = source.bind()(t, x)
    seen = [] if source.observation is None else [source.observation.map(x)]
    return {
        "kind": "system",
        **{name: float(getattr(source, name)) for name in _NUMBERS},
        "parameters": {name: float(value) for name, value in source.parameters.items()},
        "solver": source.solver,
        "initial states": _projections(x),
        "equation": [value for part in (velocity, *seen) for value in _projections(part)],
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names of what differs between two fingerprints; none where they are of the same source, or where nothing is
    known of the one before."""
    if before and before.get("kind") != now["kind"]:
        return ["kind"]
    return [name for name in now if name in before and not _agree(before[name], now[name])]


def _projections(x: Tensor) -> list[float]:
    # Four numbers of each state, in which every component has a part.
    component = torch.arange(x.shape[-1], dtype=torch.float64)
    directions = torch.stack([torch.cos((k + 1) * (component + 0.5)) for k in range(4)], -1)
    return (x.double() @ directions).flatten().tolist()


def _numbers(values: object) -> TypeGuard[Sequence[float]]:
    return isinstance(values, list | tuple) and all(isinstance(value, int | float) for value in values)


def _agree(a: object, b: object) -> bool:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_agree(a[key], b[key]) for key in a)
    if _numbers(a) and _numbers(b):
        size = max((abs(value) for value in (*a, *b)), default=0.0)
        return len(a) == len(b) and all(abs(p - q) <= TOLERANCE * size for p, q in zip(a, b, strict=True))
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=TOLERANCE)
    return a == b
