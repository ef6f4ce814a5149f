"""Trajectories on disk: zarr (chunked along snapshots), .npz, and NetCDF with the `netcdf` extra; all lossless.

The layout of zarr and NetCDF is CF's contiguous ragged array: `states [snapshot, component]`, `t [snapshot]`,
`lengths [trajectory]`, `velocities` like `states`, `parameter_<name> [trajectory]`, `input_<name> [snapshot]`,
attributes as JSON. An .npz holds the same names, or `states [N, T, D]` with a shared `t [T]`. dynred writes a checksum
of the content into each; files of other programs and of earlier versions have none.
"""

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray
import zarr

from dynred.arguments import public
from dynred.checks import path_given, refuse
from dynred.data.readers.base import log, read_file
from dynred.data.reading import ReadingSpec
from dynred.data.screening import SUFFIXES, need_netcdf, screen, wanted
from dynred.data.seal import seal
from dynred.data.store_layout import (
    create_array,
    dimensions_of,
    header,
    layout,
    lock_path,
)
from dynred.data.store_writer import is_ours as is_our_store
from dynred.data.store_writer import remove_progress
from dynred.data.trajectories import Trajectories
from dynred.errors import DynredError, FileFormatError, InputError
from dynred.files import check_target, moved_into_place
from dynred.locks import locked
from dynred.memory import check_memory

LONGEST = 2**53  # largest number of snapshots in a trajectory: a float counts no further
NETCDF_COPIES = 1.2  # memory that writing NetCDF takes, in units of the data's size


@public
def save_trajectories(trajectories: Trajectories, path: str | Path) -> None:
    """Writes trajectories to a temporary name and moves them into place; the suffix (.zarr, .npz, .nc) says how.

    Raises:
        InputError: the suffix is another, dynred did not write what is there, or the attributes are no JSON data.
        MissingExtraError: .nc without the `netcdf` extra.
        FileFormatError: writing failed, as on a full disk; what was there before stays.
    """
    path = path_given("path", path)
    suffix = check_path(path)
    write = {".npz": _write_npz, ".nc": _write_netcdf, ".zarr": _write_zarr}[suffix]
    arrays, digest = _arrays(trajectories), trajectories.digest()
    with _told(path), _alone(path):
        with moved_into_place(path, is_ours) as temporary:
            write(temporary, arrays, trajectories.attributes, digest)
        if suffix == ".zarr":
            remove_progress(path)  # that of an unfinished store that was there


@public
def load_trajectories(path: str | Path, reading: ReadingSpec | None = None) -> Trajectories:
    """Reads trajectories from a file of any kind that `dynred.data.readers` knows, by its suffix.

    What dynred wrote is read as it was. Of files of other programs, names and shapes tell what is state, time and
    trajectory; `attributes["reading"]` says what was guessed. It runs no code and reads no other file, whoever wrote
    the data. From a store that `simulate_to` has not finished it reads what is written so far.

    Args:
        path: the file, or the folder of a .zarr store.
        reading: what cannot be guessed.

    Raises:
        InputError: the arrays do not fit together, too little is known of them, the suffix is another, or memory does
            not hold the data.
        FileFormatError: the file is missing, empty, truncated, changed since it was written, or it holds something that
            only an attack needs.
        MissingExtraError: a kind of file whose library is not installed.
    """
    reading = reading or ReadingSpec()
    arranged = read_file(path, reading)
    try:
        trajectories = Trajectories(**arranged.arguments())
        if not reading.takes_gaps:
            trajectories.checked_finite()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if "reading" in trajectories.attributes:
        log.info("%s: %s", path, trajectories.attributes["reading"])
    return trajectories


def check_path(path: str | Path) -> str:
    """The suffix that says how a path is stored.

    Raises:
        InputError: the suffix is none of `SUFFIXES`.
    """
    suffix = Path(path).suffix
    if suffix not in SUFFIXES:
        raise refuse("path", f"a file ending in one of {', '.join(SUFFIXES)}", repr(str(path)))
    return suffix


def is_ours(path: Path) -> bool:
    """Whether what is at a path is a data file that dynred wrote, and nothing else."""
    try:
        screen(path)
        if path.suffix == ".zarr":
            return is_our_store(path)
        if path.suffix == ".nc":
            with need_netcdf().File(path, "r") as opened:
                return "dynred_schema" in opened.attrs
    except (DynredError, OSError):
        return False
    with zipfile.ZipFile(path) as archive:
        names = {name.removesuffix(".npy") for name in archive.namelist()}
    required = {"attributes", "states", "t", "lengths"}
    return required <= names and all(wanted(name) for name in names - {"attributes", "header"})


# -- writing ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns what the operating system says of a failed write into one sentence."""
    try:
        yield
    except DynredError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise FileFormatError(f"{path} could not be written: {reason}. What was there before is unchanged.") from error


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keeps other processes from a store while it is replaced; files are replaced at once and need no lock."""
    check_target("path", path, is_ours)
    if path.suffix != ".zarr":
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked("path", path, lock_path(path)):
        yield


def _arrays(trajectories: Trajectories) -> dict[str, np.ndarray]:
    arrays = trajectories.arrays()
    for name, value in arrays.items():
        if value.dtype == torch.bfloat16:
            raise refuse(name, "of a dtype that NumPy knows", f"{value.dtype}", "Convert it with `to`.")
    return {name: value.detach().cpu().numpy() for name, value in arrays.items()}


def _write_npz(path: Path, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, Any], digest: str) -> None:
    entries = header(attributes, digest=digest)
    texts: dict[str, Any] = {"attributes": entries["dynred_attributes"], "header": json.dumps(entries)}
    np.savez(path, **{**texts, **arrays})


def _write_netcdf(path: Path, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, Any], digest: str) -> None:
    need_netcdf()
    size = sum(array.nbytes for array in arrays.values())
    check_memory("NetCDF, which is made in memory,", int(NETCDF_COPIES * size), "Write .zarr instead.")
    variables = {name: (dimensions_of(name), value) for name, value in arrays.items()}
    dataset = xarray.Dataset(variables, attrs=header(attributes, digest=digest))
    dataset["lengths"].attrs["sample_dimension"] = "snapshot"
    # HDF5 does not write into the file itself: on a full disk it ends the process with a segmentation fault.
    content = io.BytesIO()
    dataset.to_netcdf(content, engine="h5netcdf")
    with path.open("wb") as opened:
        opened.write(content.getbuffer())
        opened.write(seal(content.getbuffer()))


def _write_zarr(path: Path, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, Any], digest: str) -> None:
    group = zarr.create_group(path, zarr_format=3)
    for name, value in arrays.items():
        create_array(group, name, value.shape, str(value.dtype))[:] = value
    group.attrs.update(header(attributes, digest=digest, layout=layout(path)))
