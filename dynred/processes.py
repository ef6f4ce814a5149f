"""What processes share that dynred starts on this machine: when they end, and what they may not run again."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@contextmanager
def without_main() -> Iterator[None]:
    """Keeps spawned processes from running the user's script again, which needs no `if __name__ == "__main__"` then;
    what they are sent must not name functions of that script."""
    main = sys.modules["__main__"]
    before = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    try:
        main.__spec__ = None
        if "__file__" in before:
            del main.__file__
        yield
    finally:
        for name, value in before.items():
            setattr(main, name, value)


def end_with_the_parent() -> None:
    """Lets this process end at once when the one that started it has ended, however that came."""
    threading.Thread(target=_end_after_the_parent, daemon=True).start()


def _end_after_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
