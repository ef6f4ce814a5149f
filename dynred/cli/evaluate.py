"""`dynred evaluate`: score run folders again, side by side."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dynred.cli.base import AsJson, show_comparison, show_evaluation, stderr, working


def evaluate(
    runs: list[Path],
    /,
    *,
    long: Annotated[bool, Parameter(negative="")] = False,
    device: str = "auto",
    as_json: AsJson = False,
) -> None:
    """Score the models of run folders again and renew their reports; several are compared on the first one's test.

    Parameters
    ----------
    runs: Run folders that `dynred reduce` made.
    long: Also roll out for 10,000 time units and compute Lyapunov exponents of both models; may take half an hour.
    device: auto, cpu or cuda.
    """
    from dynred.experiment import evaluate_run, stored_spec
    from dynred.runs import compare_runs, why_not

    with working(device) as runtime:
        found = [evaluate_run(out, long=long, runtime=runtime) for out in runs]
        if len(runs) == 1:
            show_evaluation(found[0], as_json)
            return
        reason = why_not([stored_spec(out) for out in runs])
        comparison = None if reason else compare_runs(runs, runtime=runtime)
    if reason:
        stderr.print(f"Not compared trajectory by trajectory: {reason}.", markup=False, highlight=False)
    show_comparison(comparison, found, as_json)
