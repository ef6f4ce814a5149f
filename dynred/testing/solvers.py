"""The contract of a solver, as a check."""

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.ode.semilinear import Semilinear
from dynred.ode.system import System
from dynred.solvers.base import Solver
from dynred.testing.claims import (
    check_settings,
    claims,
    close,
)


def check_solver(solver: Solver, accuracy: float = 1e-4) -> None:
    """Checks a solver on x' = -a x + x^2 per component, whose solution is known and leaves every bound for x0 > a.

    Args:
        solver: its settings must make it accurate to `accuracy`, and to ten times that shortly before a blow-up.
        accuracy: largest error of solutions of size 1 over a time of 1; methods of low order need a larger one.

    Raises:
        AssertionError: the broken contract.
    """
    claim = claims(type(solver).__name__)
    x0 = torch.tensor([[0.5, -1.0], [0.9, 0.3], [2.0, 0.1]], dtype=torch.float64)
    a = torch.tensor([1.0, 1.5, 1.0], dtype=torch.float64)
    field, times = _logistic().at({"a": a}), torch.linspace(0, 1, 5, dtype=torch.float64)
    states, exact = solver.solve(field, x0, times), _logistic_solution(x0, a, times)
    claim(states.shape == exact.shape, "solve must return states [N, T, D].")
    claim(states.dtype == x0.dtype, "solve must keep the dtype of x0.")
    claim(torch.equal(states[:, 0], x0), "the first state must be x0 itself.")
    right = f"x' = -a x + x^2 must be right to {accuracy:g}, with a value of a for each row."
    claim(close(states[:2], exact[:2], accuracy), right)
    claim(close(states[2, :3], exact[2, :3], 10 * accuracy), "a row must be right as long as it is bounded.")
    claim(states[2, 3:].isnan().all(), "a row must be NaN from the time on at which it diverges.")
    alone = torch.cat([solver.solve(field.rows(slice(i, i + 1)), x0[i : i + 1], times) for i in range(2)])
    claim(close(states[:2], alone, accuracy), "a row must not depend on the other rows of the batch.")
    unfit = solver.solve(field, torch.where(x0 == 2.0, torch.nan, x0), times)
    claim(close(unfit[:2], alone, accuracy), "a row that starts with NaN must not touch the others.")
    claim(torch.equal(solver.solve(field, x0, times[:1]), x0[:, None]), "one time must give x0.")
    finer = solver.refined(2.0, field, times)
    if finer is not None:
        claim(isinstance(finer, Solver), "refined must give a Solver, or None where it is not known how.")
        error = (finer.solve(field, x0, times)[:2] - exact[:2]).abs().max()
        limit = max(1e-9, 1.01 * float((states[:2] - exact[:2]).abs().max()))
        claim(float(error) <= limit, "refined must not be less accurate.")
    check_settings(claim, solver, Solver, solver)


def _logistic() -> System:
    split = Semilinear(
        to_modes=lambda x: x,
        from_modes=lambda v: v,
        linear=lambda a: -a[..., None].expand(*a.shape, 2),
        nonlinear=lambda t, v, a: v * v,
        step=0.002,
    )
    return System("logistic", 2, rhs=lambda t, x, a: x * x - a[..., None] * x, parameters={"a": 1.0}, semilinear=split)


def _logistic_solution(x0: Float[Tensor, "N D"], a: Float[Tensor, " N"], t: Float[Tensor, " T"]) -> Tensor:
    a = a[:, None, None]
    return a / (1 + (a / x0[:, None] - 1) * torch.exp(a * t[:, None]))
