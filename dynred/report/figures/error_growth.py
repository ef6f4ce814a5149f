"""Growth of the rollout's error over time."""

import numpy as np
from matplotlib.axes import Axes

from dynred.report.context import Context
from dynred.report.figures.base import (
    ENCODER,
    LINEAR,
    MARK,
    MODEL,
    TOP,
    Drawing,
    Figure,
    blank,
    decades,
    shown_errors,
    time_axis,
)


class ErrorGrowth(Figure[Context]):
    """Quantiles of the error over trajectories, beside the encoder's share and the linear baseline."""

    title = "How the error grows"
    order = 20

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        return (
            "Error of a state divided by the root mean square distance of true states from their mean: what lies above "
            "the encoder's line is the dynamics' error, the threshold is where a prediction counts as lost, and two "
            "unrelated states are about 1.4 apart."
        )

    def draw(self, context: Context) -> Drawing:
        """Error on a logarithmic axis over time in both units."""
        drawing = blank(3.9)
        ax = drawing.subplots()
        t, error = context.over_time(context.rollout_error)
        q10, q25, median, q75, q90 = _quantiles(error, (0.1, 0.25, 0.5, 0.75, 0.9))
        ax.fill_between(t, q10, q90, color=MODEL, alpha=0.15, linewidth=0, label="10 to 90 % of trajectories")
        ax.fill_between(t, q25, q75, color=MODEL, alpha=0.25, linewidth=0, label="25 to 75 %")
        ax.plot(t, median, color=MODEL, linewidth=2, label="prediction, median")
        floor = _quantiles(context.over_time(context.reconstruction_error)[1], (0.5,))[0]
        ax.plot(t, floor, color=ENCODER, linestyle="-.", label="encoder alone, median")
        if context.linear is not None:
            curve = context.linear.error
            dashes, name = (0, (5, 2)), "linear dynamics, median"
            ax.plot(curve.t, shown_errors(np.array(curve.median)), color=LINEAR, linestyle=dashes, label=name)
        _threshold(ax, context)
        ax.set_yscale("log")
        ax.set_ylim(decades(0.9 * min(q10.min(), floor.min(), context.evaluation.rollout.threshold), TOP / 2))
        ax.set_xlim(0, t[-1])
        ax.set_ylabel("relative error")
        ax.grid(axis="y")
        time_axis(context, ax)
        drawing.legend(loc="outside lower center", ncols=2)
        return drawing


def _threshold(ax: Axes, context: Context) -> None:
    rollout = context.evaluation.rollout
    ax.axhline(rollout.threshold, color=MARK, linestyle=":", linewidth=1.2)
    gone = f"; {rollout.diverged} of {len(context.valid_times)} diverged" if rollout.diverged else ""
    ax.annotate(
        f"threshold {rollout.threshold:g}{gone}",
        (1, rollout.threshold),
        xycoords=("axes fraction", "data"),
        xytext=(-3, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        color=MARK,
        fontsize="small",
    )


def _quantiles(values: np.ndarray, fractions: tuple[float, ...]) -> list[np.ndarray]:
    # "higher" takes a value that occurs, so that infinite errors do not turn into NaN.
    return [shown_errors(np.nanquantile(values, q, axis=0, method="higher")) for q in fractions]
