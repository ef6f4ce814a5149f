"""Run folders side by side, on test trajectories that they have in common."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.evaluation.compare import Comparison, compare_forecasts
from dynred.evaluation.evaluate import checked_test
from dynred.experiments.folder import RunFolder
from dynred.experiments.other_test import OtherTest
from dynred.experiments.stored_run import StoredRun, opened, opened_model
from dynred.metrics.base import Metric, load_metric
from dynred.models.forecast import forecast
from dynred.runtime import Runtime


def compare_runs(
    outs: Sequence[str | Path],
    *,
    data: Trajectories | str | Path | None = None,
    metrics: Sequence[str] = (),
    runtime: Runtime | None = None,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
) -> Comparison:
    """The models of run folders on the first one's test trajectories; their latent dimensions may differ.

    Args:
        outs: the run folders.
        data: other trajectories, or a file of them, to compare the models on instead.
        metrics: names of metrics of one's own; they take the threshold of the first run.
        runtime: reports progress.
        plugins: files whose code may run; see `dynred.experiments.stored_run.opened`.
        trust: whether all code that the runs name may run; see `dynred.experiments.stored_run.opened`.

    Raises:
        FileFormatError: a folder holds no run.
        InputError: the runs have no test in common; see `why_not`.
    """
    loaded = [load_metric(name) for name in metrics]
    if data is not None:
        return _on_other(outs, OtherTest.of(data).moving(), loaded, plugins, trust)
    with ExitStack() as stack:
        runs = [stack.enter_context(opened(out, plugins=plugins, trust=trust)) for out in outs]
        if reason := why_not(runs):
            raise refuse("runs", "comparable on one test", reason)
        models = {name: run.model for name, run in zip(_names(outs), runs, strict=True)}
        threshold = runs[0].spec.threshold
        own = [metric.at(threshold) for metric in loaded]
        parts = runs[0].parts(runtime or Runtime())
        test, held_out = parts.test, parts.held_out
        forecasts = {
            name: forecast(model, checked_test(model, test), held_out.largest) for name, model in models.items()
        }
        return compare_forecasts(forecasts, threshold=threshold, metrics=own, independent=held_out.independent)


def _on_other(
    outs: Sequence[str | Path],
    test: Trajectories,
    metrics: Sequence[Metric],
    plugins: Sequence[str | Path],
    trust: bool,
) -> Comparison:
    with ExitStack() as stack:
        opened_models = [stack.enter_context(opened_model(out, plugins=plugins, trust=trust)) for out in outs]
        models = {name: model for name, (model, *_) in zip(_names(outs), opened_models, strict=True)}
        threshold = RunFolder(outs[0]).threshold
        own = [metric.at(threshold) for metric in metrics]
        forecasts = {name: forecast(model, checked_test(model, test)) for name, model in models.items()}
        return compare_forecasts(forecasts, threshold=threshold, metrics=own)


def _names(outs: Sequence[str | Path]) -> list[str]:
    """The names of run folders; their paths where two have one name."""
    names = [Path(out).name for out in outs]
    return names if len(set(names)) == len(names) else [str(out) for out in outs]


def why_not(runs: Sequence[StoredRun]) -> str:
    """Why runs cannot be compared trajectory by trajectory; empty where they can.

    Every test set of a system will do for all models of that system, because test and training sets come from separate
    random streams. Data are split, so another run may have trained on the test trajectories of the first.
    """
    first, known = runs[0], runs[0].source.fingerprint()
    if any(run.source.changes(known) for run in runs[1:]):
        return f"runs of different systems or data: {', '.join(sorted({run.spec.source for run in runs}))}"
    splits = [(run.spec.seed, run.spec.data) for run in runs]
    if not first.source.simulated and any(split != splits[0] for split in splits):
        return "runs that split the same data differently"
    return ""
