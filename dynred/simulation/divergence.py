"""Tells of divergence: which trajectory left every bound, when, why, and what to try."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.errors import DivergenceError
from dynred.ode.system_field import SystemField
from dynred.solvers.base import LIMIT, Solver

GROWTH = 1e8  # a state so many times larger than the initial ones (or than 1) has diverged; those that start at zero
# say nothing of their units, so that the solvers' own limit holds for them


def bound(x0: Float[Tensor, "N D"]) -> float:
    """The size of a component beyond which a trajectory from these initial states has diverged."""
    largest = float(x0.abs().max())
    return GROWTH * max(1.0, largest) if largest > 0 else LIMIT


def raise_divergence(
    states: Float[Tensor, "N T D"],
    times: Float[Tensor, " T"],
    vector_field: SystemField,
    method: Solver,
    names: Int[Tensor, " N"],
    diverged: Bool[Tensor, " N"],
) -> None:
    """Raises the DivergenceError of the row that diverged first: its number, its time, the cause, and what to try."""
    gone = states.isnan().any(-1).cpu() & diverged[:, None]
    first = torch.where(gone.any(1), gone.int().argmax(1), gone.shape[1])
    row = int(first.argmin())
    before = max(int(first[row]) - 1, 0)
    last, trajectory = float(times[before]), int(names[row])
    row_field = vector_field.rows(slice(row, row + 1))
    cause = _undefined(row_field, states[row, before], times[before : before + 2], method)
    if cause is not None:
        message = f"The right-hand side of trajectory {trajectory} must be finite, got {cause}, where the state was."
        raise DivergenceError(f"{message} Correct it, or start from other states.", trajectory, last)
    name = type(method).__name__
    if vector_field.time_step is not None:
        gone_all = f"{int(gone.any(1).sum())} of {len(gone)} did"
        message = f"Trajectory {trajectory} diverged after t = {last:g} ({gone_all}). Try other initial states or"
        raise DivergenceError(f"{message} parameters: the steps of a map are exact.", trajectory, last)
    advice = "a smaller `step`" if hasattr(method, "step") and not hasattr(method, "rtol") else "a smaller `rtol`"
    raise DivergenceError(
        f"Trajectory {trajectory} diverged after t = {last:g} ({int(gone.any(1).sum())} of {len(gone)} did). "
        f"Try {advice} of {name}, another solver (`stiff` for stiff systems), or other initial states and parameters.",
        trajectory,
        last,
    )


def _undefined(vector_field: SystemField, x: Tensor, times: Tensor, method: Solver) -> str | None:
    """Solves once more; what the right-hand side gave, where and when, if it was not finite at a finite state."""
    limit = bound(x[None])
    watched = _Watched(vector_field.system, vector_field.parameters, limit)
    with contextlib.suppress(Exception):  # the user is told of the first failure, not of one of this second solve
        method.solve(watched, x[None], times, limit)
    return watched.seen[0] if watched.seen else None


@dataclass(frozen=True, eq=False)
class _Watched(SystemField):
    """A field that remembers its first value that is not finite, at a state that is finite and within `limit`.

    It is not differentiable, so that solvers evaluate it at plain states only.
    """

    limit: float = GROWTH
    seen: list[str] = field(default_factory=list)

    @property
    def differentiable(self) -> bool:
        return False

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        velocity = super().__call__(t, x)
        self._look(t, x, velocity, "component")
        return velocity

    def of_one(self) -> Callable[[float, np.ndarray], np.ndarray]:
        return lambda t, x: self(torch.tensor(t, dtype=torch.float64), torch.from_numpy(x)[None])[0].detach().numpy()

    def modes(self) -> tuple[Tensor, Callable[[Tensor, Tensor], Tensor]]:
        linear, nonlinear = super().modes()

        def watched(t: Tensor, v: Tensor) -> Tensor:
            rate = nonlinear(t, v)
            self._look(t, v, rate, "mode")
            return rate

        return linear, watched

    def _look(self, t: Tensor, x: Tensor, velocity: Tensor, part: str) -> None:
        bad = ~velocity.isfinite() & (x.abs() <= self.limit).all(-1, keepdim=True)
        if not self.seen and bad.any():
            where = torch.nonzero(bad)[0]
            value = velocity[tuple(where)].item()
            self.seen.append(f"{value} in {part} {int(where[-1])} at t = {float(t.reshape(-1)[0]):g}")


def check_velocities(solution: Trajectories, names: Int[Tensor, " N"]) -> None:
    """Refuses trajectories at whose states the right-hand side is not finite.

    Raises:
        DivergenceError: the right-hand side is not finite; the message names the trajectory, component and time.
    """
    if solution.velocities is None or torch.isfinite(solution.velocities).all():  # those of a map are none
        return
    row, component = torch.nonzero(~torch.isfinite(solution.velocities))[0].tolist()
    trajectory, moment = int(names[solution.owner[row]]), float(solution.t[row])
    value = solution.velocities[row, component].item()
    raise DivergenceError(
        f"The right-hand side of trajectory {trajectory} must be finite, got {value} in component {component} at "
        f"t = {moment:g}, where the state was. Correct it, or start from other states.",
        trajectory,
        moment,
    )
