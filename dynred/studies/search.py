"""Searches: studies whose runs Optuna chooses, to make a score as good as it can be. The home of optuna."""

import functools
import importlib
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dynred.arguments import public
from dynred.checks import count, integer, one_of, refuse
from dynred.errors import InputError, MissingExtraError
from dynred.evaluation.evaluation import read_evaluation
from dynred.evaluation.score_tables import score_named, score_names, scores
from dynred.experiments.spec import ExperimentSpec
from dynred.runtime import Progress
from dynred.studies.design import Design, changed, label, varied
from dynred.studies.interval import Interval
from dynred.studies.perform import PrunedError, Task
from dynred.studies.run_study import chosen, opened, shown
from dynred.studies.schedule import Schedule
from dynred.studies.study import Study
from dynred.studies.study_folder import Goal, Manifest, StudyFolder
from dynred.user_code import reason

DATABASE = "search.db"
NAME = "search"
MOST = 1024  # workers
REPORTS = 20  # how often at most a training tells its validation loss
DIGEST = "digest"  # under which a trial remembers its run


@public
def search(
    base: ExperimentSpec,
    over: Mapping[str, Sequence[Any]],
    folder: str | Path,
    *,
    metric: str,
    mode: str | None = None,
    trials: int = 40,
    seed: int = 0,
    storage: str | None = None,
    workers: int = 1,
    executor: Executor | None = None,
    device: str = "auto",
    progress: bool | Progress = False,
) -> Study:
    """Searches the settings that make a score of the model best, with Optuna; the result is a study like any other.

    A trial whose validation loss is worse than the median of earlier ones, while its dynamics are trained, is given up
    (`pruned`). An interrupted search continues; several processes, on several machines with a shared `storage`, may
    search together.

    Args:
        base: the settings that all trials share.
        over: the range of every setting that is searched, by its dotted path; see `sample`.
        folder: a new folder, or that of this search.
        metric: a score by its name in the table of a study, e.g. `valid_time.median`.
        mode: `min` or `max`; default: `max` for times, `min` for errors.
        trials: number of trials in all, those of earlier calls included.
        seed: decides what is tried, as long as one worker searches.
        storage: URL of a storage of Optuna's; default: a SQLite file in the folder.
        workers: see `run_study`.
        executor: see `run_study`.
        device: see `run_study`.
        progress: see `run_study`.

    Raises:
        InputError: a setting, range or score is unknown, the storage cannot be opened, or the folder holds something
            else. Nothing has been run then.
        MissingExtraError: without `pip install 'dynred[search]'`.
    """
    count("trials", trials, 1, 10**6)
    count("workers", workers, 1, MOST)
    integer("seed", seed, 0)
    score_named("metric", metric, score_names())
    mode = one_of("mode", ("max" if "time" in metric else "min") if mode is None else mode, ("min", "max"))
    intervals = {path: Interval.of(path, given) for path, given in over.items()}
    if not intervals:
        raise refuse("over", "at least one setting with its range", "none")
    corners = [{path: each.at(u) for path, each in intervals.items()} for u in (0.0, 1.0 - 1e-9)]
    opened(varied(base, corners, tuple(intervals)).specs)
    optuna = _optuna()
    study_folder = StudyFolder(folder)
    goal = Goal(metric, mode)
    url = storage or f"sqlite:///{(study_folder.path / DATABASE).resolve()}"
    with _quiet(optuna):
        if storage is not None:  # refused before the folder is made
            _opened(optuna, url, mode, seed)
        study_folder.begin(_manifest(base, corners, intervals, goal))
        asked = _opened(optuna, url, mode, seed)
        trying = _Search(base, intervals, study_folder, goal, asked, url, device, trials)
        with shown(progress) as told, chosen(executor, workers) as pool:
            schedule = Schedule(study_folder, pool, workers, trials, told)
            schedule.outcomes["before"] = trying.finished()
            schedule.make(trying.tasks(), trying.told)
    return Study(folder)


