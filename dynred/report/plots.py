"""What `result.plot(ax)` draws, one function for every class of results: axes in, axes out, no figure of its own."""

from functools import singledispatch

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.evaluation.certificate import Certificate
from dynred.evaluation.compare import Comparison
from dynred.evaluation.evaluation import Evaluation
from dynred.geometry.verdict import Verdict
from dynred.models.forecast import Forecast
from dynred.numerics.modes import Modes
from dynred.report.figures.base import (
    ENCODER,
    LINEAR,
    MARK,
    MODEL,
    POD,
    TOP,
    TRUTH,
    TYPICAL,
    colours,
    decades,
    shown_errors,
)
from dynred.report.figures.certificate import exceedance
from dynred.report.inspection.dimension import against_scale
from dynred.report.inspection.spectrum import energies

LINES = 6  # components up to which each is a line; more are an image
BASELINES = {
    "linear": ("linear dynamics", LINEAR, (0, (5, 2))),
    "dmd": ("POD + DMD", POD, "-."),
    "persistence": ("persistence", TYPICAL, ":"),
}


def plot(result: object, ax: Axes | None = None) -> Axes:
    """Draws a result into axes, or into those of a new figure, and returns them.

    Args:
        result: a result of a class that has a `plot`.
        ax: axes of matplotlib; None makes a figure.
    """
    return _draw(result, pyplot.subplots(layout="constrained")[1] if ax is None else ax)


@singledispatch
def _draw(result: object, _: Axes) -> Axes:
    raise TypeError(f"a {type(result).__name__} has no plot")


@_draw.register
def _trajectories(trajectories: Trajectories, ax: Axes) -> Axes:
    """The first trajectory: every component over time, or an image of all of them where they are many."""
    first = trajectories[0]
    t, states = first.t.numpy(), first.states.detach().double().numpy()
    if first.dim <= LINES:
        for i in range(first.dim):
            ax.plot(t, states[:, i], label=f"$x_{{{i + 1}}}$")
        ax.set_ylabel("state")
        if first.dim > 1:
            ax.legend()
    else:
        seen = states[np.isfinite(states).all(1)]
        image = ax.pcolormesh(
            t, np.arange(1, first.dim + 1), states.T, **colours(seen if len(seen) else np.zeros(1)), rasterized=True
        )
        ax.figure.colorbar(image, ax=ax, label="state")
        ax.set_ylabel("component")
    ax.set_xlabel("time")
    if len(trajectories) > 1:
        ax.set_title(f"the first of {len(trajectories)} trajectories", loc="left")
    return ax


@_draw.register
def _forecast(forecast: Forecast, ax: Axes) -> Axes:
    """The leading coordinate of the first trajectory, in truth, reconstruction and prediction."""
    truth, dim = forecast.truth, forecast.truth.dim
    modes = Modes.of(truth.states.double(), 1, scaled=False) if dim > 3 else None

    def leading(states: Tensor) -> np.ndarray:
        return (states.double()[:, :1] if modes is None else modes.coefficients(states)).numpy()[:, 0]

    rows = slice(0, int(truth.lengths[0]))
    t = truth.t[rows].numpy()
    for part, name, colour, style in (
        (truth, "truth", TRUTH, "-"),
        (forecast.reconstructed, "encoded and decoded", ENCODER, ":"),
        (forecast.predicted, "predicted", MODEL, "--"),
    ):
        ax.plot(t, leading(part.states[rows]), color=colour, linestyle=style, label=name)
    ax.set(xlabel="time", ylabel="$x_1$" if modes is None else "POD coordinate $a_1$")
    if len(truth) > 1:
        ax.set_title(f"the first of {len(truth)} trajectories", loc="left")
    ax.legend()
    return ax


@_draw.register
def _evaluation(evaluation: Evaluation, ax: Axes) -> Axes:
    """The median error of predictions over time, beside that of encoder and decoder alone and of the baselines."""
    own, threshold = evaluation.rollout.error, evaluation.rollout.threshold
    median = shown_errors(np.array(own.median))
    ax.plot(own.t, median, color=MODEL, linewidth=2, label="prediction, median")
    lowest = [float(median.min()), threshold]
    if own.reconstruction is not None:
        alone = shown_errors(np.array(own.reconstruction))
        ax.plot(own.t, alone, color=ENCODER, linestyle="-.", label="encoder alone")
        lowest.append(float(alone.min()))
    for name, (title, colour, style) in BASELINES.items():
        if "rollout" in evaluation.baselines.get(name, {}):
            curve = evaluation.baselines[name]["rollout"].error
            ax.plot(curve.t, shown_errors(np.array(curve.median)), color=colour, linestyle=style, label=title)
    ax.axhline(threshold, color=MARK, linestyle=":", linewidth=1, label=f"threshold {threshold:g}")
    ax.set(
        yscale="log", xlabel="time since the start", ylabel="relative error", ylim=decades(0.9 * min(lowest), TOP / 2)
    )
    ax.legend()
    return ax


@_draw.register
def _verdict(verdict: Verdict, ax: Axes) -> Axes:
    """The estimates of the dimension against the scale; the energy of the POD modes where there are no estimates."""
    if verdict.evidence.pieces and verdict.evidence.pieces[0].dimensions:
        against_scale(ax, verdict)
    else:
        energies(ax, verdict)
    ax.legend()
    return ax


@_draw.register
def _certificate(certificate: Certificate, ax: Axes) -> Axes:
    """The fraction of K on which the error exceeds each size, beside the proven lower bound."""
    exceedance(ax, certificate)
    ax.legend()
    return ax


@_draw.register
def _comparison(comparison: Comparison, ax: Axes) -> Axes:
    """The first quantity of every model, with its interval."""
    quantity = comparison.quantities[0]
    for i, entry in enumerate(quantity.entries):
        if entry.interval is not None:
            ax.plot([i, i], entry.interval, color=MODEL, linewidth=1)
        ax.plot(i, entry.value, "o", color=MODEL)
    ax.set_xticks(range(len(comparison.models)), comparison.models)
    ax.set_ylabel(f"{quantity.title}, {quantity.unit}" if quantity.unit else quantity.title)
    return ax
