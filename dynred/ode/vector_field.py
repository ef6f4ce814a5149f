"""Velocity fields: full models, reduced models, and fields made of another field."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

from jaxtyping import Float, Int
from torch import Tensor

from dynred.data.signals import Signal

Parameters = Mapping[str, float | Float[Tensor, "*#batch"] | Signal]  # inputs among them, as signals


class VectorField(Protocol):
    """A velocity field, such as a full or a reduced model."""

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


def time_step(field: VectorField) -> float | None:
    """The time of one step of a map, whose values are the next states; None for a velocity.

    A map is a `VectorField` in all but the meaning of its values, and has an attribute `time_step`.
    """
    return getattr(field, "time_step", None)


@dataclass(frozen=True, eq=False)
class WrappedField(ABC):
    """A `VectorField` made of another: like that, it has a dimension, is differentiable or not, and is cut to rows.

    Subclasses are frozen dataclasses that say what the velocity is. A subclass with values of its own for each row cuts
    these in `rows` as well.

    Attributes:
        field: the field that it is made of.
    """

    field: VectorField

    @property
    def dim(self) -> int:
        """See `VectorField.dim`."""
        return self.field.dim

    @property
    def differentiable(self) -> bool:
        """See `VectorField.differentiable`."""
        return self.field.differentiable

    @abstractmethod
    def __call__(self, t: Float[Tensor, "*#batch"], x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """See `VectorField.__call__`."""

    def rows(self, index: Int[Tensor, " n"] | slice) -> Self:
        """See `VectorField.rows`."""
        return replace(self, field=self.field.rows(index))
