"""Implicit methods of SciPy for stiff systems, one trajectory at a time."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import BDF, LSODA, OdeSolver, Radau
from torch import Tensor

from dynred.checks import one_of, positive
from dynred.solvers.base import LIMIT, Solver, end_at_blow_up
from dynred.system import VectorField

METHODS: dict[str, type[OdeSolver]] = {"BDF": BDF, "Radau": Radau, "LSODA": LSODA}


@dataclass(frozen=True)
class Stiff(Solver):
    """BDF, Radau or LSODA. The Jacobian comes from torch where the field is differentiable, else from differences.

    Attributes:
        method: `BDF`, `Radau` or `LSODA`.
        rtol, atol: relative and absolute tolerance of each component.
    """

    method: str = "BDF"
    rtol: float = 1e-8
    atol: float = 1e-8

    def __post_init__(self):
        one_of("method", self.method, METHODS)
        positive("rtol", self.rtol)
        positive("atol", self.atol)

    def solve(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> Float[Tensor, "N T D"]:
        """See `Solver.solve`."""
        rows = [self._solve_one(field.rows(slice(i, i + 1)), x0[i], times, limit) for i in range(len(x0))]
        return torch.stack(rows) if rows else x0.new_zeros(0, len(times), x0.shape[1])

    def _solve_one(self, field: VectorField, x0: Tensor, times: Tensor, limit: float) -> Float[Tensor, "T D"]:
        def velocity(t: float, x: np.ndarray) -> np.ndarray:
            return field(_time(t), torch.from_numpy(x)[None])[0].detach().numpy()

        def jacobian(t: float, x: np.ndarray) -> np.ndarray:
            return torch.func.jacfwd(lambda y: field(_time(t), y[None])[0])(torch.from_numpy(x)).detach().numpy()

        t, start = times.double().cpu().numpy(), x0.double().cpu().numpy()
        out = np.full((len(t), len(start)), np.nan)
        out[0] = start
        if len(t) > 1 and np.isfinite(start).all():
            options: dict[str, Any] = {"rtol": self.rtol, "atol": self.atol}
            if field.differentiable:
                options["jac"] = jacobian
            _integrate(lambda: METHODS[self.method](velocity, t[0], start, t[-1], **options), t, out, limit)
        return end_at_blow_up(torch.from_numpy(out)[None], limit)[0].to(x0)


def _integrate(begin: Callable[[], OdeSolver], t: np.ndarray, out: np.ndarray, limit: float) -> None:
    """Fills the rows of `out` from the second on, as far as the method gets."""
    done = 1
    # SciPy's step raises ValueError on a Jacobian with NaN and gives up on velocities with NaN: both are divergence.
    with contextlib.suppress(ValueError):
        solver = begin()
        while solver.status == "running" and np.abs(solver.y).max() <= limit:
            solver.step()
            reached = done + int(np.searchsorted(t[done:], solver.t, side="right"))
            if reached > done and solver.status != "failed":
                out[done:reached] = solver.dense_output()(t[done:reached]).T
                done = reached


def _time(t: float) -> Tensor:
    return torch.tensor(t, dtype=torch.float64)
