"""Decides what the axes of arrays mean: trajectory, time, component, space; and lays them out as [N, T, D]."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from dynred.checks import refuse
from dynred.data.content import NamedArray
from dynred.data.grid import Axis, Grid, axis_of
from dynred.data.reading import ReadingSpec
from dynred.data.roles import SPACE, is_component, is_group, is_time, listed
from dynred.errors import DynredWarning

ASK = "--dims names the axes, e.g. --dims time,component; also trajectory, and x, y, z or other names for space."
PHONY = "component"  # the axis of a state vector that nobody named


@dataclass(frozen=True, eq=False)
class Field:
    """An array whose axes are known.

    Attributes:
        name: its name.
        array: the array.
        dims: names of its axes.
        time: name of its axis of time.
        group_dims: names that mean an axis of trajectories.
        turned: whether snapshots were found to be columns.
    """

    name: str
    array: NamedArray
    dims: tuple[str, ...]
    time: str = "time"
    group_dims: tuple[str, ...] = ("trajectory",)
    turned: bool = False

    @property
    def space(self) -> tuple[str, ...]:
        """The axes of space, in the order of the array."""
        return tuple(d for d in self.dims if d != self.time and d not in self.group_dims and not is_component(d))

    def values(self) -> Float[np.ndarray, "N T D"]:
        """The array as states: trajectory, time, then components, each with its points in space."""
        values = self.array.load()
        if values.shape != self.array.shape or values.ndim != len(self.dims):
            raise refuse(self.name, f"of shape {list(self.array.shape)}", f"shape {list(values.shape)}")
        values = values.astype(values.dtype.newbyteorder("=") if values.dtype.kind == "f" else np.float64, copy=False)
        groups = [d for d in self.dims if d in self.group_dims]
        components = [d for d in self.dims if is_component(d) and d != self.time and d not in groups]
        order = [self.dims.index(d) for d in (*groups, self.time, *components, *self.space)]
        turned = np.transpose(values, order)
        steps = values.shape[self.dims.index(self.time)]
        return turned.reshape(values.shape[self.dims.index(groups[0])] if groups else 1, steps, -1)

    def words(self) -> str:
        """What the array is, in words."""
        axes = [f"{dim} {size}" for dim, size in zip(self.dims, self.array.shape, strict=True)]
        name = self.name if self.name == "states" else f"states {self.name}"
        return f"{name} ({', '.join(axes)}{'; snapshots are columns' if self.turned else ''})"

    def layout(self, arrays: Mapping[str, NamedArray]) -> Grid | None:
        """How its components lie in space; None where they do not, or where a coordinate holds texts."""
        axes: list[Axis] = []
        sizes = dict(zip(self.dims, self.array.shape, strict=True))
        for dim in self.space:
            axis = axis_of(dim, sizes[dim], _coordinate(arrays.get(dim)), arrays[dim].unit if dim in arrays else "")
            if axis is None:
                return None
            axes.append(axis)
        counts = [size for dim, size in sizes.items() if is_component(dim)]
        many = int(np.prod(counts)) if counts else 1
        names = tuple(f"{self.name} {i}" for i in range(many)) if many > 1 else (self.name,)
        return Grid(tuple(axes), names) if axes else None


def fields_of(
    states: Mapping[str, NamedArray],
    time: NamedArray | None,
    time_name: str | None,
    rows: NamedArray | None,
    group: str | None,
    reading: ReadingSpec,
) -> list[Field]:
    """The arrays of the states with their axes.

    Args:
        states: arrays by name.
        time: the times.
        time_name: the name of these.
        rows: what says which rows belong to which trajectory.
        group: what means the trajectory, as the name of an axis.
        reading: what the user says of the axes.

    Raises:
        InputError: the axes cannot be told, or do not fit each other.
    """
    fields = []
    for name, array in states.items():
        dims, turned = reading.dims or array.dims, False
        if not dims:
            dims, turned = _guessed(name, array, time, rows)
        if len(dims) != array.ndim:
            raise refuse("dims (--dims)", f"{array.ndim} names, for {name} {list(array.shape)}", ",".join(dims))
        axis = _time_axis(dims, time, time_name, reading)
        groups = tuple(d for d in dims if d != axis and (d in (group, reading.group) or is_group(d)))
        fields.append(Field(name, array, tuple(dims), axis, groups, turned))
    sizes = [{d: n for d, n in zip(f.dims, f.array.shape, strict=True) if not is_component(d)} for f in fields]
    for field, size in zip(fields, sizes, strict=True):
        if len(field.group_dims) > 1:
            raise refuse("dims", "with one axis of trajectories", listed(field.group_dims), ASK)
        if size != sizes[0]:
            raise refuse("states", "on the same axes", f"{fields[0].words()} and {field.words()}", "Name some of them.")
    return [replace(field, group_dims=field.group_dims or ("trajectory",)) for field in fields]


def _time_axis(dims: tuple[str, ...], time: NamedArray | None, time_name: str | None, reading: ReadingSpec) -> str:
    along = time.dims[-1] if time is not None and time.dims else None
    for axis in (reading.time, time_name, along):
        if axis in dims:
            return str(axis)
    axis = next((dim for dim in dims if is_time(dim)), None)
    if axis is not None:
        return axis
    if len(dims) == 1:
        return dims[0]
    advice = "--time NAME says which axis is time. " + ASK
    raise refuse("the axes of the states", "with one that is time", listed(dims), advice)


def _guessed(
    name: str, array: NamedArray, time: NamedArray | None, rows: NamedArray | None
) -> tuple[tuple[str, ...], bool]:
    """Names for the axes of an array that has none, and whether snapshots are columns; the number of times tells."""
    shape = array.shape
    steps = time.shape[-1] if time is not None and time.ndim == 1 else None
    rest = SPACE[-(len(shape) - 1) :] if 3 <= len(shape) <= 4 else tuple(f"axis {i}" for i in range(1, len(shape)))
    alone, several = ("time", *rest), ("trajectory", "time", *(rest[1:] if len(shape) > 3 else (PHONY,)))
    if len(shape) == 1:
        return ("time",), False
    if time is not None and time.ndim == 2 and time.shape == shape[:2]:
        return several, False
    if len(shape) == 2:
        return _guessed_plane(name, shape, steps, sure=rows is not None)
    if steps is None:
        return several, False
    if steps == shape[1] or steps not in shape:
        return several, False
    if steps == shape[0]:
        return alone, False
    axes = f"{list(shape)} beside {steps} times"
    raise refuse(f"states {name}", "of shape [N, T, D], or [T, ...] for one trajectory", axes, ASK)


def _guessed_plane(name: str, shape: tuple[int, ...], steps: int | None, *, sure: bool) -> tuple[tuple[str, ...], bool]:
    if sure or (steps == shape[0] != shape[1]):
        return ("time", PHONY), False
    if steps == shape[1] != shape[0]:
        return (PHONY, "time"), True
    if shape[0] == shape[1]:
        advice = "--dims time,component says that rows are snapshots, --dims component,time that columns are."
        raise refuse(
            f"states {name}", "of which rows are snapshots and columns components", f"a square {shape[0]}", advice
        )
    if steps is not None:
        raise refuse("t", f"one time for each of {shape[0]} rows or {shape[1]} columns", f"{steps} times", ASK)
    if shape[0] < shape[1]:
        words = f"{name} has {shape[0]} rows, taken for snapshots, and {shape[1]} columns"
        warnings.warn(f"{words}; --dims component,time says that columns are.", DynredWarning, stacklevel=2)
    return ("time", PHONY), False


def _coordinate(array: NamedArray | None) -> np.ndarray | None:
    return array.load() if array is not None and array.ndim == 1 else None
