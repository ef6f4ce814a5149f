"""The figures of `why_autoencoders_work.py`, in colours that every common kind of colour vision tells apart."""

import matplotlib
import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from dynred.evaluation.certificate import Certificate, Exceedance
from dynred.reducers.base import Reducer

FIRST, SECOND, WRONG, BOUND, FAINT = "#0072B2", "#E69F00", "#D55E00", "#000000", "#BBBBBB"  # Okabe and Ito
MARKERS = "osD^v"
SHOWN = 4000  # points of a picture in space; nobody can tell more of them apart
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.hashsalt": "dynred",  # equal numbers give equal files
}


def blank(width: float, height: float) -> Figure:
    """An empty figure in the common style, without a window; width and height in inches."""
    matplotlib.rcParams.update(STYLE)
    return Figure(figsize=(width, height), layout="constrained")


def paper_figure(
    reducer: Reducer,
    certificate: Certificate,
    angle: Float[Tensor, " A"],
    latents: list[Float[Tensor, " A"]],
    curves: list[Exceedance],
) -> Figure:
    """Data with K0, reconstruction, latent value along each circle, and delta(epsilon) of every seed."""
    figure = blank(7.2, 6.4)
    x, circle = certificate.points[:SHOWN], certificate.labels[:SHOWN]
    wrong = (certificate.errors > certificate.threshold)[:SHOWN]
    for place, title, points in ((1, "K, and K0 on it", x), (2, "what comes back", reducer.reconstruct(x))):
        ax = figure.add_subplot(2, 2, place, projection="3d")
        for i, colour in enumerate((FIRST, SECOND)):
            ax.scatter(*points[(circle == i) & ~wrong].T.numpy(), s=1, color=colour)
        ax.scatter(
            *points[wrong].T.numpy(),
            s=12 if place == 1 else 2,
            color=WRONG,
            label=f"K0: error above {certificate.threshold:g}",
        )
        ax.set(title=title, xlabel="$x_1$", ylabel="$x_2$", zlabel="$x_3$", aspect="equal")
        ax.locator_params(nbins=4)
        if place == 1:
            ax.legend(loc="upper left")
    _along(figure.add_subplot(2, 2, 3), angle, latents)
    _curves(figure.add_subplot(2, 2, 4), curves)
    return figure


def _along(ax: Axes, angle: Tensor, latents: list[Tensor]) -> None:
    for i, (z, colour) in enumerate(zip(latents, (FIRST, SECOND), strict=True)):
        ax.plot(angle.numpy(), z.numpy(), color=colour, label=f"circle {i + 1}")
    ax.set(title="the latent coordinate", xlabel="angle on the circle, radians", ylabel="z")
    ax.legend()


def _curves(ax: Axes, curves: list[Exceedance]) -> None:
    for i, curve in enumerate(curves):
        delta = np.where(np.array(curve.delta) > 0, curve.delta, np.nan)
        ax.plot(curve.epsilon, delta, color=FIRST, alpha=0.6, linewidth=1, label=None if i else "measured, each seed")
    ax.axvline(1, color=BOUND, linestyle="--", label="proven: the largest\nis not left of this")
    ax.set(xscale="log", yscale="log", title=r"$\delta(\epsilon)$: how much of K is wrong")
    ax.set(xlabel=r"error $\epsilon$", ylabel="fraction of K with a larger error")
    ax.legend(loc="lower left")


def shrinking_figure(rows: list[dict[str, float | str]]) -> Figure:
    """The measure of K0 and the largest error over training steps, with one curve for each width."""
    figure = blank(7.2, 3.2)
    left, right = figure.subplots(1, 2)
    widths = sorted({int(row["width"]) for row in rows})
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.85, len(widths)))
    for width, shade, marker in zip(widths, shades, MARKERS, strict=False):
        selected = [row for row in rows if row["width"] == width]
        steps, measure, low, high, largest = (
            np.array([float(row[name]) for row in selected])
            for name in ("steps", "measure of K0", "low", "high", "maximum, better circle")
        )
        spread = np.stack([measure - low, high - measure])
        left.errorbar(steps, measure, spread, color=shade, marker=marker, label=f"width {width}")
        right.plot(steps, largest, color=shade, marker=marker)
    left.set(xscale="log", yscale="log", xlabel="training steps", ylabel="measure of K0 / measure of K")
    left.legend()
    right.axhline(1, color=BOUND, linestyle="--", label="proven: never below")
    right.set(xscale="log", ylim=(0, None), xlabel="training steps", ylabel="largest error, better circle")
    right.legend(loc="lower left")
    return figure


def strip_figure(samples: Float[Tensor, "N 3"], certificate: Certificate) -> Figure:
    """The errors of a memorising network along each circle, and the samples that it returns exactly."""
    figure = blank(7.2, 3.2)
    for i, ax in enumerate(figure.subplots(1, 2, sharey=True)):
        selected = certificate.labels == i
        angle, order = torch.sort(_angle(certificate.points[selected], i))
        ax.plot(angle.numpy(), certificate.errors[selected][order].numpy(), color=(FIRST, SECOND)[i], linewidth=0.5)
        near = samples[_angle(samples, i, away=True) < 1e-9]
        ax.plot(_angle(near, i).numpy(), np.zeros(len(near)), "o", color=BOUND, markersize=3, label="samples: error 0")
        ax.axhline(1, color=BOUND, linestyle="--", linewidth=1, label="proven: the largest is not below")
        ax.set(title=f"circle {i + 1}", xlabel="angle, radians")
    figure.axes[0].set(ylabel="|decode(encode(x)) - x|")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _angle(x: Float[Tensor, "M 3"], circle: int, away: bool = False) -> Float[Tensor, " M"]:
    """The angle of x on one of the linked circles, 0 or 1; with `away`, the distance of x from that circle."""
    a, b, off = (x[:, 0], x[:, 1], x[:, 2]) if circle == 0 else (x[:, 0] - 1, x[:, 2], x[:, 1])
    return torch.hypot(torch.hypot(a, b) - 1, off) if away else torch.atan2(b, a)
