"""The POD spectrum."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dynred.geometry.verdict import Verdict
from dynred.report.figures.base import LINEAR, MARK, POD, TRUTH, Drawing, Figure, blank, decades

SHOWN = 64  # modes that are drawn


class Spectrum(Figure[Verdict]):
    """Energy of every POD mode."""

    title = "POD spectrum"
    order = 30

    def caption(self, verdict: Verdict) -> str:
        """See `Figure.caption`."""
        noise = " The flat tail is noise and was left out." if verdict.evidence.sample.noise > 0 else ""
        return (
            "Energy counts the linear coordinates that a curved set needs, not its dimension (dashed). From the dotted "
            f"line on, the leading coordinates tell all states of the sample apart.{noise}"
        )

    def draw(self, verdict: Verdict) -> Drawing:
        """Energy over mode, logarithmic."""
        drawing = blank(2.8)
        ax = drawing.subplots()
        energies(ax, verdict)
        drawing.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
        return drawing


def energies(ax: Axes, verdict: Verdict) -> None:
    """Draws energy over mode, logarithmic."""
    sample = verdict.evidence.sample
    energy = np.clip(sample.energy[:SHOWN], 1e-16, None)
    mode = np.arange(1, len(energy) + 1)
    kept = mode <= sample.rank
    ax.plot(mode[kept], energy[kept], "o", color=POD, markersize=4, label="kept")
    if not kept.all():
        ax.plot(mode[~kept], energy[~kept], "o", color=MARK, markersize=3, label="noise or round-off")
    ax.axvline(verdict.dimension, color=TRUTH, linestyle="--", linewidth=1, label="dimension")
    ax.axvline(verdict.projects_from, color=LINEAR, linestyle=":", linewidth=1.5, label="one-to-one from here")
    ax.set(yscale="log", xlabel="mode", ylabel="fraction of the energy", ylim=decades(energy.min(), energy.max()))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y")
