"""Rollouts over short windows of sampled trajectories, which torch can differentiate: what fields are refined on.

Every window starts at a state that is known: multiple shooting (H. G. Bock, K. J. Plitt, IFAC Proc. 17, 1603 (1984))
with its nodes at encoded snapshots.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.ode.vector_field import VectorField
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


class _Stretched:
    """A field in a time t from 0 to 1 between two snapshots, whose distance differs from row to row."""

    differentiable = True

    def __init__(self, field: VectorField, start: Tensor, end: Tensor):
        self.field, self.start, self.gap, self.dim = field, start, end - start, field.dim

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        return self.gap[:, None] * self.field(self.start + t * self.gap, x)

    def rows(self, index: Tensor | slice) -> VectorField:
        return _Stretched(self.field.rows(index), self.start[index], (self.start + self.gap)[index])
