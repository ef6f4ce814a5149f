"""Trajectories in a .zarr store that need not fit in memory: written block after block, read part by part.

The layout is that of `dynred.storage`, so that xarray, `load_trajectories` and any reader of zarr take a store. While
one is being written, a file beside it, `NAME.zarr.progress`, says how far it is readable and from which states it goes
on. That file is moved into place after its data, so that at any moment it describes what is really there.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.errors import FileFormatError
from dynred.files import read_tensors, write_tensors
from dynred.trajectories import Trajectories

SCHEMA = 1
CHUNK_BYTES = 8 * 2**20  # of one zarr chunk: large enough to stream, small enough to keep several in memory
PART_BYTES = 64 * 2**20  # of the states in one part when a store is iterated over


def progress_path(path: str | Path) -> Path:
    """The file beside an unfinished store that says how far it is."""
    return Path(path).with_name(Path(path).name + ".progress")


@dataclass(frozen=True, eq=False)
class Mark:
    """How far a store is written.

    Attributes:
        done: trajectories that are complete.
        snapshots: snapshots of those together.
        rows, columns: of the block of trajectories that comes next, `columns` snapshots each are there already.
        last: states of the ODE [rows, D] at the last of these, from which the block goes on.
    """

    done: int = 0
    snapshots: int = 0
    rows: int = 0
    columns: int = 0
    last: Float[Tensor, "rows D"] | None = None


class StoredTrajectories:
    """Trajectories on disk; iterating gives them as `Trajectories`, a bounded part at a time.

    Attributes:
        path: the store.
        complete: whether all of it is written; if not, this is what can be read of it.
        lengths: snapshots per trajectory [N].
        attributes: as of `Trajectories`.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.complete = not progress_path(path).exists()
        try:
            self._group = zarr.open_group(self.path, mode="r")
            self.attributes: Mapping[str, Any] = json.loads(str(self._group.attrs["dynred_attributes"]))
            lengths = np.asarray(_array(self._group, "lengths")[:])
        except Exception as error:
            raise FileFormatError(f"{path} is missing, empty or no store of trajectories: {error}") from error
        mark = read_mark(path)[0] if not self.complete else Mark(len(lengths), int(lengths.sum()))
        longest = int(str(self._group.attrs.get("dynred_longest", 0)))
        partial = np.arange(mark.rows if mark.columns else 0)
        self.lengths = torch.from_numpy(np.concatenate([lengths[: mark.done], 0 * partial + mark.columns]))
        complete = np.cumsum(lengths[: mark.done]) - lengths[: mark.done]
        self._offsets = np.concatenate([complete, mark.snapshots + partial * longest])

    def __len__(self) -> int:
        """Number of trajectories that can be read, N."""
        return len(self.lengths)

    def __repr__(self) -> str:
        state = "complete" if self.complete else "unfinished"
        snapshots = int(self.lengths.sum())
        return (
            f"StoredTrajectories({self.path}: {len(self)} of {snapshots} snapshots in {self.dim} dimensions, {state})"
        )

    @property
    def dim(self) -> int:
        """Dimension D of the states."""
        return int(_array(self._group, "states").shape[1])

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Trajectories:
        """Some of the trajectories, in memory; indices as of `Trajectories`."""
        if not isinstance(index, slice):
            index = torch.as_tensor(index)
        chosen = torch.arange(len(self))[index].reshape(-1)
        return Trajectories(
            self._snapshots("states", chosen),
            self._snapshots("t", chosen),
            self.lengths[chosen].clone(),
            self._snapshots("velocities", chosen) if "velocities" in self._group else None,
            {
                name.removeprefix("parameter_"): torch.from_numpy(np.asarray(_array(self._group, name)[:]))[chosen]
                for name in sorted(self._group.array_keys())
                if name.startswith("parameter_")
            },
            self.attributes,
        )

    def __iter__(self) -> Iterator[Trajectories]:
        """All trajectories in parts of about 64 MB of states; one trajectory is never cut."""
        most, start, size = max(1, PART_BYTES // (8 * self.dim)), 0, 0
        for i, length in enumerate(self.lengths.tolist()):
            if i > start and size + length > most:
                yield self[start:i]
                start, size = i, 0
            size += length
        if start < len(self):
            yield self[start:]

    def load(self) -> Trajectories:
        """All of it, in memory.

        Raises:
            FileFormatError: nothing can be read yet.
        """
        if len(self) == 0:
            raise FileFormatError(
                f"{self.path} holds no trajectory yet: its simulation was interrupted before the first."
            )
        return self[:]

    def _snapshots(self, name: str, chosen: Tensor) -> Tensor:
        array, parts = _array(self._group, name), []
        ranges = zip(self._offsets[chosen.numpy()].tolist(), self.lengths[chosen].tolist(), strict=True)
        for start, end in _joined(ranges):
            parts.append(np.asarray(array[start:end]))
        return torch.from_numpy(np.concatenate(parts) if parts else np.asarray(array[:0]))


def _joined(ranges: Iterator[tuple[int, int]] | zip) -> list[tuple[int, int]]:
    """(start, length) ranges as (start, end), those that touch as one."""
    found: list[tuple[int, int]] = []
    for start, length in ranges:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], start + length)
        else:
            found.append((start, start + length))
    return found


