"""The solver of a system where its user leaves the choice."""

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse.linalg import ArpackError, LinearOperator, eigs
from torch import Tensor

from dynred import plugins
from dynred.checks import refuse
from dynred.numerics.jacobian import direction
from dynred.numerics.size import size_of
from dynred.ode.system_field import SystemField
from dynred.ode.vector_field import VectorField, time_step
from dynred.simulation.iteration import Iteration
from dynred.solvers.base import Solver
from dynred.solvers.dop853 import Dop853
from dynred.solvers.explicit import Explicit
from dynred.solvers.exponential_adams import ExponentialAdams
from dynred.solvers.stiff import LARGEST, Stiff

STIFF = 200.0  # beyond this fastest decay per time between snapshots an explicit solver loses to an implicit one
# Seconds of dopri5 on the batch against DOP853 on each trajectory, 20 time scales of 4, 8, 16 trajectories: lorenz63
# 1.40 / .78, 1.80 / 1.67, 1.87 / 3.4; lorenz96 .66 / .35, .70 / .70, .76 / 1.38; forced Duffing (NumPy columns)
# .26 / .13, .26 / .24, .28 / .48. SciPy's LSODA takes as long as its DOP853 and errs up to ten times as much.
FEW = 4  # trajectories that are faster one at a time, where the state is small
SMALL = 200  # values of a state up to which the calls take longer than the numbers
DENSE = 300  # dimension up to which all eigenvalues are computed to find the fastest decay


def choose_solver(
    field: VectorField,
    x0: Float[Tensor, "N D"],
    times: Float[Tensor, " T"],
    solver: str | Solver = "auto",
    *,
    count: int | None = None,
) -> tuple[Solver, str]:
    """The solver that a name means, and the reason in words; `auto` looks at the system.

    A system that names a solver takes that solver. A system with a semilinear split takes exponential Adams-Bashforth:
    at a quarter of ETDRK4's step, which costs as much, its error is smaller by 1 to 3000 times on the systems of the
    catalogue (on Kuramoto-Sivashinsky 100 times). Any other system is stiff if it says so, or if its Jacobian at an
    initial state has an eigenvalue whose decay is `STIFF` times faster than the snapshots. Stiff systems take BDF, all
    others dopri5 on the whole batch; or DOP853 on one trajectory after the other where a batch saves nothing: of few
    trajectories of a small system, and where a NumPy function takes one state at a time (64 trajectories of 64 coupled
    cells: 3.0 s and 2.0 s, in two processes 1.0 s).

    Args:
        field: the velocity.
        x0: initial states.
        times: when snapshots are kept.
        solver: a name, or a Solver.
        count: how many trajectories will be solved; None where dopri5 has to take them all.
    """
    if time_step(field) is not None:
        return _iteration(solver)
    if isinstance(solver, Solver):
        return solver, "asked for"
    if solver != "auto":
        return plugins.load_class("dynred.solvers", solver, Solver)(), "asked for"
    if not isinstance(field, SystemField):
        return Explicit(), "the field is no System"
    system = field.system
    if system.solver is not None:
        return plugins.load_class("dynred.solvers", system.solver, Solver)(), "the system names it"
    if system.semilinear is not None:
        return ExponentialAdams(), "the system has a semilinear split"
    if system.stiff is not None:
        return (
            (Stiff(), "the system is declared stiff")
            if system.stiff
            else _explicit(field, x0, count, "declared not stiff")
        )
    gap = float(torch.diff(times).median()) if len(times) > 1 else system.time_scale
    rate = fastest_decay(field.rows(slice(0, 1)), x0[:1], times[0])
    words = f"its fastest decay is {rate * gap:.3g} per sampling time at an initial state"
    if rate * gap <= STIFF:
        return _explicit(field, x0, count, f"not stiff: {words}")
    if system.dim > LARGEST and system.jacobian_pattern is None:
        return Explicit(), f"{words}, but its Jacobian is dense in {system.dim} dimensions"
    return Stiff(), f"stiff: {words}"


def _iteration(solver: str | Solver) -> tuple[Solver, str]:
    if solver != "auto" and not isinstance(solver, Iteration):
        actual = solver if isinstance(solver, str) else type(solver).__name__
        raise refuse("solver", "left out for a map, whose steps are exact", actual)
    return (Iteration() if solver == "auto" else solver), "the system is a map"  # type: ignore[return-value] # see above


def _explicit(field: SystemField, x0: Tensor, count: int | None, reason: str) -> tuple[Solver, str]:
    if count is None or x0.device.type != "cpu":  # SciPy computes on the CPU
        return Explicit(), reason
    if field.takes_one:
        return Dop853(), f"{reason}; the function takes one state at a time"
    if count <= FEW and field.dim <= SMALL:
        return Dop853(), f"{reason}; {count} {'trajectory' if count == 1 else 'trajectories'} of a small system"
    return Explicit(), reason


def fastest_decay(field: SystemField, x: Float[Tensor, "1 D"], t: Float[Tensor, ""]) -> float:
    """The largest -Re(eigenvalue) of the Jacobian at a state, per time unit; 0 where nothing decays.

    In more than 300 dimensions it comes from Arnoldi iterations on directional derivatives, to a few per cent. No
    matrix is made.
    """
    if field.dim > DENSE:
        return _fastest_decay_by_iteration(field, x, t)
    if field.differentiable:
        jacobian = torch.func.jacfwd(lambda y: field(t, y[None])[0])(x[0])
    else:
        h = 1e-6 * size_of(x)
        shifted = x + h * torch.eye(field.dim, dtype=x.dtype)
        jacobian = torch.stack([field(t, row[None])[0] - field(t, x)[0] for row in shifted], 1) / h
    values = torch.linalg.eigvals(jacobian.detach())
    return max(0.0, -float(values.real.min()))


def _fastest_decay_by_iteration(field: SystemField, x: Float[Tensor, "1 D"], t: Tensor) -> float:
    size = size_of(x)

    def along(v: Tensor) -> Tensor:
        if field.differentiable:
            return torch.func.jvp(lambda y: field(t, y), (x,), (v,))[1]  # type: ignore[return-value] # its stub
        h = 1e-6 * size / v.abs().max().clamp_min(1e-300)
        return (field(t, x + h * v) - field(t, x - h * v)) / (2 * h)

    def product(v: np.ndarray) -> np.ndarray:
        return along(torch.from_numpy(v.copy())[None])[0].detach().numpy()

    operator = LinearOperator((field.dim, field.dim), product, dtype=np.float64)
    try:
        values = eigs(operator, 1, which="SR", v0=direction(field.dim).numpy(), tol=0.03, return_eigenvectors=False)
    except ArpackError:  # no convergence: no eigenvalue stands out
        return 0.0
    return max(0.0, -float(values.real.min()))
