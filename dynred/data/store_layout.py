"""How trajectories lie in a .zarr store: its arrays, the header in its root, and the progress file beside it.

Each chunk carries a checksum (crc32c). The header carries one of its own entries, and one of the arrays' metadata. A
value that is not written reads as NaN, a length as 0; neither is ever valid. So a store itself says how far it is
written.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from jaxtyping import Float, Shaped
from torch import Tensor
from zarr.codecs import Crc32cCodec, ZstdCodec

from dynred.checks import refuse
from dynred.errors import FileFormatError, InputError
from dynred.files import LARGEST_JSON, checksum, parse_json, read_bytes, read_tensors, write_tensors
from dynred.kinds import current

SCHEMA = 1
CHUNK_BYTES = 8 * 2**20  # size of one zarr chunk: large enough to stream, small enough to keep several in memory
DIMENSIONS = {"states": ("snapshot", "component"), "velocities": ("snapshot", "component"), "t": ("snapshot",)}
INPUT = "input_"  # begins the names of the arrays of inputs, which have one value for each snapshot
HEADER_CHECKSUM = "dynred_sha256"


# -- header -----------------------------------------------------------------------------------------------------------


def header(attributes: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """The entries that dynred puts into the root of a data file, with a checksum of all of them.

    Args:
        attributes: attributes of the trajectories.
        others: further entries: numbers or texts.

    Raises:
        InputError: the attributes are no plain JSON data.
    """
    try:
        text = json.dumps(dict(attributes))
    except (TypeError, ValueError, RecursionError) as error:
        raise refuse("attributes", "plain JSON values by name", f"others: {error}") from error
    named = {f"dynred_{name}": value for name, value in others.items()}
    entries = {"dynred_schema": SCHEMA, "dynred_attributes": text, **named}
    return {**entries, HEADER_CHECKSUM: checksum(entries)}


def read_header(path: Path, entries: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header among the entries in a file's root, and the attributes of the trajectories in it.

    Raises:
        InputError: the file is of a newer schema.
        FileFormatError: the header was changed since dynred wrote it, or the attributes are no JSON object.
    """
    ours = {k: v.item() if isinstance(v, np.generic) else v for k, v in entries.items() if k.startswith("dynred_")}
    schema = ours.get("dynred_schema", SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise InputError(f"{path} must be of schema {SCHEMA} or older, got {schema}. Install a newer dynred.")
    given = ours.pop(HEADER_CHECKSUM, None)  # files of earlier versions have none
    if given is not None and given != checksum(ours):
        raise changed(path, "the checksum of its attributes is not theirs")
    try:
        attributes = json.loads(str(ours.get("dynred_attributes", "{}")))
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"The attributes of {path} are not valid JSON: {error}.") from error
    if not isinstance(attributes, dict):
        raise FileFormatError(f"The attributes of {path} must be a JSON object, got a {type(attributes).__name__}.")
    return ours, attributes


def changed(path: Path, reason: str) -> FileFormatError:
    """The error for a file whose content is not what dynred wrote; the caller raises it."""
    return FileFormatError(f"{path} was changed or damaged after dynred wrote it: {reason}.")


# -- arrays -----------------------------------------------------------------------------------------------------------


def dimensions_of(name: str) -> tuple[str, ...]:
    """What the axes of an array count, by its name."""
    return ("snapshot",) if name.startswith(INPUT) else DIMENSIONS.get(name, ("trajectory",))


