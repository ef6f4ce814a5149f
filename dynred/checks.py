"""Argument checks at the public door, one message style: `<argument> must be <expected>, got <actual>. <advice>`."""

import difflib
import math
import numbers
from collections.abc import Iterable

import torch

from dynred.errors import InputError


def refuse(argument: str, expected: str, actual: object, advice: str = "") -> InputError:
    """The error for an argument that does not meet its expectation; the caller raises it."""
    return InputError(f"{argument} must be {expected}, got {actual}." + (f" {advice}" if advice else ""))


def integer(argument: str, value: object, low: int, high: int | None = None, advice: str = "") -> int:
    """`value` as an int with low <= value <= high; raises InputError otherwise."""
    span = f"an integer >= {low}" if high is None else f"an integer in [{low}, {high}]"
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):  # type: ignore[operator] # a number then
        raise refuse(argument, span, repr(value), advice)
    return int(value)  # type: ignore[call-overload]


def positive(argument: str, value: object, advice: str = "") -> float:
    """`value` as a finite float > 0; raises InputError otherwise."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or value <= 0:  # type: ignore[operator,arg-type] # a number then
        raise refuse(argument, "a finite number > 0", repr(value), advice)
    return float(value)  # type: ignore[arg-type]


def one_of(argument: str, value: object, choices: Iterable[str]) -> str:
    """`value` if it is among `choices`; raises InputError that lists them and suggests the nearest otherwise."""
    choices = sorted(choices)
    if value not in choices:
        raise refuse(argument, f"one of {', '.join(choices)}", repr(value), nearest(str(value), choices))
    return str(value)


def nearest(word: str, choices: Iterable[str]) -> str:
    """`Did you mean X?`, or nothing where no choice is near."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else ""


def finite(argument: str, value: torch.Tensor, advice: str = "") -> torch.Tensor:
    """`value` if all entries are finite; raises InputError naming the first offending index otherwise."""
    bad = ~torch.isfinite(value)
    if bad.any():
        where = tuple(torch.nonzero(bad)[0].tolist())
        raise refuse(argument, "finite everywhere", f"{value[where].item()} at index {list(where)}", advice)
    return value


def increasing(argument: str, t: torch.Tensor) -> torch.Tensor:
    """`t` [T] if it is a non-empty, finite, strictly increasing vector; raises InputError otherwise."""
    if t.ndim != 1 or len(t) == 0:
        raise refuse(argument, "a vector of times [T] with T >= 1", f"shape {list(t.shape)}")
    finite(argument, t)
    step = torch.diff(t)
    if (step <= 0).any():
        i = int(torch.nonzero(step <= 0)[0])
        raise refuse(argument, "strictly increasing", f"{t[i].item():g} followed by {t[i + 1].item():g} at index {i}")
    return t
