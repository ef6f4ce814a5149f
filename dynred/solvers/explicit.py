"""Explicit Runge-Kutta methods of torchdiffeq, batched."""

import math
from dataclasses import dataclass, replace

import torch
import torchdiffeq
from jaxtyping import Float
from torch import Tensor

from dynred.checks import count, one_of, positive, refuse
from dynred.ode.vector_field import VectorField
from dynred.solvers._sizes import ComponentSizes
from dynred.solvers.base import LIMIT, Deadline, Solver, end_at_blow_up, longest_step, unreached

SPAN = 16  # outputs after which a method of fixed steps looks at the clock and keeps what it has
ADAPTIVE = ("dopri8", "dopri5", "bosh3", "adaptive_heun", "fehlberg2")
FIXED = ("euler", "midpoint", "heun2", "heun3", "rk4")


class _Overdue(Exception):
    """Ends the fixed steps of torchdiffeq at a deadline."""


@dataclass(frozen=True)
class Explicit(Solver):
    """An explicit Runge-Kutta method.

    Attributes:
        method: `dopri5`, `dopri8` ... (adaptive), or `rk4`, `midpoint` ... (fixed step), torchdiffeq's names.
        rtol: relative tolerance of an adaptive method for the largest error of any row in a step.
        atol: absolute tolerance of an adaptive method for the same error, in the units of the state; None takes .3
            `rtol` times the size of each component along its trajectory, so that its units do not matter.
        step: step of a fixed-step method, in time units; None takes the time between outputs.
        max_steps: steps between two outputs after which a trajectory counts as diverged.
    """

    method: str = "dopri5"
    rtol: float = 1e-8
    atol: float | None = None
    step: float | None = None
    max_steps: int = 100_000

    def __post_init__(self):
        super().__post_init__()
        one_of("method", self.method, (*ADAPTIVE, *FIXED))
        positive("rtol", self.rtol)
        if self.atol is not None:
            positive("atol", self.atol)
        count("max_steps", self.max_steps, 1, 10**12)
        if self.step is not None:
            positive("step", self.step)
        if self.step is not None and self.method in ADAPTIVE:
            raise refuse("step", f"None for the adaptive method {self.method}", self.step)

    def solve(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> Float[Tensor, "N T D"]:
        """See `Solver.solve`; differentiable in x0 and in the weights of `field`."""
        return self._solve(field, x0, times, limit, Deadline(self.time_limit))

    @property
    def adaptive(self) -> bool:
        """See `Solver.adaptive`."""
        return self.method in ADAPTIVE

    def refined(self, factor: float, field: VectorField, times: Float[Tensor, " T"]) -> "Explicit":
        """See `Solver.refined`: the step of a method of fixed steps, the tolerances of any other."""
        if self.method in FIXED:
            step = longest_step(times, self.step)
            return self if step is None else replace(self, step=step / factor)
        return replace(self, rtol=self.rtol / factor, atol=None if self.atol is None else self.atol / factor)

    def _solve(self, field: VectorField, x0: Tensor, times: Tensor, limit: float, deadline: Deadline) -> Tensor:
        if len(times) == 1 or len(x0) == 0:
            return end_at_blow_up(x0[:, None].expand(-1, len(times), -1), limit)
        if self.method in FIXED and len(times) > SPAN + 1:
            return self._by_spans(field, x0, times, limit, deadline)
        try:
            return self._integrate(field, x0, times, limit, deadline)
        except _Overdue:
            return unreached(x0[:, None].expand(-1, len(times), -1), times, float(times[0]))
        except AssertionError:  # torchdiffeq's word for: step size underflow, or too many steps
            if len(x0) > 1:
                return self._by_halves(field, x0, times, limit, deadline)
            return self._as_far_as_it_goes(field, x0, times, limit, deadline)

    def _integrate(self, field: VectorField, x0: Tensor, times: Tensor, limit: float, deadline: Deadline) -> Tensor:
        stopped = torch.zeros((), dtype=torch.bool, device=x0.device)
        overdue: list[float] = []  # the time reached when the deadline passed: from then on everything stands still
        follows = self.method in ADAPTIVE and self.atol is None
        sizes = ComponentSizes(self.rtol, field, x0, times) if follows else None

        def before_a_step(t0: Tensor, x: Tensor, *_: Tensor) -> None:
            if sizes is not None:
                sizes.see(x)
            if overdue or not deadline.passed():
                return
            if self.method in FIXED:
                raise _Overdue
            overdue.append(float(t0))

        def velocity(t: Tensor, x: Tensor) -> Tensor:
            # A row beyond the limit or without a velocity stands still, else the whole batch takes its small steps.
            # It slows down between once and twice the limit: a sudden stop would take ever smaller steps to cross.
            nonlocal stopped
            if overdue:
                return torch.zeros_like(x)
            v = field(t, x)
            low, high = torch.aminmax(x.detach())
            if math.isfinite(v.detach().sum()) and -limit <= low and high <= limit:
                return v  # the usual case; what follows may take as long as the field
            defined = v.isfinite().all(-1, keepdim=True)
            pace = (2 - x.abs().amax(-1, keepdim=True) / limit).clamp(0, 1)
            stopped = stopped | ~defined.all()
            return torch.where(defined & (pace > 0), v * pace, 0.0)

        velocity.callback_step = before_a_step  # type: ignore[attr-defined] # torchdiffeq calls it at every step
        options: dict[str, object] = {"norm": largest_row, "max_num_steps": self.max_steps}
        if self.method in FIXED:
            options = {} if self.step is None else {"step_size": self.step}
        elif self.method == "dopri8":  # its interpolation between steps misses the tolerance by orders of magnitude
            options["step_t"] = times.to(x0)
        out = torchdiffeq.odeint(
            velocity,
            x0,
            times.to(x0),
            rtol=self.rtol,
            atol=self.atol if sizes is None else sizes.tolerance,
            method=self.method,
            options=options,
        )
        assert isinstance(out, Tensor)
        states = out.transpose(0, 1)
        if stopped:
            states = _nan_where_undefined(field, states, times)
        states = end_at_blow_up(states, limit)
        return unreached(states, times, overdue[0]) if overdue else states

    def _by_spans(self, field: VectorField, x0: Tensor, times: Tensor, limit: float, deadline: Deadline) -> Tensor:
        # Fixed steps cannot hurry to the end at a deadline, so the work of the current span is given up; a new start at
        # the next span loses nothing. Spans are used without a time limit too, so that a limit changes no result.
        parts = [x0[:, None]]
        for start in range(0, len(times) - 1, SPAN):
            now = parts[-1][:, -1]
            if now.isinf().any():
                late = torch.where(now.isnan(), torch.nan, torch.inf)[:, None]
                return torch.cat([*parts, late.expand(-1, len(times) - 1 - start, -1)], 1)
            parts.append(self._solve(field, now, times[start : start + SPAN + 1], limit, deadline)[:, 1:])
        return torch.cat(parts, 1)

    def _by_halves(self, field: VectorField, x0: Tensor, times: Tensor, limit: float, deadline: Deadline) -> Tensor:
        middle = len(x0) // 2
        halves = (slice(None, middle), slice(middle, None))
        return torch.cat([self._solve(field.rows(half), x0[half], times, limit, deadline) for half in halves])

    def _as_far_as_it_goes(
        self, field: VectorField, x0: Tensor, times: Tensor, limit: float, deadline: Deadline
    ) -> Tensor:
        out = torch.full((1, len(times), x0.shape[1]), torch.nan, dtype=x0.dtype, device=x0.device)
        out[:, 0] = x0
        for i in range(1, len(times)):
            try:
                out[:, i] = self._integrate(field, out[:, i - 1], times[i - 1 : i + 1], limit, deadline)[:, -1]
            except AssertionError:
                break
            if out[:, i].isinf().any():
                return unreached(end_at_blow_up(out, limit), times, float(times[i - 1]))
        return end_at_blow_up(out, limit)


def _nan_where_undefined(field: VectorField, states: Float[Tensor, "N T D"], times: Tensor) -> Tensor:
    """`states`, set to NaN wherever the velocity is not finite, except at times[0]."""
    later = zip(times[1:], states[:, 1:].unbind(1), strict=True)
    moving = torch.stack([field(t, x).isfinite().all(-1, keepdim=True) for t, x in later], 1)
    return torch.cat([states[:, :1], torch.where(moving, states[:, 1:], torch.nan)], 1)


def largest_row(error: Float[Tensor, "N D"]) -> Float[Tensor, ""]:
    """The largest root mean square error of any row.

    torchdiffeq's default is the mean over the whole batch, which lets the step that suits most rows spoil the others:
    Lorenz-63 at tolerance 1e-6 then differs by 1.3e-2 at t = 10 from the same trajectory computed alone.
    """
    return error.pow(2).mean(-1).max().sqrt()
