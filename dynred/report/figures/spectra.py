"""Power spectra and autocorrelation of truth and predictions."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from dynred.evaluation.bootstrap import Resamples
from dynred.evaluation.intervals import FEWEST
from dynred.report.context import Context
from dynred.report.figures.base import MODEL, TRUTH, Drawing, Figure, agreement_words, blank, decades

SHOWN = 1e-8  # power below this fraction of the largest is round-off


class Panel(NamedTuple):
    """A panel of the figure: the name of its statistic, the label of its values, and whether they are powers."""

    name: str
    label: str
    power: bool


PANELS = (
    Panel("power_spectrum", "power over time", True),
    Panel("spatial_spectrum", "power over space", True),
    Panel("autocorrelation", "autocorrelation", False),
)


class Spectra(Figure[Context]):
    """Every spectrum that applies and the autocorrelation, truth and prediction in one panel each."""

    title = "Long-time motion: spectra and correlation"
    order = 32

    def applies(self, context: Context) -> bool:
        """Whether trajectories are evenly sampled, or states are periodic fields."""
        return bool(self._panels(context))

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        words = [agreement_words(context, panel.name, panel.label) for panel in self._panels(context)]
        return (
            "The later halves of all test trajectories: where the prediction's curve lies within the truth's band, no "
            f"difference is seen. {' '.join(word for word in words if word)}"
        ).strip()

    def draw(self, context: Context) -> Drawing:
        """One panel for every statistic, two to a row."""
        panels = self._panels(context)
        rows = -(-len(panels) // 2)
        drawing = blank(0.5 + 2.6 * rows)
        axes = drawing.subplots(rows, min(2, len(panels)), squeeze=False).ravel()
        for ax, panel in zip(axes, panels, strict=False):
            _draw(ax, context, panel)
        for ax in axes[len(panels) :]:
            ax.set_visible(False)
        drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return drawing

    def _panels(self, context: Context) -> list[Panel]:
        return [panel for panel in PANELS if panel.name in context.gauges]


def _draw(ax: Axes, context: Context, panel: Panel) -> None:
    truth, predicted = context.measured(panel.name)
    gauge = context.gauges[panel.name]
    (x,), curves = gauge.axes, [context.average(part) for part in (truth, predicted)]
    low, high = _band(context, truth) if len(truth) >= FEWEST else (np.full_like(curves[0], np.nan),) * 2
    if panel.power:  # what has no power at all, such as the mean of a field, has no place on a logarithmic axis
        low, high, *curves = (np.where(values > 0, values, np.nan) for values in (low, high, *curves))
    if np.isfinite(low).any():
        ax.fill_between(x, low, high, color=TRUTH, alpha=0.2, linewidth=0, label="truth, 95 %")
    ax.plot(x, curves[0], color=TRUTH, linewidth=1.2, label="truth")
    ax.plot(x, curves[1], color=MODEL, linewidth=1.5, linestyle=(0, (4, 1.5)), label="prediction")
    ax.set(xlabel=gauge.labels[0], ylabel=panel.label, xlim=(0, x[-1]))
    if not panel.power:
        ax.axhline(0, color=TRUTH, linewidth=0.6)
        return
    positive = curves[0][np.isfinite(curves[0])]
    if len(positive) == 0:
        return
    top, bottom = float(positive.max()), max(float(positive.min()), SHOWN * float(positive.max()))
    ax.set_yscale("log")
    ax.set_ylim(decades(bottom, 2 * top))
    ax.set_xlim(0, x[np.flatnonzero(np.nan_to_num(curves[0]) >= bottom)[-1]] or x[-1])


def _band(context: Context, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weights = Resamples.of(len(truth), count=200).counts * context.later[0].lengths.numpy()
    means = (weights / weights.sum(1, keepdims=True)) @ truth
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low, high
