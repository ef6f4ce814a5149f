"""How often the calibrated band around predictions holds the truth, over time."""

from dynred.report.context import Context
from dynred.report.figures.base import MARK, MODEL, Drawing, Figure, blank, time_axis


class BandCoverage(Figure[Context]):
    """The fraction of true values within the band, beside the fraction that it promises."""

    title = "Can the band be trusted?"
    order = 15

    def applies(self, context: Context) -> bool:
        """Whether validation trajectories allowed a calibration."""
        return context.evaluation.band is not None

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        band = context.evaluation.band
        assert band is not None
        return (
            f"A band around predictions that should hold {100 * band.level:g} % of the true values, its width "
            "calibrated on validation trajectories: on test trajectories the curve should stay near the dashed line. "
            f"{'Shaded: 95 % interval over trajectories. ' if band.low else ''}"
            "`dynred.predict_band` gives such bands around predictions of your own."
        )

    def draw(self, context: Context) -> Drawing:
        """The fraction over time."""
        band = context.evaluation.band
        assert band is not None
        drawing = blank(2.6)
        ax = drawing.subplots()
        if band.low is not None and band.high is not None:
            ax.fill_between(band.t, band.low, band.high, color=MODEL, alpha=0.25, linewidth=0)
        ax.plot(band.t, band.holds, color=MODEL, label="test trajectories")
        ax.axhline(band.level, color=MARK, linestyle="--", linewidth=1.2, label="promised")
        ax.set(xlim=(0, band.t[-1]), ylim=(min(0.7, *(band.low or band.holds)), 1), ylabel="fraction in the band")
        time_axis(context, ax, ax)
        drawing.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
        return drawing
