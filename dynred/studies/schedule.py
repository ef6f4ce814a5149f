"""Which run is made when: as many at a time as there are workers, and again where a worker was killed."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field

from dynred.runtime import Progress
from dynred.studies.perform import Task, perform
from dynred.studies.study_folder import Failure, StudyFolder

PAUSE = 0.2  # seconds after which a run is tried again that waits for another
KILLS = 3  # workers that may be killed with the same run
# Names of the exceptions by which executors say that a worker was lost; dask's is no BrokenExecutor.
LOST = ("KilledWorker", "CancelledError")


@dataclass
class Schedule:
    """Makes the runs of a study.

    Attributes:
        folder: that of the study.
        executor: gives tasks to workers.
        width: how many runs it is given at a time.
        total: number of all runs, for the progress.
        progress: receives reports.
        outcomes: how many runs became what, so far.
    """

    folder: StudyFolder
    executor: Executor
    width: int
    total: int
    progress: Progress
    outcomes: Counter[str] = field(default_factory=Counter)

    def make(self, tasks: Iterable[Task], told: Callable[[Task, str], None] = lambda task, outcome: None) -> None:
        """Makes the runs of all tasks.

        Args:
            tasks: asked for the next when a worker is free.
            told: is told what became of each.
        """
        self._begun = time.monotonic()
        self._killed: Counter[str] = Counter()
        coming, again = iter(tasks), deque[tuple[float, Task]]()
        running: dict[Future[str], Task] = {}
        try:
            while True:
                while len(running) < self.width and (task := _next(coming, again)) is not None:
                    running[self.executor.submit(perform, task)] = task
                if not running and not again:
                    break
                if not running:
                    time.sleep(PAUSE)
                done, _ = wait(running, PAUSE, FIRST_COMPLETED)
                for future in done:
                    task = running.pop(future)
                    if (outcome := self._outcome(task, future)) in ("busy", "killed"):
                        later = time.monotonic() + (PAUSE if outcome == "busy" else 0.0)
                        (again.append if outcome == "busy" else again.appendleft)((later, task))
                    else:
                        self.outcomes[outcome] += 1
                        told(task, outcome)
                self._report(len(running))
        finally:
            for future in running:
                future.cancel()

    def _outcome(self, task: Task, future: "Future[str]") -> str:
        try:
            return future.result()
        except BaseException as error:
            if not (isinstance(error, BrokenExecutor) or type(error).__name__ in LOST):
                raise
        self._killed[task.digest] += 1
        if self._killed[task.digest] < KILLS:
            return "killed"  # it goes on from its checkpoint
        words = f"Its worker was killed {KILLS} times. It may need more memory than there is."
        self.folder.fail(task.digest, Failure(words))
        return "failed"

    def _report(self, running: int) -> None:
        finished = sum(self.outcomes.values())
        made = finished - self.outcomes["before"]
        left = {}
        if made and finished < self.total:
            left = {"left_s": (time.monotonic() - self._begun) / made * (self.total - finished)}
        self.progress("study", finished, self.total, running=running, failed=self.outcomes["failed"], **left)


def _next(coming: Iterator[Task], again: "deque[tuple[float, Task]]") -> Task | None:
    """The next task: one whose worker was killed, else a new one, else one that waited; None where all wait."""
    now = time.monotonic()
    if again and again[0][0] <= now:
        return again.popleft()[1]
    return next(coming, None)
