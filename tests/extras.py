"""Libraries of extras for tests: where one is not installed, a test that uses it is skipped, and the others run."""

import importlib
import importlib.util
import traceback
from pathlib import Path

import dynred
from dynred.errors import MissingExtraError

LIBRARIES = ("h5py", "h5netcdf", "pyarrow", "numba", "skdim", "ripser", "pysindy", "pydmd", "dask", "optuna")


class _Missing:
    """In the place of a library that is not installed: to use it says so, which skips the test."""

    def __init__(self, library: str):
        self._library = library

    def __getattr__(self, name: str):
        raise MissingExtraError(f"{self._library} is not installed.")


def extra(library: str):
    """The library, or what stands for it where it is not installed."""
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError:
        return _Missing(library)


def lacks_extra(error: ImportError) -> bool:
    """Whether a test's own code failed for want of an extra; dynred's code says so by a MissingExtraError."""
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    if any(path.is_relative_to(Path(dynred.__file__).parent) for path in files):
        return False
    return any(name in str(error) and importlib.util.find_spec(name) is None for name in LIBRARIES)
