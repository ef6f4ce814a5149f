"""The model of a run folder scored again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dynred.arguments import public
from dynred.checks import refuse
from dynred.data.split import named
from dynred.data.trajectories import Trajectories
from dynred.evaluation.evaluate import checked_test, score
from dynred.evaluation.evaluation import Evaluation, read_evaluation
from dynred.evaluation.long_time import long_time
from dynred.evaluation.records import Cost, Finding
from dynred.experiments.folder import RunFolder
from dynred.experiments.other_test import OtherTest
from dynred.experiments.pipeline import calibrated
from dynred.experiments.publish import publish
from dynred.experiments.stored_run import StoredRun, opened, opened_model
from dynred.experiments.transform_parts import prepared
from dynred.metrics.base import Metric, load_metric
from dynred.models.base import Model
from dynred.models.forecast import forecast_to_score
from dynred.runtime import Runtime


@public
def evaluate_run(
    out: str | Path,
    *,
    long: bool = False,
    data: Trajectories | str | Path | None = None,
    metrics: Sequence[str] = (),
    runtime: Runtime | None = None,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
) -> Evaluation:
    """Scores the model of a run folder again, on the same test trajectories, and renews evaluation.json and the report.

    Args:
        out: the run folder.
        data: other trajectories of the same dimension and parameters to score the model on, or a file of them; of
            fields of any size that fits, where the model is local. The
            folder then stays as it is, and may have been moved away from its system or data: only the baselines need
            these.
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
    if data is None:
        with opened(out, plugins=plugins, trust=trust, to_write=True) as stored:
            return _again(stored, long, loaded, runtime)
    if long:
        raise refuse("long", "left out where the model is scored on other data", "both")
    test, threshold = OtherTest.of(data), RunFolder(out).threshold
    own = [metric.at(threshold) for metric in loaded]
    with opened_model(out, plugins=plugins, trust=trust) as (model, run, reason):
        resized = model.for_states(test.trajectories.dim)
        reason = reason if resized is model else "the test's fields are of another size than those of the training."
        if run is None or resized is not model:
            return _without_training(test, resized, reason, own, threshold)
        return _on_other(test, run, own, threshold, runtime)


def _again(stored: StoredRun, long: bool, metrics: Sequence[Metric], runtime: Runtime) -> Evaluation:
    """The scores on the run's own test, which replace those in its folder."""
    spec, model, source = stored.spec, stored.model, stored.source
    if long and source.system is None:
        raise refuse("long", "asked of a run whose system is an equation", f"data, {spec.source}")
    parts = stored.parts(runtime)
    parts = prepared(model, source.trusted(parts, spec.data, spec.seed, spec.threshold, runtime))
    predictions = forecast_to_score(model, parts.test, parts.held_out.largest)
    path = stored.folder / "evaluation.json"
    earlier = read_evaluation(path) if path.exists() else None
    scores_over_long_times = earlier.long_time if earlier else None
    if long and source.system is not None:
        scores_over_long_times = long_time(model, source.system, progress=runtime.progress)
    calibration = calibrated(model.core, parts.validation)
    own = [metric.at(spec.threshold) for metric in metrics]
    evaluation = score(
        *(predictions, model, parts.train, source.system, spec.threshold),
        cost=earlier.cost if earlier else Cost(),
        long_time=scores_over_long_times,
        calibration=calibration,
        metrics=own,
        held_out=parts.held_out,
        notes=parts.notes,
    )
    publish(stored.folder, model, evaluation, predictions, source, calibration, own)
    return evaluation


def _on_other(
    test: OtherTest, run: StoredRun, metrics: Sequence[Metric], threshold: float, runtime: Runtime
) -> Evaluation:
    """The scores on other trajectories, beside the baselines of the run's training."""
    train, model = run.parts(runtime).train, run.model
    predictions = forecast_to_score(model, model.prepared(test.beside(train, None)))
    seen = test.among(train)
    evaluation = score(
        *(predictions, model, model.prepared(train), run.source.system, threshold),
        metrics=metrics,
        held_out=replace(test.held_out, how="given") if seen else test.held_out,
    )
    words = f"The model was trained on {len(seen)} of the {len(test.trajectories)} trajectories: {named(seen)}."
    return _told(evaluation, Finding("trained_on", words, float(len(seen)))) if seen else evaluation


def _without_training(
    test: OtherTest, model: Model, reason: str, metrics: Sequence[Metric], threshold: float
) -> Evaluation:
    """The scores on other trajectories where the run's training cannot be had, for a reason."""
    predictions = forecast_to_score(model, model.prepared(checked_test(model, test.moving())))
    evaluation = score(predictions, model, threshold=threshold, metrics=metrics, held_out=test.held_out)
    return _told(evaluation, Finding("no_baselines", f"There are no baselines: {reason}"))


def _told(evaluation: Evaluation, finding: Finding) -> Evaluation:
    return replace(evaluation, findings=(finding, *evaluation.findings))
