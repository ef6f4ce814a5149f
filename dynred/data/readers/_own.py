"""Files in dynred's own layout, as `dynred.data.storage` describes it, whoever wrote them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray
from jaxtyping import Shaped
from torch import Tensor

from dynred.checks import finite, refuse
from dynred.data.content import Arranged
from dynred.data.courses import columns
from dynred.data.roles import is_time
from dynred.data.screening import check_size, wanted
from dynred.data.store_layout import INPUT, changed, read_header
from dynred.data.trajectories import Trajectories
from dynred.numerics.digest import content_digest

LONGEST = 2**53  # largest number of snapshots in a trajectory: a float counts no further


def own_layout(path: Path, arrays: Mapping[str, Shaped[np.ndarray, "..."]], entries: Mapping[str, Any]) -> Arranged:
    """The trajectories that arrays in dynred's own layout stand for.

    Args:
        path: the file.
        arrays: `states`, `t` and the others.
        entries: the entries in the root of the file.

    Raises:
        InputError: the arrays do not fit together.
        FileFormatError: the file was changed since dynred wrote it.
    """
    header_entries, attributes = read_header(path, entries)
    _check_digest(path, arrays, header_entries)
    return arranged(_trajectories(arrays, attributes))


def own_dataset(path: Path, declared: Mapping[str, int], **options: Any) -> Arranged | None:
    """As `own_layout`, of a file that xarray opens; None where its arrays have other names, or time is an axis of
    `states`, as other programs write them.

    Args:
        path: the file.
        declared: sizes of its arrays by name, see `dynred.data.screening.sizes`.
        options: those of `xarray.open_dataset`.
    """
    if not {"states", "t"} <= set(declared):
        return None
    check_size(path, sum(size for name, size in declared.items() if wanted(name)))
    with xarray.open_dataset(path, decode_times=False, **options) as opened:
        if any(is_time(str(dim)) for dim in opened["states"].dims):
            return None
        arrays = {str(name): opened[name].to_numpy() for name in opened.variables if wanted(str(name))}
        return own_layout(path, arrays, {str(name): value for name, value in opened.attrs.items()})


def arranged(trajectories: Trajectories) -> Arranged:
    """Trajectories as the arguments that make them."""
    return Arranged(**vars(trajectories))


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
    by_name = {k.removeprefix(INPUT): _real(k, v).reshape(-1) for k, v in arrays.items() if k.startswith(INPUT)}
    inputs, names = columns(by_name, attributes)
    for name, value in parameters.items():
        finite(f"parameter {name}", value)
    if states.numel() == 0:
        raise refuse("states", "not empty", f"shape {list(states.shape)}")
    lengths = _lengths(arrays["lengths"]) if "lengths" in arrays else None
    others: dict[str, Any] = {
        "parameters": parameters,
        "attributes": attributes,
        "inputs": inputs,
        "input_names": names,
    }
    if states.ndim == 3:
        trajectories = Trajectories.from_stacked(states, t, velocities, **others)
        if lengths is not None and not torch.equal(lengths, trajectories.lengths):
            raise refuse(
                "lengths", f"{trajectories.lengths.tolist()[0]} for each of the states [N, T, D]", lengths.tolist()
            )
    else:
        if lengths is None and states.ndim == 2 and len(states) == states.shape[1] == len(t):
            advice = f"Add `lengths = [{len(t)}]` where rows are snapshots, and transpose `states` where columns are."
            raise refuse("states", "of which rows are snapshots and columns components", f"a square {len(t)}", advice)
        lengths = torch.tensor([len(t)]) if lengths is None else lengths
        trajectories = Trajectories(states, t, lengths, velocities, **others)
    return trajectories


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
