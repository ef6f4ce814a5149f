"""Stores of trajectories that are too large to be read whole."""

import os
from pathlib import Path

from dynred.data.reading import ReadingSpec
from dynred.data.screening import sizes
from dynred.data.store import StoredTrajectories
from dynred.errors import FileFormatError

LARGE = 2 * 2**30  # bytes of states in float64: the same everywhere, so that a run does not depend on the machine


def large_store(given: object, reading: ReadingSpec | None = None) -> StoredTrajectories | None:
    """The store that a path names, in dynred's own layout, where its states take more than `LARGE` bytes; else None.

    Args:
        given: what a source is made from.
        reading: what is said of it; a layout of somebody else's is not for `StoredTrajectories`.

    Raises:
        FileFormatError: the store is damaged, or not finished.
    """
    if not isinstance(given, str | os.PathLike) or Path(given).suffix != ".zarr" or not Path(given).is_dir():
        return None
    said = reading is not None and not (reading.is_empty and reading.reader is None)
    if said or not {"states", "t", "lengths"} <= set(sizes(Path(given))):
        return None
    store = StoredTrajectories(Path(given))
    if store.state_bytes <= LARGE:
        return None
    if not store.complete:
        raise FileFormatError(f"{given} is not finished: call simulate again, which goes on with it.")
    return store
