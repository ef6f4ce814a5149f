"""Joint density of two quantities in truth and prediction."""

import numpy as np
from matplotlib.colors import LogNorm

from dynred.report.context import Context
from dynred.report.figures.base import Drawing, Figure, agreement_words, blank

DECADES = 4  # powers of ten of density that the colours tell apart


class JointDensities(Figure[Context]):
    """Densities of truth and prediction side by side, on one logarithmic scale."""

    title = "Where long rollouts spend their time"
    order = 34
    kind = "png"

    def applies(self, context: Context) -> bool:
        """Whether states have two dimensions or more."""
        return context.forecast.truth.dim > 1 and "joint_density" in context.gauges

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        words = agreement_words(context, "joint_density", "the joint density")
        return f"The later halves of all test trajectories: equal pictures mean equal long-time statistics. {words}"

    def draw(self, context: Context) -> Drawing:
        """Two panels and one colour bar."""
        gauge = context.gauges["joint_density"]
        x, y = gauge.axes
        area = (x[1] - x[0]) * (y[1] - y[0])
        truth, predicted = (context.average(part)[1:-1, 1:-1] / area for part in context.measured("joint_density"))
        top = float(truth.max())
        norm = LogNorm(10.0 ** (np.ceil(np.log10(top)) - DECADES), 10.0 ** np.ceil(np.log10(top)))
        drawing = blank(3.2)
        axes = drawing.subplots(1, 2, sharex=True, sharey=True)
        for ax, name, density in zip(axes, ("truth", "prediction"), (truth, predicted), strict=True):
            seen = np.ma.masked_less_equal(density.T, 0)
            image = ax.pcolormesh(x, y, seen, norm=norm, cmap="viridis", rasterized=True)
            ax.set_title(name, loc="left")
            ax.set_xlabel(gauge.labels[0])
        axes[0].set_ylabel(gauge.labels[1])
        drawing.colorbar(image, ax=list(axes), label="probability density", extend="min")
        return drawing
