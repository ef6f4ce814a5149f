"""Where the error comes from: encoder and decoder, or the latent dynamics."""

import numpy as np

from dynred.report.context import Context
from dynred.report.figures.base import (
    ENCODER,
    LINEAR,
    MARK,
    MODEL,
    Drawing,
    Figure,
    blank,
    decades,
    shown_errors,
    time_axis,
)


class ErrorSplit(Figure[Context]):
    """The median error of a prediction beside its two parts."""

    title = "Whose error it is"
    order = 22

    def applies(self, context: Context) -> bool:
        """Whether any reconstruction is finite."""
        return bool(np.isfinite(context.reconstruction_error).any())

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        return (
            "The prediction against the truth, split: where the curve of the encoder is the higher one, a better "
            "reduction would help; where that of the dynamics is, better dynamics would. Medians over trajectories."
        )

    def draw(self, context: Context) -> Drawing:
        """Three curves on a logarithmic axis, up to twice the valid time."""
        drawing = blank(3.5)
        ax = drawing.subplots()
        parts = (
            (context.rollout_error, MODEL, "-", "prediction against truth"),
            (context.reconstruction_error, ENCODER, "-.", "encoder and decoder: reconstruction against truth"),
            (context.dynamics_error, LINEAR, "--", "dynamics: prediction against reconstruction"),
        )
        lowest, threshold = [], context.evaluation.rollout.threshold
        end = 2 * context.evaluation.rollout.valid_time.median
        for error, colour, style, name in parts:
            t, table = context.over_time(error)
            inside = t <= end if (t <= end).sum() > 2 else t >= 0
            curve = shown_errors(np.nanquantile(table, 0.5, axis=0, method="higher"))[inside]
            ax.plot(t[inside], curve, style, color=colour, label=name, linewidth=2 if style == "-" else 1.5)
            lowest.append(curve[1:].min())  # a prediction starts at its reconstruction: no error of the dynamics yet
        ax.axhline(threshold, color=MARK, linestyle=":", linewidth=1.2)
        ax.set_yscale("log")
        ax.set_ylim(decades(0.9 * min([*lowest, threshold]), max(3.0, threshold)))
        ax.set_xlim(0, t[inside][-1])
        ax.set_ylabel("relative error")
        ax.grid(axis="y")
        time_axis(context, ax)
        drawing.legend(loc="outside lower center", ncols=1)
        return drawing
