"""How a state vector is a field in space."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Axis:
    """One direction of a field's grid.

    Attributes:
        name: name of its coordinate, e.g. `x`.
        coordinates: its points [n], increasing, evenly spaced, in `unit`.
        unit: unit of the coordinates; empty where they have none.
        period: length after which the field repeats; None where it does not.
    """

    name: str
    coordinates: Float[Tensor, " n"]
    unit: str = ""
    period: float | None = None


@dataclass(frozen=True)
class Grid:
    """How a state vector [D] is a field: it reshapes to (components, points of axis 0, points of axis 1, ...).

    Attributes:
        axes: directions of space, one or more.
        components: names of the fields, e.g. `("u",)`.
    """

    axes: tuple[Axis, ...]
    components: tuple[str, ...] = ("u",)

    @property
    def shape(self) -> tuple[int, ...]:
        """(number of components, points of axis 0, points of axis 1, ...)."""
        return (len(self.components), *(len(axis.coordinates) for axis in self.axes))
