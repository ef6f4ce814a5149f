"""Input signals u(t): what an input is at every time, from its values at some times or as a known function of time.

A signal has one course for all rows of a batch (ndim 0), or one for each row (ndim 1), like a parameter that is a number
or has a value per row; so it travels wherever parameters do.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.checks import finite, increasing, one_of, positive, real, refuse

HELD, LINEAR = "held", "linear"
KEY = "inputs"  # the attribute of trajectories that says by name what each input is between snapshots
ROUND_OFF = 1e-9  # of a duration: times that differ by less are one
STEPPING = 0.5  # fraction of unchanged samples from which on an input of unknown kind is taken to be held

Course = Mapping[str, Any]  # what a signal is between its samples, as plain JSON: see `course_of`


class Signal(ABC):
    """A function of time, the same for all rows or one for each."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """() where all rows share it, else (N,)."""

    @property
    def ndim(self) -> int:
        """0 where all rows share it, else 1."""
        return len(self.shape)

    @abstractmethod
    def __getitem__(self, index: Any) -> Self:
        """The signals of some rows."""

    @abstractmethod
    def value(self, t: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The value at t, a number or of shape [N, ...], float64; beyond the signal's ends it goes on as at them."""

    def __call__(self, t: float | Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The value at t.

        Raises:
            InputError: a time at which the signal is not known.
        """
        moment = real("t", t).double()
        if moment.numel():
            self.check("the signal", float(moment.min()), float(moment.max()))
        return self.value(moment)

    def on(self, start: float, end: float) -> "Signal":
        """What it is from `start` to `end`, continued smoothly beyond: no solver then sees what comes after."""
        return self

    def jumps(self, start: float, end: float) -> Float[Tensor, " J"]:
        """The times between `start` and `end` at which it is not continuous."""
        return torch.zeros(0, dtype=torch.float64)

    @abstractmethod
    def later(self, by: float) -> "Signal":
        """The same a time `by` later."""

    def check(self, name: str, start: float, end: float) -> None:
        """Refuses a time span of which it does not know everything.

        Raises:
            InputError: it begins later, or ends before.
        """


def joined_jumps(signals: Iterable[Signal], start: float, end: float) -> Float[Tensor, " J"]:
    """The times between `start` and `end` at which one of several signals is not continuous."""
    moments = torch.unique(torch.cat([torch.zeros(0).double(), *(signal.jumps(start, end) for signal in signals)]))
    before = torch.cat([torch.tensor([-torch.inf], dtype=torch.float64), moments[:-1]])
    return moments[moments - before > ROUND_OFF * (end - start)]


@dataclass(frozen=True, eq=False)
class Sampled(Signal):
    """A signal given by samples: held until the next, or linear between them.

    Attributes:
        t: times of the samples [n, K], n = 1 where all rows share them; those of shorter signals end with infinity.
        values: [n, K].
        held: whether a value holds until the next sample; otherwise the signal is linear between samples.
        shared: whether all rows share one signal.
        inside: first and last sample interval that may be used, [n] each; None for all.
    """

    t: Float[Tensor, "n K"]
    values: Float[Tensor, "n K"]
    held: bool
    shared: bool = False
    inside: tuple[Int[Tensor, " n"], Int[Tensor, " n"]] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """See `Signal.shape`."""
        return () if self.shared else (len(self.values),)

    def __getitem__(self, index: Any) -> "Sampled":
        """See `Signal.__getitem__`."""
        if self.shared:
            return self
        index = index if isinstance(index, slice) else torch.as_tensor(index)
        t, values = (part if len(part) == 1 and part is self.t else part[index] for part in (self.t, self.values))
        if isinstance(index, Tensor) and index.ndim == 0:
            return replace(self, t=t.reshape(1, -1), values=values.reshape(1, -1), inside=None)
        return replace(self, t=t, values=values, inside=None)

    def later(self, by: float) -> "Sampled":
        """See `Signal.later`."""
        return replace(self, t=self.t + by)

    @property
    def counts(self) -> Int[Tensor, " n"]:
        """Number of samples."""
        return torch.isfinite(self.t).sum(1)

    @property
    def ends(self) -> Float[Tensor, " n"]:
        """Time of the last sample."""
        return self.t.gather(1, self.counts[:, None] - 1)[:, 0]

    def value(self, t: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """See `Signal.value`."""
        moments = t.double()
        rows = len(self.values)
        asked = moments.reshape(1, -1).expand(rows, -1) if moments.ndim == 0 or self.shared else moments.reshape(rows, -1)
        first, last = self._intervals if self.inside is None else self.inside
        index = torch.minimum(torch.maximum(self._before(asked, right=True), first[:, None]), last[:, None])
        values = self.values.gather(1, index)
        if not self.held:
            after = torch.minimum(index + 1, (self.counts - 1)[:, None])
            times = self.t.expand(rows, -1)
            start, end = times.gather(1, index), times.gather(1, after)
            part = torch.where(end > start, (asked - start) / (end - start).clamp_min(1e-300), 0.0)
            values = values + part * (self.values.gather(1, after) - values)
        return values.reshape(moments.shape if moments.ndim or self.shared else self.shape)

    def on(self, start: float, end: float) -> "Sampled":
        """See `Signal.on`."""
        edge = ROUND_OFF * (end - start)
        ends = torch.tensor([[start + edge, end - edge]], dtype=torch.float64)
        before = self._before(ends.expand(len(self.values), -1), right=True)
        first, last = self._intervals
        low, high = (torch.minimum(torch.maximum(before[:, i], first), last) for i in (0, 1))
        return replace(self, inside=(low, torch.maximum(low, high)))

    def jumps(self, start: float, end: float) -> Float[Tensor, " J"]:
        """See `Signal.jumps`: where a held value changes."""
        if not self.held:
            return super().jumps(start, end)
        edge, times = ROUND_OFF * (end - start), self.t.expand(len(self.values), -1)[:, 1:]
        changed = (torch.diff(self.values) != 0) & (times > start + edge) & (times < end - edge)
        return torch.unique(times[changed])

    def check(self, name: str, start: float, end: float) -> None:
        """See `Signal.check`."""
        edge = ROUND_OFF * max(end - start, abs(end), 1e-300)
        first, last = float(self.t[:, 0].max()), float(self.ends.min())
        if start < first - edge:
            raise refuse(f"input {name}", f"known from t = {start:g} on", f"one that begins at {first:g}")
        if end > last + edge:
            advice = "Give it for longer, or end earlier."
            raise refuse(f"input {name}", f"known until t = {end:g}", f"one that ends at {last:g}", advice)

    @property
    def _intervals(self) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
        last = (self.counts - (1 if self.held else 2)).clamp_min(0).expand(len(self.values))
        return torch.zeros_like(last), last

    def _before(self, asked: Float[Tensor, "n Q"], *, right: bool) -> Int[Tensor, "n Q"]:
        if len(self.t) == 1:
            flat = torch.searchsorted(self.t[0], asked.contiguous(), right=right)
            return flat - 1
        return torch.searchsorted(self.t.contiguous(), asked.contiguous(), right=right) - 1


@dataclass(frozen=True, eq=False)
class Clock(Signal):
    """A function of time alone: the cosine or sine of its phase, or time itself.

    Attributes:
        course: `{"clock": "cos" or "sin", "period": T}`, or `{"clock": "time"}`.
        start: added to the time at which it is asked for: a number, or one per row.
    """

    course: Course
    start: Float[Tensor, "*N"]

    @property
    def shape(self) -> tuple[int, ...]:
        """See `Signal.shape`."""
        return tuple(self.start.shape)

    def __getitem__(self, index: Any) -> "Clock":
        """See `Signal.__getitem__`."""
        return self if self.start.ndim == 0 else replace(self, start=self.start[index])

    def later(self, by: float) -> "Clock":
        """See `Signal.later`."""
        return replace(self, start=self.start - by)

    def value(self, t: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """See `Signal.value`."""
        moments = t.double()
        start = self.start.reshape(self.start.shape + (1,) * max(moments.ndim - self.start.ndim, 0))
        return clock(self.course, moments + start)


def clock(course: Course, t: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The value of a function of time alone."""
    if course["clock"] == "time":
        return t
    phase = torch.remainder(t, course["period"]) * (2 * torch.pi / course["period"])
    return torch.cos(phase) if course["clock"] == "cos" else torch.sin(phase)


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
        values = values[..., None] if len(names) == 1 and values.shape[-1] != 1 else values
        if values.shape[-1] != len(names):
            expected = f"values [..., {len(names)}] of {', '.join(names)}"
            raise refuse("inputs", expected, f"shape {list(values.shape)}")
        inputs = dict(zip(names, values.unbind(-1), strict=True))
    for name in inputs:
        one_of("input", name, names)
    missing = [name for name in names if name not in inputs]
    if missing:
        raise refuse("inputs", f"given for {', '.join(names)}", f"none for {', '.join(missing)}")
    return {name: _signal(name, value, courses.get(name, {"between": LINEAR}), t, rows) for name, value in inputs.items()}


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

