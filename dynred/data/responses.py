"""What methods make of samples, and of white noise in their place, at some snapshots."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dynred.data.derivatives.base import Estimator

POINTS = 2000  # snapshots at which velocities are compared: a mean over more of them differs little
DENSE = 4  # steps between them from either end of a trajectory within which every snapshot is compared
END = 4  # coefficients from either end of a trajectory within which its end is felt


@dataclass(frozen=True, eq=False)
class Curve:
    """Samples of one trajectory, and where its velocities are wanted.

    Attributes:
        t: times of the samples [n].
        x: samples [n, D].
        at: times of the velocities [T].
    """

    t: Float[np.ndarray, " n"]
    x: Float[np.ndarray, "n D"]
    at: Float[np.ndarray, " T"]


@dataclass(frozen=True, eq=False)
class Sheaf:
    """Curves of equal times side by side: they share one factorisation.

    Attributes:
        t: times of the samples [n].
        x: samples [n, C], D columns for each curve.
        count: number of curves.
        at: times at which velocities are compared [S].
        weights: snapshots that each of them stands for [S], those of all curves together.
        place: where they are among the samples [S]: 0 at the first, n - 1 at the last.
        white: white noise of variance 1 [n, K].
    """

    t: Float[np.ndarray, " n"]
    x: Float[np.ndarray, "n C"]
    count: int
    at: Float[np.ndarray, " S"]
    weights: Float[np.ndarray, " S"]
    place: Float[np.ndarray, " S"]
    white: Float[np.ndarray, "n K"]


def sheaves(curves: list[Curve]) -> list[Sheaf]:
    """The curves, those of equal times together."""
    groups: dict[bytes, list[Curve]] = {}
    for curve in curves:
        step = float(np.median(np.diff(curve.t)))
        both = np.concatenate([curve.t - curve.t[0], curve.at - curve.t[0], [len(curve.t) * step]]) / step
        groups.setdefault((np.rint(1e6 * both) + 0.0).tobytes(), []).append(curve)
    snapshots = sum(len(group[0].at) for group in groups.values())
    step, series = -(-snapshots // POINTS), max(8, min(32, 32000 // snapshots))
    rng = np.random.default_rng(0)
    result = []
    for group in groups.values():
        t, at = group[0].t, group[0].at
        some = _some(len(at), step)
        edges = np.concatenate([[-0.5], (some[1:] + some[:-1]) / 2, [len(at) - 0.5]])
        place = np.interp(at[some], t, np.arange(len(t)))
        white = rng.standard_normal((len(t), series))
        columns = np.concatenate([curve.x for curve in group], 1)
        result.append(Sheaf(t, columns, len(group), at[some], len(group) * np.diff(edges), place, white))
    return result


def _some(count: int, step: int) -> Int[np.ndarray, " S"]:
    """Every snapshot near the ends, and every so many between them."""
    if step == 1:
        return np.arange(count)
    near = min(DENSE * step, count // 2)
    return np.unique(np.concatenate([np.arange(near), np.arange(0, count, step), np.arange(count - near, count)]))


@dataclass(frozen=True, eq=False)
class Response:
    """What a method makes of all curves, and of white noise in their place.

    Attributes:
        velocities: of every sheaf [S, C].
        noise: of every sheaf, velocities from K series of white noise of variance 1 [S, K].
        end: snapshots that feel an end of their trajectory, of all sheaves one after the other [S].
        missed: mean squared distance of the samples to the curves.
    """

    velocities: list[Float[np.ndarray, "_S _C"]]
    noise: list[Float[np.ndarray, "_S _K"]]
    end: Bool[np.ndarray, " S"]
    missed: float


def response(estimator: Estimator, bundle: list[Sheaf]) -> Response:
    """The response of a method to all sheaves."""
    velocities, noise, end, missed, total = [], [], [], 0.0, 0.0
    for sheaf in bundle:
        columns = sheaf.x.shape[1]
        through = estimator.curve(sheaf.t, np.concatenate([sheaf.x, sheaf.white], 1))
        both = through(sheaf.at, 1)
        velocities.append(both[:, :columns])
        noise.append(both[:, columns:])
        end.append(np.minimum(sheaf.place, len(sheaf.t) - 1 - sheaf.place) < END * estimator.resolution)
        nearest = np.unique(np.rint(sheaf.place).astype(int))
        apart = through(sheaf.t[nearest], 0)[:, :columns] - sheaf.x[nearest]
        missed += float((apart**2).sum(1).mean()) / sheaf.count * sheaf.weights.sum()
        total += sheaf.weights.sum()
    return Response(velocities, noise, np.concatenate(end), missed / total)
