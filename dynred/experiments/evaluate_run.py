"""The model of a run folder scored again."""

from collections.abc import Sequence
from pathlib import Path

from dynred.arguments import public
from dynred.checks import refuse
from dynred.evaluation.evaluate import score
from dynred.evaluation.evaluation import Evaluation, read_evaluation
from dynred.evaluation.long_time import long_time
from dynred.evaluation.records import Cost
from dynred.experiments.pipeline import calibrated
from dynred.experiments.publish import publish
from dynred.experiments.stored_run import opened
from dynred.metrics.base import load_metric
from dynred.models.forecast import forecast
from dynred.runtime import Runtime


@public
def evaluate_run(
    out: str | Path,
    *,
    long: bool = False,
    metrics: Sequence[str] = (),
    runtime: Runtime | None = None,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
) -> Evaluation:
    """Scores the model of a run folder again, on the same test trajectories, and renews evaluation.json and the report.

    Args:
        out: the run folder.
        long: also roll the model out for very long and compute its Lyapunov exponents
            (`dynred.evaluation.long_time`), which may take half an hour; otherwise the long-time results of an earlier
            evaluation are kept.
        metrics: names of metrics of one's own, e.g. `path/to/mine.py`, for this evaluation alone; they take the
            threshold of the run.
        runtime: names the device and reports progress.
        plugins: files whose code may run; see `opened`.
        trust: whether all code that the run names may run; see `opened`.

    Raises:
        FileFormatError: the folder holds no run, or an unreadable one.
        InputError: the system or data of the run are gone or changed, or its code may not run.
    """
    runtime = runtime or Runtime()
    loaded = [load_metric(name) for name in metrics]  # the caller names them, not the run: they need no permission
    with opened(out, plugins=plugins, trust=trust, to_write=True) as stored:
        spec, model, source = stored.spec, stored.model, stored.source
        if long and source.system is None:
            raise refuse("long", "asked of a run whose system is an equation", f"data, {spec.source}")
        parts = stored.parts(runtime)
        predictions = forecast(model, parts.test, parts.held_out.largest)
        path = stored.folder / "evaluation.json"
        earlier = read_evaluation(path) if path.exists() else None
        scores_over_long_times = earlier.long_time if earlier else None
        if long and source.system is not None:
            scores_over_long_times = long_time(model, source.system, progress=runtime.progress)
        calibration = calibrated(model, parts.validation)
        own = [metric.at(spec.threshold) for metric in loaded]
        evaluation = score(
            *(predictions, model, parts.train, source.system, spec.threshold),
            cost=earlier.cost if earlier else Cost(),
            long_time=scores_over_long_times,
            calibration=calibration,
            metrics=own,
            held_out=source.trusted(parts, spec.threshold),
            notes=parts.notes,
        )
        publish(stored.folder, model, evaluation, predictions, source, calibration, own)
        return evaluation
