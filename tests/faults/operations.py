"""The operations that change files, as Python's audit events tell them, and a child's end at one of them."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
KILLED = 9


def at_operation(folder: Path, number: int, act: Callable[[Path], None]) -> None:
    """From now on, before the `number`-th (from 1) operation that changes something in a folder, acts on its path.

    For children only: an audit hook stays until the process ends.
    """
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        path = _changed(event, arguments)
        if path is not None and path.is_relative_to(folder):
            count += 1
            if count == number:
                act(path)

    sys.addaudithook(hook)


def die(path: Path) -> None:
    """Ends the process at once, as a kill does."""
    os._exit(KILLED)


def die_torn(path: Path) -> None:
    """Ends the process where a file was opened for writing and nothing reached it."""
    if not path.is_dir():  # a file without a name is opened in a folder
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644))
    os._exit(KILLED)


class Kill(NamedTuple):
    """A child's end before one of the operations of a call."""

    number: int
    operation: str
    way: Callable[[Path], None]

    def __str__(self) -> str:
        return f"{self.way.__name__} at {self.number}, {self.operation}"

    def of(self, folder: Path, call: Callable[..., Any], *arguments: Any) -> None:
        """The call, which does not return."""
        at_operation(folder, self.number, self.way)
        call(*arguments)


def kills(every: list[str]) -> list[Kill]:
    """All ends of a call with these operations; files that are opened may be left empty."""
    torn = [Kill(i, name, die_torn) for i, name in enumerate(every, 1) if name.startswith("open")]
    return sorted([*torn, *(Kill(i, name, die) for i, name in enumerate(every, 1))], key=lambda kill: kill.number)


def operations(folder: Path, call: Callable[..., Any], *arguments: Any) -> list[str]:
    """What a call does to the files of a folder, in order; runs it, so for children only."""
    found: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        path = _changed(event, arguments)
        if path is not None and path.is_relative_to(folder):
            found.append(f"{event} {path.relative_to(folder)}")

    sys.addaudithook(hook)
    call(*arguments)
    return found


def _changed(event: str, arguments: tuple[Any, ...]) -> Path | None:
    """The path that an event is about to change; None for all other events."""
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(flags, int) and flags & WRITING and isinstance(path, str | bytes | os.PathLike)
        return _absolute(path) if writes else None
    if event in CHANGES:
        folder = arguments[-1] if event in ("os.remove", "os.rmdir", "os.mkdir") else -1
        return _absolute(arguments[0], folder)
    return None


def _absolute(path: Any, folder: Any = -1) -> Path:
    here = os.readlink(f"/proc/self/fd/{folder}") if isinstance(folder, int) and folder >= 0 else os.getcwd()
    return Path(here, os.fsdecode(path))
