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
            (`dynred.evaluation.long_time`), which may take half an hour; without, what was found of these before is
            kept.
        metrics: names of metrics of one's own, e.g. `path/to/mine.py`, for this time; at the threshold of the run.
        runtime: device and progress.
        plugins, trust: which code of one's own may run; see `opened`.

    Raises:
        FileFormatError: no run there, or an unreadable one.
        InputError: its system or data are gone or changed, or its code may not run.
    """
    runtime = runtime or Runtime()
    named = [load_metric(name) for name in metrics]  # by the caller: no code that the run names
    with opened(out, plugins=plugins, trust=trust, to_write=True) as stored:
        spec, model, source = stored.spec, stored.model, stored.source
        if long and source.system is None:
            raise refuse("long", "asked of a run whose system is an equation", f"data, {spec.source}")
        train, validation, test = stored.parts(runtime)
        found = forecast(model, test)
        before = stored.folder / "evaluation.json"
        known = read_evaluation(before) if before.exists() else None
        extra = known.long_time if known else None
        if long and source.system is not None:
            extra = long_time(model, source.system, progress=runtime.progress)
        cost = known.cost if known else Cost()
        calibration = calibrated(model, validation)
        own = [metric.at(spec.threshold) for metric in named]
        scored = score(
            *(found, model, train, source.system, spec.threshold),
            cost=cost,
            long_time=extra,
            calibration=calibration,
            metrics=own,
        )
        publish(stored.folder, model, scored, found, source, calibration, own)
        return scored
