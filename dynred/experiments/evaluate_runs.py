"""Several run folders scored again, and compared where they have a test in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.evaluation.compare import Comparison
from dynred.evaluation.evaluation import Evaluation
from dynred.experiments.compare_runs import compare_runs
from dynred.experiments.evaluate_run import evaluate_run
from dynred.experiments.folder import RunFolder
from dynred.runtime import Runtime


@dataclass(frozen=True, eq=False)
class RunScores:
    """The scores of several runs.

    Attributes:
        evaluations: one of each run.
        comparison: all runs on the first one's test trajectories; None for a single run, or where there is a reason.
        reason: why they could not be compared; empty where they were, and for a single run.
    """

    evaluations: tuple[Evaluation, ...]
    comparison: Comparison | None = None
    reason: str = ""


def evaluate_runs(
    outs: Sequence[str | Path],
    *,
    long: bool = False,
    data: Trajectories | str | Path | None = None,
    metrics: Sequence[str] = (),
    runtime: Runtime | None = None,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
) -> RunScores:
    """Scores the models of run folders again and renews their reports; several are compared on the first one's test.

    Args:
        outs: the run folders.
        long: see `evaluate_run`.
        data: other trajectories, or a file of them, to score all models on; see `evaluate_run`.
        metrics: see `evaluate_run`.
        runtime: names the device and reports progress.
        plugins: files whose code may run; see `evaluate_run`.
        trust: whether all code that the runs name may run; see `evaluate_run`.

    Raises:
        FileFormatError: a folder holds no run; none is renewed then.
        InputError: as for `evaluate_run`.
    """
    for out in outs:
        RunFolder(out).manifest()  # all of them are read before one is renewed
    permitted: dict[str, Any] = {
        "data": data,
        "metrics": metrics,
        "runtime": runtime,
        "plugins": plugins,
        "trust": trust,
    }
    evaluations = tuple(evaluate_run(out, long=long, **permitted) for out in outs)
    if len(outs) < 2:
        return RunScores(evaluations)
    try:
        return RunScores(evaluations, compare_runs(outs, **permitted))
    except InputError as error:
        return RunScores(evaluations, reason=str(error))
