"""Time series of states that are no field."""

from dynred.report.context import Context
from dynred.report.figures.base import MARK, MODEL, TRUTH, Drawing, Figure, blank, time_axis


class TimeSeries(Figure[Context]):
    """The leading coordinates of truth and prediction over time, for a typical trajectory."""

    title = "The same prediction over time"
    order = 13

    def applies(self, context: Context) -> bool:
        """Whether states have no grid, or are fields in three dimensions."""
        return context.grid is None or len(context.grid.axes) > 2

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        lost = context.lost[context.typical]
        until = " up to the dashed line, where the prediction is lost" if lost else "; it stays valid throughout"
        return f"The prediction's {context.paths} should lie on those of the truth{until}."

    def draw(self, context: Context) -> Drawing:
        """One panel for every coordinate."""
        names, truth, predicted = context.leading
        i = context.typical
        rows, t = context.rows(i), context.elapsed(i)
        broad, style = context.path_style(6), context.path_style(2.5)
        drawing = blank(1.1 + 1.15 * len(names))
        axes = drawing.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
        for k, (ax, name) in enumerate(zip(axes, names, strict=True)):
            ax.plot(t, truth[rows, k], color=TRUTH, linewidth=2.4, alpha=0.35, label="truth", **broad)
            ax.plot(t, predicted[rows, k], color=MODEL, linewidth=1.2, label="prediction", **style)
            ax.set_ylabel(name.removeprefix("POD coordinate "))
            if context.lost[i]:
                ax.axvline(context.valid_times[i], color=MARK, linestyle="--", linewidth=1.2)
        axes[-1].set_xlim(0, t[-1])
        time_axis(context, axes[-1], axes[0])
        drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
        return drawing
