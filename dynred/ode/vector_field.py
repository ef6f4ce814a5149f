"""A velocity field: full and reduced models are both one."""

from collections.abc import Mapping
from typing import Protocol

from jaxtyping import Float, Int
from torch import Tensor

Parameters = Mapping[str, float | Float[Tensor, "*#batch"]]


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

    def __call__(self, t: Float[Tensor, "*#batch"], x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """The velocity at time t (a number, or one per state) and state x."""
        ...

    def rows(self, index: Int[Tensor, " n"] | slice) -> "VectorField":
        """The field for some rows of the batch, where its parameters differ between rows."""
        ...
