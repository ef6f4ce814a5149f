"""Figures of the certificate: how much of K is wrong, where, off K, and along trajectories."""

from abc import ABC

import numpy as np
from matplotlib.axes import Axes

from dynred.evaluation.certificate import Certificate
from dynred.numerics.modes import Modes
from dynred.report.context import Context
from dynred.report.figures.base import (
    ENCODER,
    GONE,
    LINEAR,
    MARK,
    MODEL,
    Drawing,
    Figure,
    beside,
    blank,
    legend_below,
    shown_errors,
)

POINTS = 6000  # points of K that are drawn; more cannot be told apart


class _Certified(Figure, ABC):
    """A figure of the certificate; it is left out without a certificate."""

    def applies(self, context: Context) -> bool:
        """See `Figure.applies`."""
        return context.certificate is not None


class ErrorExceedance(_Certified):
    """The curve delta(epsilon), with its confidence limits and the proven lower bound of the maximum."""

    title = "How much of K is wrong"
    order = 80

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        certificate = _certificate(context)
        return " ".join(
            [
                "The fraction of K on which |decode(encode(x)) - x| exceeds a given error; a wall far to the right of "
                "the rest is a seam, where K is cut open.",
                *certificate.words()[1:],
            ]
        )

    def draw(self, context: Context) -> Drawing:
        """Fraction over error, both on logarithmic axes."""
        drawing = blank(3.6)
        ax = drawing.subplots()
        exceedance(ax, _certificate(context))
        drawing.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return drawing


class ExceptionalSet(_Certified):
    """The points of K with a large error, among the others, in leading POD coordinates."""

    title = "Where on K it is wrong"
    order = 81
    kind = "png"

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        certificate = _certificate(context)
        gone = len(certificate.exceptional_set)
        return (
            f"Points of K in its leading POD coordinates; on {gone} of {certificate.samples} the error exceeds "
            f"{certificate.threshold:.2g} ({certificate.threshold_name})."
        )

    def draw(self, context: Context) -> Drawing:
        """One panel for two coordinates, two for three."""
        certificate, drawing = _certificate(context), blank(3.4)
        modes = Modes.of(certificate.points, min(3, certificate.points.shape[1]), scaled=False)
        wrong = (certificate.errors > certificate.threshold).numpy()
        cloud = modes.coefficients(certificate.points).numpy()
        if cloud.shape[1] == 1:
            cloud = np.column_stack([cloud, certificate.errors.numpy()])
        second = cloud.shape[1] > 2
        axes = drawing.subplots(1, 1 + second, squeeze=False)[0]
        for ax, (i, j) in zip(axes, ((0, 1), (0, 2)), strict=False):
            _cloud(ax, cloud[:, [i, j]], wrong)
            ax.set(xlabel=f"$a_{{{i + 1}}}$", ylabel=f"$a_{{{j + 1}}}$" if modes.count > 1 else "error")
        drawing.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, markerscale=4)
        return drawing


class OffK(_Certified):
    """States moved off K, and errors along trajectories encoded once or at every snapshot."""

    title = "Off K, and from step to step"
    order = 82

    def caption(self, context: Context) -> str:
        """See `Figure.caption`."""
        text = (
            "First: states moved off K by a random vector should come back to K, so that transients and noise do no "
            "harm; the dashed line is the size of the move."
        )
        if _certificate(context).over_time is None:
            return text
        return (
            f"{text} Second: predictions encoded once against those decoded and encoded again at every snapshot, which "
            "must pass every seam that lies on their way."
        )

    def draw(self, context: Context) -> Drawing:
        """One panel or two."""
        certificate = _certificate(context)
        panels = 1 if certificate.over_time is None else 2
        rows = panels // beside(panels)
        drawing = blank(4.1 * rows)
        axes = drawing.subplots(rows, panels // rows, squeeze=False).ravel()
        tube = certificate.tube
        axes[0].plot(tube.size, tube.size, color=MARK, linestyle="--", linewidth=1)
        axes[0].plot(tube.size, tube.from_k_median, color=MODEL, marker="o", markersize=3, label="median")
        axes[0].plot(tube.size, tube.from_k_max, color=MODEL, linestyle=":", marker="o", markersize=3, label="largest")
        axes[0].set(xscale="log", yscale="log", xlabel="size of the move", ylabel="distance from K afterwards")
        legend_below(axes[0])
        if certificate.over_time is not None:
            _over_time(axes[1], certificate, context)
        return drawing


def exceedance(ax: Axes, certificate: Certificate) -> None:
    """Draws the curve delta(epsilon), with its limits and the proven bound."""
    curve, floor = certificate.coverage, 0.3 / certificate.samples
    delta, low, high = (np.maximum(v, floor) for v in (curve.delta, curve.low, curve.high))
    ax.fill_between(curve.epsilon, low, high, color=MODEL, alpha=0.2, linewidth=0, label="confidence limits")
    ax.plot(curve.epsilon, delta, color=MODEL, label="measured")
    ax.axvline(certificate.threshold, color=MARK, linestyle=":", label=certificate.threshold_name)
    if certificate.obstruction.lower_bound:
        name = "proven: the largest error is not left of this"
        ax.axvline(certificate.obstruction.lower_bound, color=LINEAR, linestyle="--", label=name)
    ax.set(xscale="log", yscale="log", ylim=(floor, 1.5))
    ax.set(xlabel="error, in state units", ylabel="fraction of K with a larger error")
    ax.grid()


def _certificate(context: Context) -> Certificate:
    assert context.certificate is not None  # checked by `applies`
    return context.certificate


def _cloud(ax: Axes, cloud: np.ndarray, wrong: np.ndarray) -> None:
    shown = cloud[:: max(1, len(cloud) // POINTS)]
    ax.scatter(shown[:, 0], shown[:, 1], s=1.5, color=GONE, linewidths=0, label="K")
    ax.scatter(cloud[wrong, 0], cloud[wrong, 1], s=6, color=LINEAR, linewidths=0, label="large error")


def _over_time(ax: Axes, certificate: Certificate, context: Context) -> None:
    curves = certificate.over_time
    assert curves is not None
    for name, median, largest, colour in (
        ("encoded once", curves.once_median, curves.once_max, MODEL),
        ("encoded at every snapshot", curves.every_median, curves.every_max, ENCODER),
    ):
        ax.plot(curves.t, shown_errors(np.array(median) / certificate.scale), color=colour, label=f"{name}, median")
        ax.plot(
            curves.t, shown_errors(np.array(largest) / certificate.scale), color=colour, linestyle=":", label="largest"
        )
    ax.set(yscale="log", xlabel=f"time ({context.time_unit})", ylabel="relative error", xlim=(0, curves.t[-1]))
    legend_below(ax)
