"""What data of any kind hold before anybody knows what it means: arrays by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Shaped
from torch import Tensor

ROW = "row"  # the dimension along which the columns of a table lie


@dataclass(frozen=True, eq=False)
class NamedArray:
    """An array that is loaded when it is needed.

    Attributes:
        shape: its shape.
        dtype: its type of numbers.
        load: gives its values.
        dims: names of its axes; empty where they have none.
        unit: unit of its values; empty where none is known.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    load: Callable[[], Shaped[np.ndarray, "..."]]
    dims: tuple[str, ...] = ()
    unit: str = ""

    @classmethod
    def of(cls, values: Shaped[np.ndarray, "..."], dims: tuple[str, ...] = (), unit: str = "") -> "NamedArray":
        """An array that is in memory already."""
        return cls(values.shape, values.dtype, lambda: values, dims, unit)

    @property
    def ndim(self) -> int:
        """Number of its axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Memory that its values need."""
        return int(np.prod(self.shape, dtype=np.float64)) * self.dtype.itemsize

    @property
    def is_real(self) -> bool:
        """Whether it holds real numbers."""
        return self.dtype.kind in "fiu"


@dataclass(frozen=True, eq=False)
class Content:
    """What a file or an object holds.

    Attributes:
        arrays: its arrays by name.
        parts: contents of several trajectories, which are arranged one by one and joined; then there are no arrays.
        attributes: what else it says, plain JSON values by name.
    """

    arrays: Mapping[str, NamedArray] = field(default_factory=dict)
    parts: tuple["Content", ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_table(self) -> bool:
        """Whether it is a table: columns of one length."""
        dims, shapes = ({getattr(array, what) for array in self.arrays.values()} for what in ("dims", "shape"))
        columns = len(self.arrays) > 2 and len(shapes) == 1 and len(min(shapes)) == 1
        return dims == {(ROW,)} or (dims == {()} and columns)


def by_groups(arrays: Mapping[str, NamedArray]) -> Content:
    """Arrays that are named by paths, `group/array`; groups with the same arrays are a trajectory each."""
    groups: dict[str, dict[str, NamedArray]] = {}
    for name, array in arrays.items():
        group, _, own = name.rpartition("/")
        groups.setdefault(group, {})[own] = array
    alike = {tuple(sorted(group)) for group in groups.values()}
    if len(groups) > 1 and len(alike) == 1:
        return Content(parts=tuple(map(Content, groups.values())))
    return Content(arrays)


@dataclass(frozen=True, eq=False)
class Arranged:
    """Content whose meaning is known: the arguments of `Trajectories`, by the same names."""

    states: Shaped[np.ndarray | Tensor, "M D"]
    t: Shaped[np.ndarray | Tensor, " M"]
    lengths: Shaped[np.ndarray | Tensor, " N"]
    velocities: Shaped[np.ndarray | Tensor, "M D"] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    inputs: Shaped[np.ndarray | Tensor, "M U"] | None = None
    input_names: tuple[str, ...] = ()

    def arguments(self) -> dict[str, Any]:
        """The arguments of `Trajectories`, by name."""
        return dict(vars(self))
