"""How the delays of a model were chosen."""

import numpy as np

from dynred.data.transforms.delays import Delays
from dynred.report.context import Context
from dynred.report.figures.base import MARK, MODEL, Drawing, Figure, blank


class DelayCurves(Figure[Context]):
    """Mutual information over the lag, and false nearest neighbours over the number of delays."""

    title = "Lag and number of the delays"
    order = 62

    def applies(self, context: Context) -> bool:
        """Whether the data chose the delays."""
        return _chosen(context) is not None

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        return (
            "Left: what a sample tells of the one so many snapshots later, with the lag that was chosen marked. Right: "
            "nearest neighbours that one more delay of that lag drives apart; below the dashed line they may be chance."
        )

    def draw(self, context: Context) -> Drawing:
        """Two panels beside each other."""
        delays = _chosen(context)
        assert delays is not None
        information, false = delays.information.numpy(), delays.false.numpy()
        drawing = blank(2.9)
        left, right = drawing.subplots(1, 2)
        left.plot(np.arange(1, len(information) + 1), information, color=MODEL)
        left.axvline(delays.apart, color=MARK, linestyle="--", linewidth=1.2)
        left.set(xlabel="lag, snapshots", ylabel="mutual information", ylim=(0, None))
        right.plot(np.arange(1, len(false) + 1), 100 * false, color=MODEL, marker="o", markersize=4)
        right.axhline(100 * delays.allowed, color=MARK, linestyle="--", linewidth=1.2)
        right.set(xlabel="delays", ylabel="false neighbours, %", ylim=(0, None))
        return drawing


def _chosen(context: Context) -> Delays | None:
    delays = (part for part in context.model.transforms if isinstance(part, Delays) and len(part.false))
    return next(delays, None)
