"""SciPy's methods, one trajectory at a time: each takes its own steps, so that processes may share the work."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import OdeSolver
from torch import Tensor

from dynred.checks import positive
from dynred.errors import InputError
from dynred.ode.system_field import SystemField
from dynred.ode.vector_field import VectorField
from dynred.processes import cores
from dynred.solvers._processes import dealt
from dynred.solvers._sizes import ComponentSizes
from dynred.solvers.base import LIMIT, Deadline, Solver, end_at_blow_up, unreached

Velocity = Callable[[float, Float[np.ndarray, " D"]], Float[np.ndarray, " D"]]


@dataclass(frozen=True)
class Singly(Solver):
    """A method of SciPy's, one trajectory at a time: of NumPy functions, in several processes.

    Attributes:
        rtol: relative tolerance of each component.
        atol: absolute tolerance of each component, in the units of the state; None takes .3 `rtol` times the size of
            the component along its trajectory, so that its units do not matter.
    """

    rtol: float = field(default=1e-8, kw_only=True)
    atol: float | None = field(default=None, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        positive("rtol", self.rtol)
        if self.atol is not None:
            positive("atol", self.atol)

    @abstractmethod
    def begun(
        self,
        field: VectorField,
        velocity: Velocity,
        times: tuple[float, float],
        x0: Float[np.ndarray, " D"],
        **tolerances: Any,
    ) -> OdeSolver:
        """SciPy's solver at the start of a trajectory.

        Args:
            field: the field of one row.
            velocity: the same as a NumPy function.
            times: the first and the last.
            x0: the state at the first.
            tolerances: `rtol` and `atol`, as SciPy takes them.
        """

    def solve(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> Float[Tensor, "N T D"]:
        """See `Solver.solve`."""
        t, starts = times.double().cpu().numpy(), x0.double().cpu().numpy()
        task = _Rows(self, field, starts, t, limit, Deadline(self.time_limit))
        rows = dealt(task, len(x0), self.processes(field))
        return torch.from_numpy(np.stack(rows)).to(x0) if rows else x0.new_zeros(0, len(times), x0.shape[1])

    def processes(self, field: VectorField) -> int:
        """How many processes share the trajectories: one where the field is torch's, which computes in threads."""
        return cores() if isinstance(field, SystemField) and not field.in_torch else 1

    def refined(self, factor: float, field: VectorField, times: Float[Tensor, " T"]) -> Self:
        """See `Solver.refined`."""
        return replace(self, rtol=self.rtol / factor, atol=None if self.atol is None else self.atol / factor)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The trajectories of a batch by their numbers; NumPy arrays, so that other processes can be sent all of it."""

    settings: Singly
    field: VectorField
    starts: Float[np.ndarray, "N D"]
    times: Float[np.ndarray, " T"]
    limit: float
    deadline: Deadline  # by the clock of the machine, which its processes share

    def __call__(self, i: int) -> Float[np.ndarray, "T D"]:
        """The states of trajectory i."""
        field, start, settings = self.field.rows(slice(i, i + 1)), self.starts[i], self.settings
        t, times = self.times, torch.from_numpy(self.times)
        out = np.full((len(t), len(start)), np.nan)
        out[0] = start
        stopped = None
        if len(t) > 1 and np.isfinite(start).all():
            rtol, atol = settings.rtol, settings.atol
            sizes = None if atol is not None else ComponentSizes(rtol, field, torch.from_numpy(start)[None], times)
            absolute = atol if sizes is None else sizes.tolerance[0].numpy()  # shares its memory
            velocity = velocity_of_one(field)

            def begin() -> OdeSolver:
                return settings.begun(field, velocity, (t[0], t[-1]), start, rtol=rtol, atol=absolute)

            stopped = _integrate(begin, t, out, self.limit, self.deadline, sizes)
        states = end_at_blow_up(torch.from_numpy(out)[None], self.limit)
        return (states if stopped is None else unreached(states, times, stopped))[0].numpy()


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
