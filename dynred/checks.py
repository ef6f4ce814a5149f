"""Checks of the arguments of public functions, with one style of message:
`<argument> must be <expected>, got <actual>. <advice>`."""

import difflib
import math
import numbers
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int

from dynred.errors import InputError

T = TypeVar("T")
LONGEST = 300  # characters of a value that a message shows


def refuse(argument: str, expected: str, actual: object, advice: str = "") -> InputError:
    """The error for an argument that does not meet its expectation; the caller raises it."""
    return InputError(f"{argument} must be {expected}, got {shown(actual)}." + (f" {advice}" if advice else ""))


def shown(value: object) -> str:
    """A value as text, cut where it is too long for a message."""
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-20:]}"


def literal(value: object) -> str:
    """A value as a programmer writes it, for messages."""
    try:
        return repr(value)
    except Exception:  # integers of thousands of digits, and classes whose repr fails
        return f"a {type(value).__name__} that cannot be shown"


def kind_of(value: object) -> str:
    """A value of the wrong kind in words: the value itself where it is short, else its class."""
    if value is None or isinstance(value, numbers.Number):
        return literal(value)
    what = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
    return f"{what}, {shown(literal(value))}" if isinstance(value, str | list | tuple) else what


def is_number(value: object) -> bool:
    """Whether a value is a finite real number that a float can hold; booleans are no numbers."""
    try:
        return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer of more than 1024 bits
        return False


def integer(argument: str, value: object, low: int, high: int | None = None, advice: str = "") -> int:
    """`value` as an int with low <= value <= high; raises InputError otherwise."""
    span = f"an integer >= {low}" if high is None else f"an integer in [{low}, {high}]"
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):  # type: ignore[operator] # a number then
        raise refuse(argument, span, literal(value), advice)
    return int(value)  # type: ignore[call-overload]


def count(argument: str, value: object, low: int, most: int) -> int:
    """`value` as an int with low <= value <= most; raises InputError otherwise.

    The message for too small a value leaves out `most`, which lies beyond all reasonable values.
    """
    if integer(argument, value, low) > most:
        raise refuse(argument, f"at most {most}", literal(value))
    return int(value)  # type: ignore[call-overload]


def positive(argument: str, value: object, advice: str = "") -> float:
    """`value` as a finite float > 0; raises InputError otherwise."""
    if not is_number(value) or value <= 0:  # type: ignore[operator] # a number then
        raise refuse(argument, "a finite number > 0", literal(value), advice)
    return float(value)  # type: ignore[arg-type]


def at_least(argument: str, value: object, low: float, advice: str = "") -> float:
    """`value` as a finite float >= low; raises InputError otherwise."""
    if not is_number(value) or value < low:  # type: ignore[operator] # a number then
        raise refuse(argument, f"a finite number >= {low:g}", literal(value), advice)
    return float(value)  # type: ignore[arg-type]


def instance_of(argument: str, value: object, cls: type[T], advice: str = "") -> T:
    """`value` if it is an instance of a class; raises InputError otherwise."""
    if not isinstance(value, cls):
        raise refuse(argument, f"of class {cls.__name__}", kind_of(value), advice)
    return value


def generator_given(rng: object) -> torch.Generator:
    """`rng` if it is a stream of random numbers; raises InputError otherwise."""
    if not isinstance(rng, torch.Generator):
        advice = "`dynred.generator(seed)` makes one."
        raise refuse("rng", "a torch.Generator", kind_of(rng), advice)
    return rng


def path_given(argument: str, path: object) -> Path:
    """`path` as a Path; raises InputError where it can be none."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path) or "\0" in str(path):
        raise refuse(argument, "a path", literal(path))
    return Path(path)


def one_of(argument: str, value: object, choices: Iterable[str]) -> str:
    """`value` if it is among `choices`; otherwise raises an InputError that lists them and suggests the nearest."""
    choices = sorted(choices)
    if not isinstance(value, str) or value not in choices:
        raise refuse(argument, f"one of {', '.join(choices)}", literal(value), nearest(shown(value), choices))
    return str(value)


def nearest(word: str, choices: Iterable[str], alike: float = 0.5) -> str:
    """`Did you mean X?` for the nearest choice; empty where none has a similarity of at least `alike`, between 0 and
    1."""
    close = difflib.get_close_matches(str(word), list(choices), n=1, cutoff=alike)
    return f"Did you mean {close[0]}?" if close else ""


def real(argument: str, value: object) -> Float[torch.Tensor, "..."]:
    """`value` (a tensor, NumPy array, number or nested list) as a tensor of real numbers. Floating types stay, all
    others become float64.

    Raises:
        InputError: `value` holds complex numbers, also with imaginary parts of zero, or booleans, or no numbers.
    """
    try:
        tensor = value if isinstance(value, torch.Tensor) else torch.from_numpy(_plain_array(value))
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise refuse(argument, "real numbers", kind_of(value)) from error
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise refuse(argument, "real numbers", "complex ones" if tensor.is_complex() else "booleans")
    return tensor if tensor.is_floating_point() else tensor.double()


def whole(argument: str, value: object) -> Int[torch.Tensor, "..."]:
    """`value` as a tensor of integers, int64; raises InputError otherwise."""
    if isinstance(value, torch.Tensor) and value.dtype == torch.int64:
        return value
    numbers = real(argument, value)
    if (numbers != numbers.round()).any():
        raise refuse(argument, "integers", "numbers that are not")
    return value.long() if isinstance(value, torch.Tensor) else numbers.long()


def _plain_array(value: object) -> np.ndarray:
    """An array that torch can take over: writeable, of native byte order, without negative strides."""
    # NumPy keeps the double precision of Python's numbers; torch would round them to single.
    array = np.asarray(value)
    if array.flags.writeable and array.dtype.isnative and all(step >= 0 for step in array.strides):
        return array
    return np.array(array, array.dtype.newbyteorder("="), order="C")


def finite(argument: str, value: Float[torch.Tensor, "*shape"], advice: str = "") -> Float[torch.Tensor, "*shape"]:
    """`value` if all entries are finite; otherwise raises an InputError that names the first offending index."""
    bad = ~torch.isfinite(value)
    if bad.any():
        if value.ndim == 0:
            raise refuse(argument, "finite everywhere", f"{value.item()}", advice)
        where = tuple(torch.nonzero(bad)[0].tolist())
        raise refuse(argument, "finite everywhere", f"{value[where].item()} at index {list(where)}", advice)
    return value


def rows_of(argument: str, value: object, width: int, most: int | None = None) -> Float[torch.Tensor, "*batch D"]:
    """`value` as real numbers [..., width] with at most `most` axes; raises InputError otherwise."""
    x = real(argument, value)
    if x.ndim == 0 or x.shape[-1] != width:
        raise refuse(argument, f"states of {width} values", f"shape {list(x.shape)}")
    if most is not None and x.ndim > most:
        raise refuse(argument, f"an array of at most {most} axes", f"shape {list(x.shape)}")
    return x


def increasing(argument: str, value: object) -> Float[torch.Tensor, " T"]:
    """`value` as a non-empty, finite, strictly increasing vector [T], float64; raises InputError otherwise."""
    t = real(argument, value).double()
    if t.ndim != 1 or len(t) == 0:
        raise refuse(argument, "a vector of times [T] with T >= 1", f"shape {list(t.shape)}")
    finite(argument, t)
    step = torch.diff(t)
    if (step <= 0).any():
        i = int(torch.nonzero(step <= 0)[0])
        raise refuse(argument, "strictly increasing", f"{t[i].item():g} followed by {t[i + 1].item():g} at index {i}")
    return t
