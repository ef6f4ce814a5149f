"""Distribution of valid prediction times."""

import numpy as np

from dynred.report.context import Context
from dynred.report.figures.base import LINEAR, MARK, MODEL, Drawing, Figure, blank, time_axis

LEVELS = [0.5, 0.9]  # fractions still valid at the median and at the 10 % quantile


class ValidTimes(Figure[Context]):
    """The fraction of predictions still valid over time."""

    title = "How long predictions stay valid"
    order = 30

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        lasting = int((~context.lost).sum())
        end = f"; {lasting} of {len(context.lost)} last to the end of the test" if lasting else ""
        return f"The fraction of test trajectories whose prediction is still valid at each time{end}."

    def draw(self, context: Context) -> Drawing:
        """A descending staircase; the quantiles of the evaluation as dots."""
        drawing = blank(3.5)
        ax = drawing.subplots()
        t, fraction = _surviving(context.valid_times, context.lost)
        ax.step(t, fraction, where="post", color=MODEL, linewidth=2, label="model")
        own, end = context.evaluation.rollout.valid_time, t[-1]
        ax.plot([own.median, own.p10], LEVELS, "o", color=MODEL, clip_on=False, label="median, 10 % quantile")
        if context.linear is not None:
            other = context.linear.valid_time
            end = max(end, other.median)
            ax.plot([other.median, other.p10], LEVELS, "D", color=LINEAR, clip_on=False, label="linear dynamics")
        for level in LEVELS:
            ax.axhline(level, color=MARK, linestyle=":", linewidth=1)
        ax.set(xlim=(0, 1.03 * end or 1), ylim=(0, 1.02), ylabel="fraction still valid")
        ax.set_yticks([0, 0.25, 0.5, 0.75, 0.9, 1])
        time_axis(context, ax)
        drawing.legend(loc="outside lower center", ncols=3)
        return drawing


def _surviving(valid: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The product-limit estimate (E. L. Kaplan, P. Meier, J. Am. Stat. Assoc. 53, 457 (1958)).

    A trajectory that ends while its prediction is valid says nothing about later times.
    """
    t = np.unique(valid)
    falls = np.array([(lost & (valid == s)).sum() for s in t])
    at_risk = np.array([(valid >= s).sum() for s in t])
    return np.concatenate([[0.0], t]), np.concatenate([[1.0], np.cumprod(1 - falls / at_risk)])
