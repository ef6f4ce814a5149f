"""`dynred evaluate`: score run folders again, side by side."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from dynred.cli.base import AsJson, Plugins, Trust, show_comparison, show_evaluation, stderr, working


def evaluate(
    runs: list[Path],
    /,
    *,
    long: Annotated[bool, Parameter(negative="")] = False,
    metric: Annotated[list[str] | None, Parameter(negative="")] = None,
    device: str = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Score the models of run folders again and renew their reports; several are compared on the first one's test.

    Args:
        runs: Run folders that `dynred reduce` made.
        long: Also roll out for 10,000 time units and compute Lyapunov exponents of both models; may take half an hour.
        metric: A metric of your own beside dynred's, e.g. path/to/mine.py; repeatable.
        device: auto, cpu or cuda.
    """
    from dynred.experiments.evaluate_runs import evaluate_runs

    permitted: dict[str, Any] = {"metrics": metric or [], "plugins": plugin or [], "trust": trust}
    with working(device) as runtime:
        scores = evaluate_runs(runs, long=long, runtime=runtime, **permitted)
    if len(runs) == 1:
        show_evaluation(scores.evaluations[0], as_json)
        return
    if scores.reason:
        stderr.print(f"Not compared trajectory by trajectory: {scores.reason}", markup=False, highlight=False)
    show_comparison(scores.comparison, scores.evaluations, as_json)
