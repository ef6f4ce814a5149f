"""Decides what arrays mean: which are the state, the time, the trajectory, and which axes are time and space.

What was decided is written into the attributes of the trajectories, as one sentence under `reading`.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas

from dynred.checks import nearest, refuse
from dynred.data.axes import Field, fields_of
from dynred.data.content import Arranged, Content, NamedArray
from dynred.data.grid import grid_attribute
from dynred.data.input_columns import input_names, with_inputs
from dynred.data.reading import ReadingSpec
from dynred.data.roles import is_group, is_time, listed, word
from dynred.data.time_stamps import check_increasing, merged
from dynred.data.time_values import WITHOUT, time_values
from dynred.data.variables import Variable, variables_attribute
from dynred.errors import InputError
from dynred.memory import check_memory

PARAMETER = "parameter_"  # begins the names of what has one value for each trajectory
VELOCITY = "velocity_"  # begins the name of the column that is the velocity of another one
OTHERS = ("lengths", "velocities")  # names that have a meaning of their own
COPIES = 2.0  # memory that arranging takes, in units of the size of the states


class NoTimes(InputError):
    """Data in which nothing is known to be the time."""


def no_times(names: Iterable[str]) -> NoTimes:
    """The error for data without times; the caller raises it."""
    known = [name for name in names if name != "t"] or ["nothing"]
    advice = f"`time` (--time NAME) says which of these they are. {WITHOUT}"
    return NoTimes(str(refuse("data", "to hold the times `t`", listed(known), advice)))


def arrange(content: Content, reading: ReadingSpec, what: str = "data") -> Arranged:
    """The arguments of `Trajectories` that the content stands for.

    Args:
        content: arrays by name.
        reading: what the user says of them.
        what: the content in messages, e.g. the name of its file.

    Raises:
        InputError: names or shapes say too little or contradict each other, or memory does not hold the states.
    """
    if content.parts:
        return _joined([arrange(part, reading, what) for part in content.parts])
    roles = _Roles.of(content.arrays, reading, table=content.is_table)
    needed = sum(content.arrays[name].nbytes for name in roles.states)
    check_memory(f"Reading {what}", int(COPIES * needed), "Name fewer states (--states).")
    arranged = _of_table(roles, reading) if content.is_table else _of_fields(roles, reading)
    if reading.duplicates == "average":
        arranged = _merged(arranged)
    lengths = np.asarray(arranged.lengths)
    size = f"{len(lengths)} trajectories of {int(lengths.sum())} snapshots in all"
    size = size if len(lengths) > 1 else f"1 trajectory of {int(lengths.sum())} snapshots"
    sentence = f"Read as {size}: {arranged.attributes['reading']}."
    attributes = {**content.attributes, **arranged.attributes, "reading": sentence}
    return Arranged(**{**arranged.arguments(), "attributes": attributes})


def _merged(arranged: Arranged) -> Arranged:
    """Content with one row for each time, the average of those that are there."""
    rows = {"states": np.asarray(arranged.states)}
    rows |= {} if arranged.velocities is None else {"velocities": np.asarray(arranged.velocities)}
    t, lengths, rows, fewer = merged(np.asarray(arranged.t), np.asarray(arranged.lengths), rows)
    told = f"{arranged.attributes['reading']}; {fewer} rows averaged with others of equal times"
    attributes = {**arranged.attributes, **({"reading": told} if fewer else {})}
    return Arranged(**{**arranged.arguments(), "t": t, "lengths": lengths, "attributes": attributes, **rows})


class _Roles:
    """Which array is what.

    Attributes:
        arrays: all arrays by name.
        states: names of the arrays that are the state.
        inputs: names of the arrays that are inputs.
        time, group: names of the arrays of times and of trajectories; None where there is none.
        left: names of arrays that might have been states and are not used.
    """

    def __init__(
        self,
        arrays: Mapping[str, NamedArray],
        states: Sequence[str],
        time: str | None,
        group: str | None,
        inputs: Sequence[str] = (),
    ):
        self.arrays, self.states, self.time, self.group, self.inputs = arrays, list(states), time, group, list(inputs)
        used = {*states, *inputs, time, group, *OTHERS}
        dims = {dim for name in states for dim in arrays[name].dims}
        self.left = [name for name in arrays if name not in used | dims and not _is_of_another(name, arrays)]

    @classmethod
    def of(cls, arrays: Mapping[str, NamedArray], reading: ReadingSpec, *, table: bool) -> "_Roles":
        dims = {dim for array in arrays.values() for dim in array.dims if not table}
        time, group = reading.time, reading.group
        if time is not None:
            _check_known("time (--time)", time, arrays, dims)
        elif reading.dt is None:
            time = _time_among(arrays, dims)
        if group is not None:
            _check_known("group (--group)", group, arrays, dims)
        else:
            known = [name for name, array in arrays.items() if is_group(name) and array.ndim == 1]
            group = next((name for name in known if name not in reading.states), None)
        inputs = input_names(arrays, reading)
        rest = {name: array for name, array in arrays.items() if name not in (time, group, *OTHERS, *inputs, *dims)}
        rest = {name: array for name, array in rest.items() if not _is_of_another(name, arrays)}
        rest = {name: array for name, array in rest.items() if not (reading.dt and is_time(name))}
        if reading.states:
            for name in reading.states:
                _check_known("states (--states)", name, arrays, set())
            states = list(reading.states)
        else:
            states = _numeric(rest, arrays) if table else _largest(rest, arrays)
        for name in states:
            if not arrays[name].is_real:
                kind = "complex ones" if arrays[name].dtype.kind == "c" else f"{arrays[name].dtype}"
                raise refuse(f"states {name}", "real numbers", kind)
        return cls(arrays, states, time if time in arrays else None, group if group in arrays else None, inputs)

    def note(self, how: str, dt: float | None) -> str:
        """What was decided, in words; `how` says what the states are."""
        named = self.time if self.time and word(self.time) == "time" else f"time {self.time}"
        parts = [how, named if self.time else f"dt = {dt:g}"]
        parts += [f"trajectories told apart by {self.group}"] if self.group else []
        parts += [f"left out: {listed(self.left)}"] if self.left else []
        return "; ".join(parts)


def _is_of_another(name: str, arrays: Mapping[str, NamedArray]) -> bool:
    """Whether an array is a parameter, or the velocity of another array."""
    return name.startswith(PARAMETER) or (name.startswith(VELOCITY) and name.removeprefix(VELOCITY) in arrays)


def _time_among(arrays: Mapping[str, NamedArray], dims: set[str]) -> str | None:
    """The name of the times: the coordinate of an axis, or dates, before others. A field called `t` is none."""
    plain = {name: array for name, array in arrays.items() if array.ndim == 1 or (array.ndim == 2 and not array.dims)}
    names = [name for name, array in plain.items() if is_time(name) or array.dtype.kind == "M"]
    return min(names, key=lambda name: (name not in dims, plain[name].dtype.kind != "M"), default=None)


def _check_known(what: str, name: str, arrays: Mapping[str, NamedArray], dims: set[str]) -> None:
    if name not in arrays and name not in dims:
        known = [*arrays, *sorted(dims - set(arrays))]
        raise refuse(what, f"one of {listed(known)}", repr(name), nearest(name, known))


def _numeric(rest: Mapping[str, NamedArray], arrays: Mapping[str, NamedArray]) -> list[str]:
    states = [name for name, array in rest.items() if array.is_real or array.dtype.kind == "c"]
    if not any(array.shape[0] for array in arrays.values()):
        raise refuse("states", "not empty", "a table without rows")
    if not states:
        raise refuse("data", "to hold columns of numbers beside time and trajectory", listed(arrays) or "nothing")
    return states


def _largest(rest: Mapping[str, NamedArray], arrays: Mapping[str, NamedArray]) -> list[str]:
    """The arrays that are the state: `states`, or all of those with the most named axes, or the only one."""
    numbers = {name: array for name, array in rest.items() if array.dtype.kind in "fiuc" and array.ndim}
    most = max((array.ndim for array in numbers.values()), default=0)
    largest = [name for name, array in numbers.items() if array.ndim == most]
    if "states" in numbers:
        return ["states"]
    if not largest:
        raise refuse("data", "to hold an array `states`", listed(arrays) or "nothing")
    named = [name for name in largest if arrays[name].dims]
    dims = {frozenset(arrays[name].dims) for name in named}
    if len(largest) > 1 and (len(named) < len(largest) or len(dims) > 1):
        shapes = [f"{name} {list(arrays[name].shape)}" for name in largest]
        raise refuse("states", "named where several arrays may be the state", listed(shapes), "--states says which.")
    return largest


# -- tables -----------------------------------------------------------------------------------------------------------


def _of_table(roles: _Roles, reading: ReadingSpec) -> Arranged:
    states = _columns(roles.arrays, roles.states)
    order, lengths = _grouped(roles, len(states))
    t, unit = _row_times(roles, reading, order, lengths)
    parameters = {
        name.removeprefix(PARAMETER): array.load()[order][np.cumsum(lengths) - lengths]
        for name, array in roles.arrays.items()
        if name.startswith(PARAMETER)
    }
    count = f" ({len(roles.states)} columns)" if len(roles.states) > 1 else ""
    note = roles.note(f"states {listed(roles.states)}{count}", reading.dt)
    attributes = {"reading": note, **({"time_unit": unit} if unit else {})}
    attributes |= variables_attribute(Variable(name, 1) for name in roles.states)
    moving = [VELOCITY + name for name in roles.states]
    known = all(name in roles.arrays for name in moving)
    velocities = _columns(roles.arrays, moving)[order] if known else None
    arranged = Arranged(states[order], t, lengths, velocities, parameters, attributes)
    return with_inputs(arranged, roles.arrays, roles.inputs, (1, len(order)), order)


def _columns(arrays: Mapping[str, NamedArray], names: Sequence[str]) -> np.ndarray:
    columns = [arrays[name].load() for name in names]
    kind = np.result_type(*(column.dtype if column.dtype.kind == "f" else np.float64 for column in columns))
    return np.column_stack([column.astype(kind) for column in columns])


def _grouped(roles: _Roles, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The order that puts the rows of each trajectory together, and how many rows each has.

    Raises:
        InputError: a row belongs to no trajectory, or every trajectory has one row only.
    """
    if roles.group is None:
        return np.arange(rows), np.array([rows])
    codes, names = pandas.factorize(roles.arrays[roles.group].load())
    what = f"group {roles.group}"
    if (codes < 0).any():
        raise refuse(what, "the name of a trajectory in every row", f"none in row {int(np.argmin(codes))}")
    lengths = np.bincount(codes)
    if len(lengths) and lengths.max() < 2:
        advice = "Name the column that tells trajectories apart (--group NAME)."
        raise refuse(what, "the name of a trajectory of two rows or more", f"{len(names)} groups of one row", advice)
    return np.argsort(codes, kind="stable"), lengths


