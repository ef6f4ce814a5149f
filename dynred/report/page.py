"""Pages: each is a single HTML file that needs no other, with the figures that its folder defines."""

import base64
import io
from collections.abc import Iterable
from importlib import resources
from typing import Any, NamedTuple

import jinja2
import matplotlib
from markupsafe import Markup, escape

from dynred import plugins
from dynred.report.figures.base import STYLE, Figure, Subject, plain_ticks

_MEDIA = {"svg": "image/svg+xml", "png": "image/png"}


class Picture(NamedTuple):
    """A figure on a page, with its image as a data URI."""

    title: str
    caption: str
    uri: str


def render(template: str, figures: Iterable[Figure[Subject]], subject: Subject, **content: Any) -> str:
    """A page as text; the same arguments give the same text.

    Args:
        template: the file beside this one that lays the page out, e.g. `model.html`.
        figures: the figures that the page may have, in order.
        subject: what the figures are drawn from.
        content: what else the template shows, by name.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["coded"] = _coded
    return environment.get_template(template).render(pictures=pictures(figures, subject), **content)


def find_figures(folder: str) -> list[Figure[Any]]:
    """A figure of every figure class that a file of a folder defines, by order."""
    figures: list[Figure[Any]] = [figure_class() for figure_class in plugins.classes(folder, Figure)]
    return sorted(figures, key=lambda figure: (figure.order, figure.title))


def pictures(figures: Iterable[Figure[Subject]], subject: Subject) -> list[Picture]:
    """Every figure that applies, drawn, in order."""
    with matplotlib.rc_context(dict(STYLE)):
        return [
            Picture(figure.title, figure.caption(subject), data_uri(figure, subject))
            for figure in figures
            if figure.applies(subject)
        ]


def data_uri(figure: Figure[Subject], subject: Subject) -> str:
    """The drawn figure as a data URI: in separate images, identifiers of different figures cannot clash."""
    buffer = io.BytesIO()
    # Without date and version, the same page gives the same file.
    metadata = {"Date": None, "Creator": None} if figure.kind == "svg" else {"Software": None}
    drawing = figure.draw(subject)
    plain_ticks(drawing)
    drawing.savefig(buffer, format=figure.kind, metadata=metadata)
    return f"data:{_MEDIA[figure.kind]};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _coded(text: str) -> Markup:
    """Text as HTML, with what stands between backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts))


def _source(template: str) -> str:
    return resources.files("dynred.report").joinpath(template).read_text(encoding="utf-8")
