"""zarr: dynred's own stores, or anybody's."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray
import zarr

from dynred.data.content import Arranged, Content, NamedArray, by_groups
from dynred.data.datasets import dataset_content
from dynred.data.readers._own import arranged, own_dataset
from dynred.data.readers.base import Reader
from dynred.data.screening import check_claim, sizes
from dynred.data.store import StoredTrajectories
from dynred.data.store_layout import identity_of, open_store

UNNAMED = "states"  # what a store of one array without a name is called


class ZarrReader(Reader):
    """.zarr, as xarray, zarr and `dynred.simulate_to` write it, of formats 2 and 3."""

    suffixes = (".zarr",)
    is_folder = True

    def own(self, path: Path) -> Arranged | None:
        """See `Reader.own`."""
        declared = sizes(path)
        if "." in declared:  # one array, no group
            return None
        if identity_of(open_store(path)[1]) is not None:
            return arranged(StoredTrajectories(path).load())
        return own_dataset(path, declared, engine="zarr", consolidated=False)

    @contextmanager
    def content(self, path: Path) -> Iterator[Content]:
        """See `Reader.content`."""
        check_claim(path, sum(sizes(path).values()))
        store = zarr.open(path, mode="r")
        if isinstance(store, zarr.Array):
            yield Content({UNNAMED: _lazy(store)})
            return
        arrays = dict(store.arrays())
        with ExitStack() as stack:
            if arrays and all(_dims(array) is not None for array in arrays.values()):
                opened = xarray.open_zarr(path, consolidated=False, chunks=None, decode_timedelta=False)
                whole = stack.enter_context(opened)
                # A folder lists its variables in any order, which must not decide that of the components.
                yield dataset_content(whole[sorted(whole.data_vars, key=str)])
            else:
                members = {name: item for name, item in store.members(max_depth=None) if isinstance(item, zarr.Array)}
                yield by_groups({name: _lazy(array) for name, array in sorted(members.items())})


def _lazy(array: zarr.Array) -> NamedArray:
    dims = _dims(array) or ()
    return NamedArray(array.shape, np.dtype(array.dtype), lambda: np.asarray(array[...]), dims)


def _dims(array: zarr.Array) -> tuple[str, ...] | None:
    names: Any = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    return tuple(map(str, names)) if names and all(name is not None for name in names) else None
