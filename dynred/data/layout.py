"""How states are laid out for symmetries: components, and points along named axes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import nearest, refuse
from dynred.data.grid import Grid

EVEN = 1e-6  # relative: how far gaps between evenly spaced points may differ


@dataclass(frozen=True)
class Layout:
    """How a state is laid out: (components, points of the first axis, ...).

    Attributes:
        components: names of the components; their numbers where they have none.
        axes: names of the axes, in order.
        sizes: number of points of each axis.
        periods: period of each axis; None where it has none, or where nobody knows.
        guessed: whether there is no grid, so that points are counted.
    """

    components: tuple[str, ...]
    axes: tuple[str, ...]
    sizes: tuple[int, ...]
    periods: tuple[float | None, ...]
    guessed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of components, then of the points of each axis."""
        return (len(self.components), *self.sizes)

    @classmethod
    def of(cls, grid: Grid | None, dim: int, named: Sequence[str], periodic: Sequence[str]) -> "Layout":
        """The layout of states of `dim` values.

        Args:
            grid: that of the states. Without one, a state is one field along the axis that symmetries name, with period
                `dim`, or `dim` components where they name none.
            dim: D.
            named: the axes that symmetries name.
            periodic: the axes along which there are translations; their period is guessed where the grid tells none.

        Raises:
            InputError: several axes are named where states have no grid.
        """
        if grid is not None:
            sizes = tuple(len(axis.coordinates) for axis in grid.axes)
            periods = tuple(
                _period(axis.coordinates) if axis.period is None and axis.name in periodic else axis.period
                for axis in grid.axes
            )
            return cls(grid.components, tuple(axis.name for axis in grid.axes), sizes, periods)
        named = sorted(set(named))
        if len(named) > 1:
            raise refuse("symmetries", "along one axis where states have no grid", " and ".join(named), "Give a grid.")
        if named:
            return cls(("u",), tuple(named), (dim,), (float(dim) if periodic else None,), guessed=True)
        return cls(tuple(str(i) for i in range(dim)), (), (), ())

    def axis(self, name: str, who: object) -> int:
        """Number of an axis, counted from 0.

        Raises:
            InputError: no axis has that name.
        """
        if name not in self.axes:
            there = f"along an axis of the grid, {', '.join(self.axes) or 'which has none'}"
            raise refuse(f"symmetry {who}", there, name, nearest(name, self.axes))
        return self.axes.index(name)

    def component(self, name: str | int, who: object) -> int:
        """Number of a component, which is given by its name or its number.

        Raises:
            InputError: there is no such component.
        """
        if str(name) in self.components:
            return self.components.index(str(name))
        if isinstance(name, int) and 0 <= name < len(self.components):
            return name
        few = ", ".join(self.components[:8]) + (", ..." if len(self.components) > 8 else "")
        raise refuse(f"symmetry {who}", f"of components among {few}", name)


def _period(coordinates: Float[Tensor, " n"]) -> float | None:
    """The period of evenly spaced points the last of which borders on the first; None where they are uneven."""
    if len(coordinates) < 3:
        return None
    gaps = torch.diff(coordinates.double())
    even = (gaps - gaps.mean()).abs().max() <= EVEN * gaps.mean().abs()
    return abs(float(gaps.mean())) * len(coordinates) if even else None
