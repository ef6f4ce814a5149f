"""Trajectories as curves: interpolated between snapshots, cut where they jump, sampled along their arcs."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.interpolate import CubicSpline

STRIDES = (1, 2, 4, 8, 16)  # where noise hides the curve, it shows between every second, fourth ... snapshot
OFF = 0.25  # error of the interpolation, in distances of the snapshots around: beyond, the states jump
UNRESOLVED = 0.1  # fraction of such steps beyond which snapshots are no curve: a map, noise, or too coarse a sampling
STILL = 1e-4  # fraction of the diameter: shorter steps are no jumps


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves through snapshots.

    Attributes:
        points: the snapshots [n, Q], one curve after the other.
        velocities: d points / d time [n, Q].
        time: of every snapshot [n].
        owner: index of the curve of every snapshot [n], increasing.
        arc: length of the curve up to every snapshot [n], in state units, that of the curves before included.
    """

    points: Float[np.ndarray, "n Q"]
    velocities: Float[np.ndarray, "n Q"]
    time: Float[np.ndarray, " n"]
    owner: Int[np.ndarray, " n"]
    arc: Float[np.ndarray, " n"]

    @property
    def length(self) -> float:
        """Length of all curves together."""
        return float(self.arc[-1])


@dataclass(frozen=True, eq=False)
class Drawn:
    """Points on curves.

    Attributes:
        points: [m, Q].
        direction: unit tangents [m, Q].
        owner, time, arc: see `Curves`.
    """

    points: Float[np.ndarray, "m Q"]
    direction: Float[np.ndarray, "m Q"]
    owner: Int[np.ndarray, " m"]
    time: Float[np.ndarray, " m"]
    arc: Float[np.ndarray, " m"]


def as_curves(
    points: Float[np.ndarray, "n Q"],
    time: Float[np.ndarray, " n"],
    owner: Int[np.ndarray, " n"],
    diameter: float,
    velocities: Float[np.ndarray, "n Q"] | None = None,
) -> Curves | None:
    """The curves through snapshots; None where snapshots do not tell what lies between them, or nothing moves.

    A snapshot that is left out must be found again between its neighbours. Where it is not, the curve is cut.

    Args:
        points: snapshots, one trajectory after the other.
        time: of every snapshot.
        owner: index of the trajectory of every snapshot, increasing.
        diameter: of the set, in state units.
        velocities: of the snapshots, where they are known.
    """
    for stride in STRIDES:
        rows = _every(owner, stride)
        x, t, own = points[rows], time[rows], owner[rows]
        estimated = _slopes(x, t, own)
        candidates = [estimated] if velocities is None else [estimated, velocities[rows]]
        errors = [_left_out(x, t, own, slope) for slope in (_slopes_of_halves(x, t, own), *candidates[1:])]
        if not np.isfinite(errors[0]).any():
            return None
        best = int(np.argmin([np.nanmedian(error) for error in errors]))
        step = np.linalg.norm(np.diff(x, axis=0), axis=1)
        jumps = _jumps(errors[best], step, STILL * diameter)
        inner = own[1:] == own[:-1]
        if jumps[inner].mean() <= UNRESOLVED:
            cut = ~inner | jumps
            arc, curve = (np.concatenate([[0], np.cumsum(part)]) for part in (np.where(cut, 0.0, step), cut))
            slopes = _slopes(x, t, curve) if candidates[best] is estimated else candidates[best]
            curves = Curves(x, slopes, t, curve.astype(int), arc)
            return curves if curves.length > STILL * diameter else None
    return None


