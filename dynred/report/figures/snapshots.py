"""Snapshots of a field in two dimensions."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from dynred.report.context import Context
from dynred.report.figures.base import GONE, Drawing, Figure, blank, colours, difference_colours, space_label

COLUMNS = 4  # times that are shown


class Snapshots(Figure[Context]):
    """Truth, prediction and difference at a few times."""

    title = "A typical prediction at a few times"
    order = 11
    kind = "png"

    def applies(self, context: Context) -> bool:
        """Whether states are fields in two dimensions of space."""
        return context.grid is not None and len(context.grid.axes) == 2

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        assert context.grid is not None
        valid = f"{context.valid_times[context.typical]:.3g} {context.time_unit}"
        until = f"until t = {valid}" if context.lost[context.typical] else "throughout"
        return (
            f"Field {context.grid.components[0]} of the test trajectory whose valid time is the median, predicted from "
            f"its first state alone: the difference should be pale, and counts as small {until}."
        )

    def draw(self, context: Context) -> Drawing:
        """Rows: truth, prediction, difference; columns: times from the start to twice the valid time."""
        assert context.grid is not None
        chosen, t = _chosen(context), context.elapsed(context.typical)
        start = context.rows(context.typical).start
        x, y = (fields[:, 0] for fields in context.fields([start + k for k in chosen]))
        drawing = blank(5.4)
        axes = drawing.subplots(3, len(chosen), sharex=True, sharey=True, squeeze=False)
        scales = colours(x), colours(x), difference_colours(x)
        for row, title, values, limits in zip(
            axes, ("truth", "prediction", "difference"), (x, y, y - x), scales, strict=True
        ):
            images = [_panel(ax, context, value, limits) for ax, value in zip(row, values, strict=True)]
            row[0].set_ylabel(f"{title}\n{space_label(context.grid.axes[1])}")
            drawing.colorbar(images[0], ax=list(row), label=context.grid.components[0], extend="both")
        for top, bottom, k in zip(axes[0], axes[-1], chosen, strict=True):
            top.set_title(f"t = {t[k]:.3g}")
            bottom.set_xlabel(space_label(context.grid.axes[0]))
        axes[0, 0].set_title(f"t = {t[chosen[0]]:.3g}\n{context.time_unit}")
        return drawing


def _chosen(context: Context) -> list[int]:
    """Snapshots from the start to twice the valid time, or to the end."""
    t = context.elapsed(context.typical)
    until = min(2 * context.valid_times[context.typical] or t[-1], t[-1])
    return sorted({int(np.abs(t - s).argmin()) for s in np.linspace(0, until, COLUMNS)})


def _panel(ax: Axes, context: Context, values: np.ndarray, limits: dict[str, Any]) -> QuadMesh:
    assert context.grid is not None
    across, up = (axis.coordinates.numpy() for axis in context.grid.axes)
    ax.set_facecolor(GONE)
    ax.set_aspect("equal")
    return ax.pcolormesh(across, up, values.T, shading="nearest", **limits)
