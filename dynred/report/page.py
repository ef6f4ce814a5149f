"""The report: one HTML page that needs nothing beside itself."""

import base64
import io
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import matplotlib

from dynred import plugins
from dynred.evaluation.certificate import Certificate
from dynred.evaluation.evaluation import Evaluation
from dynred.files import is_page, write_text
from dynred.models.base import Model
from dynred.models.forecast import Forecast
from dynred.ode.grid import Grid
from dynred.report import summary, tables
from dynred.report.figures.base import STYLE, Context, Figure

FOLDER = "dynred.report.figures"
_MEDIA = {"svg": "image/svg+xml", "png": "image/png"}


class Picture(NamedTuple):
    """A figure as the page takes it: the image as a data URI."""

    title: str
    caption: str
    uri: str


FACTS = ("schema", "digest", "seed", "threads")  # of experiment.json; paths of whoever made the run are not shown


def write_report(
    path: str | Path,
    model: Model,
    evaluation: Evaluation,
    forecast: Forecast,
    *,
    grid: Grid | None = None,
    certificate: Certificate | None = None,
    settings: Mapping[str, Any],
    ours: Callable[[Path], bool] = is_page,
) -> None:
    """Writes the report as one self-contained HTML page, moved into place.

    Args:
        path: of the page.
        model: the reduced model.
        evaluation: its scores; every number on the page is one of these.
        forecast: the predictions that were scored; every curve and cloud is drawn from these.
        grid: for fields, how a state is laid out in space.
        certificate: what can be promised of the model on K; None leaves it out.
        settings: the content of experiment.json, plain JSON: `spec`, `versions`, and facts like `seed` and `digest`.
        ours: whether what is at `path` may be replaced.
    """
    write_text(path, render(Context(model, evaluation, forecast, grid, certificate), settings), ours)


def render(context: Context, settings: Mapping[str, Any]) -> str:
    """The page as text; the same arguments give the same text."""
    source = resources.files("dynred.report").joinpath("page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    facts = {key: settings[key] for key in FACTS if key in settings}
    return environment.from_string(source).render(
        title=summary.title(context),
        verdict=summary.verdict(context),
        threshold=context.evaluation.rollout.threshold,
        key_numbers=summary.key_numbers(context),
        results=tables.results(context),
        exponents=tables.exponents(context),
        latent_dim=context.evaluation.latent_dim,
        certificate=context.certificate,
        pictures=pictures(context),
        costs=summary.costs(context),
        origin=summary.origin(context),
        settings=summary.settings_rows(settings.get("spec", {})),
        versions=summary.settings_rows({**facts, **settings.get("versions", {})}),
    )


def pictures(context: Context) -> list[Picture]:
    """Every figure that applies, drawn, in order."""
    with matplotlib.rc_context(dict(STYLE)):
        return [
            Picture(figure.title, figure.caption(context), data_uri(figure, context))
            for figure in find_figures()
            if figure.applies(context)
        ]


def find_figures() -> list[Figure]:
    """One of every figure class that a file of this folder defines, by order."""
    found = [item() for item in plugins.classes(FOLDER, Figure)]
    return sorted(found, key=lambda figure: (figure.order, figure.title))


def data_uri(figure: Figure, context: Context) -> str:
    """The drawn figure as a data URI; as an image of its own, its identifiers cannot meet those of another."""
    buffer = io.BytesIO()
    # Neither date nor version: the same report is the same file.
    metadata = {"Date": None, "Creator": None} if figure.kind == "svg" else {"Software": None}
    figure.draw(context).savefig(buffer, format=figure.kind, metadata=metadata)
    return f"data:{_MEDIA[figure.kind]};base64,{base64.b64encode(buffer.getvalue()).decode()}"