def draw(curves: Curves, spacing: float, rng: torch.Generator) -> Drawn:
    """Random points on curves, one on every stretch of the length `spacing`, and the first of every curve."""
    count = max(1, int(curves.length / spacing))
    offset = torch.rand(count, generator=rng, dtype=torch.float64).numpy()
    arc = (np.arange(count) + offset) * curves.length / count
    # Where curves touch in `arc`, the right one is that whose arc still grows.
    left = np.clip(np.searchsorted(curves.arc, arc, side="right") - 1, 0, len(curves.arc) - 2)
    span = curves.arc[left + 1] - curves.arc[left]
    share = np.where(span > 0, (arc - curves.arc[left]) / np.where(span > 0, span, 1.0), 0.0)
    first = np.flatnonzero(np.diff(curves.owner, prepend=-1))
    left, share = np.concatenate([left, first]), np.concatenate([share, np.zeros(len(first))])
    order = np.lexsort((share, left))
    left, share = left[order], share[order]
    right = np.where(curves.owner[np.minimum(left + 1, len(curves.arc) - 1)] == curves.owner[left], left + 1, left)
    h = (curves.time[right] - curves.time[left])[:, None]
    x, v = curves.points, curves.velocities
    points, slope = _hermite(x[left], v[left], x[right], v[right], h, share[:, None])
    speed = np.linalg.norm(slope, axis=1, keepdims=True)
    direction = np.divide(slope, speed, out=np.zeros_like(slope), where=speed > 0)
    time = curves.time[left] + share * h[:, 0]
    return Drawn(
        points, direction, curves.owner[left], time, curves.arc[left] + share * (curves.arc[right] - curves.arc[left])
    )


def _every(owner: Int[np.ndarray, " n"], stride: int) -> Int[np.ndarray, " m"]:
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    place = np.arange(len(owner)) - np.repeat(starts, np.diff(np.append(starts, len(owner))))
    return np.flatnonzero(place % stride == 0)


def _slopes_of_halves(x: np.ndarray, t: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Velocities estimated from every second snapshot, so that they do not know of those between."""
    slopes = np.zeros_like(x)
    even = np.isin(np.arange(len(x)), _every(owner, 2))
    for half in (even, ~even):
        slopes[half] = _slopes(x[half], t[half], owner[half])
    return slopes


def _slopes(x: Float[np.ndarray, "n Q"], t: Float[np.ndarray, " n"], owner: Int[np.ndarray, " n"]) -> np.ndarray:
    slopes = np.zeros_like(x)
    bounds = np.append(np.flatnonzero(np.diff(owner, prepend=-1)), len(owner))
    for a, b in pairwise(bounds):
        if b - a > 1:
            slopes[a:b] = CubicSpline(t[a:b], x[a:b])(t[a:b], 1)
    return slopes


def _left_out(x: np.ndarray, t: np.ndarray, owner: np.ndarray, slopes: np.ndarray) -> Float[np.ndarray, " n"]:
    """How far every snapshot lies from the curve through the one before and the one after, in their distance."""
    error = np.full(len(x), np.nan)
    middle = np.flatnonzero(owner[2:] == owner[:-2]) + 1
    a, b = middle - 1, middle + 1
    h = (t[b] - t[a])[:, None]
    share = (t[middle] - t[a])[:, None] / h
    guess, _ = _hermite(x[a], slopes[a], x[b], slopes[b], h, share)
    chord = np.linalg.norm(x[middle] - x[a], axis=1) + np.linalg.norm(x[b] - x[middle], axis=1)
    straight = (1 - share) * x[a] + share * x[b]  # near a jump, slopes that a spline estimates are off
    off = np.minimum(np.linalg.norm(guess - x[middle], axis=1), np.linalg.norm(straight - x[middle], axis=1))
    error[middle] = off / np.maximum(chord, 1e-300)
    return error


def _jumps(error: Float[np.ndarray, " n"], step: Float[np.ndarray, " n-1"], still: float) -> Bool[np.ndarray, " n-1"]:
    off = np.where(np.isnan(error), np.inf, error) > OFF  # the ends of curves are as their neighbours
    tested = np.isfinite(error[1:]) | np.isfinite(error[:-1])
    return off[1:] & off[:-1] & tested & (step > still)


def _hermite(
    x0: np.ndarray, v0: np.ndarray, x1: np.ndarray, v1: np.ndarray, h: np.ndarray, s: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """C. Hermite's cubic, at the fraction s of a step of length h; and its derivative in time."""
    rise, bend0, bend1 = x1 - x0, h * v0 - (x1 - x0), (x1 - x0) - h * v1
    inner = (1 - s) * bend0 + s * bend1
    point = x0 + s * rise + s * (1 - s) * inner
    slope = rise + (1 - 2 * s) * inner + s * (1 - s) * (bend1 - bend0)
    still = h > 0
    return point, np.where(still, slope / np.where(still, h, 1.0), v0)
