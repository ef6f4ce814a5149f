"""The steps of RODAS, a linearly implicit method for stiff systems: a Jacobian and a factorisation for every row.

E. Hairer, G. Wanner, Solving Ordinary Differential Equations II (1996), section IV.10 and their program rodas.f: order
4 with an embedded error estimate of order 3, stiffly accurate, and a polynomial of degree 3 between steps.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred.numerics.size import size_of
from dynred.ode.vector_field import VectorField
from dynred.solvers._rows import Rows

GAMMA = 0.25
A = (
    (),
    (1.544,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
)
C = (
    (),
    (-5.6688,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
    (8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054),
)
TIMES = (0.0, 0.386, 0.21, 0.63, 1.0, 1.0)
DRIFT = (0.25, -0.1043, 0.1035, -0.03620000000000023, 0.0, 0.0)
BETWEEN = (
    (10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823, 1.025137723295662),
    (-0.6762803392801253, 6.087714651680015, 16.43084320892478, 24.76722511418386, -6.594389125716872),
)
SAFETY, LEAST, MOST = 0.9, 0.2, 6.0  # of steps, from one to the next


def jacobian(field: VectorField, t: Float[Tensor, " n"], x: Float[Tensor, "n D"]) -> Float[Tensor, "n D D"]:
    """The derivative of the velocity by the state: exact where torch differentiates the field, else a difference."""
    basis = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)[:, None].expand(-1, *x.shape)
    if field.differentiable:

        def along(v: Tensor) -> Tensor:
            _, pushed, *_ = torch.func.jvp(lambda y: field(t, y), (x,), (v,))
            return pushed  # type: ignore[return-value] # its stub

        return torch.func.vmap(along)(basis).permute(1, 2, 0)
    h = 1e-7 * size_of(x)
    return torch.stack([(field(t, x + h * v) - field(t, x)) / h for v in basis], -1)


class RosenbrockRows(Rows):
    """Rows that are solved by RODAS.

    Attributes:
        before: the states [n, D] before the last step.
        bends: what its polynomial has beside the two ends [2, n, D].
        rejected: whether [n] the last step failed, after which the next does not grow.
    """

    per_row = (*Rows.per_row, "y", "before", "bends", "rejected")

    def __init__(self, *arguments: Any, first: Float[Tensor, " n"] | None = None) -> None:
        super().__init__(*arguments)
        index, _, y = arguments[2:5]
        self.y, self.before, self.bends = y, y, torch.zeros(2, *y.shape, dtype=y.dtype, device=y.device)
        self.rejected = torch.zeros_like(index, dtype=torch.bool)
        self.h = self._first_step() if first is None else first
        self.identity = torch.eye(y.shape[1], dtype=y.dtype, device=y.device)

    def _first_step(self) -> Float[Tensor, " n"]:
        if len(self.index) == 0:
            return self.t
        left = self.end - self.t
        speed = self.size(self.velocity(self.t, self.y)) / self.y.shape[1] ** 0.5
        return torch.minimum(left, 1 / speed.clamp_min(1e-300)).clamp_min(1e-12 * left)

    def step(self) -> None:
        """See `Rows.step`."""
        self.h = torch.minimum(self.h, self.end - self.t)
        h, t, y = self.h[:, None], self.t, self.y
        matrix = jacobian(self.field, t, y.to(self.states.dtype)).double()
        factors, pivots, _ = torch.linalg.lu_factor_ex(self.identity / (GAMMA * h[..., None]) - matrix)
        velocity = self.velocity(t, y)
        nudge = 1e-7 * self.h  # where the field depends on time
        drift = h * (self.velocity(t + nudge, y) - velocity) / nudge[:, None]
        stages: list[Tensor] = []
        at = y
        for i, (moment, share) in enumerate(zip(TIMES, DRIFT, strict=True)):
            if 0 < i < len(A):
                at = y + sum((a * u for a, u in zip(A[i], stages, strict=True)), torch.zeros_like(y))
            if i > 0:
                velocity = self.velocity(t + moment * self.h, at)
            right = velocity + share * drift
            for c, u in zip(C[i], stages, strict=True):
                right = right + c / h * u
            stages.append(torch.linalg.lu_solve(factors, pivots, right[..., None])[..., 0])
            if i >= len(A) - 1:
                at = at + stages[-1]
        error = self.size(stages[-1]) / y.shape[1] ** 0.5
        self._accept(error, at, stages)

    def _accept(self, error: Float[Tensor, " n"], after: Float[Tensor, "n D"], stages: list[Tensor]) -> None:
        accepted = error <= 1  # false for NaN
        now = torch.where(self.h >= self.end - self.t, self.end, self.t + self.h)
        self.before = self.y
        self.bends = torch.stack([sum(w * u for w, u in zip(ws, stages, strict=False)) for ws in BETWEEN])  # type: ignore[misc]
        self.y, self.t = torch.where(accepted[:, None], after, self.y), torch.where(accepted, now, self.t)
        self.doubtful = True
        self.write()
        ratio = SAFETY * error.nan_to_num(torch.inf, torch.inf).clamp_min(1e-10) ** -0.25
        ratio = ratio.clamp(LEAST, MOST)
        self.h = self.h * torch.where(self.rejected & accepted, ratio.clamp_max(1.0), ratio)
        self.rejected = ~accepted

    def between(self, row: Int[Tensor, " m"]) -> Iterator[Float[Tensor, "m D"]]:
        """See `Rows.between`: rodas.f has the polynomial in the time s since the start, here it is in s - 1."""
        # y0 (1 - s) + s y1 + s (1 - s) (b + s c), with s = 1 + r
        y0, y1, b, c = self.before[row], self.y[row], self.bends[0][row], self.bends[1][row]
        yield -c
        yield -b - 2 * c
        yield y1 - y0 - b - c
        yield y1

    def keep(self, going: Bool[Tensor, " n"]) -> None:
        """See `Rows.keep`."""
        self.bends = self.bends.transpose(0, 1)
        super().keep(going)
        self.bends = self.bends.transpose(0, 1)
