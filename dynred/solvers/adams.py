"""Adams methods of variable order and step: one evaluation of the field in a step, and every row at its own pace.

A step predicts (Adams-Bashforth), evaluates the field once, and corrects (Adams-Moulton, of one order more). The past
is kept as the Taylor coefficients of a polynomial (A. Nordsieck, Math. Comput. 16, 22 (1962)), so that a row changes
its step by scaling them, and its order by adding or taking away one difference. Between steps it is evaluated.

C. W. Gear, Numerical Initial Value Problems in Ordinary Differential Equations (1971), chapters 7 and 9; E. Hairer,
S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I (1993), sections III.5 to III.7.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.polynomial import polynomial
from torch import Tensor

from dynred.checks import count, integer, positive
from dynred.ode.vector_field import VectorField, WrappedField
from dynred.solvers._rosenbrock import RosenbrockRows, jacobian
from dynred.solvers._rows import Rows, begin, chosen, refined_tolerances
from dynred.solvers.base import LIMIT, Deadline, Solver, end_at_blow_up

HIGHEST = 6  # order; those above are stable for hardly any step
# A step is changed where it can grow by a tenth, to somewhat less than what the error estimates allow: Gear's factors
# for one order less, the same order, and one more, which favour the order that a row has.
CAUTION, WORTHWHILE = (1.3, 1.2, 1.4), 1.1
GROWTH, SHRINKAGE, FIRST_GROWTH = 10.0, 0.1, 1e4  # most and least by which a step changes, most after the first step
TRIES = 3  # failures in a row after which a row starts again at order 1
SUSPICIOUS = 300  # steps without an output after which a row may be stiff, and is looked at
# So is one that moves by no more than this, of its size, in a step, and has so many such steps before it. An error
# limits steps to some hundredths. Rollouts of Robertson's kinetics, 80 outputs in 4 time units, took 25 s, now .5 s.
HARDLY, LEFT, LOOK = 2e-4, 3000, 100  # and every so many steps
STIFF = 0.1  # fastest decay within a step from which on it, and not the solution, limits the step; -.3 is unstable
LARGEST = 100  # dimension up to which a row is looked at


@dataclass(frozen=True)
class Adams(Solver):
    """A predictor-corrector method, for batches: each row has its own step and its own order.

    Where fields are smooth it takes less than half of the evaluations of dopri5 for the same error: it is the method of
    rollouts. It is not differentiable by torch, and its times may also decrease. On one trajectory after the corrector
    a second evaluation (PECE) gains less than it costs: errors on Kuramoto-Sivashinsky at t = 20, 4 evaluations per
    time unit, are 2.6e-4 without and 9e-4 with it.

    A row whose fastest decay limits its steps goes on with a method for stiff systems (`rosenbrock`).

    Attributes:
        rtol: relative tolerance of the error of a row in a step, root mean square over its components.
        atol: absolute tolerance of the same error, in the units of the state; None takes .3 `rtol` times the size of
            each component along its trajectory, so that its units do not matter.
        order: highest number of velocities that a step uses, in [1, 6]; its order is one more.
        max_steps: steps of a row between two outputs after which it counts as diverged.
    """

    rtol: float = 1e-8
    atol: float | None = None
    order: int = 6
    max_steps: int = 100_000

    def __post_init__(self):
        super().__post_init__()
        positive("rtol", self.rtol)
        if self.atol is not None:
            positive("atol", self.atol)
        integer("order", self.order, 1, HIGHEST)
        count("max_steps", self.max_steps, 1, 10**12)

    @torch.no_grad()
    def solve(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> Float[Tensor, "N T D"]:
        """See `Solver.solve`; the times may also decrease."""
        deadline, (states, sound) = Deadline(self.time_limit), begin(x0, times, limit)
        if len(sound) == 0:
            return end_at_blow_up(states, limit)
        grid = times.double().to(x0.device)
        if grid[-1] < grid[0]:
            field, grid = _Backward(field), -grid
        start = grid[:1].expand(len(sound)).clone()
        rows = _AdamsRows(self, chosen(field, sound, len(x0)), sound, start, x0[sound].double(), grid, states)
        in_time = rows.run(limit, deadline)
        stiff = rows.stiff_rows(field)
        in_time &= stiff.run(limit, deadline)
        states = rows.states = stiff.states = end_at_blow_up(states, limit)
        if not in_time:
            rows.mark_unreached()
            stiff.mark_unreached()
        return states

    def refined(self, factor: float, field: VectorField, times: Float[Tensor, " T"]) -> "Adams":
        """See `Solver.refined`."""
        return replace(self, **refined_tolerances(self, factor))  # type: ignore[arg-type] # numbers by name


@dataclass(frozen=True, eq=False)
class _Backward(WrappedField):
    """A field in the time that runs backward, -t."""

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        return -self.field(-t, x)


class _Tables:
    """The numbers of the methods of orders 1 to K, by order [K + 2].

    Attributes:
        pascal: [K + 1, K + 1], which takes Taylor coefficients at t to those at t + h.
        corrector: [K + 1, K + 2], what each coefficient gains of the difference that the new velocity makes.
        difference: [K + 1, K + 2], the polynomial of one degree more whose k-th difference is 1 and all lower ones 0.
        error: [3, K + 2], what the differences of one order less, the same, and one more mean for the error of a step.
    """

    def __init__(self, highest: int, dim: int, device: torch.device):
        size = highest + 1
        gamma = _adams_bashforth(highest + 2)
        corrector, difference = np.zeros((size, size + 1)), np.zeros((size, size + 1))
        error = np.ones((3, size + 1))
        for k in range(1, size):
            product: np.ndarray = np.ones(1)
            for i in range(1, k):
                product = polynomial.polymul(product, [1.0, 1.0 / i])
            corrector[1 : k + 1, k] = product / np.arange(1, k + 1)
            corrector[0, k] = gamma[k]
            if k < highest:  # s (s + 1) ... (s + k - 1) / k!, integrated
                rising = polynomial.polymul(product, [0.0, 1.0 / k])
                difference[1 : k + 2, k] = rising / np.arange(1, k + 2)
            error[:, k] = [abs(gamma[j] - gamma[j - 1]) if j else 1.0 for j in (k - 1, k, k + 1)]
        error /= dim**0.5
        pascal = [[math.comb(j, i) for j in range(size)] for i in range(size)]
        self.pascal, self.corrector, self.difference, self.error = (
            torch.as_tensor(np.asarray(table, np.float64), device=device)
            for table in (pascal, corrector, difference, error)
        )
        self.powers = torch.arange(size, dtype=torch.float64, device=device)[:, None]
        self.factorial = torch.tensor([math.factorial(k) for k in range(size + 1)], device=device).double()
        self.offsets = torch.arange(3, device=device)[:, None]
        self.caution = torch.tensor(CAUTION, dtype=torch.float64, device=device)[:, None]


def _adams_bashforth(count: int) -> list[float]:
    """The coefficients gamma_0, gamma_1 ... of backward differences: 1, 1/2, 5/12, 3/8 ... (Hairer, III.1.7)."""
    gamma: list[float] = []
    for m in range(count):
        gamma.append(1.0 - sum(gamma[j] / (m + 1 - j) for j in range(m)))
    return gamma


class _AdamsRows(Rows):
    """Rows that are solved by Adams methods.

    Attributes:
        z: Taylor coefficients [K + 1, n, D] of their polynomials, in units of their steps: the state comes first.
        order: how many velocities [n] the next step uses.
        change: what the last velocity changed [n, D], in units of the step.
        steady: whether [n] the last two steps were equal.
        failures: steps [n] in a row whose error was too large.
        wait: steps until all rows may change their orders.
        stiff: rows that another method takes over, as places, times, states and steps.
    """

    per_row = (*Rows.per_row, "order", "change", "steady", "failures")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        settings, _, index, _, y = arguments[:5]
        self.order_limit, self.stiff = settings.order, [(index[:0], self.t[:0], y[:0], self.t[:0])]
        self.tables, self.wait = _Tables(settings.order, y.shape[1], y.device), 2
        self.order, self.failures = torch.ones_like(index), torch.zeros_like(index)
        self.steady, self.change = torch.zeros_like(index, dtype=torch.bool), torch.zeros_like(y)
        self.z = y.new_zeros(settings.order + 1, *y.shape)
        self.z[0] = y
        self._gain()
        if len(y):
            velocity = self.velocity(self.t, y)
            self.h = self._first_step(velocity)
            self.z[1] = self.h[:, None] * velocity

    @property
    def y(self) -> Float[Tensor, "n D"]:  # type: ignore[override] # the states are part of z
        """See `Rows`."""
        return self.z[0]

    def _first_step(self, velocity: Float[Tensor, "n D"]) -> Float[Tensor, " n"]:
        # What the second derivative allows a method of order 1, halved; a short probing step measures it.
        span, speed = self.end - self.t, self.size(velocity)
        probe = torch.minimum(span, 1 / speed.clamp_min(1e-300)) / 10
        later = self.velocity(self.t + probe, self.y + probe[:, None] * velocity)
        bend = self.size((later - velocity) / probe[:, None]).nan_to_num(torch.inf, torch.inf)
        return torch.minimum(span, bend.clamp_min(1e-300).rsqrt() / 2).clamp_min(1e-12 * span)

    def _gain(self) -> None:
        self.corrector = self.tables.corrector[:, self.order, None]
        self.error = self.tables.error[1][self.order]

    def step(self) -> None:
        """See `Rows.step`; outputs on the way are written."""
        room = (self.end - self.t) / self.h
        if float(room.min()) < 1:
            self._scale(room.clamp_max(1.0))
        predicted = (self.tables.pascal @ self.z.flatten(1)).view_as(self.z)
        now = self.t + self.h
        change = torch.addcmul(-predicted[1], self.h[:, None], self.velocity(now, predicted[0]))
        error = self.error * self.size(change)
        accepted = error <= 1  # false for NaN
        corrected = predicted.addcmul_(self.corrector, change)
        if bool(accepted.all()):
            self.z, self.t = corrected, now
        else:
            self.z, self.t = torch.where(accepted[:, None], corrected, self.z), torch.where(accepted, now, self.t)
        self.write()
        self._adapt(accepted, error, change)

    def between(self, row: Int[Tensor, " m"]) -> Iterator[Float[Tensor, "m D"]]:
        """See `Rows.between`."""
        return iter(self.z[:, row].flip(0))

    def _adapt(self, accepted: Bool[Tensor, " n"], error: Float[Tensor, " n"], change: Float[Tensor, "n D"]) -> None:
        """Chooses the next steps: at once where a step failed; and of all rows, with their orders, now and then."""
        failed = ~accepted
        failure = bool(failed.any())
        self.wait -= 1
        self.doubtful = failure or self.wait <= 0
        ratio = torch.ones_like(self.h)
        if self.wait <= 0:
            ratio = self._chosen(accepted, error, change)
            self.wait = int(self.order.max()) + 1
        elif failure:
            ratio = error.nan_to_num(torch.inf, torch.inf) ** (-1.0 / (self.order + 1)) / CAUTION[1]
            ratio = torch.where(failed, ratio.clamp(SHRINKAGE, 1.0), 1.0)
        if failure:
            ratio = self._started_again(failed, ratio)
            self.change = torch.where(failed[:, None], self.change, change)
        else:
            self.change = change
        self.steady = accepted & (ratio == 1)
        if not self.steady.all():
            self._scale(ratio)

    def _scale(self, ratio: Float[Tensor, " n"]) -> None:
        self.h = ratio * self.h
        self.z = self.z * (ratio**self.tables.powers)[..., None]

    def _chosen(
        self, accepted: Bool[Tensor, " n"], error: Float[Tensor, " n"], change: Float[Tensor, "n D"]
    ) -> Float[Tensor, " n"]:
        """By what the steps are multiplied; the orders are changed."""
        tables, order = self.tables, self.order
        lowest = tables.factorial[order, None] * self.z[order, torch.arange(len(order), device=order.device)]
        lower = tables.error[0][order] * self.size(lowest)
        higher = tables.error[2][order] * self.size(change - self.change)
        lower = torch.where(order > 1, lower, torch.inf)
        higher = torch.where(accepted & self.steady & (order < self.order_limit), higher, torch.inf)
        errors = torch.stack([lower, error, higher]).nan_to_num(torch.inf, torch.inf).clamp_min(1e-30)
        ratio, best = (errors ** (-1.0 / (order + tables.offsets)) / tables.caution).max(0)
        moved = ~accepted | (ratio >= WORTHWHILE)
        most = torch.where(accepted, FIRST_GROWTH if self.steps <= 2 else GROWTH, 1.0)
        move = torch.where(moved, best - 1, 0)
        by = torch.where(move[:, None] > 0, change, -lowest) * (move != 0)[:, None]
        self.z = self.z + tables.difference[:, order - (move < 0).long(), None] * by
        self.order = order + move
        self._gain()
        return torch.where(moved, torch.minimum(ratio, most).clamp_min(SHRINKAGE), 1.0)

    def _started_again(self, failed: Bool[Tensor, " n"], ratio: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The ratios; rows that fail again and again go back to order 1, because their past is of no use."""
        self.failures = torch.where(failed, self.failures + 1, 0)
        again = self.failures >= TRIES
        if again.any():
            self.order = torch.where(again, 1, self.order)
            self.z[2:] = torch.where(again[:, None], 0.0, self.z[2:])
            self._gain()
            ratio = torch.where(again, SHRINKAGE, ratio)
        return ratio

    def retire(self, limit: float) -> None:
        """See `Rows.retire`; rows that have become stiff are put aside."""
        super().retire(limit)
        if self.steps % LOOK or not len(self.index) or self.y.shape[1] > LARGEST:
            return
        moves = self.settings.rtol * self.size(self.z[1]) / self.y.shape[1] ** 0.5
        crawls = (moves <= HARDLY) & (self.end - self.t > LEFT * self.h)
        late = (self.steps - self.since >= SUSPICIOUS) if self.steps % SUSPICIOUS == 0 else False
        slow = torch.nonzero(crawls | late)[:, 0]
        if len(slow):
            decay = fastest_decay(self.field.rows(slow), self.t[slow], self.y[slow].to(self.states.dtype))
            stiff = slow[decay * self.h[slow] > STIFF]
            if len(stiff):
                self.stiff.append((self.index[stiff], self.t[stiff], self.y[stiff], self.h[stiff]))
                going = torch.ones_like(self.steady)
                going[stiff] = False
                self.keep(going)

    def keep(self, going: Bool[Tensor, " n"]) -> None:
        """See `Rows.keep`."""
        self.z = self.z[:, torch.nonzero(going)[:, 0]]
        super().keep(going)
        self._gain()

    def stiff_rows(self, field: VectorField) -> RosenbrockRows:
        """The rows that were put aside, on their way with another method; `field` is that of the whole batch."""
        index, t, y, h = (torch.cat(parts) for parts in zip(*self.stiff, strict=True))
        return RosenbrockRows(self.settings, field.rows(index), index, t, y, self.times, self.states, first=h)


