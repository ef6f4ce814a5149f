"""NumPy arrays by name in an archive: dynred's own, or anybody's."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dynred.data.content import Arranged, Content, NamedArray
from dynred.data.readers._own import own_layout
from dynred.data.readers.base import Reader
from dynred.data.screening import check_claim, check_size, sizes, wanted
from dynred.errors import FileFormatError


class NpzReader(Reader):
    """.npz, as `numpy.savez` and `dynred.save_trajectories` write it."""

    suffixes = (".npz",)

    def own(self, path: Path) -> Arranged | None:
        """See `Reader.own`."""
        declared = sizes(path)
        if not {"states", "t"} <= set(declared):
            return None
        check_size(path, sum(size for name, size in declared.items() if wanted(name)))
        with np.load(path, allow_pickle=False) as opened:
            arrays = {name: opened[name] for name in opened.files if wanted(name)}
            return own_layout(path, arrays, _entries(path, opened))

    @contextmanager
    def content(self, path: Path) -> Iterator[Content]:
        """See `Reader.content`."""
        declared = sizes(path)
        check_claim(path, sum(declared.values()))
        with np.load(path, allow_pickle=False) as opened:
            yield Content({name: _lazy(opened, name) for name in declared})


def _lazy(opened: Any, name: str) -> NamedArray:
    with opened.zip.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(member)
    return NamedArray(shape, kind, lambda: opened[name])


def _entries(path: Path, opened: Any) -> dict[str, Any]:
    if "header" in opened.files:
        entries = json.loads(str(opened["header"]))
    else:
        entries = {"dynred_attributes": str(opened["attributes"])} if "attributes" in opened.files else {}
    if not isinstance(entries, dict):
        raise FileFormatError(f"The header of {path} must be a JSON object, got a {type(entries).__name__}.")
    return entries
