"""HDF5 of any layout, with the `netcdf` extra."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dynred.data.content import Content, by_groups
from dynred.data.readers._hdf5 import datasets, lazy
from dynred.data.readers.base import Reader
from dynred.data.screening import check_claim, need_netcdf, sizes


class Hdf5Reader(Reader):
    """.h5 and .hdf5, as h5py writes them; arrays in groups are named `group/array`."""

    suffixes = (".h5", ".hdf5")

    @contextmanager
    def content(self, path: Path) -> Iterator[Content]:
        """See `Reader.content`."""
        check_claim(path, sum(sizes(path).values()))
        h5py = need_netcdf()
        with h5py.File(path, "r") as opened:
            yield by_groups({name: lazy(dataset) for name, dataset in datasets(opened, h5py)})