class _Search:
    """Asks Optuna for trials, and tells it what became of them."""

    def __init__(
        self,
        base: ExperimentSpec,
        intervals: Mapping[str, Interval],
        folder: StudyFolder,
        goal: Goal,
        asked: Any,
        url: str,
        device: str,
        trials: int,
    ):
        self.base, self.intervals, self.folder, self.goal = base, intervals, folder, goal
        self.asked, self.url, self.device, self.trials = asked, url, device, trials
        self.running: dict[str, Any] = {}

    def finished(self) -> int:
        """How many trials are told already."""
        return sum(trial.state.is_finished() for trial in self.asked.get_trials(deepcopy=False))

    def tasks(self) -> Iterator[Task]:
        """Tasks of interrupted trials, then of new ones, until there are as many as were asked for."""
        optuna = _optuna()
        unfinished = optuna.trial.TrialState.RUNNING
        for frozen in self.asked.get_trials(deepcopy=True, states=(unfinished,)):
            trial = optuna.trial.Trial(self.asked, frozen._trial_id)
            yield from self._task(trial)
        while self.finished() + len(self.running) < self.trials:
            yield from self._task(self.asked.ask())

    def _task(self, trial: Any) -> Iterator[Task]:
        values = {path: _suggested(trial, path, interval) for path, interval in self.intervals.items()}
        try:
            spec = changed(self.base, values, f"trial {trial.number + 1} of the search")
        except InputError:  # settings that only do not fit together; the ends of all ranges do
            self._tell(trial, None)
            return
        digest = spec.digest()
        if digest in self.running:
            self._tell(trial, None)
            return
        point = {path: label(value) for path, value in values.items()}
        design = Design(tuple(self.intervals), (point,), (spec,))
        stored = self.folder.manifest()
        self.folder.begin(Manifest(stored.schema, stored.axes, stored.fixed, Manifest.of(design).runs, stored.goal))
        trial.set_user_attr(DIGEST, digest)
        self.running[digest] = trial
        yield Task.of(spec, self.folder, self.device, functools.partial(_watch, self.url, trial._trial_id))

    def told(self, task: Task, outcome: str) -> None:
        """Tells Optuna the score of a run, or that there is none."""
        trial = self.running.pop(task.digest)
        state = _optuna().trial.TrialState
        if outcome == "pruned":
            self.asked.tell(trial, state=state.PRUNED, skip_if_finished=True)
            return
        value = None
        if outcome == "done":
            value = scores(read_evaluation(self.folder.run(task.digest) / "evaluation.json")).get(self.goal.metric)
        self._tell(trial, value)

    def _tell(self, trial: Any, value: float | None) -> None:
        if value is None or not math.isfinite(value):
            self.asked.tell(trial, state=_optuna().trial.TrialState.FAIL, skip_if_finished=True)
        else:
            self.asked.tell(trial, value, skip_if_finished=True)


def _suggested(trial: Any, path: str, interval: Interval) -> Any:
    if interval.choices:
        return trial.suggest_categorical(path, interval.choices)
    suggest = trial.suggest_int if interval.whole else trial.suggest_float
    return suggest(path, interval.low, interval.high, log=interval.log)


def _watch(url: str, trial_id: int) -> Progress:
    """What ends the training of a run's dynamics once its validation loss is worse than the median of other trials at
    the same part of their training."""
    optuna = _optuna()
    study = optuna.load_study(study_name=NAME, storage=url, pruner=_pruner(optuna))
    trial = optuna.trial.Trial(study, trial_id)
    seen: set[int] = set()

    def progress(stage: str, done: int, total: int, **figures: float) -> None:
        place = done * REPORTS // max(1, total)
        if stage != "dynamics" or "validation" not in figures or place in seen:
            return
        seen.add(place)
        # What is pruned is a loss, and the smaller the better, whatever the score is.
        trial.report(figures["validation"] * (1 if study.direction.name == "MINIMIZE" else -1), place)
        if trial.should_prune():
            raise PrunedError(f"Given up after {done} of {total} steps: validation {figures['validation']:.3g}.")

    return progress


def _manifest(
    base: ExperimentSpec, corners: list[dict[str, Any]], over: Mapping[str, Interval], goal: Goal
) -> Manifest:
    manifest = Manifest.of(varied(base, corners, tuple(over)), goal)
    return Manifest(manifest.schema, manifest.axes, manifest.fixed, (), goal)


def _pruner(optuna: Any) -> Any:
    return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=REPORTS // 4)


def _opened(optuna: Any, url: str, mode: str, seed: int) -> Any:
    try:
        asked = optuna.create_study(
            storage=url,
            study_name=NAME,
            pruner=_pruner(optuna),
            direction="minimize" if mode == "min" else "maximize",
            load_if_exists=True,
        )
    except Exception as error:
        expected = "the URL of a storage of Optuna's that can be opened, e.g. sqlite:///search.db"
        raise refuse("storage", expected, f"{url} ({reason(error)})") from error
    # A search that continues must not draw again what it drew before.
    asked.sampler = optuna.samplers.TPESampler(seed=seed + len(asked.get_trials(deepcopy=False)))
    return asked


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Keeps Optuna from telling every trial on standard error while the block runs."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _optuna() -> Any:
    try:
        return importlib.import_module("optuna")  # takes a second, and only searches need it
    except ImportError as error:
        raise MissingExtraError("A search needs: pip install 'dynred[search]'.") from error
