"""Trajectories in a .zarr store that need not fit in memory: read part by part.

The layout is that of `dynred.data.storage`, so that xarray, `load_trajectories` and any reader of zarr take a store.
A store that is being written can be read as far as it is written.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred.data.courses import columns
from dynred.data.screening import screen
from dynred.data.store_layout import INPUT, array_of, identity_of, open_store, read_mark, rows_of
from dynred.data.trajectories import Trajectories
from dynred.errors import FileFormatError
from dynred.memory import check_memory
from dynred.numerics.batches import ranges

PART_BYTES = 64 * 2**20  # size of the states in one part when a store is iterated over
PARAMETER = "parameter_"  # begins the names of the arrays of parameters
CHECKSUM = 4  # bytes of crc32c at the end of a chunk
COPIES = 2.0  # memory that reading takes, in units of the size of what is read


class StoredTrajectories:
    """Trajectories on disk; iteration gives them as `Trajectories`, a bounded part at a time.

    Attributes:
        path: the store.
        complete: whether the store is fully written; if not, this view has the part that can be read.
        lengths: snapshots per trajectory [N].
        attributes: attributes of the trajectories, see `Trajectories`.

    Raises:
        FileFormatError: the path holds no store, or one that was changed or damaged. Reading a part raises it too.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        screen(self.path)
        self._group, header, self.attributes = open_store(self.path)
        self._sealed = identity_of(header) is not None  # dynred laid it out: every chunk ends with a checksum
        mark, self.complete = read_mark(self.path, self._group, header)
        lengths = rows_of(self.path, self._group, "lengths", 0, mark.done)
        partial = np.arange(mark.rows if mark.columns else 0)
        self.lengths = torch.from_numpy(np.concatenate([lengths, 0 * partial + mark.columns]).astype(np.int64))
        longest = header.get("dynred_longest", 0)
        self._offsets = np.concatenate([np.cumsum(lengths) - lengths, mark.snapshots + partial * longest])

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
        return int(array_of(self._group, "states").shape[1])

    def __getitem__(self, index: int | slice | Sequence[int] | Int[Tensor, "..."] | Bool[Tensor, " N"]) -> Trajectories:
        """Some of the trajectories, in memory; `index` is as for `Trajectories`."""
        if not isinstance(index, slice):
            index = torch.as_tensor(index)
        chosen = torch.arange(len(self))[index].reshape(-1)
        size = 8 * int(self.lengths[chosen].sum()) * (self.dim * (1 + self.has_velocities) + 1)
        check_memory(f"Reading {self.path}", int(COPIES * size), "Read it part by part.")
        return Trajectories(
            self._snapshots("states", chosen),
            self._snapshots("t", chosen),
            self.lengths[chosen].clone(),
            self._snapshots("velocities", chosen) if self.has_velocities else None,
            {name: values[chosen] for name, values in self.parameters().items()},
            self.attributes,
            *self.inputs(chosen),
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

    @property
    def has_velocities(self) -> bool:
        """Whether velocities are stored."""
        return "velocities" in self._group

    @property
    def state_bytes(self) -> int:
        """Size of all states in memory, in float64."""
        return 8 * int(self.lengths.sum()) * self.dim

    def times(self) -> Float[Tensor, " M"]:
        """The times of all snapshots."""
        return self._snapshots("t", torch.arange(len(self)))

    def parameters(self) -> dict[str, Float[Tensor, " N"]]:
        """The parameters by name, one value per trajectory."""
        names = [name for name in sorted(self._group.array_keys()) if name.startswith(PARAMETER)]
        values = {name: rows_of(self.path, self._group, name, 0, len(self)) for name in names}
        return {name.removeprefix(PARAMETER): torch.from_numpy(value) for name, value in values.items()}

    def blocks(self, name: str, size: int, chosen: Bool[Tensor, " M"] | None = None) -> Iterator[Float[Tensor, "_ D"]]:
        """States or velocities of all snapshots, or of the chosen ones, in order, in blocks that may cut trajectories.

        Args:
            name: `states` or `velocities`.
            size: bytes of a block, about.
            chosen: which snapshots; None takes all.

        Raises:
            FileFormatError: a part cannot be read.
        """
        rows = self._rows() if chosen is None else self._rows()[chosen]
        for part in rows.split(max(1, size // (8 * self.dim))):
            breaks = torch.nonzero(part.diff() != 1)[:, 0] + 1
            runs = torch.tensor_split(part, breaks.tolist())
            read = [rows_of(self.path, self._group, name, int(run[0]), int(run[-1]) + 1) for run in runs]
            yield torch.from_numpy(np.concatenate(read) if len(read) > 1 else read[0])

    def snapshots(self, rows: Int[Tensor, " n"]) -> Float[Tensor, "n D"]:
        """The states of some snapshots, counted over all trajectories; each is read by itself."""
        places = self._rows()[rows].tolist()
        read = [rows_of(self.path, self._group, "states", row, row + 1) for row in places]
        return torch.from_numpy(np.concatenate(read))

    def digest(self) -> str:
        """SHA-256 of all files of the store, by their names; of chunks that dynred wrote, of the checksum at the end,
        which reading verifies."""
        content = hashlib.sha256()
        for file in sorted(file for file in self.path.rglob("*") if file.is_file()):
            content.update(f"{file.relative_to(self.path).as_posix()} {file.stat().st_size}\n".encode())
            with file.open("rb") as opened:
                if self._sealed and file.suffix != ".json":
                    opened.seek(-CHECKSUM, os.SEEK_END)
                while piece := opened.read(2**20):
                    content.update(piece)
        return content.hexdigest()

    def load(self) -> Trajectories:
        """All trajectories, in memory.

        Raises:
            FileFormatError: nothing can be read yet.
        """
        if len(self) == 0:
            raise FileFormatError(
                f"{self.path} holds no trajectory yet: its simulation was interrupted before the first."
            )
        return self[:]

    def _rows(self) -> Int[Tensor, " M"]:
        """The row of every snapshot."""
        return ranges(torch.from_numpy(self._offsets), self.lengths)

    def inputs(self, chosen: Int[Tensor, " n"] | None = None) -> tuple[Float[Tensor, "M U"] | None, tuple[str, ...]]:
        """The inputs at all snapshots of the chosen trajectories, or of all, and their names; None without inputs."""
        rows = torch.arange(len(self)) if chosen is None else chosen
        names = [name for name in sorted(self._group.array_keys()) if name.startswith(INPUT)]
        return columns({name.removeprefix(INPUT): self._snapshots(name, rows) for name in names}, self.attributes)

    def _snapshots(self, name: str, chosen: Tensor) -> Tensor:
        ranges = zip(self._offsets[chosen.numpy()].tolist(), self.lengths[chosen].tolist(), strict=True)
        parts = [rows_of(self.path, self._group, name, start, end) for start, end in _joined(ranges)]
        return torch.from_numpy(np.concatenate(parts) if parts else np.asarray(array_of(self._group, name)[:0]))


def _joined(ranges: Iterator[tuple[int, int]] | zip) -> list[tuple[int, int]]:
    """Turns ranges (start, length) into ranges (start, end), and joins those that touch."""
    joined: list[tuple[int, int]] = []
    for start, length in ranges:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], start + length)
        else:
            joined.append((start, start + length))
    return joined
