"""Training curves."""

import numpy as np
from matplotlib.axes import Axes

from dynred.report.context import Context
from dynred.report.figures.base import MARK, MODEL, TRUTH, Drawing, Figure, beside, blank, decades
from dynred.training.minimise import History

COLUMNS = 2
FLOOR = 1e-16  # where a loss of exactly 0 is drawn


class Training(Figure[Context]):
    """Training and validation loss of every stage."""

    title = "How it was trained"
    order = 50

    def applies(self, context: Context) -> bool:
        """Whether the model was trained."""
        return any(history.step for history in context.model.histories)

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        return (
            "The weights of the lowest validation loss (circle) were kept. A validation loss that rises while the "
            "training loss falls asks for more data; one that still falls at the end, for more steps."
        )

    def draw(self, context: Context) -> Drawing:
        """One panel for every stage."""
        stages = [history for history in context.model.histories if history.step]
        columns = beside(min(COLUMNS, len(stages)))
        rows = -(-len(stages) // columns)
        drawing = blank(0.5 + 2.6 * rows)
        axes = drawing.subplots(rows, columns, squeeze=False).ravel()
        for ax, history in zip(axes, stages, strict=False):
            _stage(ax, history)
        for ax in axes[len(stages) :]:
            ax.set_visible(False)
        drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return drawing


def _stage(ax: Axes, history: History) -> None:
    step = np.array(history.step)
    for values, colour, style, name in (
        (history.training, MARK, "--", "training loss"),
        (history.validation, MODEL, "-", "validation loss"),
    ):
        loss = np.array(values, dtype=float)
        loss[~np.isfinite(loss)] = np.nan
        ax.plot(step, np.maximum(loss, FLOOR), style, color=colour, marker=".", label=name)
    if history.best_step in history.step:
        best = history.validation[history.step.index(history.best_step)]
        ax.plot(history.best_step, max(best, FLOOR), "o", color=TRUTH, fillstyle="none", markersize=9, label="kept")
    ax.set_yscale("log")
    ax.set_ylim(decades(*ax.get_ylim()))
    ax.set(xlabel="steps", ylabel="loss")
    ax.set_title(f"{history.stage}: {history.step[-1]} steps, {history.seconds[-1]:.3g} s", loc="left")
    ax.grid(axis="y")
