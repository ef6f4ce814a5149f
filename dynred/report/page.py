"""Pages: each one HTML file that needs nothing beside itself, with the figures that its folder defines."""

import base64
import io
from collections.abc import Iterable
from importlib import resources
from typing import Any, NamedTuple

import jinja2
import matplotlib

from dynred import plugins
from dynred.report.figures.base import STYLE, Figure, Subject

_MEDIA = {"svg": "image/svg+xml", "png": "image/png"}


class Picture(NamedTuple):
    """A figure as a page takes it: the image as a data URI."""

    title: str
    caption: str
    uri: str


def render(template: str, figures: Iterable[Figure[Subject]], subject: Subject, **content: Any) -> str:
    """A page as text; the same arguments give the same text.

    Args:
        template: the file beside this one that lays the page out, e.g. `model.html`.
        figures: those that the page may have, in order.
        subject: what they are drawn from.
        content: what else the template shows, by name.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(pictures=pictures(figures, subject), **content)


def find_figures(folder: str) -> list[Figure[Any]]:
    """One of every figure class that a file of a folder defines, by order."""
    found: list[Figure[Any]] = [item() for item in plugins.classes(folder, Figure)]
    return sorted(found, key=lambda figure: (figure.order, figure.title))


def pictures(figures: Iterable[Figure[Subject]], subject: Subject) -> list[Picture]:
    """Every figure that applies, drawn, in order."""
    with matplotlib.rc_context(dict(STYLE)):
        return [
            Picture(figure.title, figure.caption(subject), data_uri(figure, subject))
            for figure in figures
            if figure.applies(subject)
        ]


def data_uri(figure: Figure[Subject], subject: Subject) -> str:
    """The drawn figure as a data URI; as an image of its own, its identifiers cannot meet those of another."""
    buffer = io.BytesIO()
    # Neither date nor version: the same page is the same file.
    metadata = {"Date": None, "Creator": None} if figure.kind == "svg" else {"Software": None}
    figure.draw(subject).savefig(buffer, format=figure.kind, metadata=metadata)
    return f"data:{_MEDIA[figure.kind]};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _source(template: str) -> str:
    return resources.files("dynred.report").joinpath(template).read_text(encoding="utf-8")
