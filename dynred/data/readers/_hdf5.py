"""The arrays of an HDF5 file by name."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from dynred.data.content import NamedArray

HIDDEN = "#"  # begins the names of groups in which MATLAB keeps the content of cells


def datasets(group: Any, h5py: Any) -> Iterator[tuple[str, Any]]:
    """The datasets of a group and of the groups in it, each once, by path; links were looked at before, see
    `dynred.data.screening`."""
    waiting, seen = [("", group)], {group}
    while waiting:
        above, parent = waiting.pop(0)
        for name in parent:
            child = parent[name]
            if name.startswith(HIDDEN) or child in seen:
                continue
            seen.add(child)
            if isinstance(child, h5py.Dataset):
                yield f"{above}{name}", child
            elif isinstance(child, h5py.Group):
                waiting.append((f"{above}{name}/", child))


def lazy(dataset: Any) -> NamedArray:
    """A dataset as an array with the names of its dimensions, where all have one, and its unit."""
    dims = tuple(_dimension(dimension) for dimension in dataset.dims)
    unit = dataset.attrs.get("units", b"")
    text = unit.decode(errors="replace") if isinstance(unit, bytes) else str(unit)
    return NamedArray(
        dataset.shape or (), dataset.dtype, lambda: np.asarray(dataset[()]), dims if all(dims) else (), text
    )


def _dimension(dimension: Any) -> str:
    if dimension.label:
        return str(dimension.label)
    scales = dimension.keys()
    return str(scales[0]).rpartition("/")[2] if scales else ""
