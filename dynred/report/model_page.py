"""The report of a reduced model: what it scored, and what that looks like."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dynred.data.grid import Grid
from dynred.evaluation.certificate import Certificate
from dynred.evaluation.evaluation import Evaluation
from dynred.files import is_page, write_text
from dynred.metrics.base import Metric
from dynred.models.base import Model
from dynred.models.forecast import Forecast
from dynred.report import page, summary, tables
from dynred.report.context import Context

FOLDER = "dynred.report.figures"
# Entries of experiment.json that the page shows; it shows no paths of whoever made the run.
FACTS = ("schema", "digest", "seed", "threads")


def write_report(
    path: str | Path,
    model: Model,
    evaluation: Evaluation,
    forecast: Forecast,
    *,
    grid: Grid | None = None,
    certificate: Certificate | None = None,
    metrics: Sequence[Metric] = (),
    settings: Mapping[str, Any],
    ours: Callable[[Path], bool] = is_page,
) -> None:
    """Writes the report as one self-contained HTML page.

    The page is written under a temporary name and moved into place.

    Args:
        path: path of the page.
        model: the reduced model.
        evaluation: its scores; every number on the page is one of these.
        forecast: the predictions that were scored; every curve and cloud is drawn from these.
        grid: for fields, how a state is laid out in space.
        certificate: what can be promised of the model on K; None leaves it out.
        metrics: the metrics of the evaluation that are not dynred's.
        settings: the content of experiment.json, plain JSON: `spec`, `versions`, and facts like `seed` and `digest`.
        ours: tells whether the file at `path` may be replaced.
    """
    write_text(path, render(Context(model, evaluation, forecast, grid, certificate, metrics), settings), ours)


def render(context: Context, settings: Mapping[str, Any]) -> str:
    """The page as text; the same arguments give the same text."""
    facts = {key: settings[key] for key in FACTS if key in settings}
    return page.render(
        "model.html",
        page.find_figures(FOLDER),
        context,
        title=summary.title(context),
        verdict=summary.verdict(context),
        threshold=context.evaluation.rollout.threshold,
        key_numbers=summary.key_numbers(context),
        results=tables.results(context),
        exponents=tables.exponents(context),
        heads=context.evaluation.heads(),
        findings=context.evaluation.findings,
        test=context.evaluation.test_words,
        closing=context.evaluation.closing,
        certificate=context.certificate,
        costs=summary.costs(context),
        origin=summary.origin(context),
        settings=summary.settings_rows(settings.get("spec", {})),
        versions=summary.settings_rows({**facts, **settings.get("versions", {})}),
    )
