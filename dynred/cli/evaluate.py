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

    Parameters
    ----------
    runs: Run folders that `dynred reduce` made.
    long: Also roll out for 10,000 time units and compute Lyapunov exponents of both models; may take half an hour.
    metric: A metric of your own beside dynred's, e.g. path/to/mine.py; repeatable.
    device: auto, cpu or cuda.
    """
    from dynred.errors import InputError
    from dynred.experiments.compare_runs import compare_runs
    from dynred.experiments.evaluate_run import evaluate_run
    from dynred.experiments.folder import RunFolder

    for out in runs:
        RunFolder(out).manifest()  # all of them, before one is renewed
    permitted: dict[str, Any] = {"metrics": metric or [], "plugins": plugin or [], "trust": trust}
    with working(device) as runtime:
        found = [evaluate_run(out, long=long, runtime=runtime, **permitted) for out in runs]
        if len(runs) == 1:
            show_evaluation(found[0], as_json)
            return
        reason, comparison = "", None
        try:
            comparison = compare_runs(runs, runtime=runtime, **permitted)
        except InputError as error:
            reason = str(error)
    if reason:
        stderr.print(f"Not compared trajectory by trajectory: {reason}", markup=False, highlight=False)
    show_comparison(comparison, found, as_json)