def create_array(group: zarr.Group, name: str, shape: tuple[int, ...], dtype: str) -> zarr.Array:
    """Makes an array of a store, in which nothing is written yet."""
    dimensions = dimensions_of(name)
    rows = max(1, shape[0])
    if dimensions[0] == "snapshot":
        rows = max(1, min(CHUNK_BYTES // (8 * max(1, *shape[1:], 1)), rows))
    array = group.create_array(
        name,
        shape=shape,
        chunks=(rows, *(max(1, size) for size in shape[1:])),
        dtype=dtype,
        fill_value=float("nan") if np.dtype(dtype).kind == "f" else 0,
        dimension_names=dimensions,
        compressors=(ZstdCodec(), Crc32cCodec()),
    )
    if name == "lengths":
        array.attrs["sample_dimension"] = "snapshot"
    return array


def layout(path: Path) -> str:
    """A checksum of the metadata of a store's arrays, without their lengths, which change when the store is cut."""
    facts = {}
    for file in sorted(path.glob("*/zarr.json")):
        array = parse_json(read_bytes(file, LARGEST_JSON), str(file))
        facts[file.parent.name] = {**array, "shape": array["shape"][1:]}
    return checksum(facts)


def open_store(path: Path) -> tuple[zarr.Group, dict[str, Any], dict[str, Any]]:
    """Opens a store for reading: its root, its header, and the attributes of its trajectories.

    Raises:
        FileFormatError: the path holds no store, or one that was changed.
    """
    try:
        group = zarr.open_group(path, mode="r", use_consolidated=False)
        entries = dict(group.attrs)
    except Exception as error:
        raise FileFormatError(f"{path} is missing, empty or no store of trajectories: {error}") from error
    header_entries, attributes = read_header(path, entries)
    if not isinstance(header_entries.get("dynred_longest", 0), int):
        raise changed(path, "its entry dynred_longest is no integer")
    if "dynred_layout" in header_entries and header_entries["dynred_layout"] != layout(path):
        raise changed(path, "its arrays are not those that it was made with")
    return group, header_entries, attributes


def array_of(group: zarr.Group, name: str) -> zarr.Array:
    """An array of a store.

    Raises:
        FileFormatError: the store has no array of that name, or a damaged one.
    """
    try:
        array = group[name]
        assert isinstance(array, zarr.Array)
    except Exception as error:
        raise FileFormatError(f"{group.store_path} is no store of trajectories: it has no array {name}.") from error
    return array


def rows_of(
    path: Path, group: zarr.Group, name: str, start: int = 0, end: int | None = None
) -> Shaped[np.ndarray, "..."]:
    """Some rows of an array of a store.

    Raises:
        FileFormatError: the rows were changed, or are missing.
    """
    array = array_of(group, name)
    end = array.shape[0] if end is None else end
    try:
        rows = np.asarray(array[start:end])
    except Exception as error:  # codecs raise errors of any kind for a chunk that was changed
        raise changed(path, f"{name} cannot be read, {error}") from error
    if len(rows) != end - start or np.isnan(rows.sum()):
        raise changed(path, f"a part of {name} is missing")
    return rows


# -- progress ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Mark:
    """How far a store is written.

    Attributes:
        done: number of trajectories that are complete.
        snapshots: number of snapshots of these together.
        rows: number of trajectories in the next block, if a part of it is written; else 0.
        columns: number of snapshots that are written of each trajectory of this block.
        last: states of the ODE [rows, D] at the last of these snapshots, from which the block goes on.
    """

    done: int = 0
    snapshots: int = 0
    rows: int = 0
    columns: int = 0
    last: Float[Tensor, "rows D"] | None = None


def progress_path(path: str | Path) -> Path:
    """The file beside an unfinished store that says how far its next block is."""
    return Path(path).with_name(Path(path).name + ".progress")


def lock_path(path: str | Path) -> Path:
    """The file beside a store by which a process that writes the store keeps others out."""
    return Path(path).with_name(Path(path).name + ".lock")


def write_mark(path: Path, mark: Mark, identity: Mapping[str, Any]) -> None:
    """Writes the progress file to a temporary name and moves it into place."""
    facts = {"done": mark.done, "snapshots": mark.snapshots, "rows": mark.rows, "columns": mark.columns}
    tensors = {} if mark.last is None else {"last": mark.last}
    write_tensors(progress_path(path), tensors, {**facts, "identity": dict(identity)})


def read_mark(path: Path, group: zarr.Group, header_entries: Mapping[str, Any]) -> tuple[Mark, bool]:
    """How far a store is written, and whether it is complete; `header_entries` is its header.

    The length of a trajectory is written last, so the lengths say which trajectories are complete. The progress file
    adds how far the next block is, where only a part of it is written.

    Raises:
        FileFormatError: the arrays do not fit each other, or the progress file is damaged.
    """
    lengths = rows_of(path, group, "lengths")
    done = int(np.argmin(lengths > 0)) if (lengths <= 0).any() else len(lengths)
    total = int(lengths[:done].sum())
    rows = [name for name in group.array_keys() if dimensions_of(name)[0] == "snapshot"]
    sizes = {array_of(group, name).shape[0] for name in rows}
    mark = Mark(done, total)
    if done == len(lengths) and sizes == {total}:
        return mark, True
    identity, reserved = identity_of(header_entries), {len(lengths) * header_entries.get("dynred_longest", 0)}
    if done == len(lengths):
        reserved.add(total)  # the store is being cut
    if identity is None or lengths[done:].any() or not sizes <= reserved:
        raise changed(path, f"its lengths are of sum {int(lengths.sum())}, its arrays of lengths {sorted(sizes)}")
    if os.path.lexists(progress_path(path)):
        progress = _read_progress(path, identity)
        return (progress if progress.done == done else mark), False
    return mark, False


def _read_progress(path: Path, identity: Mapping[str, Any]) -> Mark:
    advice = f"Delete {progress_path(path)}: the same call then goes on after the last complete trajectory."
    try:
        tensors, facts = read_tensors(progress_path(path))
    except FileFormatError as error:
        raise FileFormatError(f"{error} {advice}") from error
    if current(facts.pop("identity", None)) != identity:
        raise FileFormatError(f"{progress_path(path)} belongs to another store. {advice}")
    return Mark(**facts, last=tensors.get("last"))


def identity_of(header_entries: Mapping[str, Any]) -> dict[str, Any] | None:
    """The identity in a store's header, with today's names of settings; None where no simulation wrote the store."""
    try:
        identity = json.loads(str(header_entries["dynred_identity"]))
    except (KeyError, ValueError, RecursionError):
        return None
    return current(identity) if isinstance(identity, dict) else None
