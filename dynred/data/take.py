"""What people hold in Python as trajectories: arrays, lists of them, tables, datasets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
import xarray
from torch import Tensor

from dynred.checks import kind_of, real, refuse
from dynred.data.arrange import arrange
from dynred.data.content import Arranged, Content, NamedArray
from dynred.data.datasets import dataset_content
from dynred.data.frames import table_content
from dynred.data.readers.base import read_file
from dynred.data.reading import ReadingSpec

STATES, TIMES = "states", "t"
COMPLEX = "Give real and imaginary parts as components of their own: np.concatenate([x.real, x.imag], -1)."
KINDS = (
    "an array [T], [T, D] or [N, T, D], a list of arrays, a mapping from names to arrays, a pandas DataFrame, or an "
    "xarray DataArray or Dataset"
)


def may_hold_trajectories(x: object) -> bool:
    """Whether an object is of a class that `take` knows."""
    named = Mapping | pandas.Series | pandas.DataFrame | xarray.DataArray | xarray.Dataset
    return isinstance(x, np.ndarray | Tensor | list | tuple | named)


def take(x: object, t: object, reading: ReadingSpec) -> Arranged:
    """The arguments of `Trajectories` that an object stands for.

    Args:
        x: what `Trajectories.of` takes; a path stands for its file.
        t: times of arrays: [T], [N, T], or a list of [T] beside a list of arrays; None where x has them.
        reading: what the user says of x.

    Raises:
        InputError: x is of another kind, or too little is said of it.
    """
    if isinstance(x, str | Path):
        return read_file(x, reading)
    if t is not None and (reading.dt is not None or reading.time is not None):
        raise refuse("the times", "given in one way", "t beside dt or time")
    if isinstance(x, list | tuple) and _are_several(x):
        if not x:
            raise refuse("x", KINDS, "an empty list")
        return arrange(Content(parts=_parts(x, t)), reading)
    return arrange(_content(x, t), reading)


def _are_several(x: Sequence[object]) -> bool:
    """Whether a list holds trajectories; a list of numbers, or of equal rows of numbers, is an array."""
    return not x or not all(isinstance(part, int | float | list | tuple | np.generic) for part in x)


def _parts(x: Sequence[object], t: object) -> tuple[Content, ...]:
    if t is None:
        return tuple(_content(part, None) for part in x)
    if isinstance(t, list | tuple) and not all(isinstance(value, int | float | np.generic) for value in t):
        if len(t) != len(x):
            raise refuse("t", f"one array of times for each of {len(x)} trajectories", f"{len(t)} of them")
        return tuple(_content(part, times) for part, times in zip(x, t, strict=True))
    return tuple(_content(part, t) for part in x)


def _content(x: object, t: object) -> Content:
    if isinstance(x, pandas.Series):
        x = x.to_frame()
    if isinstance(x, pandas.DataFrame):
        _without_times(t, "a column or the index is the time (time=NAME)")
        return table_content(x)
    if isinstance(x, xarray.DataArray | xarray.Dataset):
        _without_times(t, "a coordinate is the time (time=NAME)")
        return dataset_content(x)
    if isinstance(x, Mapping):
        _without_times(t, "an array of the mapping is the time (time=NAME)")
        return Content({str(name): NamedArray.of(_array(str(name), value)) for name, value in x.items()})
    if not isinstance(x, np.ndarray | Tensor | list | tuple):
        raise refuse("x", KINDS, kind_of(x), "`dynred.load_trajectories` reads files.")
    arrays = {STATES: _array(STATES, x)} | ({} if t is None else {TIMES: _array(TIMES, t)})
    if not arrays[STATES].ndim >= 1:
        raise refuse("x", KINDS, "a number")
    return Content({name: NamedArray.of(value) for name, value in arrays.items()})


def _without_times(t: object, advice: str) -> None:
    if t is not None:
        raise refuse("t", "left out beside names", "some times", f"{advice[0].upper()}{advice[1:]}.")


def _array(name: str, value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        if value.is_complex() or value.dtype in (torch.bool, torch.bfloat16):
            advice = COMPLEX if value.is_complex() else ""
            raise refuse(name, "real numbers", str(value.dtype).removeprefix("torch."), advice)
        return value.detach().cpu().numpy()
    array = value if isinstance(value, np.ndarray) else _from_list(name, value)
    if array.dtype.kind in "cb":
        kind, advice = ("complex ones", COMPLEX) if array.dtype.kind == "c" else ("booleans", "")
        raise refuse(name, "real numbers", kind, advice)
    return array


def _from_list(name: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise refuse(name, "an array", "lists of different lengths", "Make each trajectory an array.") from error
    return array if array.dtype.kind in "OSUTmM" else real(name, array).numpy()
