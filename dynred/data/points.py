"""What an inspection reads from a file: trajectories, or a bare point set."""

import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dynred.checks import refuse
from dynred.data.screening import check_size, screen
from dynred.data.storage import load_trajectories
from dynred.data.trajectories import Trajectories
from dynred.errors import DynredWarning


def load_data(path: str | Path, columns: int | None = None) -> "Trajectories | Tensor":
    """Reads trajectories from a file, or points [M, D] from an .npz file that holds `states [M, D]` and no times.

    Args:
        path: of the file.
        columns: the dimension D where the caller knows it; points of that many components are not doubted.

    Raises:
        InputError, FileFormatError, MissingExtraError: see `load_trajectories`.
    """
    path = Path(path)
    if path.suffix == ".npz":
        check_size(path, screen(path))
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
        if "states.npy" in names and "t.npy" not in names:
            with np.load(path, allow_pickle=False) as opened:
                states = opened["states"]
            if states.ndim == 2 and states.dtype.kind in "fiu":
                if states.shape[1] != columns:
                    _check_orientation(*states.shape)
                return torch.from_numpy(np.ascontiguousarray(states.astype(np.float64)))
    return load_trajectories(path)


def _check_orientation(rows: int, columns: int) -> None:
    """Refuses as many points as components, where rows may be either, and doubts fewer."""
    if rows == columns:
        advice = f"Give times `t` and `lengths = [{rows}]` where rows are snapshots, else transpose `states`."
        raise refuse("states", "of which rows are snapshots and columns components", f"a square {rows}", advice)
    if rows < columns:
        message = f"states has {rows} rows, taken for snapshots, and {columns} columns; transpose it if columns are."
        warnings.warn(message, DynredWarning, stacklevel=3)
