"""Writes a store of trajectories in order, block after block, and goes on with an unfinished one.

The store itself says how far it is written, see `dynred.data.store_layout`. A complete store is never opened for
writing.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import zarr
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.screening import screen
from dynred.data.store_layout import (
    INPUT,
    Mark,
    array_of,
    create_array,
    dimensions_of,
    header,
    identity_of,
    layout,
    lock_path,
    open_store,
    progress_path,
    read_mark,
    write_mark,
)
from dynred.data.trajectories import Trajectories
from dynred.errors import FileFormatError
from dynred.files import PREFIX, check_target, is_tensors, moved_into_place
from dynred.locks import locked

# How random numbers are drawn. Earlier versions drew otherwise, and their stores have no such entry.
STREAMS = "one per trajectory"
ZARR_FILES = re.compile(
    r"([^/]+/)?(zarr\.json|c(/\d+)+)(\.[0-9a-f]{32}\.partial)?|([^/]+/)?zarr\.[0-9a-f]{32}\.partial"
)
PARTIAL = re.compile(r".*\.[0-9a-f]{32}\.partial")


class StoreWriter:
    """Writes a store in order. Its `identity` says what decides its content; a store of another identity is refused.

    Args:
        path: where a new store is to be, or an unfinished one of the same identity is. The caller has made the folder
            and holds the lock.
        identity: everything that decides the content, as plain JSON data.
        attributes: attributes of the trajectories.
        count: number of trajectories.
        longest: number of snapshots of the longest trajectory.
        dim: dimension D of the states.
        parameters: names of the parameters.
        inputs: names of the inputs.

    Raises:
        InputError: the path holds something else, or a store of another identity.
        FileFormatError: the store was changed or damaged.
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
        inputs: Sequence[str] = (),
    ):
        self.path, self.count, self.longest = Path(path), count, longest
        self.identity: dict[str, Any] = json.loads(json.dumps({**identity, "streams": STREAMS}))
        if not os.path.lexists(self.path):
            write_mark(self.path, Mark(), self.identity)
            with moved_into_place(self.path) as temporary:
                self._create(temporary, attributes, dim, parameters, inputs)
        self.mark, self.complete = self._begin()
        if not self.complete:
            self._group = zarr.open_group(self.path, mode="r+", use_consolidated=False)

    @property
    def finished(self) -> bool:
        """Whether all trajectories are written."""
        return self.mark.done == self.count

    def _begin(self) -> tuple[Mark, bool]:
        check_same(self.path, self.identity)
        for leftover in self.path.rglob("*.partial"):  # of a chunk that a killed run was writing
            if PARTIAL.fullmatch(leftover.name):
                leftover.unlink()
        return read_mark(self.path, *open_store(self.path)[:2])

    def _create(
        self,
        path: Path,
        attributes: Mapping[str, Any],
        dim: int,
        parameters: Sequence[str],
        inputs: Sequence[str],
    ) -> None:
        group, snapshots = zarr.create_group(path, zarr_format=3), self.count * self.longest
        shapes = {"states": (snapshots, dim), "velocities": (snapshots, dim), "t": (snapshots,)}
        shapes |= {f"parameter_{name}": (self.count,) for name in parameters}
        shapes |= {f"{INPUT}{name}": (snapshots,) for name in inputs}
        for name, shape in shapes.items():
            create_array(group, name, shape, "float64")
        create_array(group, "lengths", (self.count,), "int64")
        others = {"longest": self.longest, "identity": json.dumps(self.identity), "layout": layout(path)}
        group.attrs.update(header(attributes, **others))

    def write(
        self,
        trajectories: Trajectories,
        last: Float[Tensor, "rows D"],
        values: Mapping[str, Float[Tensor, " rows"]],
        *,
        ends: bool,
    ) -> None:
        """Adds the next snapshots of a block of trajectories, and commits them.

        Args:
            trajectories: the next snapshots of every trajectory of the block.
            last: states of the ODE at the last of these snapshots.
            values: parameters by name, one value per trajectory of the block.
            ends: whether the block ends with these snapshots. If not, there must be equally many of each trajectory,
                and `longest` in the end.
        """
        first, before, rows = self.mark.done, self.mark.columns, len(trajectories)
        for name, value in values.items():
            array_of(self._group, f"parameter_{name}")[first : first + rows] = value.numpy()
        assert trajectories.velocities is not None
        together = ends and before == 0
        starts = [0] if together else trajectories.starts.tolist()
        sizes = [len(trajectories.t)] if together else trajectories.lengths.tolist()
        for name, value in (
            ("states", trajectories.states),
            ("velocities", trajectories.velocities),
            ("t", trajectories.t),
            *((f"{INPUT}{name}", value) for name, value in trajectories.row_inputs.items()),
        ):
            for row, (start, size) in enumerate(zip(starts, sizes, strict=True)):
                at = self.mark.snapshots + row * self.longest + before
                array_of(self._group, name)[at : at + size] = value[start : start + size].detach().cpu().numpy()
        lengths = trajectories.lengths + before
        if ends:
            array_of(self._group, "lengths")[first : first + rows] = lengths.numpy()
            self.mark = Mark(first + rows, self.mark.snapshots + int(lengths.sum()))
        else:
            self.mark = Mark(first, self.mark.snapshots, rows, int(lengths[0]), last)
        write_mark(self.path, self.mark, self.identity)

    def finish(self) -> None:
        """Cuts off what was reserved and not needed, and removes the progress file: the store is complete."""
        if not self.complete:
            for name in [name for name in self._group.array_keys() if dimensions_of(name)[0] == "snapshot"]:
                array = array_of(self._group, name)
                if array.shape[0] > self.mark.snapshots:
                    array.resize((self.mark.snapshots, *array.shape[1:]))
        remove_progress(self.path)


