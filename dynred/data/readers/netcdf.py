"""NetCDF: dynred's own, with the `netcdf` extra, or anybody's."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray

from dynred.data.content import Arranged, Content
from dynred.data.datasets import dataset_content
from dynred.data.readers._own import own_dataset
from dynred.data.readers.base import Reader
from dynred.data.screening import check_claim, need_netcdf, sizes
from dynred.errors import InputError
from dynred.memory import check_memory

CLASSIC = b"CDF"  # begins files of NetCDF 3, which need no HDF5


class NetcdfReader(Reader):
    """.nc, as xarray, climate models and `dynred.save_trajectories` write it."""

    suffixes = (".nc", ".nc4", ".cdf")

    def own(self, path: Path) -> Arranged | None:
        """See `Reader.own`."""
        if _is_classic(path):
            return None
        return own_dataset(path, sizes(path), engine="h5netcdf", phony_dims="access")

    @contextmanager
    def content(self, path: Path) -> Iterator[Content]:
        """See `Reader.content`."""
        options: dict[str, Any] = {"engine": "scipy", "mmap": False}  # a map outlives the file with any array of it
        if _is_classic(path):
            check_memory(f"Reading {path}", 2 * path.stat().st_size)
        else:
            need_netcdf()
            check_claim(path, sum(sizes(path).values()))
            options = {"engine": "h5netcdf", "phony_dims": "access"}
        with decoded(path, **options) as opened:
            yield dataset_content(opened)


def _is_classic(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(len(CLASSIC)) == CLASSIC


@contextmanager
def decoded(path: Path, **options: Any) -> Iterator[xarray.Dataset]:
    """A dataset whose dates are dates; a unit of time that nobody can parse is told."""
    with contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(xarray.open_dataset(path, decode_timedelta=False, **options))
        except ValueError as error:
            if "decode time" not in str(error) and "time units" not in str(error):
                raise
            advice = "Change its attribute `units`, or leave it out."
            raise InputError(f"time in {path} must have a unit that is known, got another: {error} {advice}") from error
        yield opened
