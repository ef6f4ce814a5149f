"""Dealing independent tasks to processes, where that is worth their start: the results are those of one process."""

import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import TypeVar

import torch

from dynred.errors import DynredError

T = TypeVar("T")

# Two forked workers are ready after .03 s; results of a second's work take .01 s to come back.
WORTH = 1.0  # seconds of work that must be left

_task: list[Callable[[int], object]] = []  # in a worker: what it was forked to do


def dealt(task: Callable[[int], T], count: int, most: int) -> list[T]:
    """`[task(0), ..., task(count - 1)]`, computed by several processes where that is faster.

    The first result is computed here, and says whether the others are worth processes. Workers are forked, so that the
    task need not be sent to them; where processes cannot be forked, or in a worker, all is computed here.

    Args:
        task: gives a result that can be pickled, and depends on its number alone.
        count: number of tasks.
        most: number of processes that may share the tasks.

    Raises:
        DynredError: a worker was killed. What the task raises passes.
    """
    results: list[T] = []
    start = time.perf_counter()
    workers = min(most, count - 1) if _can_fork() else 1
    for i in range(count):
        left = (time.perf_counter() - start) / max(1, i) * (count - i)
        if workers > 1 and i > 0 and left > WORTH and count - i > 1:
            return results + _forked(task, range(i, count), workers)
        results.append(task(i))
    return results


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _can_fork() -> bool:
    # Forking is unsafe beside the system libraries of macOS; a daemonic process, a pool's worker, may not fork.
    return sys.platform == "linux" and not multiprocessing.current_process().daemon and not _task


def _forked(task: Callable[[int], T], numbers: range, workers: int) -> list[T]:
    with _pool(task, workers) as pool:
        try:
            return list(pool.map(_one, numbers))  # type: ignore[arg-type] # its results are of the task
        except BrokenProcessPool as error:
            advice = "It may have needed more memory than there is."
            raise DynredError(f"A process that solved some of the trajectories was killed. {advice}") from error


@contextmanager
def _pool(task: Callable[[int], object], workers: int) -> Iterator[ProcessPoolExecutor]:
    before = {process.pid for process in multiprocessing.active_children()}
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, context, _begin, (task,))
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns where there are threads. Workers take no lock that a thread of ours may hold: they
            # compute in one thread, and print nothing.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield pool
    except BaseException:
        for process in multiprocessing.active_children():
            if process.pid not in before:
                process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(task: Callable[[int], object]) -> None:
    torch.set_num_threads(1)  # the threads of the parent do not exist here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _task.append(task)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _one(i: int) -> object:
    return _task[0](i)
