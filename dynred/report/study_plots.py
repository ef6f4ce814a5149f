"""What `study.plot(...)` draws: a score against an axis, over all that is not named."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes

BAND = (0.1, 0.9)  # quantiles
TICKS = 12  # values of an axis up to which each has its tick
DECADES = 1.5  # a score that spans more is drawn in logarithms
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def draw(frame: pd.DataFrame, x: str, y: str, by: str | None = None, ax: Axes | None = None) -> Axes:
    """Draws a score against an axis of a study.

    Args:
        frame: the table of the study.
        x: the axis.
        y: the score.
        by: another axis, each of whose values gets a line; None draws one line.
        ax: axes of matplotlib; None makes a figure.
    """
    ax = pyplot.subplots(layout="constrained")[1] if ax is None else ax
    rows = frame[np.isfinite(frame[y].to_numpy(dtype=float))]
    levels = in_order(frame[x])
    numbers = are_numbers(levels)
    places = {name: value if numbers else i for i, (name, value) in enumerate((word(v), v) for v in levels)}
    groups = (
        [(None, rows)]
        if by is None
        else [(level, rows[rows[by].map(word) == word(level)]) for level in in_order(frame[by])]
    )
    for i, (level, group) in enumerate(groups):
        _line(ax, group, x, y, places, COLOURS[i % len(COLOURS)], None if level is None else f"{by} = {word(level)}")
    if by is not None:
        ax.legend()
    if not numbers:
        ax.set_xticks(list(places.values()), list(places))
    else:
        ax.set_xscale("log" if logarithmic(levels) else "linear")
        if len(levels) <= TICKS:
            ax.set_xticks(levels, [word(level) for level in levels], minor=False)
            ax.minorticks_off()
    if logarithmic(rows[y].tolist()):
        ax.set_yscale("log")
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    return ax


def _line(ax: Axes, rows: pd.DataFrame, x: str, y: str, places: dict[str, Any], colour: str, label: str | None) -> None:
    """The median over rows of the same x, and the band between two quantiles."""
    values = {name: rows[y][rows[x].map(word) == name].to_numpy() for name in places}
    values = {name: each for name, each in values.items() if len(each)}
    at = [places[name] for name in values]
    ax.plot(at, [np.median(each) for each in values.values()], "o-", ms=4, color=colour, label=label)
    low, high = ([np.quantile(each, q) for each in values.values()] for q in BAND)
    ax.fill_between(at, low, high, color=colour, alpha=0.2, lw=0)


def word(value: object) -> str:
    """A value of an axis in words; one that is missing is the default."""
    if value is None or value != value:
        return "default"
    number = isinstance(value, float | np.floating)
    return f"{value:g}" if number else str(value)


def in_order(values: Sequence[Any] | pd.Series) -> list[Any]:
    """The different values of an axis: numbers by their size, others as they come."""
    different = list({word(value): value for value in values}.values())
    return sorted(different) if are_numbers(different) else different


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether all values are finite numbers."""
    kinds = int | float | np.integer | np.floating
    return all(isinstance(v, kinds) and not isinstance(v, bool) and np.isfinite(v) for v in values)


def logarithmic(values: Sequence[float]) -> bool:
    """Whether values are positive and span decades."""
    return bool(values) and min(values) > 0 and bool(np.log10(max(values) / min(values)) > DECADES)
