"""The folder of a study: what it varies, which runs it has, and what became of each.

`study.json` lists axes and runs; `runs/` holds a run folder for each, named by the digest of its settings; `stages/`
what runs share, and may be removed once all are done; `failures/` says why a run has no result.
"""

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynred.checks import path_given, refuse
from dynred.data.readers.base import is_data
from dynred.errors import FileFormatError
from dynred.experiments.folder import LOCK, RunFolder
from dynred.files import check_target, read_json, write_json
from dynred.locks import holder, waiting_lock
from dynred.records import plain, revive
from dynred.studies.design import Design, Point, fixed_settings

SCHEMA = 1
MANIFEST = "study.json"


@dataclass(frozen=True)
class StudyEntry:
    """A run of a study.

    Attributes:
        digest: that of its settings, the name of its folder.
        point: its value on every axis.
    """

    digest: str
    point: Point


@dataclass(frozen=True)
class Goal:
    """What a search is after.

    Attributes:
        metric: the name of a score.
        mode: `min` or `max`.
    """

    metric: str
    mode: str


@dataclass(frozen=True)
class Manifest:
    """The content of study.json.

    Attributes:
        schema: its version.
        axes: dotted paths of the settings that vary.
        fixed: all other settings, by their dotted paths.
        runs: the runs, in order.
        goal: what a search is after; None for a study that is none.
    """

    schema: int
    axes: tuple[str, ...]
    fixed: Mapping[str, Any]
    runs: tuple[StudyEntry, ...] = ()
    goal: Goal | None = None

    @classmethod
    def of(cls, design: Design, goal: Goal | None = None) -> "Manifest":
        """That of a new study."""
        entries = tuple(
            StudyEntry(spec.digest(), point) for spec, point in zip(design.specs, design.points, strict=True)
        )
        return cls(SCHEMA, design.axes, fixed_settings(design), entries, goal)


@dataclass(frozen=True)
class Failure:
    """Why a run has no result.

    Attributes:
        error: the reason in a sentence.
        kind: `failed`, or `pruned` where a search gave it up.
        attempt: tells this attempt from others.
    """

    error: str
    kind: str = "failed"
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex)


class StudyFolder:
    """The folder of one study.

    Args:
        path: where the folder is, or will be.
    """

    def __init__(self, path: str | Path):
        self.path = path_given("folder", path)

    @property
    def stages(self) -> Path:
        """The folder of what runs share."""
        return self.path / "stages"

    def run(self, digest: str) -> RunFolder:
        """The folder of a run."""
        return RunFolder(self.path / "runs" / digest)

    @property
    def holds_study(self) -> bool:
        """Whether a study was begun here."""
        return (self.path / MANIFEST).is_file()

    def manifest(self) -> Manifest:
        """The content of study.json.

        Raises:
            FileFormatError: the folder holds no study, or one that cannot be read.
        """
        if not self.holds_study:
            raise FileFormatError(f"{self.path} holds no study: it has no {MANIFEST}.")
        stored = read_json(self.path / MANIFEST)
        schema = stored.get("schema")
        if not isinstance(schema, int) or not 1 <= schema <= SCHEMA:
            raise FileFormatError(f"{self.path / MANIFEST} must be of schema {SCHEMA} or older, got {schema}.")
        return revive(Manifest, stored, str(self.path / MANIFEST))

    def begin(self, new: Manifest) -> None:
        """Writes study.json, or adds runs to the one that is there.

        Raises:
            InputError: the folder holds another study or something else, or cannot be written.
        """
        if is_data(self.path):
            raise refuse("folder", "a folder", f"{self.path}, the name of a data file")
        if not self.path.is_dir():
            check_target("folder", self.path)
            self.path.mkdir(parents=True, exist_ok=True)
        elif not self.holds_study and any(self.path.glob("[!.]*")):
            raise refuse("folder", "a new one, or that of a study", f"{self.path}, which holds other files")
        with waiting_lock(self.path / ".study.lock"):
            runs = new.runs
            if self.holds_study:
                stored = self.manifest()
                self._check_same(stored, new)
                known = {entry.digest for entry in stored.runs}
                runs = (*stored.runs, *(entry for entry in new.runs if entry.digest not in known))
                if runs == stored.runs:
                    return
            content = Manifest(SCHEMA, new.axes, new.fixed, runs, new.goal)
            write_json(self.path / MANIFEST, plain(content))

    def _check_same(self, stored: Manifest, new: Manifest) -> None:
        def other(what: str) -> Exception:
            return refuse("folder", "that of the same study, or a new one", f"{self.path}, {what}")

        if set(stored.axes) != set(new.axes):
            raise other(f"whose study varies {_listed(stored.axes)} instead of {_listed(new.axes)}")
        ours = plain(new.fixed)
        if stored.fixed != ours:
            names = {name for name in {*stored.fixed, *ours} if stored.fixed.get(name) != ours.get(name)}
            name = min(names)
            raise other(f"whose study has {name} = {stored.fixed.get(name)!r} instead of {ours.get(name)!r}")
        if stored.goal != new.goal:
            raise other("which a search of another goal made" if stored.goal else "which no search made")

    # -- what became of a run ------------------------------------------------------------------------------------------

    def status(self, digest: str) -> tuple[str, str]:
        """What became of a run, and why it has no result: `done`, `failed`, `pruned`, `running`, `interrupted` or
        `to do`."""
        run = self.run(digest)
        if run.finished:
            return "done", ""
        if run.path.is_dir() and holder(run / LOCK):
            return "running", ""
        if (failure := self.failure(digest)) is not None:
            return failure.kind, failure.error
        return ("interrupted", "") if run.holds_run else ("to do", "")

    def failure(self, digest: str) -> Failure | None:
        """Why a run has no result; None where it never failed, or has been run since."""
        path = self._failure(digest)
        if not path.exists():
            return None
        with contextlib.suppress(FileFormatError):
            return revive(Failure, read_json(path), str(path))
        return None

    def fail(self, digest: str, failure: Failure) -> None:
        """Notes why a run has no result."""
        write_json(self._failure(digest), plain(failure))

    def forgive(self, digest: str) -> None:
        """Forgets that a run failed before."""
        self._failure(digest).unlink(missing_ok=True)

    def _failure(self, digest: str) -> Path:
        return self.path / "failures" / f"{digest}.json"


def _listed(axes: Sequence[str]) -> str:
    return ", ".join(axes) or "nothing"
