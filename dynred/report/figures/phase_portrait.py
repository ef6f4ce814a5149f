"""Phase portrait of states that are no field."""

from itertools import combinations

from dynred.report.context import Context
from dynred.report.figures.base import MODEL, TRUTH, Drawing, Figure, blank


class PhasePortrait(Figure[Context]):
    """Truth and prediction in the planes of the leading coordinates, for a typical trajectory."""

    title = "A typical prediction in state space"
    order = 12

    def applies(self, context: Context) -> bool:
        """Whether states have no grid, or are fields in three dimensions, and have two coordinates to plot."""
        return (context.grid is None or len(context.grid.axes) > 2) and len(context.leading[0]) > 1

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        return (
            "The test trajectory whose valid time is the median, from its first state (dot): the two "
            f"{context.paths} should lie on each other as long as the prediction is valid, and on the same set "
            "afterwards."
        )

    def draw(self, context: Context) -> Drawing:
        """One panel for every pair of coordinates."""
        names, truth, predicted = context.leading
        rows, pairs = context.rows(context.typical), list(combinations(range(len(names)), 2))
        broad, style = context.path_style(6), context.path_style(2.5)
        drawing = blank(4.2 if len(pairs) == 1 else 2.7)
        for ax, (i, j) in zip(drawing.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
            ax.plot(truth[rows, i], truth[rows, j], color=TRUTH, linewidth=2.4, alpha=0.35, label="truth", **broad)
            ax.plot(predicted[rows, i], predicted[rows, j], color=MODEL, linewidth=1, label="prediction", **style)
            ax.plot(truth[rows, i][:1], truth[rows, j][:1], "o", color=TRUTH, markersize=5)
            ax.set(xlabel=names[i], ylabel=names[j])
            if len(pairs) == 1:
                ax.set_aspect("equal", adjustable="datalim")
        drawing.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
        return drawing
