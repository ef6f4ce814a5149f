"""`dynred evaluate`: score run folders again, side by side."""

from pathlib import Path
from typing import Annotated, Any

from dynred.cli._completion import completed
from dynred.cli._completion import runs as completed_runs
from dynred.cli._options import COMPUTATION, DATA, SOURCE, AsJson, Device, Plugins, Trust, flag, option
from dynred.cli.base import show_comparison, show_evaluation, stderr, working

EXAMPLES = """
dynred evaluate runs/ks
dynred evaluate runs/ks --long                   # long-time statistics
dynred evaluate runs/ks --data new.npz           # on other trajectories
dynred evaluate runs/a runs/b                    # on the test of the first
"""

Data = Annotated[
    Path | None,
    option(
        DATA,
        "A file of other trajectories to score the model on, of the same dimension and parameters; velocities are "
        "estimated where it has none. The run folders stay as they are.",
    ),
]
Long = Annotated[
    bool,
    flag(
        COMPUTATION,
        "Also roll out for 10,000 time units and compute Lyapunov exponents of both models; may take half an hour.",
    ),
]
MetricName = Annotated[
    list[str] | None,
    option(COMPUTATION, "A metric of your own beside dynred's, e.g. path/to/mine.py; repeatable.", "--metric"),
]


def evaluate(
    runs: Annotated[list[Path], option(SOURCE, "Run folders that `dynred reduce` made.", **completed(completed_runs))],
    /,
    *,
    data: Data = None,
    long: Long = False,
    metric: MetricName = None,
    device: Device = "auto",
    plugin: Plugins = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Score the models of run folders again and renew their reports; several are compared on one test."""
    from dynred.experiments.evaluate_runs import evaluate_runs

    permitted: dict[str, Any] = {"metrics": metric or [], "plugins": plugin or [], "trust": trust}
    with working(device) as runtime:
        scores = evaluate_runs(runs, long=long, data=data, runtime=runtime, **permitted)
    if len(runs) == 1:
        show_evaluation(scores.evaluations[0], as_json)
        return
    if scores.reason:
        stderr.print(f"Not compared trajectory by trajectory: {scores.reason}", markup=False, highlight=False)
    show_comparison(scores.comparison, scores.evaluations, as_json)
