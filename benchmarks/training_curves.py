"""Curves of quality over training time, and the ratios of times to equal quality."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from dynred.evaluation.records import Spread
from dynred.files import moved_into_place


@dataclass(frozen=True)
class Score:
    """Quality of a model: valid prediction time, in time units, and median error after the first sampling interval."""

    valid_time: Spread
    first_error: float


@dataclass(frozen=True)
class Point:
    """One complete training: seconds on the clock, steps, and the score of its model."""

    seconds: float
    steps: int
    score: Score


@dataclass(frozen=True)
class Curve:
    """The trainings of one method, shortest first; their seconds do not include `compile_s`."""

    method: str
    points: list[Point]
    compile_s: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """Time to equal quality: a point of a competitor, and the shortest derivative matching that is as good.

    Attributes:
        method: the competitor.
        valid_time: median of the competitor's point, in time units.
        seconds: training time of the competitor.
        ours_seconds: training time of derivative matching; None where it was never as good.
        ratio: seconds / ours_seconds.
        ratio_with_compilation: the ratio with the competitor's compilation added to its seconds.
    """

    method: str
    valid_time: float
    seconds: float
    ours_seconds: float | None
    ratio: float | None
    ratio_with_compilation: float | None


def compare(ours: Curve, other: Curve) -> list[Comparison]:
    """Time to equal valid time, at every level that the competitor reaches for the first time."""
    comparisons: list[Comparison] = []
    for point in other.points:
        level = point.score.valid_time.median
        if comparisons and level <= comparisons[-1].valid_time:
            continue
        enough = [p.seconds for p in ours.points if p.score.valid_time.median >= level]
        ours_seconds = min(enough) if enough else None
        ratio = point.seconds / ours_seconds if ours_seconds else None
        compiled = (point.seconds + other.compile_s) / ours_seconds if ours_seconds else None
        comparisons.append(Comparison(other.method, level, point.seconds, ours_seconds, ratio, compiled))
    return comparisons


def draw(curves: Sequence[Curve], threshold: float, path: Path) -> None:
    """Draws the curves into a vector figure: median valid time at the threshold over training seconds."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    # People of all kinds of colour vision can distinguish Okabe and Ito's colours; markers serve prints without colour.
    for curve, colour, marker in zip(curves, ("#0072B2", "#56B4E9", "#D55E00", "#009E73"), "osD^", strict=False):
        x = [point.seconds for point in curve.points]
        spread = [point.score.valid_time for point in curve.points]
        axes.plot(x, [s.median for s in spread], color=colour, marker=marker, label=curve.method)
    axes.set(xscale="log", ylim=(0, None), xlabel="training time, seconds")
    axes.set_ylabel(f"median valid prediction time (error {threshold:g}), time units")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    with moved_into_place(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "dynred"}):
        figure.savefig(temporary, format="svg", metadata={"Date": None})
