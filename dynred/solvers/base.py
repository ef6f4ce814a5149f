"""What every solver of initial value problems offers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.spec import Spec
from dynred.system import VectorField

LIMIT = 1e15  # a state beyond this has left every bound; far from overflow in float64, beyond any sensible unit


@dataclass(frozen=True)
class Solver(Spec, ABC):
    """Settings of a method and the method itself: solvers have no state.

    A solver never raises for a trajectory that diverges: its states are NaN from then on. Rows of a batch do not
    influence each other beyond the solver's tolerance.
    """

    @abstractmethod
    def solve(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> Float[Tensor, "N T D"]:
        """States at `times`; the first is x0 itself.

        Args:
            field: the velocity.
            x0: states at times[0].
            times: increasing, in the field's time units.
            limit: largest absolute value of a component that does not count as diverged.
        """

    def flow_with_tangents(
        self, field: VectorField, x: Float[Tensor, "N D"], tangents: Float[Tensor, "N k D"], duration: float
    ) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N k D"]]:
        """States a time `duration` later, and tangent vectors carried along by the derivative of the flow.

        State and tangents are one larger ODE, (x, v)' = (f(x), f'(x) v), for the same solver. The field must be
        differentiable by torch.
        """
        n, k, d = tangents.shape
        start = torch.cat([x[:, None], tangents], 1).reshape(n, (k + 1) * d)
        times = torch.tensor([0.0, duration], dtype=torch.float64)
        end = self.solve(_WithTangents(field, k), start, times)[:, -1].reshape(n, k + 1, d)
        return end[:, 0], end[:, 1:]


class _WithTangents:
    """The field of a state and k tangent vectors, [N, (k + 1) D]."""

    differentiable = True

    def __init__(self, field: VectorField, k: int):
        self.field, self.k, self.dim = field, k, field.dim * (k + 1)

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        parts = x.reshape(*x.shape[:-1], self.k + 1, self.field.dim)
        state, tangents = parts[..., 0, :], parts[..., 1:, :]

        def push(v: Tensor) -> tuple[Tensor, Tensor]:
            value, pushed, *_ = torch.func.jvp(lambda y: self.field(t, y), (state,), (v,))
            return value, pushed

        velocity, pushed = torch.func.vmap(push, in_dims=-2, out_dims=(None, -2))(tangents)  # type: ignore[arg-type]
        return torch.cat([velocity[..., None, :], pushed], -2).reshape(x.shape)

    def rows(self, index: Tensor | slice) -> VectorField:
        return _WithTangents(self.field.rows(index), self.k)


def end_at_blow_up(states: Float[Tensor, "N T D"], limit: float) -> Float[Tensor, "N T D"]:
    """`states`, with NaN from the first time on at which a component is not finite or beyond `limit`."""
    bad = ~((states.abs() <= limit) & states.isfinite()).all(-1)
    gone = torch.cumsum(bad, 1) > 0
    return torch.where(gone[..., None], torch.nan, states)
