"""The split of an ODE into a diagonal linear part and a rest."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Inexact
from torch import Tensor


@dataclass(frozen=True)
class Semilinear:
    """The split v' = L v + N(t, v) of a system in coordinates v in which the linear part is diagonal.

    Attributes:
        to_modes: real states [..., D] -> modes [..., Q], linear.
        from_modes: the inverse on states that the system can take.
        linear: `(**parameters) -> [Q]` or [..., Q]: the diagonal L.
        nonlinear: `(t, v, **parameters) -> [..., Q]`.
        step: a step at which exponential Adams-Bashforth of order 4 is stable and accurate to about 1e-6 per unit of
            time, in time units.
    """

    to_modes: Callable[[Float[Tensor, "*batch D"]], Inexact[Tensor, "*batch Q"]]
    from_modes: Callable[[Inexact[Tensor, "*batch Q"]], Float[Tensor, "*batch D"]]
    linear: Callable[..., Inexact[Tensor, "*batch Q"]]
    nonlinear: Callable[..., Inexact[Tensor, "*batch Q"]]
    step: float

    def rhs(
        self, t: Float[Tensor, "*#batch"], x: Float[Tensor, "*batch D"], **parameters: Float[Tensor, "*#batch"]
    ) -> Float[Tensor, "*batch D"]:
        """The right-hand side in state coordinates; `System.rhs` where only the split is given."""
        v = self.to_modes(x)
        return self.from_modes(self.linear(**parameters) * v + self.nonlinear(t, v, **parameters))
