"""Backward Euler with a fixed step: the method by which some published full models are defined."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import count, positive, refuse
from dynred.numerics.jacobian import Pattern
from dynred.ode.system_field import SystemField
from dynred.ode.vector_field import VectorField
from dynred.solvers._direct import direct_solver
from dynred.solvers.base import LIMIT, Deadline, Solver, end_at_blow_up, unreached

LARGEST = 2000  # dimension of the largest dense Jacobian


@dataclass(frozen=True)
class BackwardEuler(Solver):
    """x_{n+1} = x_n + h f(t_{n+1}, x_{n+1}), solved by Newton's method from x_n, all trajectories at once.

    The method is of first order and damps. Choose it to reproduce a model that was made with it, and `stiff` to be
    accurate. The Jacobian is exact where torch differentiates the field, else it comes from differences. Banded
    Jacobians, also on periodic grids, are solved as such, in one call for the whole batch.

    Attributes:
        step: largest step, in time units. Each time between outputs is divided evenly.
        tolerance: Newton's method ends when the residual, or the correction, is at most this, in units of the state's
            norm.
        max_iterations: iterations of Newton's method, >= 1, after which a trajectory counts as diverged.
    """

    step: float = 1e-3
    tolerance: float = 1e-8
    max_iterations: int = 10

    def __post_init__(self):
        super().__post_init__()
        positive("step", self.step)
        positive("tolerance", self.tolerance)
        count("max_iterations", self.max_iterations, 1, 10**6)

    def solve(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> Float[Tensor, "N T D"]:
        """See `Solver.solve`.

        Raises:
            InputError: the Jacobian is dense, in more than 2,000 dimensions.
        """
        newton, deadline = _Newton(self, field, x0.shape[1]), Deadline(self.time_limit)
        grid = times.double().tolist()
        x, states = x0.double(), [x0.double()]
        for start, end in pairwise(grid):
            for t, h in self._steps(start, end):
                if deadline.passed():
                    states += [x] * (len(grid) - len(states))
                    return unreached(end_at_blow_up(torch.stack(states, 1), limit), times, t - h).to(x0.dtype)
                x = newton.advance(x, t, h)
                x = torch.where((x.abs() <= limit).all(-1, keepdim=True), x, torch.nan)
            states.append(x)
        return end_at_blow_up(torch.stack(states, 1), limit).to(x0.dtype)

    @property
    def adaptive(self) -> bool:
        """See `Solver.adaptive`."""
        return False

    def refined(self, factor: float, field: VectorField, times: Float[Tensor, " T"]) -> "BackwardEuler":
        """See `Solver.refined`: the same steps, which define the model, solved to another tolerance."""
        return replace(self, tolerance=self.tolerance / factor)

    def flow_with_tangents(
        self, field: VectorField, x: Float[Tensor, "N D"], tangents: Float[Tensor, "N k D"], duration: float
    ) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N k D"]]:
        """See `Solver.flow_with_tangents`; tangents follow the scheme's own derivative, (1 - h f') v_{n+1} = v_n."""
        newton, columns = _Newton(self, field, x.shape[1]), tangents.transpose(1, 2)
        for t, h in self._steps(0.0, duration):
            x = newton.advance(x, t, h)
            columns = newton.solve(field, x, t, h, columns)
        return x, columns.transpose(1, 2)

    def _steps(self, start: float, end: float) -> Iterator[tuple[float, float]]:
        """(t_{n+1}, h) of every step from start to end."""
        count = max(1, math.ceil((end - start) / self.step - 1e-9))
        h = (end - start) / count
        for i in range(count):
            yield start + (i + 1) * h, h


class _Newton:
    """Newton's method for one field and its Jacobian."""

    def __init__(self, settings: BackwardEuler, field: VectorField, dim: int):
        self.settings, self.field = settings, field
        declared = field.system.jacobian_pattern if isinstance(field, SystemField) else None
        if declared is None and dim > LARGEST:
            advice = "Give the system a `jacobian_sparsity`, or use another solver."
            raise refuse("the Jacobian", f"sparse in more than {LARGEST} dimensions", f"a dense one of {dim}", advice)
        diagonal = torch.arange(dim).expand(2, dim)
        entries = torch.cartesian_prod(diagonal[0], diagonal[0]).T if declared is None else declared.entries
        self.pattern = Pattern.of(torch.cat([entries, diagonal], 1), dim)
        self.on_diagonal = (self.pattern.rows == self.pattern.columns).double()
        self.solver = direct_solver(self.pattern)

    def advance(self, x: Float[Tensor, "N D"], t: float, h: float) -> Float[Tensor, "N D"]:
        """The states x_{n+1}; NaN in rows where the method does not converge."""
        moment = torch.tensor(t, dtype=torch.float64, device=x.device)
        out = torch.full_like(x, torch.nan)
        rows = x.isfinite().all(-1).nonzero()[:, 0]
        before, size = x[rows], torch.linalg.vector_norm(x[rows], dim=-1)
        field, y = self.field.rows(rows.cpu()), x[rows]
        residual = -h * field(moment, y).detach()
        for _ in range(self.settings.max_iterations):
            if len(rows) == 0:
                break
            correction = self.solve(field, y, t, h, residual[..., None])[..., 0]
            y = y - correction
            residual = y - before - h * field(moment, y).detach()
            error = torch.minimum(*(torch.linalg.vector_norm(v, dim=-1) for v in (residual, correction)))
            scale = torch.maximum(size, torch.linalg.vector_norm(y, dim=-1))
            done = error <= self.settings.tolerance * scale
            out[rows[done]] = y[done]
            going = ~done & error.isfinite()
            if not going.all():
                rows, before, size, y, residual = (v[going] for v in (rows, before, size, y, residual))
                field = self.field.rows(rows.cpu())
        return out

    def solve(
        self, field: VectorField, x: Float[Tensor, "N D"], t: float, h: float, b: Float[Tensor, "N D m"]
    ) -> Float[Tensor, "N D m"]:
        """(1 - h f'(t, x))^-1 b."""
        moment = torch.tensor(t, dtype=torch.float64, device=x.device)
        slopes = self.pattern.values(lambda y: field(moment, y), x, field.differentiable)
        return self.solver(self.on_diagonal.to(x.device) - h * slopes.detach(), b)
