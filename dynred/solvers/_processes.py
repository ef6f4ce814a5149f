"""Dealing independent tasks to processes, where that is worth their start: the results are those of one process."""

import multiprocessing
import pickle
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

import torch

from dynred.errors import DynredError
from dynred.processes import end_with_the_parent, without_main

T = TypeVar("T")

# Seconds of work that must be left. Two forked workers are ready after .03 s, and results of a second's work take .01 s
# to come back; spawned ones import torch first, which takes 2 to 4 s.
WORTH = {"fork": 1.0, "spawn": 8.0}

_task: list[Callable[[int], object] | bytes] = []  # in a worker: what it was started to do


def dealt(task: Callable[[int], T], count: int, most: int) -> list[T]:
    """`[task(0), ..., task(count - 1)]`, computed by several processes where that is faster.

    The first result is computed here, and says whether the others are worth processes. On Linux these are forked, so
    that the task need not be sent to them; elsewhere they are spawned, and a task that cannot be sent, or that needs
    functions of the script that is running, is computed here. So is all in a worker.

    Args:
        task: gives a result that can be pickled, and depends on its number alone.
        count: number of tasks.
        most: number of processes that may share the tasks.

    Raises:
        DynredError: a worker was killed. What the task raises passes.
    """
    results: list[T] = []
    start, method = time.perf_counter(), start_method()
    # A daemonic process, a pool's worker, may start none.
    workers = 1 if multiprocessing.current_process().daemon or _task else min(most, count - 1)
    for i in range(count):
        left = (time.perf_counter() - start) / max(1, i) * (count - i)
        if workers > 1 and i > 0 and left > WORTH[method] and count - i > 1:
            sent = task if method == "fork" else _sent(task)
            if sent is not None:
                return results + _shared(sent, range(i, count), workers, method)
            workers = 1
        results.append(task(i))
    return results


def start_method() -> str:
    """How processes are started: forking is unsafe beside the system libraries of macOS, and unknown to Windows."""
    return "fork" if sys.platform == "linux" else "spawn"


def _sent(task: Callable[[int], object]) -> bytes | None:
    """The task as bytes for a process that does not run the user's script; None where it cannot be sent so."""
    try:
        content = pickle.dumps(task)
    except (DynredError, pickle.PicklingError, AttributeError, TypeError):  # a lambda, a local function, a handle
        return None
    return None if b"__main__" in content else content


def _shared(task: Callable[[int], T] | bytes, numbers: range, workers: int, method: str) -> list[T]:
    with _pool(task, workers, method) as pool:
        try:
            with without_main():  # the pool starts its processes with its tasks
                results = pool.map(_one, numbers)
            return list(results)  # type: ignore[arg-type] # its results are of the task
        except BrokenProcessPool as error:
            advice = "It may have needed more memory than there is."
            raise DynredError(f"A process that solved some of the trajectories was killed. {advice}") from error


@contextmanager
def _pool(task: Callable[[int], object] | bytes, workers: int, method: str) -> Iterator[ProcessPoolExecutor]:
    before = {process.pid for process in multiprocessing.active_children()}
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context(method), _begin, (task,))
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


def _begin(task: Callable[[int], object] | bytes) -> None:
    torch.set_num_threads(1)  # the threads of the parent do not exist here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _task.append(task)
    end_with_the_parent()


def _one(i: int) -> object:
    task = _task[0]
    if isinstance(task, bytes):  # read here rather than at the beginning, so that its errors reach the parent
        task = _task[0] = pickle.loads(task)
    return task(i)  # type: ignore[operator] # it was pickled from such a function
