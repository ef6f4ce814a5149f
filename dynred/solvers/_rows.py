"""Trajectories that are solved together, each with a step of its own: what the methods of one step share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred.numerics.batches import ranges
from dynred.ode.vector_field import VectorField
from dynred.solvers._sizes import ComponentSizes
from dynred.solvers.base import Deadline

SMALLEST = 16 * torch.finfo(torch.float64).eps  # step, in units of the time: a row that needs a smaller one is lost


class Accuracy(Protocol):
    """The settings of a solver of this kind.

    Attributes:
        rtol: relative tolerance of the error of a row in a step, root mean square over its components.
        atol: absolute tolerance of the same error; None takes a part of the size of each component.
        max_steps: steps of a row between two outputs after which it counts as diverged.
    """

    @property
    def rtol(self) -> float: ...

    @property
    def atol(self) -> float | None: ...

    @property
    def max_steps(self) -> int: ...


class Rows(ABC):
    """The rows that are still on their way.

    Attributes:
        index: their places [n] in the batch.
        y: their states [n, D], float64.
        t: their times [n].
        h: their steps [n].
        reached: outputs [n] written.
        since: the number of the step [n] that wrote the last of them.
        steps: the number of steps so far.
        doubtful: whether a row may have got stuck or left every bound in the last step.
    """

    per_row: tuple[str, ...] = ("index", "t", "h", "reached", "since")
    y: Float[Tensor, "n D"]
    h: Float[Tensor, " n"]

    def __init__(
        self,
        settings: Accuracy,
        field: VectorField,
        index: Int[Tensor, " n"],
        t: Float[Tensor, " n"],
        y: Float[Tensor, "n D"],
        times: Float[Tensor, " T"],
        states: Float[Tensor, "N T D"],
    ) -> None:
        self.settings, self.field, self.index, self.states = settings, field, index, states
        self.times, self.t, self.end = times, t, times[-1]
        roundoff = 4 * torch.finfo(torch.float64).eps * times.abs().max()
        self.due = times - roundoff  # a step that ends here has reached the output
        self.last, self.least = float(self.due[-1]), SMALLEST * torch.maximum(times.abs().max(), self.end - times[0])
        self.sizes = ComponentSizes(settings.rtol, field, y, times) if settings.atol is None else None
        self.reached = torch.searchsorted(self.due, t, right=True)
        self.since, self.steps, self.doubtful = torch.zeros_like(index), 0, False

    @abstractmethod
    def step(self) -> None:
        """A step of every row, which stays where it is if its error was too large."""

    @abstractmethod
    def between(self, row: Int[Tensor, " m"]) -> Iterator[Float[Tensor, "m D"]]:
        """The coefficients of the polynomials of some rows in the time since t in units of h, the highest first."""

    def run(self, limit: float, deadline: Deadline) -> bool:
        """Takes all rows to the last time, and writes the outputs; says whether it got there before the deadline."""
        while len(self.index):
            if deadline.passed():
                return False
            self.step()
            self.retire(limit)
        return True

    def size(self, error: Float[Tensor, "n D"]) -> Float[Tensor, " n"]:
        """The norm of an error in units of the tolerance, which is sqrt(D) where each component is at its tolerance."""
        absolute = self.sizes.tolerance if self.sizes is not None else self.settings.atol or 0.0
        return torch.linalg.vector_norm(error / (self.y.abs() * self.settings.rtol + absolute), dim=-1)

    def velocity(self, t: Float[Tensor, " n"], y: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
        """The velocity in float64, of a field that sees the dtype of the batch."""
        return self.field(t, y.to(self.states.dtype)).double()

    def write(self) -> None:
        """Writes the outputs of the last step; the rows have just made it."""
        self.steps += 1
        if self.sizes is not None:
            self.sizes.see(self.y)
        reached = torch.searchsorted(self.due, self.t, right=True)
        passed = reached - self.reached
        if not passed.any():
            return
        row = torch.repeat_interleave(passed)
        output = ranges(self.reached, passed)
        s = ((self.times[output] - self.t[row]) / self.h[row])[:, None]
        value, *lower = self.between(row)
        for coefficient in lower:
            value = torch.addcmul(coefficient, value, s)
        self.states[self.index[row], output] = value.to(self.states.dtype)
        self.since[passed > 0] = self.steps
        self.reached = reached

    def retire(self, limit: float) -> None:
        """Takes away the rows that have arrived, left every bound, or got stuck."""
        if not self.doubtful and float(self.t.max()) < self.last:  # every row goes on; looking closer takes time
            return
        going = (self.reached < len(self.times)) & (self.y.abs().amax(-1) <= limit) & (self.h > self.least)
        going &= self.steps - self.since <= self.settings.max_steps
        if not going.all():
            self.keep(going)

    def keep(self, going: Bool[Tensor, " n"]) -> None:
        """Takes away all rows but these."""
        left = torch.nonzero(going)[:, 0]
        self.field = self.field.rows(left)
        for name in self.per_row:
            setattr(self, name, getattr(self, name)[left])
        if self.sizes is not None:
            self.sizes = self.sizes.rows(left)

    def mark_unreached(self) -> None:
        """Makes the outputs infinite that these rows have not reached."""
        missing = torch.arange(len(self.times), device=self.states.device) >= self.reached[:, None]
        self.states[self.index] = torch.where(missing[..., None], torch.inf, self.states[self.index])


def begin(
    x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float
) -> tuple[Float[Tensor, "N T D"], Int[Tensor, " n"]]:
    """States [N, T, D] that are not known but for the first, and the rows that can be followed."""
    states = x0.new_full((len(x0), len(times), x0.shape[1]), torch.nan)
    states[:, 0] = x0
    sound = (x0.abs() <= limit).all(-1) if len(times) > 1 else torch.zeros(len(x0), dtype=torch.bool, device=x0.device)
    return states, torch.nonzero(sound)[:, 0]


def chosen(field: VectorField, rows: Int[Tensor, " n"], count: int) -> VectorField:
    """The field of some rows of `count`."""
    return field if len(rows) == count else field.rows(rows)


def refined_tolerances(settings: Any, factor: float) -> dict[str, float | None]:
    """Both tolerances, a factor smaller."""
    return {"rtol": settings.rtol / factor, "atol": None if settings.atol is None else settings.atol / factor}
