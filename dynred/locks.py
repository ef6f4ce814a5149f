"""One writer at a time: a lock on a folder or a store, which its holder's end releases, however it ends."""

import contextlib
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from dynred.checks import refuse


@contextlib.contextmanager
def locked(argument: str, path: Path, lock: Path) -> Iterator[None]:
    """Holds the lock of `path` while the block runs.

    The lock is the operating system's, on the file `lock`, and ends with the process that holds it: what a killed one
    left behind hinders nobody. The file says who the holder is.

    Args:
        argument: what `path` is called, for messages.
        path: what is locked.
        lock: the lock file, in a folder that exists.

    Raises:
        InputError: somebody else holds it.
    """
    mutex = FileLock(lock)
    try:
        mutex.acquire(timeout=0)
    except Timeout as error:
        raise refuse(argument, "used by one process at a time", f"{path}, in use{_holder(lock)}") from error
    try:
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its holder's name
            lock.write_text(json.dumps({"pid": os.getpid(), "host": platform.node()}), encoding="utf-8")
        yield
    finally:
        # Removed while it is still held: one who waits for it sees that the file is gone and makes a new one.
        with contextlib.suppress(OSError):
            lock.unlink()
        mutex.release()


def holder(lock: Path) -> str:
    """Who holds a lock, as words that follow "in use"; empty where nobody does."""
    if not lock.exists():
        return ""
    try:
        with FileLock(lock).acquire(timeout=0):
            return ""
    except (Timeout, OSError):
        return _holder(lock)


def _holder(lock: Path) -> str:
    try:
        holder = json.loads(lock.read_text(encoding="utf-8"))
        return f" by process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):  # not written yet, or on Windows not readable while it is held
        return " by another process"
