"""A velocity field: full and reduced models are both one."""

from collections.abc import Mapping
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

Parameters = Mapping[str, float | Tensor]


class VectorField(Protocol):
    """A velocity field: full and reduced models are both one."""

    @property
    def dim(self) -> int:
        """Dimension D of the state."""
        ...

    @property
    def differentiable(self) -> bool:
        """Whether torch can differentiate `__call__`."""
        ...

    def __call__(self, t: Tensor, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """The velocity at time t (a number, or one per state) and state x."""
        ...

    def rows(self, index: Tensor | slice) -> "VectorField":
        """The field for some rows of the batch, where its parameters differ between rows."""
        ...
