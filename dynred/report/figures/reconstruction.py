"""Distribution of the reconstruction error."""

import numpy as np
from matplotlib.axes import Axes

from dynred.evaluation.records import Quantiles
from dynred.report.context import Context
from dynred.report.figures.base import ENCODER, POD, Drawing, Figure, blank, decades

MARKERS = {"median": ("o", "median"), "p95": ("|", "95 %"), "p99": ("d", "99 %"), "max": ("x", "maximum")}


class Reconstruction(Figure[Context]):
    """Histogram of the error of decode(encode(x)) over test snapshots, with quantiles."""

    title = "How well states are reconstructed"
    order = 40

    def applies(self, context: Context) -> bool:
        """Whether any reconstruction is finite."""
        return bool(np.isfinite(context.reconstruction_error).any())

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        return (
            "Distance between a state and its reconstruction, divided by the root mean square distance from the mean. "
            "Watch the maximum: where the latent space cannot carry the set of states, it is large while the median "
            "is small."
        )

    def draw(self, context: Context) -> Drawing:
        """The histogram above, the quantiles of model and POD below, on one axis."""
        error = np.maximum(context.reconstruction_error[np.isfinite(context.reconstruction_error)], 1e-17)
        lines = [("model", context.evaluation.reconstruction.relative_error, ENCODER)]
        if context.pod is not None:
            lines.append((f"POD {context.evaluation.latent_dim}", context.pod.relative_error, POD))
        drawing = blank(3.6)
        above, below = drawing.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        low, high = np.log10(error.min()), np.log10(error.max())
        edges = np.logspace(low, high, 41) if high - low > 1e-6 else np.logspace(low - 0.5, high + 0.5, 41)
        edges[[0, -1]] = min(edges[0], error.min()), max(edges[-1], error.max())  # round-off leaves none outside
        weights = np.full(len(error), 100 / len(error))
        above.hist(error, edges, weights=weights, color=ENCODER, alpha=0.75)
        above.set_xscale("log")
        ends = [value for _, quantiles, _ in lines for value in quantiles.numbers().values() if np.isfinite(value)]
        above.set_xlim(decades(error.min(), max([error.max(), *ends])))
        above.set_ylabel("% of snapshots")
        for row, (_, quantiles, colour) in enumerate(lines):
            _quantiles(below, -row, quantiles, colour)
        below.set_yticks([-row for row in range(len(lines))], [name for name, _, _ in lines])
        below.set_ylim(-len(lines) + 0.4, 0.6)
        below.set_xlabel("relative error of a reconstructed state")
        handles = [below.plot([], [], marker, color="black", label=name)[0] for marker, name in MARKERS.values()]
        drawing.legend(handles=handles, loc="outside lower center", ncols=4)
        return drawing


def _quantiles(ax: Axes, row: float, quantiles: Quantiles, colour: str) -> None:
    values = {name: max(value, 1e-17) for name, value in quantiles.numbers().items() if np.isfinite(value)}
    ax.plot(list(values.values()), [row] * len(values), color=colour, linewidth=1)
    for name, value in values.items():
        ax.plot(value, row, MARKERS[name][0], color=colour, markersize=7, markeredgewidth=2)
