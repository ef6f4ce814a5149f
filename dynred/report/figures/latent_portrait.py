"""Latent portrait: the encoded truth beside the encoded predictions."""

from itertools import combinations

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from dynred.report.context import Context
from dynred.report.figures.base import MODEL, TRUTH, TYPICAL, Drawing, Figure, blank

POINTS = 20000  # points of each cloud that are drawn; more cannot be told apart


class LatentPortrait(Figure[Context]):
    """Clouds of all test snapshots in latent coordinates, truth above and prediction below."""

    title = "The latent space"
    order = 60
    kind = "png"

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        what = "histograms" if context.evaluation.latent_dim == 1 else "clouds"
        return (
            f"All test snapshots, encoded, in the latent coordinates that vary most: equal {what} mean that "
            "predictions stay on the set of true states even after they are no longer valid."
        )

    def draw(self, context: Context) -> Drawing:
        """Rows: truth and prediction; columns: pairs of coordinates."""
        truth, predicted = (
            _encoded(context, part.states) for part in (context.encoded.truth, context.encoded.predicted)
        )
        order = np.argsort(-np.nan_to_num(np.nanstd(truth, axis=0)), kind="stable")[:3]
        if len(order) == 1:
            return _histograms(context, truth[:, 0], predicted[:, 0])
        pairs = list(combinations(sorted(order.tolist()), 2))
        drawing = blank(3.6 if len(pairs) == 1 else 4.7)
        axes = drawing.subplots(*((1, 2) if len(pairs) == 1 else (2, len(pairs)))).reshape(2, len(pairs))
        for column, (i, j) in enumerate(pairs):
            for ax, cloud, colour in zip(axes[:, column], (truth, predicted), (TRUTH, MODEL), strict=True):
                _cloud(ax, context, cloud[:, [i, j]], colour)
                _limits(ax, truth[:, [i, j]])
                ax.set(xlabel=_name(context, i), ylabel=_name(context, j))
                ax.locator_params(nbins=3)
            if len(pairs) > 1:
                axes[0, column].set_xlabel("")
                axes[0, column].tick_params(labelbottom=False)
        axes[0, 0].set_title("truth", loc="left")
        axes[1, 0].set_title("prediction", loc="left")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        if handles:
            drawing.legend(handles, labels, loc="outside lower center")
        return drawing


def _encoded(context: Context, states: Tensor) -> np.ndarray:
    with torch.no_grad():
        model, every = context.core.at(context.encoded.truth.row_parameters), torch.arange(len(states))
        parts = [model.rows(rows).encode(states[rows]) for rows in every.split(16384)]
    z = torch.cat(parts).double().numpy()
    angles = context.model.latent_space.angles
    z[:, :angles] = np.remainder(z[:, :angles] + np.pi, 2 * np.pi) - np.pi
    z[~np.isfinite(states.numpy()).all(1)] = np.nan  # a network may map NaN to something else
    return z


def _cloud(ax: Axes, context: Context, cloud: np.ndarray, colour: str) -> None:
    shown = cloud[:: max(1, len(cloud) // POINTS)]
    size = float(np.clip(4000 / len(shown), 0.3, 6))
    ax.scatter(shown[:, 0], shown[:, 1], s=size, color=colour, alpha=0.4, linewidths=0)
    i = context.typical
    line = cloud[context.rows(i)][context.elapsed(i) <= context.valid_times[i]]
    # A line through a wrapped angle would cross the picture.
    if len(line) > 1 and not context.model.latent_space.angles:
        ax.plot(line[:, 0], line[:, 1], color=TYPICAL, linewidth=1.2, label="a typical trajectory while it is valid")


def _limits(ax: Axes, cloud: np.ndarray) -> None:
    # The truth sets the frame: a prediction that left it for good must not shrink everything else.
    low, high = np.nanmin(cloud, 0), np.nanmax(cloud, 0)
    margin = 0.15 * (high - low) + 1e-9
    ax.set_xlim(low[0] - margin[0], high[0] + margin[0])
    ax.set_ylim(low[1] - margin[1], high[1] + margin[1])


def _histograms(context: Context, truth: np.ndarray, predicted: np.ndarray) -> Drawing:
    drawing = blank(3.2)
    ax = drawing.subplots()
    inside = truth[np.isfinite(truth)]
    edges = np.histogram_bin_edges(inside, 60).tolist()
    for values, colour, name in ((truth, TRUTH, "truth"), (predicted, MODEL, "prediction")):
        finite = values[np.isfinite(values)]
        weights = np.full(len(finite), 100 / len(values))
        ax.hist(finite, edges, weights=weights, histtype="step", color=colour, linewidth=1.6, label=name)
    ax.set(xlabel=_name(context, 0), ylabel="% of snapshots")
    drawing.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return drawing


def _name(context: Context, i: int) -> str:
    return f"$z_{{{i + 1}}}$ (angle, rad)" if i < context.model.latent_space.angles else f"$z_{{{i + 1}}}$"
