"""How a state vector is a field in space, and how trajectories remember it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor


@dataclass(frozen=True)
class Axis:
    """One direction of a field's grid.

    Attributes:
        name: name of its coordinate, e.g. `x`.
        coordinates: its points [n], in order, in `unit`; evenly spaced where there is a period.
        unit: unit of the coordinates; empty where they have none.
        period: length after which the field repeats; None where it does not, or where nobody knows.
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


def axis_of(name: str, size: int, coordinate: Shaped[np.ndarray, "..."] | None, unit: str = "") -> Axis | None:
    """The axis of data: its coordinate where that is in order, else 0, 1, 2, ...; None where it holds no numbers."""
    if coordinate is not None and coordinate.dtype.kind in "OSUT":
        return None
    if coordinate is not None and coordinate.dtype.kind in "fiu" and coordinate.shape == (size,):
        step = np.diff(coordinate.astype(np.float64))
        if (step > 0).all() or (step < 0).all():
            return Axis(name, torch.from_numpy(coordinate.astype(np.float64)), unit)
    return Axis(name, torch.arange(size, dtype=torch.float64))


def grid_attribute(layouts: Sequence[Grid | None]) -> dict[str, Any]:
    """The entry `grid` of the attributes of trajectories, as plain JSON data, for fields that lie side by side in a
    state; none where one of them has no place in space."""
    grids = [layout for layout in layouts if layout is not None]
    if not grids or len(grids) < len(layouts):
        return {}
    axes = [
        {"name": a.name, "coordinates": a.coordinates.tolist(), "unit": a.unit, "period": a.period}
        for a in grids[0].axes
    ]
    return {"grid": {"axes": axes, "components": [name for grid in grids for name in grid.components]}}


def remembered_grid(attributes: Mapping[str, Any], dim: int) -> Grid | None:
    """The grid in the attributes of trajectories; None where there is none that lays out states of `dim` values.

    Attributes come from files, so nothing in them is taken on trust.
    """
    try:
        entry = attributes["grid"]
        axes = tuple(
            Axis(
                str(axis["name"]),
                torch.tensor([float(value) for value in axis["coordinates"]], dtype=torch.float64),
                str(axis["unit"]),
                None if axis["period"] is None else float(axis["period"]),
            )
            for axis in entry["axes"]
        )
        grid = Grid(axes, tuple(map(str, entry["components"])))
    except (KeyError, TypeError, ValueError):
        return None
    return grid if axes and torch.Size(grid.shape).numel() == dim else None
