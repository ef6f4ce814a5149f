"""What inputs are between their samples, and signals made of them: of trajectories, or of what a caller gives."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import finite, increasing, one_of, positive, real, refuse
from dynred.data.signals import HELD, KEY, LINEAR, ROUND_OFF, Clock, Course, Sampled, Signal

STEPPING = 0.5  # fraction of unchanged samples from which on an input of unknown kind is taken to be held


def clocks(period: float | None) -> dict[str, Course]:
    """The inputs that make an ODE autonomous whose right-hand side has a period, or none: its phase, or time."""
    if period is None:
        return {"time": {"clock": "time"}}
    return {f"{part} of the phase": {"clock": part, "period": float(period)} for part in ("cos", "sin")}


def checked_course(name: str, course: Any) -> Course:
    """What a signal is between its samples: `{"between": "held" or "linear"}`, or a `Clock.course`.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(course, Mapping) or not {"between", "clock"} & set(course):
        raise refuse(f"the course of input {name}", "a mapping with `between` or `clock`", course)
    if "between" in course:
        one_of(f"the course of input {name} between samples", course["between"], (HELD, LINEAR))
    elif one_of(f"the clock of input {name}", course["clock"], ("cos", "sin", "time")) != "time":
        positive(f"the period of input {name}", course.get("period"))
    return course


def course_of(name: str, values: Float[Tensor, " M"], attributes: Mapping[str, Any]) -> Course:
    """What an input of trajectories is between snapshots: what the attributes say, else held where at least half of
    the snapshots repeat the value before, and linear otherwise."""
    said = attributes.get(KEY, {})
    if name in said:
        return checked_course(name, said[name])
    repeated = float((torch.diff(values) == 0).double().mean()) if len(values) > 1 else 0.0
    return {"between": HELD if repeated >= STEPPING else LINEAR}


def courses_of(inputs: Mapping[str, Float[Tensor, " M"]], attributes: Mapping[str, Any]) -> dict[str, Course]:
    """See `course_of`, of every input."""
    return {name: course_of(name, values, attributes) for name, values in inputs.items()}


def with_courses(inputs: Mapping[str, Float[Tensor, " M"]], attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes of trajectories with the course of every input; the same where they have them all."""
    if all(name in attributes.get(KEY, {}) for name in inputs):
        return attributes
    return {**attributes, KEY: courses_of(inputs, attributes)}


def signals_of(
    inputs: Mapping[str, Float[Tensor, " M"]], grids: Sequence[Float[Tensor, " _"]], attributes: Mapping[str, Any]
) -> dict[str, Signal]:
    """The inputs of trajectories as signals of the time since the first snapshot of each."""
    if not grids:
        return {}
    lengths, signals = [len(grid) for grid in grids], dict[str, Signal]()
    starts = torch.stack([grid[0].double() for grid in grids])
    times = _table([grid.double() - grid[0].double() for grid in grids], torch.inf)
    if len(set(lengths)) == 1 and torch.allclose(times, times[:1], rtol=0, atol=ROUND_OFF * float(times[0, -1])):
        times = times[:1]
    for name, values in inputs.items():
        course = course_of(name, values, attributes)
        if "clock" in course:
            signals[name] = Clock(course, starts)
        else:
            table = _table(list(values.double().split(lengths)), 0.0)
            signals[name] = Sampled(times, table, course["between"] == HELD)
    return signals


def _table(parts: Sequence[Float[Tensor, " _"]], filling: float) -> Float[Tensor, "N K"]:
    return torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True, padding_value=filling)


def given_signals(
    inputs: Any, names: Sequence[str], courses: Mapping[str, Course], t: Any, rows: int
) -> dict[str, Signal | Float[Tensor, "..."]]:
    """The signals that a caller gives.

    Args:
        inputs: an array [T, U] or [N, T, U] of values at the times t, in the order of `names` (without the last axis
            where there is one); or by name: a signal, a number, or values [T] or [N, T].
        names: the inputs that are expected.
        courses: what each is between samples, by name.
        t: times of the values [T].
        rows: number of trajectories N.

    Raises:
        InputError: another number of values or inputs, unknown or missing names, values that are not finite.
    """
    if not names:
        raise refuse("inputs", "left out for a model without inputs", "some")
    if not isinstance(inputs, Mapping):
        values = real("inputs", inputs).double()
        bare = len(names) == 1 and values.ndim > 0 and values.shape[-1] == len(t) != 1
        values = values[..., None] if bare else values.reshape(values.shape or (1,))
        if values.shape[-1] != len(names):
            expected = f"values [..., {len(names)}] of {', '.join(names)}"
            raise refuse("inputs", expected, f"shape {list(values.shape)}")
        inputs = dict(zip(names, values.unbind(-1), strict=True))
    for name in inputs:
        one_of("input", name, names)
    missing = [name for name in names if name not in inputs]
    if missing:
        raise refuse("inputs", f"given for {', '.join(names)}", f"none for {', '.join(missing)}")
    return {
        name: _signal(name, value, courses.get(name, {"between": LINEAR}), t, rows) for name, value in inputs.items()
    }


def _signal(name: str, value: Any, course: Course, t: Any, rows: int) -> Signal | Float[Tensor, "..."]:
    if isinstance(value, Signal):
        if value.ndim and value.shape != (rows,):
            raise refuse(f"input {name}", f"a signal for each of {rows} trajectories", f"{value.shape[0]} of them")
        return value
    samples = finite(f"input {name}", real(f"input {name}", value).double())
    if samples.ndim == 0:
        return samples
    times = increasing("t", t)
    if samples.shape not in ((len(times),), (rows, len(times))):
        expected = f"a value for each of {len(times)} times [{len(times)}] or [{rows}, {len(times)}]"
        raise refuse(f"input {name}", expected, f"shape {list(samples.shape)}")
    held = course.get("between") == HELD
    return Sampled(times[None], samples.reshape(-1, len(times)), held, shared=samples.ndim == 1)


def columns(
    by_name: Mapping[str, Float[Tensor, " M"]], attributes: Mapping[str, Any]
) -> tuple[Float[Tensor, "M U"] | None, tuple[str, ...]]:
    """Inputs by name as `Trajectories.inputs` and `input_names`, in the order in which the attributes name them."""
    first = [name for name in attributes.get(KEY, {}) if name in by_name]
    names = (*first, *sorted(set(by_name) - set(first)))
    return (torch.stack([by_name[name] for name in names], 1), names) if names else (None, ())


def joined_inputs(
    parts: Sequence[tuple[Float[Tensor, "m U"] | None, tuple[str, ...]]],
) -> tuple[Float[Tensor, "M U"] | None, tuple[str, ...]]:
    """The inputs of several sets of trajectories as one, and their names: those that every part has."""
    common = tuple(name for name in parts[0][1] if all(name in names for _, names in parts))
    if not common:
        return None, ()
    chosen = [inputs[:, [names.index(name) for name in common]] for inputs, names in parts if inputs is not None]
    return torch.cat(chosen), common
