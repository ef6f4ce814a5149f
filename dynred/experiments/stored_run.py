"""Reading run folders again: which code may run, and where the source is now."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dynred.checks import refuse
from dynred.data.readers.base import is_data
from dynred.data.split import Parts
from dynred.errors import FileFormatError, InputError
from dynred.experiments.earlier import todays
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
        folder: the folder.
        spec: the settings of the run.
        source: the system or data that the run was made from, opened again and unchanged.
        model: the model of the run.
    """

    folder: RunFolder
    spec: ExperimentSpec
    source: Source
    model: Model

    def parts(self, runtime: Runtime) -> Parts:
        """Training, validation and test trajectories, the same as in the run."""
        return self.source.parts(self.spec.data, self.spec.seed, runtime)


@contextmanager
def opened(
    out: str | Path, *, plugins: Sequence[str | Path] = (), trust: bool = False, to_write: bool = False
) -> Iterator[StoredRun]:
    """Reads a run folder for the block that follows. In the block, only permitted code from outside dynred runs.

    Anybody may have written the settings in a folder. Systems of the catalogue and data files that they name are
    opened. Code that they name (a system's file, a module, a plug-in) runs only if the user ran the same code before,
    or permits it here.

    Args:
        out: the run folder.
        plugins: files whose code may run: systems or plug-ins that the run names.
        trust: whether all code that the run names may run.
        to_write: whether the block writes into the folder; the folder is locked then, before it is read.

    Raises:
        FileFormatError: the folder holds no run, or an unreadable one.
        InputError: the source is gone or changed, its code may not run, or another process writes into the folder.
    """
    folder = RunFolder(out)
    folder.manifest()  # fails before the folder is locked where there is no run
    with folder.locked() if to_write else nullcontext():
        yield from _opened(folder, plugins, trust)


@contextmanager
def opened_model(
    out: str | Path, *, plugins: Sequence[str | Path] = (), trust: bool = False
) -> Iterator[tuple[Model, StoredRun | None, str]]:
    """Reads the model of a run folder for the block that follows, and the rest of the run where that can be opened.

    Its system or data may be gone, where the folder alone was moved, and the model can do without.

    Args:
        out: the run folder.
        plugins: see `opened`.
        trust: see `opened`.

    Returns:
        The model; the run, or None; and why that is None.

    Raises:
        FileFormatError: the folder holds no run, or an unreadable one.
        InputError: code of the model's own may not run.
    """
    with ExitStack() as stack:
        try:
            stored = stack.enter_context(opened(out, plugins=plugins, trust=trust))
        except InputError as error:
            yield load_model(RunFolder(out) / "model.safetensors", plugins=plugins, trust=trust), None, str(error)
            return
        yield stored.model, stored, ""


def _opened(folder: RunFolder, plugins: Sequence[str | Path], trust: bool) -> Iterator[StoredRun]:
    stored = folder.manifest()
    permission = _Permission(folder, stored, plugins, trust)
    # The settings may be of classes that this code defines, so it is loaded before the settings are read.
    for code in [*map(code_of, map(str, plugins)), *map(permission, Code.listed(stored.get("code", [])))]:
        load_code(code)
    spec = ExperimentSpec.from_dict(todays(stored["spec"]))
    data = replace(spec.data, solver=permission.name(spec.data.solver))
    reading = spec.reading
    if reading.reader is not None:
        reading = replace(reading, reader=permission.name(reading.reader))
    named = spec.source if is_data(spec.source, reading) else permission.name(spec.source)
    spec = replace(spec, source=named, data=data, reading=reading)
    with only(permission.code):
        model = load_model(folder / "model.safetensors")
        if model.about.get("experiment", identity_of(stored)) != identity_of(stored):
            raise FileFormatError(f"{folder.path} holds the model of one run beside the settings of another.")
        source = _reopened(folder, spec, stored)
        if source.dim != model.state_dim:
            raise refuse("the source of the run", f"of {model.state_dim} dimensions, like its model", source.dim)
        source = source.as_before(model.about, model.transforms).for_dynamics(spec.dynamics)
        yield StoredRun(folder, spec, source, model)


class _Permission:
    """Gives a stored run permission to run code, and remembers what it permitted and where that code is now."""

    def __init__(self, folder: RunFolder, stored: Mapping[str, Any], plugins: Sequence[str | Path], trust: bool):
        self.folder, self.stored, self.plugins, self.trust = folder, stored, plugins, trust
        self._now: dict[str, Code] = {}

    @property
    def code(self) -> list[Code]:
        """All code that was permitted so far."""
        return list(self._now.values())

    def __call__(self, code: Code) -> Code:
        places = _moved(self.folder, self.stored, code.path)
        run = f"the run in {self.folder.path}"
        self._now[code.name] = reopen(code, run, places=places, plugins=self.plugins, trust=self.trust)
        return self._now[code.name]

    def name(self, name: str) -> str:
        """The name under which the code that a setting names is loaded now."""
        if not is_foreign(name):
            return name
        return (self._now.get(name) or self(Code(name, None, None))).name


def _reopened(folder: RunFolder, spec: ExperimentSpec, stored: Mapping[str, Any]) -> Source:
    """The source of a stored run, unchanged.

    Raises:
        InputError: the source is gone or changed.
    """
    before = stored.get("source") or {}
    if not is_data(spec.source, spec.reading):
        source = spec.open()
        if differing := source.changes(before):
            advice = "Restore it, or reduce again into another folder."
            actual = f"another one: they differ in {', '.join(differing)}"
            raise refuse(f"{spec.source}, the system of the run in {folder.path},", "as it was", actual, advice)
        return source
    paths = [Path(str(before["path"]))] if before.get("path") else []
    paths += [*_moved(folder, stored, before.get("path")), Path(spec.source)]
    existing = [path for path in dict.fromkeys(paths) if path.exists()]
    for path in existing:
        source = spec.updated("source", str(path)).open()
        if not source.changes(before):
            return source
    missing = f"no such file ({', '.join(map(str, paths))})"
    actual = f"{existing[0]}, whose content is another" if existing else missing
    raise refuse(f"the data of the run in {folder.path}", "as they were", actual, "Restore them, or reduce again.")


def _moved(folder: RunFolder, stored: Mapping[str, Any], path: str | None) -> list[Path]:
    """The path at which a file is now if it moved together with the run folder, in a list; empty if unknown."""
    try:
        return [folder.path / os.path.relpath(str(path), stored["folder"])] if path else []
    except (KeyError, TypeError, ValueError):  # an earlier version's run; another drive
        return []
