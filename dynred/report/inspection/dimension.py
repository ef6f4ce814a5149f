"""Dimension against scale."""

import numpy as np
from matplotlib.axes import Axes

from dynred.geometry.verdict import Verdict
from dynred.report.figures.base import (
    ENCODER,
    LINEAR,
    MARK,
    MODEL,
    POD,
    TRUTH,
    TYPICAL,
    Drawing,
    Figure,
    blank,
)

MARKERS = {"TwoNN": ("o", MODEL), "MLE": ("s", LINEAR), "CorrInt": ("^", POD), "MOM": ("v", ENCODER)}


class DimensionAgainstScale(Figure[Verdict]):
    """The estimates of the largest component's dimension at growing scales, and its effective Minkowski dimension."""

    title = "Dimension against scale"
    order = 10

    def applies(self, verdict: Verdict) -> bool:
        """Whether the set is more than isolated points."""
        return bool(verdict.evidence.pieces and verdict.evidence.pieces[0].dimensions)

    def caption(self, verdict: Verdict) -> str:
        """See `Figure.caption`."""
        return (
            "A plateau is the dimension. Curves that rise towards small scales show noise, or a set that is thinner "
            "than it looks from afar; beyond a tenth of the diameter the set's shape bends every estimate. The "
            "effective Minkowski dimension leaves out the most isolated 2 % of the points. Dashed: the verdict's."
        )

    def draw(self, verdict: Verdict) -> Drawing:
        """One line for every estimator."""
        drawing = blank(3.4)
        ax = drawing.subplots()
        against_scale(ax, verdict)
        drawing.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
        return drawing


def against_scale(ax: Axes, verdict: Verdict) -> None:
    """Draws one line for every estimator, and the effective Minkowski dimension."""
    levels = verdict.evidence.pieces[0].dimensions
    scales = np.array([level.scale for level in levels]) / verdict.diameter
    for name, (marker, colour) in MARKERS.items():
        ax.plot(scales, [level.estimates[name] for level in levels], marker=marker, color=colour, label=name)
    covers = verdict.evidence.coverings
    if covers:
        x = [cover.scale / verdict.diameter for cover in covers]
        ax.plot(x, [c.dimension for c in covers], "--", marker=".", color=TYPICAL, label="effective Minkowski")
    ax.axhline(verdict.pieces[0].dimension, color=TRUTH, linestyle="--", linewidth=1)
    ends = 0.8 * scales.min(), 1.25 * max([*scales, *(cover.scale / verdict.diameter for cover in covers)])
    ax.axvspan(0.1, 1.0, color=MARK, alpha=0.08, linewidth=0)
    ax.set(xscale="log", xlim=ends, xlabel="scale / diameter", ylabel="dimension", ylim=(0, None))
    ax.grid(axis="y")
