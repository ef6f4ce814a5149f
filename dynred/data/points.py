"""What an inspection reads from a file: trajectories, or a bare point set."""

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from dynred.checks import path_given
from dynred.data.arrange import NoTimes
from dynred.data.readers.base import log, read_file
from dynred.data.reading import ReadingSpec
from dynred.data.screening import sizes
from dynred.data.storage import load_trajectories
from dynred.data.trajectories import Trajectories


def load_data(path: str | Path, reading: ReadingSpec | None = None) -> "Trajectories | Tensor":
    """Reads trajectories from a file, or points [M, D] where it holds states in rows and no times.

    Raises:
        InputError, FileFormatError, MissingExtraError: see `load_trajectories`.
    """
    path, reading = path_given("path", path), reading or ReadingSpec()
    try:
        return load_trajectories(path, reading)
    except NoTimes:
        counted = Trajectories(**read_file(path, replace(reading, dt=1.0)).arguments())
        if len(counted) > 1:  # trajectories, not points
            raise
        if path.suffix != ".npz" or "states" not in sizes(path):  # nothing was guessed of `states` alone
            words = str(counted.attributes["reading"]).partition(": ")[2].rpartition("; dt")[0]
            log.info("%s: Read as %d points, as there are no times: %s.", path, len(counted.states), words)
        return counted.states.double()
