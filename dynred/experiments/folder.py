"""A run folder: which files in it are dynred's, who may write them now, and when it holds a finished run.

`experiment.json` is the folder's manifest. It is written before any other file and removed after every other one.
dynred replaces or removes nothing that the manifest does not list.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynred.checks import refuse
from dynred.data.readers.base import is_data
from dynred.errors import BusyError, FileFormatError
from dynred.files import PREFIX, check_target, check_writable, is_tensors, read_json, write_json
from dynred.locks import holder, locked
from dynred.records import revive

SCHEMA = 1
MANIFEST = "experiment.json"
LOCK = ".lock"
CHECKPOINTS = "checkpoints"
# In the order in which they are removed. The report comes first: it is written last, and its presence says that the run
# is finished.
FILES = ("report.html", "evaluation.json", "certificate.json", "calibration.json", "model.safetensors")


@dataclass(frozen=True)
class _Manifest:
    """The entries of experiment.json and their types; earlier versions wrote no more than the first four."""

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
        path: where the folder is, or will be.
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
        """Whether there are checkpoints from which a run can go on."""
        return (self / CHECKPOINTS).exists()

    def manifest(self) -> dict[str, Any]:
        """The content of experiment.json.

        Raises:
            FileFormatError: the folder holds no run, an unreadable one, or one of a newer schema.
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

    @property
    def threshold(self) -> float:
        """The rollout error that counted as lost in the run here; errors as for `manifest`."""
        return float(self.manifest()["spec"].get("threshold", 0.5))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps every other process from writing here while the block runs.

        Makes the folder, and removes it again where the block leaves it empty.

        Raises:
            InputError: another process writes here, or nobody can.
        """
        self._check_writable()
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with locked("out", self.path, self / LOCK):
                self._sweep()
                yield
        finally:
            for folder in made:  # the innermost first
                _remove_if_empty(folder)

    def check_free(self, *, resume: bool = False, overwrite: bool = False) -> None:
        """Refuses a folder into which a new run must not be written. The check is cheap, to be made before any work.

        Args:
            resume: whether a run that is here may be continued.
            overwrite: whether a run that is here may be replaced.

        Raises:
            InputError: the path is that of a data file, nobody can write there, another process writes there, a run
                that is there must be kept, or a file there has the name of one of a run's files and no manifest lists
                it.
        """
        if is_data(self.path):
            raise refuse("out", "a folder", f"{self.path}, the name of a data file")
        self._check_writable()
        if self.holds_run and (by := holder(self / LOCK)):
            raise BusyError(str(refuse("out", "used by one process at a time", f"{self.path}, in use{by}")))
        self.check_kept(resume=resume, overwrite=overwrite)

    def check_kept(self, *, resume: bool, overwrite: bool) -> None:
        """Refuses to touch a run or files that must be kept: the part of `check_free` to repeat under the lock."""
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
        # First the file that says that the run is finished, then those from which another run could go on.
        (self / FILES[0]).unlink(missing_ok=True)
        self.clear_checkpoints()
        for name in FILES[1:]:
            (self / name).unlink(missing_ok=True)
        (self / MANIFEST).unlink(missing_ok=True)

    def clear_checkpoints(self) -> None:
        """Removes the checkpoints, and their folder where nothing else is in it."""
        root = self / CHECKPOINTS
        for path in sorted(root.rglob("*"), reverse=True):  # the content of a folder comes before the folder
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
        """Removes temporary folders that killed processes left; the lock holds, so nobody else writes here now."""
        for leftover in self.path.rglob(f"{PREFIX}*"):
            shutil.rmtree(leftover, ignore_errors=True)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
