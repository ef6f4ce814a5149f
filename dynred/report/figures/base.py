"""The base class of all figures, the context that reports are drawn from, and the look that figures share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Literal, TypeVar

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from dynred.data.grid import Axis
from dynred.report.context import Context

# Okabe and Ito's colours, distinct for every common kind of colour vision; one meaning each throughout the page.
TRUTH, MODEL, LINEAR, POD, ENCODER, MARK = "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"
TYPICAL = "#E69F00"  # the trajectory with the median valid time
GONE = "#BBBBBB"  # where a prediction no longer exists
WIDTH = 6.4  # inches: text of 10 points is still legible when the page is as narrow as a phone
NARROW = 5.0  # inches, below which two panels with long titles do not stand beside each other
DIVERGING = "RdBu_r"  # for signed values; blue and red are told apart by every common kind of colour vision
TOP = 10.0  # larger errors are of no interest; a diverged prediction leaves the picture here
BOTTOM = 1e-8  # smaller errors are of no interest; networks compute in single precision
STYLE: Mapping[str, Any] = {
    "figure.figsize": (WIDTH, 4.8),
    "figure.constrained_layout.w_pad": 0.07,  # inches; images of equal aspect are placed less exactly than by default
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#E5E5E5",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.5,
    "svg.hashsalt": "dynred",  # the same report gives the same file
}

Subject = TypeVar("Subject")


class Figure(ABC, Generic[Subject]):
    """A picture of a page, drawn from what the page is about: a `Context`, or the `Verdict` of an inspection.

    A figure is a class in a file of the page's folder; no list names it.

    Attributes:
        title: what the figure shows, in a few words.
        order: place of the figure on the page; smaller is earlier.
        kind: `svg` for curves, `png` for images and clouds of points.
    """

    title: ClassVar[str]
    order: ClassVar[int]
    kind: ClassVar[Literal["svg", "png"]] = "svg"

    def applies(self, subject: Subject) -> bool:
        """Whether there is anything to show."""
        return True

    @abstractmethod
    def caption(self, subject: Subject) -> str:
        """How to read the figure, in a sentence or two."""

    @abstractmethod
    def draw(self, subject: Subject) -> Drawing:
        """The picture, `WIDTH` inches wide; drawn under `STYLE`."""


def blank(height: float) -> Drawing:
    """A drawing without axes.

    Args:
        height: in inches, where the drawing is `WIDTH` wide. Where the style asks for a narrower one, it is lower by
            the root of the same factor: letters do not shrink as much as the page.
    """
    width = float(matplotlib.rcParams["figure.figsize"][0])
    return Drawing(figsize=(width, height * min(1.0, width / WIDTH) ** 0.5), layout="constrained", dpi=200)


def beside(count: int) -> int:
    """How many panels stand beside each other: up to `count`, where the style asks for a page wide enough, else one."""
    return count if float(matplotlib.rcParams["figure.figsize"][0]) > NARROW else 1


def legend_below(ax: Axes) -> None:
    """A legend below the axes, where it covers nothing."""
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=1, fontsize="small")


def plain_ticks(drawing: Drawing) -> None:
    """Numbers that do not overlap on logarithmic axes: powers of ten alone, or where fewer than two of them are seen
    1, 2 and 5 times these."""
    for ax in drawing.axes:
        for axis in (ax.xaxis, ax.yaxis):
            if axis.get_scale() != "log" or ax.get_label() == "<colorbar>":
                continue
            low, high = sorted(axis.get_view_interval())
            if np.floor(np.log10(high)) - np.ceil(np.log10(low)) < 1:
                axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())


def decades(low: float, high: float) -> tuple[float, float]:
    """Limits of a logarithmic axis around [low, high]: whole decades, so that ticks are plain powers of ten."""
    return 10 ** np.floor(np.log10(low)), 10 ** np.ceil(np.log10(high * 1.001))


def time_axis(context: Context, lowest: Axes, highest: Axes | None = None) -> None:
    """Labels the time axis below `lowest` in time units, and a second one above `highest` in time scales."""
    lowest.set_xlabel(f"time since the start ({context.time_unit})")
    if not context.time_scale_name:
        return
    unit = context.time_scale
    scaled = (lambda t: np.asarray(t) / unit, lambda s: np.asarray(s) * unit)
    above = (highest or lowest).secondary_xaxis("top", functions=scaled)
    above.set_xlabel(f"time ({context.time_scale_name})")


def space_label(axis: Axis) -> str:
    """The name of a direction of space, with its unit."""
    return f"{axis.name} ({axis.unit})" if axis.unit else axis.name


def colours(truth: Float[np.ndarray, "..."]) -> dict[str, Any]:
    """Colour map and limits for a field: diverging and symmetric about zero where it takes both signs."""
    low, high = (float(v) for v in np.quantile(truth, [0.001, 0.999]))
    if low < 0 < high:
        return {"cmap": DIVERGING, "vmin": -max(-low, high), "vmax": max(-low, high)}
    return {"cmap": "viridis", "vmin": low, "vmax": high if high > low else low + 1}


def difference_colours(truth: Float[np.ndarray, "..."]) -> dict[str, Any]:
    """Colour map and limits for differences from a field: the field's own where those are symmetric about zero."""
    own, size = colours(truth), float(np.abs(truth - truth.mean()).max()) or 1.0
    return own if own["cmap"] == DIVERGING else {"cmap": DIVERGING, "vmin": -size, "vmax": size}


def shown_errors(values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Errors for a logarithmic axis: tiny ones become 1e-8, missing or diverged ones leave the picture at the top."""
    return np.clip(np.nan_to_num(values, nan=np.inf, posinf=100 * TOP), BOTTOM, 100 * TOP)


def agreement_words(context: Context, name: str, what: str) -> str:
    """The distance of a long-time statistic in words, with that of chance alone; empty where it was not measured."""
    agreement = context.evaluation.statistics.get(name)
    if agreement is None:
        return ""
    if agreement.ratio is None:
        return f"{what.capitalize()}: distance {agreement.distance:.2g}."
    what = what[0].upper() + what[1:]
    return f"{what}: distance {agreement.distance:.2g}, where chance alone gives {agreement.sampling_error:.2g}."
