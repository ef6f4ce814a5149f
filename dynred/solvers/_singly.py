"""SciPy's methods, one trajectory at a time: each takes its own steps, so that processes may share the work."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import OdeSolver
from torch import Tensor

from dynred.errors import InputError
from dynred.ode.system_field import SystemField
from dynred.ode.vector_field import VectorField
from dynred.solvers._processes import cores, dealt
from dynred.solvers._sizes import ComponentSizes
from dynred.solvers.base import Deadline, end_at_blow_up, unreached

Velocity = Callable[[float, Float[np.ndarray, " D"]], Float[np.ndarray, " D"]]


def solve_singly(
    method: type[OdeSolver],
    options: Callable[[VectorField], dict[str, Any]],
    tolerances: tuple[float, float | None],
    field: VectorField,
    x0: Float[Tensor, "N D"],
    times: Float[Tensor, " T"],
    limit: float,
    time_limit: float | None,
) -> Float[Tensor, "N T D"]:
    """States at `times`, each trajectory by a solver of its own; see `Solver.solve`.

    Args:
        method: SciPy's class.
        options: further arguments of the class for the field of one row.
        tolerances: relative; absolute, or None for a part of the size of each component.
        field: as for `Solver.solve`.
        x0: as for `Solver.solve`.
        times: as for `Solver.solve`.
        limit: as for `Solver.solve`.
        time_limit: as for `Solver`.
    """
    deadline = Deadline(time_limit)

    def solved(i: int) -> Float[Tensor, "T D"]:
        row = field.rows(slice(i, i + 1))
        return _solve_row(method, options(row), tolerances, row, x0[i], times, limit, deadline)

    rows = dealt(solved, len(x0), processes(field))
    return torch.stack(rows) if rows else x0.new_zeros(0, len(times), x0.shape[1])


def processes(field: VectorField) -> int:
    """How many processes share the trajectories of a field: one where it is torch's, which computes in threads."""
    return cores() if isinstance(field, SystemField) and not field.in_torch else 1


def _solve_row(
    method: type[OdeSolver],
    options: dict[str, Any],
    tolerances: tuple[float, float | None],
    field: VectorField,
    x0: Float[Tensor, " D"],
    times: Float[Tensor, " T"],
    limit: float,
    deadline: Deadline,
) -> Float[Tensor, "T D"]:
    rtol, atol = tolerances
    t, start = times.double().cpu().numpy(), x0.double().cpu().numpy()
    out = np.full((len(t), len(start)), np.nan)
    out[0] = start
    stopped = None
    if len(t) > 1 and np.isfinite(start).all():
        sizes = None if atol is not None else ComponentSizes(rtol, field, torch.from_numpy(start)[None], times)
        absolute = atol if sizes is None else sizes.tolerance[0].numpy()  # shares its memory
        velocity = velocity_of_one(field)
        begin = lambda: method(velocity, t[0], start, t[-1], rtol=rtol, atol=absolute, **options)  # noqa: E731
        stopped = _integrate(begin, t, out, limit, deadline, sizes)
    states = end_at_blow_up(torch.from_numpy(out)[None], limit)
    return (states if stopped is None else unreached(states, times, stopped))[0].to(x0)


def _integrate(
    begin: Callable[[], OdeSolver],
    t: np.ndarray,
    out: np.ndarray,
    limit: float,
    deadline: Deadline,
    sizes: ComponentSizes | None,
) -> float | None:
    """Fills `out` from the second row on, as far as the method gets; returns the time when a deadline ended it."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            return _stepped(begin, t, out, limit, deadline, sizes)
    except InputError:  # what the user's function did wrong
        raise
    except ValueError:  # SciPy's word for a Jacobian with NaN, which is divergence
        return None


def _stepped(
    begin: Callable[[], OdeSolver],
    t: np.ndarray,
    out: np.ndarray,
    limit: float,
    deadline: Deadline,
    sizes: ComponentSizes | None,
) -> float | None:
    done = 1
    if deadline.passed():
        return float(t[0])
    solver = begin()
    while solver.status == "running" and np.abs(solver.y).max() <= limit:
        if deadline.passed():
            return float(solver.t)
        if sizes is not None:
            sizes.see(torch.from_numpy(solver.y)[None])
        solver.step()  # gives up on velocities with NaN: divergence
        reached = done + int(np.searchsorted(t[done:], solver.t, side="right"))
        if reached > done and solver.status != "failed":
            out[done:reached] = solver.dense_output()(t[done:reached]).T
            done = reached
    return None


def velocity_of_one(field: VectorField) -> Velocity:
    """The velocity of one state [D] as a NumPy function; `field` has one row."""
    if isinstance(field, SystemField):
        return field.of_one()
    return lambda t, x: field(moment(t), torch.from_numpy(x)[None])[0].detach().numpy()


def moment(t: float) -> Float[Tensor, ""]:
    """A time as a field takes it."""
    return torch.tensor(t, dtype=torch.float64)
