"""Space-time plots of a field in one dimension."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.ticker import MaxNLocator

from dynred.report.context import Context
from dynred.report.figures.base import (
    GONE,
    Drawing,
    Figure,
    blank,
    colours,
    difference_colours,
    space_label,
    time_axis,
)

COMPONENTS = 2  # more would fill the page, and the others are predicted about as well as these


class SpaceTime(Figure[Context]):
    """Truth, prediction and difference of the trajectory with the median valid time."""

    title = "A typical prediction in space and time"
    order = 10
    kind = "png"

    def applies(self, context: Context) -> bool:
        """Whether states are fields in one dimension of space."""
        return context.grid is not None and len(context.grid.axes) == 1

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        until = "up to the dashed line, the valid time" if context.lost[context.typical] else "throughout"
        return (
            "The test trajectory whose valid time is the median, predicted from its first state alone: "
            f"the difference should be pale, and counts as small {until}."
        )

    def draw(self, context: Context) -> Drawing:
        """Three panels below each other for every component, on one colour scale where the signs allow it."""
        assert context.grid is not None
        rows, shown = context.rows(context.typical), context.grid.components[:COMPONENTS]
        truth, predicted = context.fields(rows)
        drawing = blank(4.6 * len(shown))
        parts = drawing.subfigures(len(shown), 1, squeeze=False)[:, 0]
        for c, (part, name) in enumerate(zip(parts, shown, strict=True)):
            axes = part.subplots(3, 1, sharex=True)
            _component(context, list(axes), name, truth[:, c], predicted[:, c])
            time_axis(context, axes[-1], axes[0])
        return drawing


def _component(context: Context, axes: Sequence[Axes], name: str, x: np.ndarray, y: np.ndarray) -> None:
    """The panels of one component, from its values [T, n] in truth and prediction."""
    own, signed = colours(x), difference_colours(x)
    images = [
        _panel(context, ax, title, values, limits)
        for ax, title, values, limits in zip(
            axes, ("truth", "prediction", "difference"), (x, y, y - x), (own, own, signed), strict=True
        )
    ]
    bar = axes[0].figure.colorbar
    if own == signed:
        bar(images[0], ax=list(axes), label=name, aspect=40, extend="both")
    else:
        for ax, image, label in zip(axes, images, (name, name, f"{name}, difference"), strict=True):
            bar(image, ax=ax, label=label, extend="both")


def _panel(context: Context, ax: Axes, title: str, values: np.ndarray, limits: dict[str, Any]) -> QuadMesh:
    assert context.grid is not None
    axis, i = context.grid.axes[0], context.typical
    ax.set_facecolor(GONE)
    ax.yaxis.set_major_locator(MaxNLocator(3))  # ticks that depend on the panel's height confuse the layout
    ax.set_ylabel(f"{title}\n{space_label(axis)}")
    if context.lost[i]:
        ax.axvline(context.valid_times[i], color="black", linestyle="--", linewidth=1.2)
    t = context.elapsed(i)
    image = ax.pcolormesh(t, axis.coordinates.numpy(), values.T, shading="nearest", **limits)
    ax.set_xlim(t[0], t[-1])  # cells are centred at their times, so the outermost cells would stick out
    return image
