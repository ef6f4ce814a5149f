"""What smoothing took off the samples."""

from collections.abc import Mapping
from typing import Any

from dynred.report.context import Context
from dynred.report.figures.base import MARK, MODEL, Drawing, Figure, blank


class SmoothedSamples(Figure[Context]):
    """Samples of the noisiest component, before and after smoothing."""

    title = "What smoothing took off"
    order = 63

    def applies(self, context: Context) -> bool:
        """Whether samples were smoothed."""
        return _example(context) is not None

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        example = _example(context)
        assert example is not None
        return (
            f"The first samples of component {example['component']}, the one with the most noise beside its deviation: "
            "as measured (points), and as the model learned from them (line). Where the line misses a bend that many "
            "points show, too much was taken off."
        )

    def draw(self, context: Context) -> Drawing:
        """Points and a line over time."""
        example = _example(context)
        assert example is not None
        drawing = blank(2.9)
        axes = drawing.subplots()
        axes.plot(example["t"], example["before"], ".", color=MARK, markersize=3, label="measured")
        axes.plot(example["t"], example["after"], color=MODEL, label="smoothed")
        axes.set(xlabel=f"t, {context.time_unit}", ylabel=f"component {example['component']}")
        axes.legend()
        return drawing


def _example(context: Context) -> Mapping[str, Any] | None:
    steps = context.model.about.get("cleaning", ())
    return next((step["example"] for step in steps if step.get("example")), None)