def _row_times(roles: _Roles, reading: ReadingSpec, order: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, str]:
    """Times of all rows, in the order of the trajectories, and their unit."""
    if reading.dt is not None:
        return np.concatenate([reading.dt * np.arange(length) for length in lengths]), ""
    if roles.time is None:
        raise no_times(roles.arrays)
    t, unit = time_values(roles.time, roles.arrays[roles.time])
    if t.shape != order.shape:
        raise refuse(f"time {roles.time}", f"one value for each of {len(order)} rows", f"shape {list(t.shape)}")
    check_increasing(roles.time, t, order, lengths, equal=reading.duplicates == "average")
    return t[order], unit


# -- fields -----------------------------------------------------------------------------------------------------------


def _of_fields(roles: _Roles, reading: ReadingSpec) -> Arranged:
    time = roles.arrays[roles.time] if roles.time else None
    ragged = next((name for name in ("lengths", roles.group) if name in roles.arrays), None)
    rows = None if ragged is None else roles.arrays[ragged]
    fields = fields_of(
        {name: roles.arrays[name] for name in roles.states}, time, roles.time, rows, roles.group, reading
    )
    first = fields[0]
    blocks = [field.values() for field in fields]
    states = np.concatenate(blocks, -1) if len(blocks) > 1 else blocks[0]
    n, steps, d = states.shape
    if states.size == 0:
        raise refuse("states", "not empty", f"shape {list(states.shape)}")
    t, unit = _field_times(roles, reading, n, steps)
    order, lengths = _flat_order(roles, n, steps)
    if roles.time:
        check_increasing(roles.time, t.ravel(), order, lengths, equal=reading.duplicates == "average")
    velocities = None
    if "velocities" in roles.arrays and len(fields) == 1:
        moving = Field("velocities", roles.arrays["velocities"], first.dims)
        velocities = moving.values().reshape(-1, d)[order]
    attributes = {"reading": roles.note("; ".join(field.words() for field in fields), reading.dt)}
    attributes |= {"time_unit": unit} if unit else {}
    attributes |= grid_attribute([field.layout(roles.arrays) for field in fields])
    if len(fields) > 1:
        widths = [block.shape[-1] for block in blocks]
        attributes |= variables_attribute(Variable(f.name, w) for f, w in zip(fields, widths, strict=True))
    parameters = _parameters(roles, first)
    arranged = Arranged(states.reshape(-1, d)[order], t.ravel()[order], lengths, velocities, parameters, attributes)
    return with_inputs(arranged, roles.arrays, roles.inputs, (n, steps), order)


