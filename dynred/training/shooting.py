"""Rollouts over short windows of sampled trajectories. Torch can differentiate them, so fields are refined on them.

Every window starts at a known state. This is multiple shooting (H. G. Bock, K. J. Plitt, IFAC Proc. 17, 1603 (1984))
whose nodes are encoded snapshots.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.ode.vector_field import VectorField, WrappedField
from dynred.solvers.explicit import Explicit


def shoot(
    field: VectorField, z0: Float[Tensor, "n R"], t: Float[Tensor, "n L"], substeps: int
) -> Float[Tensor, "n L R"]:
    """Integrates from z0 by classical Runge-Kutta steps, through times that differ from row to row.

    Args:
        field: the vector field, for n rows.
        z0: states at the first time of each row.
        t: times, increasing along each row.
        substeps: steps from one time to the next, >= 1.

    Returns:
        The states at all times, z0 first.
    """
    solver = Explicit(method="rk4", step=1 / substeps)
    states = [z0]
    for j in range(t.shape[1] - 1):
        leg = _Stretched(field, t[:, j], t[:, j + 1])
        states.append(solver.solve(leg, states[-1], torch.tensor([0.0, 1.0]))[:, -1])
    return torch.stack(states, 1)


def overlapping(trajectories: Trajectories, length: int) -> Trajectories:
    """Windows of `length` snapshots, each begun in the middle of the one before."""
    return trajectories.windows(length, stride=max(1, length // 2))


@dataclass(frozen=True, eq=False)
class _Stretched(WrappedField):
    """A field in a time that runs from 0 to 1 between two snapshots, whose own times differ from row to row."""

    start: Float[Tensor, " n"]
    end: Float[Tensor, " n"]

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        gap = self.end - self.start
        return gap[:, None] * self.field(self.start + t * gap, x)

    def rows(self, index: Tensor | slice) -> Self:
        return replace(super().rows(index), start=self.start[index], end=self.end[index])
