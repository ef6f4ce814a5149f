"""The numbers behind a drawn figure, read off its axes: every figure has its data, and they are those that are seen."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.figure import Figure as Drawing
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

COLUMNS = ("panel", "series", "kind", "x", "y", "low", "high", "value")
Values = dict[str, Any]


def data_of(drawing: Drawing) -> pd.DataFrame:
    """A table of everything that is drawn, with the columns `COLUMNS`; cells that do not apply are NaN.

    `kind` is `line` (y over x), `band` (from low to high over x), `points`, `image` (value at x, y), `segment`,
    `outline` (of a histogram), or `level` (a line across the panel, at x or at y).
    """
    panels = [ax for ax in drawing.axes if ax.get_label() != "<colorbar>"]
    tables = [
        pd.DataFrame({"panel": _name(i, ax), "series": _label(artist), "kind": kind, **values}, columns=list(COLUMNS))
        for i, ax in enumerate(panels)
        for artist, kind, values in _drawn(ax)
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def _name(i: int, ax: Axes) -> str:
    words = ax.get_title() or ax.get_title(loc="left") or ax.get_ylabel()
    return f"{i + 1}: {' '.join(words.split())}" if words else f"{i + 1}"


def _label(artist: Artist) -> str:
    label = str(artist.get_label() or "")
    return "" if label.startswith("_") else label


def _drawn(ax: Axes) -> Iterator[tuple[Artist, str, Values]]:
    for line in ax.lines:
        yield from _line(ax, line)
    for collection in ax.collections:
        yield from _collection(collection)
    for image in ax.images:
        yield from _image(image)
    for patch in ax.patches:
        if isinstance(patch, Polygon) and patch.get_transform() == ax.transData:
            corners = patch.get_xy()
            yield patch, "outline", {"x": corners[:, 0], "y": corners[:, 1]}


def _line(ax: Axes, line: Line2D) -> Iterator[tuple[Artist, str, Values]]:
    x, y = np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)
    if line.get_transform() == ax.get_yaxis_transform():  # axhline
        yield line, "level", {"y": y[:1]}
    elif line.get_transform() == ax.get_xaxis_transform():  # axvline
        yield line, "level", {"x": x[:1]}
    else:
        yield line, "points" if line.get_linestyle() == "None" else "line", {"x": x, "y": y}


def _collection(collection: Collection) -> Iterator[tuple[Artist, str, Values]]:
    for cls, read in READERS.items():
        if isinstance(collection, cls):
            yield from ((collection, kind, values) for kind, values in read(collection))
            return


def _filled(values: Any) -> np.ndarray:
    """Numbers, NaN where they are masked."""
    filled: np.ndarray = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    return filled


def _points(scatter: PathCollection) -> Iterator[tuple[str, Values]]:
    places = _filled(scatter.get_offsets())
    values = scatter.get_array()
    yield "points", {"x": places[:, 0], "y": places[:, 1], **({} if values is None else {"value": values})}


def _mesh(mesh: QuadMesh) -> Iterator[tuple[str, Values]]:
    corners = _filled(mesh.get_coordinates())
    middles = (corners[1:, 1:] + corners[1:, :-1] + corners[:-1, 1:] + corners[:-1, :-1]) / 4
    values = _filled(mesh.get_array())
    yield "image", {"x": middles[..., 0].ravel(), "y": middles[..., 1].ravel(), "value": values.ravel()}


def _bands(bands: PolyCollection) -> Iterator[tuple[str, Values]]:
    for path in bands.get_paths():  # one for each stretch without a gap
        corners = pd.DataFrame(path.vertices, columns=["x", "y"]).dropna().groupby("x")["y"]
        low, high = corners.min(), corners.max()
        yield "band", {"x": low.index.to_numpy(), "low": low.to_numpy(), "high": high.to_numpy()}


def _segments(lines: LineCollection) -> Iterator[tuple[str, Values]]:
    for segment in lines.get_segments():
        yield "segment", {"x": segment[:, 0], "y": segment[:, 1]}


def _image(image: AxesImage) -> Iterator[tuple[Artist, str, Values]]:
    values = _filled(image.get_array())
    left, right, bottom, top = image.get_extent()
    first, last = (bottom, top) if image.origin == "lower" else (top, bottom)
    x, y = np.meshgrid(_middles(left, right, values.shape[1]), _middles(first, last, values.shape[0]))
    yield image, "image", {"x": x.ravel(), "y": y.ravel(), "value": values.ravel()}


def _middles(first: float, last: float, count: int) -> np.ndarray:
    edges = np.linspace(first, last, count + 1)
    return (edges[1:] + edges[:-1]) / 2


READERS: dict[type[Collection], Callable[[Any], Iterable[tuple[str, Values]]]] = {
    QuadMesh: _mesh,
    PathCollection: _points,
    LineCollection: _segments,
    PolyCollection: _bands,
}
