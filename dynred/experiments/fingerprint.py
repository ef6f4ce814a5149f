"""Fingerprints: plain JSON data by which a source is recognised. They differ after a change, not between machines."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor

TOLERANCE = 1e-6  # relative, for the values of an equation, which other machines round otherwise


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names of the entries in which two fingerprints differ.

    There are none where both are of the same source, or where the earlier fingerprint is empty.
    """
    if before and before.get("kind") != now["kind"]:
        return ["kind"]
    return [name for name in now if name in before and not _agree(before[name], now[name])]


def projections(x: Float[Tensor, "n D"]) -> list[float]:
    """Four weighted sums over the components of each state [n, D], in one list."""
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
