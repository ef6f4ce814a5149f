"""The columns and arrays of data that are inputs u(t)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int

from dynred.checks import nearest, refuse
from dynred.data.content import Arranged, NamedArray
from dynred.data.courses import courses_of
from dynred.data.reading import ReadingSpec
from dynred.data.roles import listed
from dynred.data.signals import KEY
from dynred.data.store_layout import INPUT


def input_names(arrays: Mapping[str, NamedArray], reading: ReadingSpec) -> list[str]:
    """The arrays that are inputs: those that the user names, and those whose names begin with `input_`.

    Raises:
        InputError: there is no array of a name, or it holds no real numbers.
    """
    for name in reading.inputs:
        if name not in arrays:
            raise refuse("inputs (--inputs)", f"among {listed(arrays)}", repr(name), nearest(name, arrays))
        if not arrays[name].is_real:
            raise refuse(f"input {name}", "real numbers", f"{arrays[name].dtype}")
    return [*reading.inputs, *(name for name in arrays if name.startswith(INPUT) and name not in reading.inputs)]


def with_inputs(
    arranged: Arranged,
    arrays: Mapping[str, NamedArray],
    names: Sequence[str],
    shape: tuple[int, int],
    order: Int[np.ndarray, " M"],
) -> Arranged:
    """What was arranged, with its inputs, and what was decided of them.

    Args:
        arranged: the rest.
        arrays: all arrays by name.
        names: the inputs among them.
        shape: numbers of trajectories and of times, (1, M) of a table.
        order: puts the rows of each trajectory together.

    Raises:
        InputError: an input has not one value for each snapshot.
    """
    columns = {name.removeprefix(INPUT): _column(name, arrays[name], shape)[order] for name in names}
    if not columns:
        return arranged
    courses = courses_of({name: torch.from_numpy(values) for name, values in columns.items()}, {})
    told = ", ".join(f"{name} ({course['between']} between snapshots)" for name, course in courses.items())
    attributes = {**arranged.attributes, KEY: courses}
    attributes["reading"] = f"{attributes['reading']}; inputs {told}"
    inputs = np.column_stack(list(columns.values()))
    return replace(arranged, inputs=inputs, input_names=tuple(columns), attributes=attributes)


def _column(name: str, array: NamedArray, shape: tuple[int, int]) -> Float[np.ndarray, " M"]:
    values, (n, steps) = array.load().astype(np.float64), shape
    if values.size == n * steps:
        return values.reshape(-1)
    if values.size == steps:
        return np.tile(values.reshape(-1), n)
    expected = f"one value for each of {steps} times, or for each of {n} trajectories too"
    raise refuse(f"input {name}", expected, f"shape {list(values.shape)}")