def fastest_decay(field: VectorField, t: Float[Tensor, " n"], x: Float[Tensor, "n D"]) -> Float[Tensor, " n"]:
    """The largest -Re(eigenvalue) of the Jacobian at each state."""
    slopes = jacobian(field, t, x).double().nan_to_num(0.0, 0.0, 0.0)
    return -torch.linalg.eigvals(slopes).real.amin(-1)


# -- for loops that are compiled -------------------------------------------------------------------------------------


@torch.no_grad()
def first_steps(
    solver: Adams, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"]
) -> Float[Tensor, " N"]:
    """The first step of every row."""
    index, start = torch.arange(len(x0)), times[:1].double().expand(len(x0)).clone()
    states = x0.new_full((len(x0), len(times), x0.shape[1]), torch.nan)
    return _AdamsRows(solver, field, index, start, x0.double(), times.double(), states).h


@torch.no_grad()
def is_stiff(field: VectorField, t: float, x: Float[Tensor, "1 D"], h: float) -> bool:
    """Whether a decay, and not the solution, limits the step h."""
    return bool(fastest_decay(field, torch.tensor([t], dtype=torch.float64), x)[0] * h > STIFF)


def tables_of(solver: Adams, dim: int) -> tuple[Any, ...]:
    """The numbers of the method as `dynred.numerics.compiled.follow` takes them."""
    tables = _Tables(solver.order, dim, torch.device("cpu"))
    numbers = (tables.pascal, tables.corrector, tables.error, tables.factorial)
    tolerances = (solver.rtol, solver.atol or 0.0, solver.order)
    return (*(each.numpy() for each in numbers), np.array(CAUTION), tables.difference.numpy(), tolerances)
