"""What an inspection reads from a file: trajectories, or a bare point set."""

import warnings
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from dynred.checks import path_given
from dynred.data.angles import with_angles
from dynred.data.arrange import NoTimes
from dynred.data.clean import clean
from dynred.data.readers.base import log, read_file
from dynred.data.reading import ReadingSpec
from dynred.data.screening import sizes
from dynred.data.storage import load_trajectories
from dynred.data.trajectories import Trajectories
from dynred.errors import DynredWarning, FileFormatError, InputError


def load_data(
    path: str | Path, reading: ReadingSpec | None = None, *, columns: int | None = None
) -> "Trajectories | Tensor":
    """Reads trajectories from a file, cleaned as `reading` says, or points [M, D] where it holds no times.

    Args:
        path: of the file.
        reading: what cannot be guessed of it.
        columns: the dimension D where the caller knows it; points of so many components are not doubted.

    Raises:
        InputError, FileFormatError, MissingExtraError: see `load_trajectories`.
    """
    path, reading = path_given("path", path), reading or ReadingSpec()
    try:
        data = load_trajectories(path, reading) if columns is None else _known(path, reading, columns)
        data = with_angles(data, reading.angles, reading.angle_unit) if isinstance(data, Trajectories) else data
        return clean(data, reading.cleaning) if reading.cleaning and isinstance(data, Trajectories) else data
    except NoTimes:
        counted = Trajectories(**read_file(path, replace(reading, dt=1.0)).arguments())
        if len(counted) > 1:  # trajectories, not points
            raise
        if path.suffix != ".npz" or "states" not in sizes(path):  # nothing was guessed of `states` alone
            words = str(counted.attributes["reading"]).partition(": ")[2].rpartition("; dt")[0]
            log.info("%s: Read as %d points, as there are no times: %s.", path, len(counted.states), words)
        return counted.states.double()


def _known(path: Path, reading: ReadingSpec, columns: int) -> "Trajectories | Tensor":
    try:
        with warnings.catch_warnings(action="error", category=DynredWarning):
            return load_trajectories(path, reading)
    except (FileFormatError, InputError, DynredWarning):
        rows = read_file(path, replace(reading, dt=1.0, dims=reading.dims or ("time", "component")))
        points = Trajectories(**rows.arguments())
        if len(points) > 1 or points.dim != columns:
            raise
        return points.states.double()
