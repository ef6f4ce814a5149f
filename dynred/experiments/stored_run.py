"""Run folders read again: which code may run, and where the source is now."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dynred.checks import refuse
from dynred.data.screening import is_data
from dynred.data.trajectories import Trajectories
from dynred.errors import FileFormatError
from dynred.experiments.folder import RunFolder
from dynred.experiments.origin import identity_of
from dynred.experiments.source import Source
from dynred.experiments.spec import ExperimentSpec
from dynred.models.base import Model
from dynred.models.load import load_model
from dynred.plugins import code_of, is_foreign, load_code, only, reopen
from dynred.runtime import Runtime
from dynred.trust import Code


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A run folder that was read.

    Attributes:
        folder: where it is.
        spec: its settings.
        source: the system or data that it was made from, found again and unchanged.
        model: its model.
    """

    folder: RunFolder
    spec: ExperimentSpec
    source: Source
    model: Model

    def parts(self, runtime: Runtime) -> tuple[Trajectories, Trajectories, Trajectories]:
        """Training, validation and test trajectories, as they were."""
        return self.source.parts(self.spec.data, self.spec.seed, runtime)


@contextmanager
def opened(
    out: str | Path, *, plugins: Sequence[str | Path] = (), trust: bool = False, to_write: bool = False
) -> Iterator[StoredRun]:
    """A run folder, read for the block that follows. In the block, no code outside dynred runs but what is permitted.

    Settings in a folder are somebody's text. Systems of the catalogue and data files that they name are opened; code
    that they name (a system's file, a module, a plug-in) only if the user ran the same code before, or says so here.

    Args:
        out: the run folder.
        plugins: files whose code may run: systems or plug-ins that the run names.
        trust: whether whatever code the run names may run.
        to_write: whether the block writes into the folder, which is locked then, from before it is read.

    Raises:
        FileFormatError: no run there, or an unreadable one.
        InputError: its source is gone or changed, its code may not run, or another process writes there.
    """
    folder = RunFolder(out)
    folder.manifest()  # so that nothing is locked where there is no run
    with folder.locked() if to_write else nullcontext():
        yield from _opened(folder, plugins, trust)


def _opened(folder: RunFolder, plugins: Sequence[str | Path], trust: bool) -> Iterator[StoredRun]:
    stored = folder.manifest()
    allowed = _Permission(folder, stored, plugins, trust)
    # Before the settings are read, which may be of classes in it:
    for code in [*map(code_of, map(str, plugins)), *map(allowed, Code.listed(stored.get("code", [])))]:
        load_code(code)
    spec = ExperimentSpec.from_dict(stored["spec"])
    spec = replace(
        spec, source=allowed.name(spec.source), data=replace(spec.data, solver=allowed.name(spec.data.solver))
    )
    with only(allowed.code):
        model = load_model(folder / "model.safetensors")
        if model.about.get("experiment", identity_of(stored)) != identity_of(stored):
            raise FileFormatError(f"{folder.path} holds the model of one run beside the settings of another.")
        source = _reopened(folder, spec, stored)
        if source.dim != model.state_dim:
            raise refuse("the source of the run", f"of {model.state_dim} dimensions, like its model", source.dim)
        yield StoredRun(folder, spec, source, model)


class _Permission:
    """Which code a stored run may run: that which was asked for with success, each with the place where it is now."""

    def __init__(self, folder: RunFolder, stored: Mapping[str, Any], plugins: Sequence[str | Path], trust: bool):
        self.folder, self.stored, self.plugins, self.trust = folder, stored, plugins, trust
        self._now: dict[str, Code] = {}

    @property
    def code(self) -> list[Code]:
        """All of it."""
        return list(self._now.values())

    def __call__(self, code: Code) -> Code:
        places = _moved(self.folder, self.stored, code.path)
        run = f"the run in {self.folder.path}"
        self._now[code.name] = reopen(code, run, places=places, plugins=self.plugins, trust=self.trust)
        return self._now[code.name]

    def name(self, name: str) -> str:
        """The name to use now for what a setting names."""
        if is_data(name) or not is_foreign(name):
            return name
        return (self._now.get(name) or self(Code(name, None, None))).name


def _reopened(folder: RunFolder, spec: ExperimentSpec, stored: Mapping[str, Any]) -> Source:
    """The source of a stored run, as it was.

    Raises:
        InputError: it is gone or changed.
    """
    before = stored.get("source") or {}
    if not is_data(spec.source):
        source = spec.open()
        if differing := source.changes(before):
            advice = "Restore it, or reduce again into another folder."
            actual = f"another one: they differ in {', '.join(differing)}"
            raise refuse(f"{spec.source}, the system of the run in {folder.path},", "as it was", actual, advice)
        return source
    paths = [Path(str(before["path"]))] if before.get("path") else []
    paths += [*_moved(folder, stored, before.get("path")), Path(spec.source)]
    there = [path for path in dict.fromkeys(paths) if path.exists()]
    for path in there:
        source = spec.updated("source", str(path)).open()
        if not source.changes(before):
            return source
    actual = f"{there[0]}, whose content is another" if there else f"no such file ({', '.join(map(str, paths))})"
    raise refuse(f"the data of the run in {folder.path}", "as they were", actual, "Restore them, or reduce again.")


def _moved(folder: RunFolder, stored: Mapping[str, Any], path: str | None) -> list[Path]:
    """Where a file is now if it moved together with the run folder."""
    try:
        return [folder.path / os.path.relpath(str(path), stored["folder"])] if path else []
    except (KeyError, TypeError, ValueError):  # an earlier version's run; another drive
        return []
