"""Trajectories on disk: zarr (chunked along snapshots), .npz, and NetCDF with the `netcdf` extra; all lossless.

The layout of zarr and NetCDF is CF's contiguous ragged array: `states [snapshot, component]`, `t [snapshot]`,
`lengths [trajectory]`, `velocities` like `states`, `parameter_<name> [trajectory]`, attributes as JSON. An .npz holds
the same names, or `states [N, T, D]` with a shared `t [T]`.
"""

import importlib.util
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray
from torch import Tensor

from dynred.checks import finite, refuse
from dynred.errors import FileFormatError, InputError, MissingExtraError
from dynred.files import moved_into_place
from dynred.stored import CHUNK_BYTES, SCHEMA, StoredTrajectories, progress_path
from dynred.trajectories import Trajectories

SUFFIXES = (".zarr", ".npz", ".nc")


def save_trajectories(trajectories: Trajectories, path: str | Path) -> None:
    """Writes trajectories, moved into place; the suffix says how: .zarr, .npz or .nc.

    Raises:
        InputError: another suffix.
        MissingExtraError: .nc without the `netcdf` extra.
    """
    path = Path(path)
    suffix = check_path(path)
    arrays = _arrays(trajectories)
    with moved_into_place(path) as temporary:
        if suffix == ".npz":
            named: dict[str, Any] = {"attributes": json.dumps(dict(trajectories.attributes)), **arrays}
            np.savez(temporary, **named)
            return
        dataset = _dataset(trajectories, arrays)
        if suffix == ".nc":
            _need_netcdf()
            dataset.to_netcdf(temporary, engine="h5netcdf")
        else:
            rows = max(1, CHUNK_BYTES // (8 * trajectories.dim))
            chunks = {n: {"chunks": (min(rows, len(v)), *v.shape[1:])} for n, v in arrays.items() if len(v)}
            dataset.to_zarr(temporary, mode="w", encoding=chunks, consolidated=False)


def load_trajectories(path: str | Path) -> Trajectories:
    """Reads trajectories from .zarr, .npz or .nc, as `save_trajectories` writes them or as the module describes.

    Of a store that `simulate` has not finished, what is written so far.

    Raises:
        InputError: arrays that do not fit together, or another suffix.
        FileFormatError: missing, empty, truncated, or without states.
        MissingExtraError: .nc without the `netcdf` extra.
    """
    path = Path(path)
    suffix = check_path(path)
    if not path.exists():
        raise FileFormatError(f"{path} does not exist.")
    if suffix == ".nc":
        _need_netcdf()
    try:
        arrays, attributes = _read_npz(path) if suffix == ".npz" else _read_dataset(path, suffix)
    except InputError:
        raise
    except Exception as error:
        raise FileFormatError(f"{path} is empty, truncated or no {suffix} file: {error}") from error
    try:
        return _trajectories(arrays, attributes)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def check_path(path: str | Path) -> str:
    """The suffix that says how a path is stored.

    Raises:
        InputError: it is none of `SUFFIXES`.
    """
    suffix = Path(path).suffix
    if suffix not in SUFFIXES:
        raise refuse("path", f"a file ending in one of {', '.join(SUFFIXES)}", repr(str(path)))
    return suffix


def _need_netcdf() -> None:
    if any(importlib.util.find_spec(name) is None for name in ("h5netcdf", "h5py")):
        raise MissingExtraError("NetCDF needs an extra that is not installed: pip install 'dynred[netcdf]'.")


def _arrays(trajectories: Trajectories) -> dict[str, np.ndarray]:
    arrays = {"states": trajectories.states, "t": trajectories.t, "lengths": trajectories.lengths}
    if trajectories.velocities is not None:
        arrays["velocities"] = trajectories.velocities
    arrays |= {f"parameter_{name}": value for name, value in trajectories.parameters.items()}
    return {name: value.detach().cpu().numpy() for name, value in arrays.items()}


def _dataset(trajectories: Trajectories, arrays: Mapping[str, np.ndarray]) -> xarray.Dataset:
    dims = {"states": ("snapshot", "component"), "velocities": ("snapshot", "component"), "t": ("snapshot",)}
    variables = {name: (dims.get(name, ("trajectory",)), value) for name, value in arrays.items()}
    header = {"dynred_schema": SCHEMA, "dynred_attributes": json.dumps(dict(trajectories.attributes))}
    found = xarray.Dataset(variables, attrs=header)
    found["lengths"].attrs["sample_dimension"] = "snapshot"
    return found


def _read_npz(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    if not zipfile.is_zipfile(path):
        raise FileFormatError("no zip archive")
    with np.load(path, allow_pickle=False) as opened:
        arrays = {name: opened[name] for name in opened.files}
    text = arrays.pop("attributes", None)
    return arrays, json.loads(str(text)) if text is not None else {}


def _read_dataset(path: Path, suffix: str) -> tuple[dict[str, np.ndarray], dict]:
    engine = {"engine": "zarr", "consolidated": False} if suffix == ".zarr" else {"engine": "h5netcdf"}
    if suffix == ".zarr" and progress_path(path).exists():
        return _read_unfinished(path)
    with xarray.open_dataset(path, decode_times=False, **engine) as opened:  # type: ignore[arg-type]
        if int(opened.attrs.get("dynred_schema", SCHEMA)) > SCHEMA:
            newer = opened.attrs["dynred_schema"]
            raise InputError(f"{path} must be of schema {SCHEMA} or older, got {newer}. Install a newer dynred.")
        arrays = {str(name): opened[name].to_numpy() for name in opened.variables}
        return arrays, json.loads(opened.attrs.get("dynred_attributes", "{}"))


def _read_unfinished(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    stored = StoredTrajectories(path)
    found = stored.load()
    return _arrays(found), dict(stored.attributes)


def _trajectories(arrays: Mapping[str, np.ndarray], attributes: Mapping[str, object]) -> Trajectories:
    if "states" not in arrays:
        raise refuse("data", "to hold an array `states`", f"{sorted(arrays) or 'nothing'}")
    if "t" not in arrays:
        advice = "Give `t [T]` with `states [N, T, D]`, or `t [M]` and `lengths [N]` with `states [M, D]`."
        raise refuse("data", "to hold the times `t`", f"{sorted(arrays)}", advice)
    states, t = _real("states", arrays["states"]), _real("t", arrays["t"]).double()
    velocities = _real("velocities", arrays["velocities"]) if "velocities" in arrays else None
    named = {k.removeprefix("parameter_"): _real(k, v) for k, v in arrays.items() if k.startswith("parameter_")}
    for name, value in named.items():
        finite(f"parameter {name}", value)
    if states.numel() == 0:
        raise refuse("states", "not empty", f"shape {list(states.shape)}")
    if states.ndim == 3:
        found = Trajectories.from_stacked(states, t, velocities, parameters=named, attributes=attributes)
    else:
        if "lengths" not in arrays:
            lengths = torch.tensor([len(t)])
        else:
            lengths = torch.as_tensor(np.asarray(arrays["lengths"]).astype(np.int64))
        found = Trajectories(states, t, lengths, velocities, named, attributes)
    return found.checked_finite()


def _real(name: str, array: np.ndarray) -> Tensor:
    if array.dtype.kind not in "fiu":
        raise refuse(name, "an array of real numbers", f"dtype {array.dtype}")
    return torch.from_numpy(np.ascontiguousarray(array if array.dtype.kind == "f" else array.astype(np.float64)))