def is_complete(path: Path) -> bool:
    """Whether a path holds a complete store, and nothing is left to be done beside it."""
    if not path.is_dir() or os.path.lexists(progress_path(path)) or os.path.lexists(lock_path(path)):
        return False
    screen(path)
    group, header_entries, _ = open_store(path)
    return read_mark(path, group, header_entries)[1]


def is_unfinished(path: Path) -> bool:
    """Whether a path holds a store that `simulate_to` has begun and not finished."""
    try:
        screen(path)
        group, header_entries, _ = open_store(path)
        return identity_of(header_entries) is not None and not read_mark(path, group, header_entries)[1]
    except FileFormatError:
        return False


def check_same(path: Path, identity: Mapping[str, Any]) -> None:
    """Raises InputError where a path holds no store, or a store of another identity."""
    if not path.is_dir():
        raise refuse("path", "a new one, or a store of the same simulation", f"the file {path}")
    try:
        screen(path)
        stored = identity_of(open_store(path)[1])
    except FileFormatError as error:
        raise refuse("path", "a new one, or a store of the same simulation", f"{path}", str(error)) from error
    if stored is None:
        raise refuse("path", "a new one, or a store of the same simulation", f"{path}")
    asked = json.loads(json.dumps({**identity, "streams": STREAMS}))
    differing = sorted(key for key in {*stored, *asked} if stored.get(key) != asked.get(key))
    if differing:
        actual = f"another one in {path}: they differ in {', '.join(differing)}"
        advice = "Use another path."
        if "streams" not in stored:
            advice = "An earlier version of dynred wrote it, which drew initial states otherwise. " + advice
        raise refuse("path", "a new one, or a store of the same simulation", actual, advice)


def is_ours(path: Path) -> bool:
    """Whether a path is a .zarr folder that dynred wrote, with nothing in it that it did not write."""
    try:
        screen(path)
        header_entries = open_store(path)[1]
    except FileFormatError:
        return False
    names = [str(file.relative_to(path).as_posix()) for file in path.rglob("*") if not file.is_dir()]
    return "dynred_schema" in header_entries and all(ZARR_FILES.fullmatch(name) for name in names)


@contextlib.contextmanager
def set_aside(path: Path) -> Iterator[None]:
    """Makes way for another store at `path`: sets the present one aside, and puts it back if no other comes.

    Raises:
        InputError: dynred did not write what is there, or another process writes it.
    """
    if not os.path.lexists(path):
        yield
        return
    check_target("out", path, is_ours)
    with locked("out", path, lock_path(path)):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=path.parent))
        os.replace(path, folder / path.name)
    try:
        yield
    finally:
        if not os.path.lexists(path):
            os.replace(folder / path.name, path)
        shutil.rmtree(folder, ignore_errors=True)


def remove_progress(path: Path) -> None:
    """Removes the progress file of a store, if there is one that dynred wrote."""
    if is_tensors(progress_path(path)):
        progress_path(path).unlink()
