"""Landmarks of a cloud of points: spread evenly, joined to their neighbours, divided into parts."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array, csr_array
from scipy.spatial import cKDTree
from torch import Tensor

from dynred.numerics.batches import pieces

FAR = 3.0  # an edge so many times longer than is usual joins what is apart: an isolated point has neighbours too
STARTS, ROUNDS = 8, 100  # of k-means


def spread_out(points: Float[Tensor, "M Q"], count: int) -> Float[Tensor, "L Q"]:
    """`count` of the points, or as many as differ, such that every next one is the farthest from all before.

    This covers the points within a radius at most twice the best possible (T. F. Gonzalez, Theor. Comput. Sci. 38, 293
    (1985)), whatever their density.
    """
    size = float(points.pow(2).sum(1).max())
    gap = (points - points.mean(0)).pow(2).sum(1)
    chosen: list[int] = []
    while len(chosen) < count and (not chosen or float(gap.max()) > 1e-20 * size):
        chosen.append(int(gap.argmax()))
        here = (points - points[chosen[-1]]).pow(2).sum(1)
        gap = here if len(chosen) == 1 else torch.minimum(gap, here)
    return points[chosen]


def nearest(
    landmarks: Float[Tensor, "L Q"], a: Float[Tensor, "*batch Q"], excluded: Bool[Tensor, "*batch L"] | None = None
) -> Int[Tensor, "*batch"]:
    """The nearest landmark of every point, among those not excluded."""
    rows = a.reshape(-1, a.shape[-1])
    hidden = None if excluded is None else excluded.reshape(-1, len(landmarks))
    length = landmarks.pow(2).sum(-1)
    found, start = [], 0
    for part in pieces(rows, len(landmarks)):
        gap = length - 2 * part @ landmarks.T  # |a - l|^2 but for |a|^2
        if hidden is not None:
            gap = gap.masked_fill(hidden[start : start + len(part)], torch.inf)
        found.append(gap.argmin(-1))
        start += len(part)
    return torch.cat(found).reshape(a.shape[:-1])


def neighbour_graph(points: Float[np.ndarray, "L Q"], neighbours: int) -> csr_array:
    """Distances between points of which one is among the `neighbours` nearest of the other, symmetric.

    Edges much longer than usual are left out, so that an isolated point, or a few, are a component of their own.
    """
    count = min(neighbours, len(points) - 1)
    if count == 0:
        return csr_array((1, 1))
    length, other = (a[:, 1:] for a in cKDTree(points).query(points, count + 1))
    kept = length <= FAR * np.median(length[:, -1])
    one = np.repeat(np.arange(len(points)), count).reshape(other.shape)
    return symmetric(one[kept], other[kept], length[kept], len(points))


def symmetric(i: Int[np.ndarray, " E"], j: Int[np.ndarray, " E"], length: Float[np.ndarray, " E"], n: int) -> csr_array:
    """The graph of n points with edges of these lengths from i to j and back."""
    graph = coo_array((length, (i, j)), shape=(n, n)).tocsr()
    return graph.maximum(graph.T).tocsr()


class Division(NamedTuple):
    """Points in parts around centres.

    Attributes:
        owner: the part of each point.
        parts: how many.
        cost: sum of squared distances to the centres.
        radius: largest distance to a centre.
    """

    owner: Int[np.ndarray, " n"]
    parts: int
    cost: float
    radius: float


def geodesic_means(distance: Float[np.ndarray, "n n"], count: int, rng: torch.Generator) -> Division:
    """k-means with given distances: parts 0..count-1 such that points are near their part's centre.

    Centres are points themselves: the one with the least sum of squared distances to its part. With distances along a
    graph every part is connected. The best of several random starts.
    """
    first = torch.randint(len(distance), (STARTS,), generator=rng).tolist()
    return min((_divide(distance, count, start) for start in first), key=lambda found: found.cost)


def _divide(distance: np.ndarray, count: int, first: int) -> Division:
    centres = [first]
    while len(centres) < count:
        centres.append(int(distance[centres].min(0).argmax()))
    for _ in range(ROUNDS):
        owner = distance[centres].argmin(0)
        parts = [np.flatnonzero(owner == c) for c in range(count)]
        moved = [int(own[(distance[np.ix_(own, own)] ** 2).sum(0).argmin()]) for own in parts]
        if moved == centres:
            break
        centres = moved
    gap = distance[centres].min(0)
    return Division(distance[centres].argmin(0), count, float((gap**2).sum()), float(gap.max()))
