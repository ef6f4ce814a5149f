"""Processes of this machine that make runs: each may be killed without harm to the others."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import torch

from dynred.processes import end_with_the_parent, without_main
from dynred.studies.perform import ready

T = TypeVar("T")
PATIENCE = 20.0  # seconds in which a worker that is told to end may write its checkpoint


class Here(Executor):
    """An executor that computes at once, in this process."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See `Executor.submit`."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Workers(Executor):
    """Processes that are started once, and again where one was killed.

    Every worker is a pool of its own: a pool of several processes ends all of them when one is killed.

    Args:
        count: number of processes; at most so many tasks should be submitted at a time.
        threads: number of threads in which each computes.
    """

    def __init__(self, count: int, threads: int):
        self._threads = threads
        self._pools = [self._started() for _ in range(count)]
        self._last: list[Future[Any] | None] = [None] * count

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See `Executor.submit`; the task goes to a worker that has none."""
        i = next((i for i, last in enumerate(self._last) if last is None or last.done()), 0)
        try:
            future = self._pools[i].submit(fn, *args, **kwargs)
        except BrokenProcessPool:
            self._pools[i].shutdown(wait=False)
            self._pools[i] = self._started()
            future = self._pools[i].submit(fn, *args, **kwargs)
        self._last[i] = future
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See `Executor.shutdown`. Workers that still compute write their checkpoints and end."""
        running = [last for last in self._last if last is not None and not last.done()]
        processes = [process for pool in self._pools for process in (pool._processes or {}).values()]
        if running:
            for process in processes:
                process.terminate()
            end = time.monotonic() + PATIENCE
            for process in processes:
                process.join(max(0.0, end - time.monotonic()))
                process.kill()
        for pool in self._pools:
            pool.shutdown(wait=wait, cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        # Forked workers would inherit locks that threads of torch hold.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(1, context, _begin, (self._threads,))
        with without_main():  # tasks are plain data, and name the files of their classes
            pool.submit(ready)  # workers wait for tasks with all loaded
        return pool


def _begin(threads: int) -> None:
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the workers
    end_with_the_parent()
