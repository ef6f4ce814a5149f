"""Events: moments at which a function of time and state passes through zero."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred.checks import refuse
from dynred.ode.vector_field import VectorField
from dynred.simulation.divergence import bound
from dynred.solvers.base import Solver
from dynred.user_code import user_code

PARTS = 64  # parts into which the time between two snapshots is divided to look for a crossing again
HALVINGS = 60  # halvings of a part, after which float64 knows no shorter one
BATCH = 2**24  # numbers in one batch of such solves


@dataclass(frozen=True)
class Event:
    """A moment at which `function` passes through zero, like the `events` of SciPy's `solve_ivp`.

    A crossing shows as a change of sign between two snapshots, so snapshots must be close enough: an even number
    of crossings between two of them goes unseen.

    Attributes:
        function: `(t, x [..., D]) -> [...]`, in torch; x is a state of the ODE.
        name: the name under which crossings are reported.
        terminal: whether the event ends a trajectory, whose last snapshot then is the event.
        direction: 1 counts crossings from below only, -1 from above, 0 both.
    """

    function: Callable[[Float[Tensor, "*batch"], Float[Tensor, "*batch D"]], Float[Tensor, "*batch"]]
    name: str = "event"
    terminal: bool = False
    direction: int = 0

    def __post_init__(self):
        if not callable(self.function):
            raise refuse("function", "a function of t and x", type(self.function).__name__)
        if self.direction not in (-1, 0, 1):
            raise refuse("direction", "-1, 0 or 1", self.direction)

    def values(self, t: Float[Tensor, "*batch"], x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch"]:
        """The values of the function, checked, on the CPU, wherever the states are.

        Raises:
            InputError: the function does not give one number per state.
        """
        with user_code(f"event {self.name}"):
            values = self.function(t.to(x.device), x)
        if not isinstance(values, Tensor) or values.shape != x.shape[:-1]:
            actual = f"shape {list(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
            advice = "Index x along its last axis, as in `lambda t, x: x[..., 0]`."
            raise refuse(f"event {self.name}", f"one number per state {list(x.shape[:-1])}", actual, advice)
        return values.cpu()

    def crossed(self, values: Float[Tensor, "*batch T"]) -> Bool[Tensor, "*batch S"]:
        """Whether the event happens between each value and the next, S = T - 1; a zero ends a crossing."""
        before, after = values[..., :-1], values[..., 1:]
        rising, falling = (before < 0) & (after >= 0), (before > 0) & (after <= 0)
        return rising if self.direction > 0 else falling if self.direction < 0 else rising | falling


def check_events(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """The events, if all are `Event`s of different names; raises InputError otherwise."""
    for event in events:
        if not isinstance(event, Event):
            raise refuse("events", "dynred.Event objects", type(event).__name__, "Write `Event(function, ...)`.")
    names = [event.name for event in events]
    if len(set(names)) < len(names):
        raise refuse("events", "of different names", names)
    return events


@dataclass(frozen=True, eq=False)
class Crossings:
    """When and where an event happened, in order of trajectory and time.

    Attributes:
        row: row of the trajectory [C].
        interval: index of the snapshot before [C].
        t: time [C].
        x: state [C, D].
    """

    row: Int[Tensor, " C"]
    interval: Int[Tensor, " C"]
    t: Float[Tensor, " C"]
    x: Float[Tensor, "C D"]


def find_crossings(
    event: Event,
    solver: Solver,
    field: VectorField,
    states: Float[Tensor, "N T D"],
    times: Float[Tensor, " T"],
    where: Bool[Tensor, "N S"],
) -> Crossings:
    """Locates every crossing of an event in the intervals that `where` marks, S = T - 1.

    An interval that holds a crossing is solved again in 64 parts. Within a part the state is the cubic through its ends
    and their velocities, in which the zero is found by halving to round-off.
    """
    where = where & event.crossed(event.values(times.expand(states.shape[:-1]), states))
    located = [
        _within(event, solver, field.rows(rows), states[rows, i], times[i], times[i + 1])
        for i, rows in _batches(where, states.shape[-1])
    ]
    rows = [(rows, torch.full_like(rows, i)) for i, rows in _batches(where, states.shape[-1])]
    if not located:
        empty = torch.zeros(0, dtype=torch.long)
        return Crossings(empty, empty, times[:0], states[:0, 0])
    row, interval = (torch.cat(parts) for parts in zip(*rows, strict=True))
    t, x = (torch.cat(parts) for parts in zip(*located, strict=True))
    order = torch.argsort(row * where.shape[1] + interval)
    return Crossings(row[order], interval[order], t[order], x[order])


def _batches(where: Bool[Tensor, "N S"], dim: int) -> list[tuple[int, Tensor]]:
    """(interval, rows that cross in it), few enough rows for their solve to fit in memory."""
    most = max(1, BATCH // (PARTS * dim))
    columns = torch.nonzero(where.any(0))[:, 0].tolist()
    return [(i, rows) for i in columns for rows in torch.nonzero(where[:, i])[:, 0].split(most)]


def _within(
    event: Event, solver: Solver, field: VectorField, x: Float[Tensor, "n D"], start: Tensor, end: Tensor
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n D"]]:
    t = start + (end - start) * torch.arange(PARTS + 1, dtype=torch.float64) / PARTS
    fine = solver.solve(field, x, t, bound(x))
    crossed = event.crossed(event.values(t.expand(fine.shape[:-1]), fine))
    # In this second solve the zero may fall just beyond the interval's end: then the last part is taken.
    part = torch.where(crossed.any(1), crossed.int().argmax(1), PARTS - 1)
    n, h = torch.arange(len(x)), (end - start) / PARTS
    a, b = fine[n, part], fine[n, part + 1]
    va, vb = field(t[part], a), field(t[part + 1], b)
    low, high = torch.zeros(len(x), dtype=torch.float64), torch.ones(len(x), dtype=torch.float64)
    sign = torch.sign(event.values(t[part], a))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        before = torch.sign(event.values(t[part] + h * middle, _cubic(a, b, h * va, h * vb, middle))) == sign
        low, high = torch.where(before, middle, low), torch.where(before, high, middle)
    return t[part] + h * high, _cubic(a, b, h * va, h * vb, high)


def _cubic(a: Tensor, b: Tensor, va: Tensor, vb: Tensor, s: Float[Tensor, " n"]) -> Float[Tensor, "n D"]:
    """Hermite's cubic from a to b with velocities va, vb per unit of s, at s in [0, 1]."""
    s = s[:, None].to(a)
    return a + s * va + s * s * (3 * (b - a) - 2 * va - vb + s * (va + vb - 2 * (b - a)))
