"""Landmarks of a cloud of points: spread evenly, joined to their neighbours, divided into parts."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array, csr_array
from scipy.spatial import cKDTree
from torch import Tensor

from dynred.numerics.batches import pieces
from dynred.numerics.farthest_points import farthest_points

FAR = 3.0  # an edge so many times longer than usual joins separate parts: an isolated point has neighbours too
SAME = 1e-10  # fraction of the largest distance from the origin: points closer than this are one
STARTS, ROUNDS = 8, 100  # of k-means


def spread_out(points: Float[Tensor, "M Q"], count: int) -> Float[Tensor, "L Q"]:
    """`count` of the points, or as many as differ, each as far as possible from those before, the first from the mean.

    This covers the points within a radius at most twice the best possible, whatever their density.
    """
    rim = int((points - points.mean(0)).pow(2).sum(1).argmax())
    size = float(points.pow(2).sum(1).max().sqrt())
    return points[farthest_points(points.numpy(), count, first=rim, apart=SAME * size)[0]]


def nearest(
    landmarks: Float[Tensor, "L Q"], a: Float[Tensor, "*batch Q"], excluded: Bool[Tensor, "*batch L"] | None = None
) -> Int[Tensor, "*batch"]:
    """The nearest landmark of every point, among those not excluded."""
    rows = a.reshape(-1, a.shape[-1])
    hidden = None if excluded is None else excluded.reshape(-1, len(landmarks))
    length = landmarks.pow(2).sum(-1)
    indices, start = [], 0
    for part in pieces(rows, len(landmarks)):
        gap = length - 2 * part @ landmarks.T  # |a - l|^2 but for |a|^2
        if hidden is not None:
            gap = gap.masked_fill(hidden[start : start + len(part)], torch.inf)
        indices.append(gap.argmin(-1))
        start += len(part)
    return torch.cat(indices).reshape(a.shape[:-1])


def neighbour_graph(points: Float[np.ndarray, "L Q"], neighbours: int) -> csr_array:
    """Distances between points of which one is among the `neighbours` nearest of the other, symmetric.

    Edges much longer than usual are left out, so that an isolated point, or a few, are a component of their own.
    """
    count = min(neighbours, len(points) - 1)
    if count == 0:
        return csr_array((1, 1))
    length, other = (a[:, 1:] for a in cKDTree(points).query(points, count + 1))
    kept = length <= FAR * np.median(length[:, -1])
    point = np.repeat(np.arange(len(points)), count).reshape(other.shape)
    return symmetric(point[kept], other[kept], length[kept], len(points))


def symmetric(i: Int[np.ndarray, " E"], j: Int[np.ndarray, " E"], length: Float[np.ndarray, " E"], n: int) -> csr_array:
    """The graph of n points with edges of these lengths from i to j and back."""
    graph = coo_array((length, (i, j)), shape=(n, n)).tocsr()
    return graph.maximum(graph.T).tocsr()


class Division(NamedTuple):
    """Points in parts around centres.

    Attributes:
        owner: the part of each point.
        parts: number of parts.
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
    graph every part is connected. Of several random starts the best division is returned.
    """
    first = torch.randint(len(distance), (STARTS,), generator=rng).tolist()
    return min((_divide(distance, count, start) for start in first), key=lambda division: division.cost)


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
