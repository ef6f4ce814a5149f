"""A run folder: which files in it are dynred's, who may write them now, and when it holds a finished run.

`experiment.json` is the folder's manifest. It is written before any other file and removed after every other one, and
nothing is replaced or removed that it does not list.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynred.checks import refuse
from dynred.data.screening import is_data
from dynred.errors import FileFormatError
from dynred.files import PREFIX, check_target, check_writable, is_tensors, read_json, write_json
from dynred.locks import holder, locked
from dynred.records import revive

SCHEMA = 1
MANIFEST = "experiment.json"
LOCK = ".lock"
CHECKPOINTS = "checkpoints"
# In the order in which they are removed: the report is written last, and with it a run is finished.
FILES = ("report.html", "evaluation.json", "certificate.json", "calibration.json", "model.safetensors")


@dataclass(frozen=True)
class _Manifest:
    """The types of what stands in experiment.json; earlier versions wrote no more than the first four."""

    schema: int
    spec: Mapping[str, Any]
    seed: int
    versions: Mapping[str, str]
    digest: str = ""
    threads: int | None = None
    folder: str | None = None
    source: Mapping[str, Any] | None = None
    code: tuple[Mapping[str, Any], ...] = ()
    files: tuple[str, ...] = ()


class RunFolder:
    """The folder of one run.

    Args:
        path: of the folder, which may exist or not.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def holds_run(self) -> bool:
        """Whether a run was begun here."""
        return os.path.exists(self / MANIFEST)  # unlike Path.exists, false for impossible names

    @property
    def finished(self) -> bool:
        """Whether the run here came to its end."""
        return self.holds_run and (self / FILES[0]).exists()

    @property
    def begun(self) -> bool:
        """Whether something was computed that a run can go on from."""
        return (self / CHECKPOINTS).exists()

    def manifest(self) -> dict[str, Any]:
        """The content of experiment.json.

        Raises:
            FileFormatError: no run there, an unreadable one, or one of a newer schema.
        """
        if not self.holds_run:
            raise FileFormatError(f"{self.path} holds no run: it has no {MANIFEST}.")
        stored = read_json(self / MANIFEST)
        schema = stored.get("schema", SCHEMA + 1)
        if not isinstance(schema, int) or schema > SCHEMA:
            advice = "Install a newer dynred to read it."
            raise FileFormatError(f"{self / MANIFEST} must be settings of schema {SCHEMA} or older. {advice}")
        revive(_Manifest, stored, str(self / MANIFEST))
        return stored

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps every other process from writing here while the block runs; makes the folder, and removes it again
        where the block leaves it empty.

        Raises:
            InputError: another process writes here, or nobody can.
        """
        self._check_writable()
        made = [one for one in (self.path, *self.path.parents) if not one.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with locked("out", self.path, self / LOCK):
                self._sweep()
                yield
        finally:
            for one in made:  # the innermost first
                if one.is_dir() and not any(one.iterdir()):
                    one.rmdir()

    def check_free(self, *, resume: bool = False, overwrite: bool = False) -> None:
        """Refuses what a new run must not be written into; cheap, for before anything is computed.

        Args:
            resume, overwrite: what may become of a run that is here.

        Raises:
            InputError: no folder or none that can be written to, one in which another process writes, a run that is to
                be kept, or files of the names of a run's that no manifest lists.
        """
        if is_data(self.path):
            raise refuse("out", "a folder", f"{self.path}, the name of a data file")
        self._check_writable()
        if self.holds_run and (by := holder(self / LOCK)):
            raise refuse("out", "used by one process at a time", f"{self.path}, in use{by}")
        self.check_kept(resume=resume, overwrite=overwrite)

    def check_kept(self, *, resume: bool, overwrite: bool) -> None:
        """The part of `check_free` that is to be asked again while the folder is locked: whether all is kept that is to
        be kept."""
        if resume and overwrite:
            raise refuse("resume and overwrite", "one or the other", "both")
        if self.holds_run:
            if not (resume or overwrite):
                raise refuse("out", "a folder without a run", f"{self.path}", "Use --resume or --overwrite.")
            return
        if foreign := [name for name in (*FILES, CHECKPOINTS) if (self / name).exists()]:
            actual = f"{self.path}, which has {', '.join(foreign)} and no run"
            raise refuse("out", "a new folder, or one that holds a run", actual, "Nothing was changed.")

    def begin(self, manifest: Mapping[str, Any]) -> None:
        """Writes experiment.json, with the list of all files that the run may write."""
        write_json(self / MANIFEST, {"schema": SCHEMA, **manifest, "files": [*FILES, f"{CHECKPOINTS}/"]}, Path.is_file)

    def clear(self) -> None:
        """Removes the run that is here: every file that dynred wrote, the manifest last."""
        if not self.holds_run:
            return
        # First what says that the run is finished, then what another run could go on from.
        (self / FILES[0]).unlink(missing_ok=True)
        self.clear_checkpoints()
        for name in FILES[1:]:
            (self / name).unlink(missing_ok=True)
        (self / MANIFEST).unlink(missing_ok=True)

    def clear_checkpoints(self) -> None:
        """Removes the checkpoints, and their folder where nothing else is in it."""
        root = self / CHECKPOINTS
        for path in sorted(root.rglob("*"), reverse=True):  # what lies in a folder comes before the folder
            if path.is_dir() and not path.is_symlink():
                _remove_if_empty(path)
            elif is_tensors(path) or path.name.startswith(PREFIX):
                path.unlink()
        _remove_if_empty(root)

    def _check_writable(self) -> None:
        if not os.path.isdir(self.path):
            check_target("out", self.path)
        else:
            check_writable("out", self.path)

    def _sweep(self) -> None:
        # What a killed process was writing: nobody else writes here now.
        for left in self.path.rglob(f"{PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
