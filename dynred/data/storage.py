"""Trajectories on disk: zarr (chunked along snapshots), .npz, and NetCDF with the `netcdf` extra; all lossless.

The layout of zarr and NetCDF is CF's contiguous ragged array: `states [snapshot, component]`, `t [snapshot]`,
`lengths [trajectory]`, `velocities` like `states`, `parameter_<name> [trajectory]`, attributes as JSON. An .npz holds
the same names, or `states [N, T, D]` with a shared `t [T]`. dynred writes a checksum of the
content into each; files of other programs and of earlier versions have none.
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
from torch import Tensor

from dynred.arguments import public
from dynred.checks import finite, path_given, refuse
from dynred.data.screening import SUFFIXES, check_size, need_netcdf, screen, wanted
from dynred.data.seal import seal
from dynred.data.store import StoredTrajectories
from dynred.data.store_layout import (
    DIMENSIONS,
    changed,
    create_array,
    header,
    identity_of,
    layout,
    lock_path,
    open_store,
    read_header,
)
from dynred.data.store_writer import is_ours as is_our_store
from dynred.data.store_writer import remove_progress
from dynred.data.trajectories import Trajectories
from dynred.errors import DynredError, FileFormatError, InputError
from dynred.files import check_target, moved_into_place
from dynred.locks import locked
from dynred.memory import check_memory
from dynred.numerics.digest import content_digest

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
def load_trajectories(path: str | Path) -> Trajectories:
    """Reads trajectories from .zarr, .npz or .nc, as `save_trajectories` writes them or as the module describes.

    It runs no code and reads no other file, whoever wrote the data. From a store that `simulate_to` has not finished
    it reads what is written so far.

    Raises:
        InputError: the arrays do not fit together, the suffix is another, or memory does not hold the data.
        FileFormatError: the file is missing, empty, truncated, changed since it was written, or without states, or it
            holds something that only an attack needs.
        MissingExtraError: .nc without the `netcdf` extra.
    """
    path = path_given("path", path)
    suffix = check_path(path)
    declared = screen(path)
    if suffix == ".zarr" and identity_of(open_store(path)[1]) is not None:
        return StoredTrajectories(path).load()
    check_size(path, declared)
    try:
        arrays, entries = _read_npz(path) if suffix == ".npz" else _read_dataset(path, suffix)
    except DynredError:
        raise
    except Exception as error:
        raise FileFormatError(f"{path} is empty, truncated or no {suffix} file: {error}") from error
    header_entries, attributes = read_header(path, entries)
    _check_digest(path, arrays, header_entries)
    try:
        return _trajectories(arrays, attributes)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


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
    arrays = {"states": trajectories.states, "t": trajectories.t, "lengths": trajectories.lengths}
    if trajectories.velocities is not None:
        arrays["velocities"] = trajectories.velocities
    arrays |= {f"parameter_{name}": value for name, value in trajectories.parameters.items()}
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
    variables = {name: (DIMENSIONS.get(name, ("trajectory",)), value) for name, value in arrays.items()}
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


# -- reading ----------------------------------------------------------------------------------------------------------


def _read_npz(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    with np.load(path, allow_pickle=False) as opened:
        arrays = {name: opened[name] for name in opened.files if wanted(name)}
        if "header" in opened.files:
            entries = json.loads(str(opened["header"]))
        else:
            entries = {"dynred_attributes": str(opened["attributes"])} if "attributes" in opened.files else {}
    if not isinstance(entries, dict):
        raise FileFormatError(f"The header of {path} must be a JSON object, got a {type(entries).__name__}.")
    return arrays, entries


def _read_dataset(path: Path, suffix: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    engine = (
        {"engine": "zarr", "consolidated": False}
        if suffix == ".zarr"
        else {"engine": "h5netcdf", "phony_dims": "access"}
    )
    with xarray.open_dataset(path, decode_times=False, **engine) as opened:  # type: ignore[arg-type]
        arrays = {str(name): opened[name].to_numpy() for name in opened.variables if wanted(str(name))}
        return arrays, {str(name): value for name, value in opened.attrs.items()}


def _check_digest(path: Path, arrays: Mapping[str, np.ndarray], header_entries: Mapping[str, Any]) -> None:
    if "dynred_digest" in header_entries:
        tensors = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items() if v.dtype.kind in "fiu"}
        if content_digest(tensors) != header_entries["dynred_digest"]:
            raise changed(path, "its checksum is not that of its content")


def _trajectories(arrays: Mapping[str, np.ndarray], attributes: Mapping[str, object]) -> Trajectories:
    if "states" not in arrays:
        raise refuse("data", "to hold an array `states`", f"{sorted(arrays) or 'nothing'}")
    if "t" not in arrays:
        advice = "Give `t [T]` with `states [N, T, D]`, or `t [M]` and `lengths [N]` with `states [M, D]`."
        raise refuse("data", "to hold the times `t`", f"{sorted(arrays)}", advice)
    states, t = _real("states", arrays["states"]), _real("t", arrays["t"]).double()
    velocities = _real("velocities", arrays["velocities"]) if "velocities" in arrays else None
    if velocities is not None and velocities.dtype != states.dtype:
        raise refuse("velocities", f"of the dtype of states, {states.dtype}", f"{velocities.dtype}")
    parameters = {k.removeprefix("parameter_"): _real(k, v) for k, v in arrays.items() if k.startswith("parameter_")}
    for name, value in parameters.items():
        finite(f"parameter {name}", value)
    if states.numel() == 0:
        raise refuse("states", "not empty", f"shape {list(states.shape)}")
    lengths = _lengths(arrays["lengths"]) if "lengths" in arrays else None
    if states.ndim == 3:
        trajectories = Trajectories.from_stacked(states, t, velocities, parameters=parameters, attributes=attributes)
        if lengths is not None and not torch.equal(lengths, trajectories.lengths):
            raise refuse(
                "lengths", f"{trajectories.lengths.tolist()[0]} for each of the states [N, T, D]", lengths.tolist()
            )
    else:
        if lengths is None and states.ndim == 2 and len(states) == states.shape[1] == len(t):
            advice = f"Add `lengths = [{len(t)}]` where rows are snapshots, and transpose `states` where columns are."
            raise refuse("states", "of which rows are snapshots and columns components", f"a square {len(t)}", advice)
        lengths = torch.tensor([len(t)]) if lengths is None else lengths
        trajectories = Trajectories(states, t, lengths, velocities, parameters, attributes)
    return trajectories.checked_finite()


def _lengths(array: np.ndarray) -> Tensor:
    if array.ndim != 1:
        raise refuse("lengths", "one number of snapshots for each trajectory [N]", f"shape {list(array.shape)}")
    if array.dtype.kind not in "fiu":
        raise refuse("lengths", "integers", f"dtype {array.dtype}")
    if not ((array == np.floor(array)) & (abs(array) < LONGEST)).all():
        raise refuse("lengths", f"integers below {LONGEST:g}", array.tolist())
    return torch.from_numpy(array.astype(np.int64))


def _real(name: str, array: np.ndarray) -> Tensor:
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8:
        raise refuse(name, "an array of real numbers", f"dtype {array.dtype}")
    plain = array.astype(np.float64) if array.dtype.kind != "f" else array
    plain = plain.astype(plain.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(np.ascontiguousarray(plain)).reshape(array.shape)
