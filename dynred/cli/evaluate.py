"""`dynred evaluate`: score run folders again, side by side."""

from pathlib import Path

from dynred.cli.base import AsJson, show_evaluations, working


def evaluate(runs: list[Path], /, *, device: str = "auto", as_json: AsJson = False) -> None:
    """Score the models of run folders again and renew their reports; several are shown side by side.

    Parameters
    ----------
    runs: Run folders that `dynred reduce` made.
    device: auto, cpu or cuda.
    """
    from dynred.experiment import evaluate_run

    with working(device) as runtime:
        found = [evaluate_run(out, runtime=runtime) for out in runs]
    show_evaluations(found, as_json)
