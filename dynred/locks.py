"""One writer at a time: a lock on a folder or a store, which is released when its holder ends, however it ends."""

import contextlib
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from dynred.checks import refuse
from dynred.errors import BusyError


@contextlib.contextmanager
def locked(argument: str, path: Path, lock: Path) -> Iterator[None]:
    """Holds the lock of `path` while the block runs.

    The lock is the operating system's, on the file `lock`, and ends with the process that holds it: the lock file of a
    killed process hinders nobody. The file says who the holder is.

    Args:
        argument: the name of `path` in messages.
        path: the folder or store to lock.
        lock: the lock file, in a folder that exists.

    Raises:
        BusyError: another process holds the lock.
    """
    mutex = FileLock(lock)
    try:
        mutex.acquire(timeout=0)
    except Timeout as error:
        sentence = refuse(argument, "used by one process at a time", f"{path}, in use{_holder(lock)}")
        raise BusyError(str(sentence)) from error
    try:
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its holder's name
            lock.write_text(json.dumps({"pid": os.getpid(), "host": platform.node()}), encoding="utf-8")
        yield
    finally:
        # The file is removed while the lock is held: a process that waits for it sees this and makes a new file.
        with contextlib.suppress(OSError):
            lock.unlink()
        mutex.release()


@contextlib.contextmanager
def waiting_lock(lock: Path) -> Iterator[None]:
    """Holds a lock while the block runs, which takes a moment; waits for other processes that hold it. `lock` is the
    lock file, which stays: one that is removed could be held by two."""
    with FileLock(lock):
        yield


def holder(lock: Path) -> str:
    """The holder of a lock, as words that follow "in use"; empty where nobody holds it."""
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