def _array(group: zarr.Group, name: str) -> zarr.Array:
    found = group[name]
    assert isinstance(found, zarr.Array)
    return found


# -- writing ---------------------------------------------------------------------------------------------------------


class StoreWriter:
    """Writes a store in order; what it is of stands in its `identity`, and another one is refused.

    Args:
        path: a new store, or an unfinished one of the same identity.
        identity: everything that decides the content, as plain JSON data.
        attributes: of the trajectories.
        count, longest, dim: number of trajectories, snapshots of the longest, dimension D.
        parameters: names of the parameters.

    Raises:
        InputError: something else is there, or a store of another identity.
    """

    def __init__(
        self,
        path: str | Path,
        identity: Mapping[str, Any],
        attributes: Mapping[str, Any],
        *,
        count: int,
        longest: int,
        dim: int,
        parameters: Sequence[str],
    ):
        self.path, self.identity, self.count, self.longest = Path(path), dict(identity), count, longest
        self.mark = self._begin()
        if self.mark.done == 0 and self.mark.columns == 0 and not self.finished:
            shutil.rmtree(self.path, ignore_errors=True)
            _create(self.path, self.identity, attributes, count, longest, dim, parameters)
        self._group = zarr.open_group(self.path, mode="r+")

    @property
    def finished(self) -> bool:
        """Whether all trajectories are written."""
        return self.mark.done == self.count

    def _begin(self) -> Mark:
        if progress_path(self.path).exists():
            mark, identity = read_mark(self.path)
            _check_same(self.path, identity, self.identity)
            for left in self.path.rglob("*.partial"):  # of a chunk that was being written when the run was killed
                left.unlink()
            return mark
        if self.path.exists():
            stored = read_identity(self.path)
            if stored is None:
                raise refuse("store", "a new path, or a store of the same simulation", f"{self.path}")
            _check_same(self.path, stored, self.identity)
            return Mark(self.count)
        write_mark(self.path, Mark(), self.identity)
        return Mark()

    def write(
        self,
        found: Trajectories,
        last: Float[Tensor, "rows D"],
        values: Mapping[str, Float[Tensor, " rows"]],
        *,
        ends: bool,
    ) -> None:
        """Adds the next snapshots of a block of trajectories, and commits them.

        Args:
            found: these snapshots, of every trajectory of the block.
            last: their last states of the ODE.
            values: parameters by name, one value per trajectory of the block.
            ends: whether they are the last; if not, there must be equally many of each, and `longest` in the end.
        """
        first, before, rows = self.mark.done, self.mark.columns, len(found)
        for name, value in values.items():
            _array(self._group, f"parameter_{name}")[first : first + rows] = value.numpy()
        assert found.velocities is not None
        together = ends and before == 0
        starts = [0] if together else found.starts.tolist()
        sizes = [len(found.t)] if together else found.lengths.tolist()
        for name, value in (("states", found.states), ("velocities", found.velocities), ("t", found.t)):
            for row, (start, size) in enumerate(zip(starts, sizes, strict=True)):
                at = self.mark.snapshots + row * self.longest + before
                _array(self._group, name)[at : at + size] = value[start : start + size].detach().cpu().numpy()
        lengths = found.lengths + before
        if ends:
            _array(self._group, "lengths")[first : first + rows] = lengths.numpy()
            self.mark = Mark(first + rows, self.mark.snapshots + int(lengths.sum()))
        else:
            self.mark = Mark(first, self.mark.snapshots, rows, int(lengths[0]), last)
        write_mark(self.path, self.mark, self.identity)

    def finish(self) -> None:
        """Cuts what was reserved and not needed, and takes the progress file away: the store is complete."""
        for name in ("states", "velocities", "t"):
            array = _array(self._group, name)
            if array.shape[0] > self.mark.snapshots:
                array.resize((self.mark.snapshots, *array.shape[1:]))
        progress_path(self.path).unlink(missing_ok=True)


