"""Persistence diagrams."""

import numpy as np
from matplotlib.axes import Axes

from dynred.geometry.homology import Diagram
from dynred.geometry.verdict import Verdict
from dynred.report.figures.base import GONE, LINEAR, MARK, Drawing, Figure, blank


class PersistenceDiagram(Figure[Verdict]):
    """Births and deaths of holes of the largest component, over Z/2 and Z/3."""

    title = "Persistence: holes against sampling noise"
    order = 20

    def applies(self, verdict: Verdict) -> bool:
        """Whether homology was computed."""
        return bool(verdict.evidence.pieces and verdict.evidence.pieces[0].diagrams)

    def caption(self, verdict: Verdict) -> str:
        """See `Figure.caption`."""
        return (
            "A point far above the diagonal is a hole that stays open over many scales (orange); those along the "
            "diagonal are sampling noise, and those born late are gaps between parts of the set. Over Z/3 a Klein "
            "bottle loses a hole of degree 1 and its hole of degree 2, a torus does not. Squares were still open at "
            "the largest distance looked at."
        )

    def draw(self, verdict: Verdict) -> Drawing:
        """One panel for every diagram."""
        diagrams = verdict.evidence.pieces[0].diagrams
        columns = min(2, len(diagrams))
        rows = -(-len(diagrams) // columns)
        drawing = blank(0.3 + 2.9 * rows)
        axes = drawing.subplots(rows, columns, squeeze=False).ravel()
        for ax, diagram in zip(axes, diagrams, strict=False):
            _panel(ax, diagram)
        for ax in axes[len(diagrams) :]:
            ax.set_visible(False)
        return drawing


def _panel(ax: Axes, diagram: Diagram) -> None:
    open_ = ~np.isfinite(diagram.bars[:, 1])
    death = np.where(open_, diagram.limit, diagram.bars[:, 1])
    for mask, colour, size in ((~diagram.holes, GONE, 12), (diagram.holes, LINEAR, 36)):
        for still, marker in ((False, "o"), (True, "s")):
            rows = mask & (open_ == still)
            ax.scatter(diagram.bars[rows, 0], death[rows], s=size, color=colour, marker=marker, linewidths=0)
    ax.plot([0, diagram.limit], [0, diagram.limit], color=MARK, linewidth=1)
    ax.set(xlim=(0, diagram.limit), ylim=(0, 1.05 * diagram.limit), xlabel="birth", ylabel="death")
    ax.set_title(f"degree {diagram.degree} over Z/{diagram.coefficients}: {diagram.betti}", loc="left")
