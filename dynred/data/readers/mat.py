"""MATLAB's files: version 5 to 7 by SciPy, 7.3 by h5py. A cell array is a list of trajectories."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from dynred.data.arrange import PARAMETER
from dynred.data.content import Content, NamedArray
from dynred.data.readers._hdf5 import HIDDEN, datasets
from dynred.data.readers.base import Reader
from dynred.data.screening import check_claim, check_size, need_netcdf, sizes
from dynred.errors import InputError

COMPRESSED, PREAMBLE, TAG = 15, 128, 8  # MathWorks, "MAT-File Format", 2019: type of an element; bytes
HDF5 = b"\x89HDF"
DEEPEST = 8  # structures within each other

Values = dict[str, Any]  # arrays, or lists of arrays, by name


class MatReader(Reader):
    """.mat, as MATLAB and `scipy.io.savemat` write it; fields of structures are named `structure.field`."""

    suffixes = (".mat",)

    @contextmanager
    def content(self, path: Path) -> Iterator[Content]:
        """See `Reader.content`. Vectors are vectors, not matrices of one row or column."""
        with path.open("rb") as opened:
            is_new = opened.read(4) == HDF5 or (opened.seek(512) and opened.read(4) == HDF5)
        values = _of_new(path) if is_new else _of_old(path)
        yield _content({name: value for name, value in values.items() if not name.startswith("__")})


def _of_old(path: Path) -> Values:
    check_size(path, _declared(path))
    loaded = scipy.io.loadmat(path, struct_as_record=False, chars_as_strings=True)
    values: Values = {}
    for name, value in loaded.items():
        if not name.startswith("__"):
            _flatten(name, value, values)
    return values


def _declared(path: Path) -> int:
    """The size of all arrays of a file of version 5, compressed ones by the size that begins them."""
    total, content = 0, path.stat().st_size
    with path.open("rb") as opened:
        order = "<" if opened.read(PREAMBLE)[126:128] == b"IM" else ">"
        while len(tag := opened.read(TAG)) == TAG:
            kind, size = (int(number) for number in np.frombuffer(tag, f"{order}u4"))
            start, inner = opened.tell(), size
            if kind == COMPRESSED:
                head = zlib.decompressobj().decompress(opened.read(min(size, 512)), TAG)
                inner = int(np.frombuffer(head, f"{order}u4", 2)[1])
            total += inner
            if start + size > content:
                break
            opened.seek(start + size)
    return total


def _flatten(name: str, value: Any, values: Values, depth: int = 0) -> None:
    """Adds what a variable holds to `values`: arrays, cells as lists of arrays, fields of structures by their names."""
    if hasattr(value, "_fieldnames") and depth < DEEPEST:
        for field in value._fieldnames:
            _flatten(f"{name}.{field}", getattr(value, field), values, depth + 1)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        cells = list(value.ravel())
        if len(cells) == 1 and hasattr(cells[0], "_fieldnames"):
            _flatten(name, cells[0], values, depth)
        elif all(isinstance(cell, np.ndarray) and cell.dtype != object for cell in cells):
            values |= _of_cells(name, [list(row) for row in np.atleast_2d(value)])
    elif isinstance(value, np.ndarray):
        values[name] = value


def _of_cells(name: str, rows: list[list[np.ndarray]]) -> Values:
    """What a cell array holds: a trajectory in each cell, or in each row of two its times and its states."""
    if all(len(row) == 2 and _are_times(*row) for row in rows):
        return {f"{name}.time": [t for t, _ in rows], name: [x for _, x in rows]}
    return {name: [cell for row in rows for cell in row]}


def _are_times(t: np.ndarray, x: np.ndarray) -> bool:
    return t.size in x.shape and t.size in t.shape and t.dtype.kind in "fiu" and bool((np.diff(t.ravel()) > 0).all())


def _of_new(path: Path) -> Values:
    h5py, declared = need_netcdf(), sum(sizes(path).values())
    check_claim(path, declared)
    check_size(path, declared)
    values: Values = {}
    with h5py.File(path, "r") as opened:
        for name, dataset in datasets(opened, h5py):
            if dataset.dtype == h5py.ref_dtype:
                rows = [[opened[reference] for reference in row] for row in np.atleast_2d(dataset[()]).T]
                if all(isinstance(cell, h5py.Dataset) and cell.dtype != h5py.ref_dtype for row in rows for cell in row):
                    values |= _of_cells(name.replace("/", "."), [[_turned(cell) for cell in row] for row in rows])
            elif not name.startswith(HIDDEN):
                values[name.replace("/", ".")] = _turned(dataset)
    return values


def _turned(dataset: Any) -> np.ndarray:
    if dataset.attrs.get("MATLAB_empty", 0):
        return np.zeros(0)
    return np.asarray(dataset[()]).T  # MATLAB's columns come first, HDF5's rows


def _content(values: Mapping[str, Any]) -> Content:
    cells = {name: value for name, value in values.items() if isinstance(value, list)}
    plain = {name: _vector(value) for name, value in values.items() if not isinstance(value, list)}
    counts = {len(value) for value in cells.values()}
    if not cells:
        return Content({name: NamedArray.of(value) for name, value in plain.items()})
    if len(counts) > 1:
        listed = ", ".join(f"{name} of {len(value)}" for name, value in cells.items())
        raise InputError(f"cell arrays must be of one length, a cell for each trajectory, got {listed}.")
    count = counts.pop()
    shared = {name: value for name, value in plain.items() if not (name.startswith(PARAMETER) and len(value) == count)}
    own = {name: list(value[:, None]) for name, value in plain.items() if name not in shared} | cells
    parts = [{**shared, **{name: _vector(value[i]) for name, value in own.items()}} for i in range(count)]
    return Content(parts=tuple(Content({k: NamedArray.of(v) for k, v in part.items()}) for part in parts))


def _vector(value: np.ndarray) -> np.ndarray:
    return value.ravel() if value.ndim == 2 and 1 in value.shape else value
