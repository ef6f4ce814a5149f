"""Rollouts over short windows of sampled trajectories, which torch can differentiate: what fields are refined on.

Every window starts at a state that is known: multiple shooting (H. G. Bock, K. J. Plitt, IFAC Proc. 17, 1603 (1984))
with its nodes at encoded snapshots.
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
    """States at times that differ from row to row, from z0 at the first, by classical Runge-Kutta steps.

    Args:
        field: the vector field, for n rows.
        z0: initial states.
        t: increasing along each row.
        substeps: steps from one time to the next, >= 1.
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
    """A field in a time t from 0 to 1 between two snapshots, whose times differ from row to row."""

    start: Float[Tensor, " n"]
    end: Float[Tensor, " n"]

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        gap = self.end - self.start
        return gap[:, None] * self.field(self.start + t * gap, x)

    def rows(self, index: Tensor | slice) -> Self:
        return replace(super().rows(index), start=self.start[index], end=self.end[index])