def _field_times(roles: _Roles, reading: ReadingSpec, n: int, steps: int) -> tuple[np.ndarray, str]:
    """Times [N, T] of the fields, and their unit."""
    if reading.dt is not None:
        return np.tile(reading.dt * np.arange(steps), (n, 1)), ""
    if roles.time is None:
        raise no_times(roles.arrays)
    t, unit = time_values(roles.time, roles.arrays[roles.time])
    t = t if t.shape == (n, steps) else t.reshape(-1)
    if t.shape not in ((steps,), (n, steps)):
        raise refuse(f"time {roles.time}", f"{steps} values, one for each snapshot", f"shape {list(t.shape)}")
    return np.broadcast_to(t, (n, steps)), unit


def _flat_order(roles: _Roles, n: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The order of the rows of [N * T], and the lengths of the trajectories: told apart by an axis, by `lengths`, or by
    names in every row."""
    rows = np.arange(n * steps)
    if n == 1 and roles.group is not None and roles.arrays[roles.group].shape == (steps,):
        return _grouped(roles, steps)
    if n == 1 and "lengths" in roles.arrays:
        lengths = roles.arrays["lengths"].load().ravel()
        if lengths.dtype.kind not in "fiu" or not (lengths > 0).all() or lengths.sum() != steps:
            raise refuse("lengths", f"positive integers of sum {steps}", listed(map(str, lengths.tolist())))
        return rows, lengths.astype(np.int64)
    return rows, np.full(n, steps)


def _parameters(roles: _Roles, field: Field) -> dict[str, np.ndarray]:
    """What has one value for each trajectory: arrays with the prefix, and those along the axis of trajectories."""
    along = [dim for dim in field.dims if dim in field.group_dims]
    return {
        name.removeprefix(PARAMETER): array.load().ravel()
        for name, array in roles.arrays.items()
        if name.startswith(PARAMETER) or (along and array.dims == (along[0],) and name != along[0] and array.is_real)
    }


# -- several ----------------------------------------------------------------------------------------------------------


def _joined(parts: Sequence[Arranged]) -> Arranged:
    """Several trajectories as one; attributes are those of the first."""
    widths = {np.asarray(part.states).shape[1] for part in parts}
    if len(widths) > 1:
        raise refuse("trajectories", "of one dimension", f"states of {listed(map(str, sorted(widths)))} values")
    first = parts[0]
    if any(part.input_names != first.input_names for part in parts):
        raise refuse("trajectories", f"with the same inputs, {listed(first.input_names) or 'none'}", "others")
    names = [name for name in first.parameters if all(name in part.parameters for part in parts)]
    moving = all(part.velocities is not None for part in parts)
    total = sum(len(np.asarray(part.states)) for part in parts)
    _, _, rest = str(first.attributes["reading"]).partition(": ")
    sentence = f"Read as {sum(len(part.lengths) for part in parts)} trajectories of {total} snapshots in all: {rest}"
    return Arranged(
        np.concatenate([np.asarray(part.states) for part in parts]),
        np.concatenate([np.asarray(part.t) for part in parts]),
        np.concatenate([np.asarray(part.lengths) for part in parts]),
        np.concatenate([np.asarray(part.velocities) for part in parts]) if moving else None,
        {name: np.concatenate([part.parameters[name] for part in parts]) for name in names},
        {**first.attributes, "reading": sentence},
        np.concatenate([np.asarray(part.inputs) for part in parts]) if first.inputs is not None else None,
        first.input_names,
    )
