"""Input signals u(t): what an input is at every time, from its values at some times or as a known function of time.

A signal has one course for all rows of a batch (ndim 0), or one for each row (ndim 1), like a parameter that is a
number or has a value per row; so it travels wherever parameters do.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.checks import real, refuse

HELD, LINEAR = "held", "linear"
KEY = "inputs"  # the attribute of trajectories that says by name what each input is between snapshots
ROUND_OFF = 1e-9  # of a duration: times that differ by less are one

Course = Mapping[str, Any]  # what a signal is between its samples, as plain JSON: see `dynred.data.courses.course_of`


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
        """The times between `start` and `end` at which it is not smooth."""
        return torch.zeros(0, dtype=torch.float64)

    @abstractmethod
    def later(self, by: float) -> "Signal":
        """The same a time `by` later."""

    def check(self, name: str, start: float, end: float) -> None:
        """Refuses a time span of which it does not know everything.

        Raises:
            InputError: it begins later, or ends before.
        """
        return  # a function of time is known at all times


def joined_jumps(signals: Iterable[Signal], start: float, end: float) -> Float[Tensor, " J"]:
    """The times between `start` and `end` at which one of several signals is not smooth."""
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

    t: Float[Tensor, "#n K"]
    values: Float[Tensor, "#n K"]
    held: bool
    shared: bool = False
    inside: tuple[Int[Tensor, " _n"], Int[Tensor, " _n"]] | None = None

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
        asked = (
            moments.reshape(1, -1).expand(rows, -1) if moments.ndim == 0 or self.shared else moments.reshape(rows, -1)
        )
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

    def on(self, start: float, end: float) -> Signal:
        """See `Signal.on`."""
        edge = ROUND_OFF * (end - start)
        ends = torch.tensor([[start + edge, end - edge]], dtype=torch.float64)
        before = self._before(ends.expand(len(self.values), -1), right=True)
        first, last = self._intervals
        low, high = (torch.minimum(torch.maximum(before[:, i], first), last) for i in (0, 1))
        if (high <= low).all():
            return self._line(low)
        return replace(self, inside=(low, torch.maximum(low, high)))

    def _line(self, index: Int[Tensor, " n"]) -> "StraightLine":
        """What it is in one sample interval of each row."""
        rows, after = len(self.values), torch.minimum(index + 1, self.counts - 1)
        times = self.t.expand(rows, -1)
        t, end, value, later = (
            table.gather(1, place[:, None])[:, 0] for table in (times, self.values) for place in (index, after)
        )
        gap = (end - t).clamp_min(1e-300)
        slope = torch.zeros_like(value) if self.held else torch.where(end > t, (later - value) / gap, 0.0)
        parts = (t, value, slope)
        return StraightLine(*(part[0] for part in parts)) if self.shared else StraightLine(*parts)

    def jumps(self, start: float, end: float) -> Float[Tensor, " J"]:
        """See `Signal.jumps`: where a held value changes, or the slope between samples does.

        Steps that end at the corners of a linear signal take less than steps that find them: 3,609 evaluations of
        a forced chain over 100 samples, at an error of 3.7e-6, instead of 5,715 at 5.1e-6 (Dormand-Prince).
        """
        edge, times = ROUND_OFF * (end - start), self.t.expand(len(self.values), -1)[:, 1:]
        changed = (torch.diff(self.values) != 0) if self.held else times.isfinite()
        changed = changed & (times > start + edge) & (times < end - edge)
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
class StraightLine(Signal):
    """A straight signal, such as a sample interval of another one: value + slope (t - begin).

    Attributes:
        begin, value_there, slope: a number each, or one per row.
    """

    begin: Float[Tensor, "*N"]
    value_there: Float[Tensor, "*N"]
    slope: Float[Tensor, "*N"]

    @property
    def shape(self) -> tuple[int, ...]:
        """See `Signal.shape`."""
        return tuple(self.slope.shape)

    def __getitem__(self, index: Any) -> "StraightLine":
        """See `Signal.__getitem__`."""
        return StraightLine(self.begin[index], self.value_there[index], self.slope[index]) if self.ndim else self

    def later(self, by: float) -> "StraightLine":
        """See `Signal.later`."""
        return replace(self, begin=self.begin + by)

    def value(self, t: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """See `Signal.value`."""
        wide = self.shape + (1,) * max(t.ndim - self.ndim, 0)
        begin, value, slope = (part.reshape(wide) for part in (self.begin, self.value_there, self.slope))
        return value + slope * (t - begin)


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
