"""How a source is recognised: by plain JSON data that differ where it was changed, and agree on every machine."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor

TOLERANCE = 1e-6  # of the values of an equation, relative: other machines round otherwise


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names of what differs between two fingerprints; none where they are of the same source, or where nothing is
    known of the one before."""
    if before and before.get("kind") != now["kind"]:
        return ["kind"]
    return [name for name in now if name in before and not _agree(before[name], now[name])]


def projections(x: Float[Tensor, "n D"]) -> list[float]:
    """Four numbers of each of some states [n, D], in which every component has a part."""
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