def _create(
    path: Path,
    identity: Mapping[str, Any],
    attributes: Mapping[str, Any],
    count: int,
    longest: int,
    dim: int,
    parameters: Sequence[str],
) -> None:
    group = zarr.create_group(path, zarr_format=3)
    rows = max(1, min(CHUNK_BYTES // (8 * dim), count * longest))
    for name in ("states", "velocities"):
        _reserve(group, name, (count * longest, dim), (rows, dim), ("snapshot", "component"))
    _reserve(group, "t", (count * longest,), (min(CHUNK_BYTES // 8, count * longest),), ("snapshot",))
    _reserve(group, "lengths", (count,), (count,), ("trajectory",), "int64").attrs["sample_dimension"] = "snapshot"
    for name in parameters:
        _reserve(group, f"parameter_{name}", (count,), (count,), ("trajectory",))
    texts = {"dynred_attributes": json.dumps(dict(attributes)), "dynred_identity": json.dumps(dict(identity))}
    group.attrs.update({"dynred_schema": SCHEMA, "dynred_longest": longest, **texts})


def _reserve(
    group: zarr.Group,
    name: str,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dimensions: tuple[str, ...],
    dtype: str = "float64",
) -> zarr.Array:
    fill = float("nan") if dtype == "float64" else 0
    return group.create_array(
        name, shape=shape, chunks=chunks, dtype=dtype, fill_value=fill, dimension_names=dimensions
    )


def write_mark(path: Path, mark: Mark, identity: Mapping[str, Any]) -> None:
    """Writes the progress file, moved into place."""
    facts = {"done": mark.done, "snapshots": mark.snapshots, "rows": mark.rows, "columns": mark.columns}
    tensors = {} if mark.last is None else {"last": mark.last}
    write_tensors(progress_path(path), tensors, {**facts, "identity": dict(identity)})


def read_mark(path: str | Path) -> tuple[Mark, dict[str, Any]]:
    """How far an unfinished store is, and its identity.

    Raises:
        FileFormatError: no progress file, or a broken one.
    """
    tensors, facts = read_tensors(progress_path(path))
    identity = facts.pop("identity")
    return Mark(**facts, last=tensors.get("last")), identity


def read_identity(path: Path) -> dict[str, Any] | None:
    """The identity of a complete store; None where there is no store that has one."""
    try:
        return json.loads(str(zarr.open_group(path, mode="r").attrs["dynred_identity"]))
    except Exception:
        return None


def _check_same(path: Path, stored: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    asked = json.loads(json.dumps(asked))
    differing = sorted(key for key in {*stored, *asked} if stored.get(key) != asked.get(key))
    if differing:
        actual = f"another one in {path}: they differ in {', '.join(differing)}"
        raise refuse("store", "a new path, or a store of the same simulation", actual, "Use another path.")
