"""Where a sample is finer than elsewhere: coordinates smaller than the distances of neighbours, and rare points."""

import numpy as np
from jaxtyping import Float

from dynred.geometry.sample import CLOSE, neighbours
from dynred.numerics.farthest_points import farthest_points

BASES = 300  # points whose neighbours are looked at
NEAREST = 6  # neighbours whose distance tells how dense points are
FOLLOWS = 0.5  # a coordinate of whose variance neighbours show less belongs to the surface through them


def thin_size(points: Float[np.ndarray, "n Q"], m: int, *, diameter: float, scatter: float = 0.0) -> float:
    """The size of the largest coordinate that neighbours do not determine, though they lie farther apart than it is.

    Such a coordinate is noise, or K has a thin direction that the sample is too sparse to show: an ellipse with axes
    1 : 1000 looks like a segment. Each coordinate is compared with a linear function, fitted to the neighbours, of the
    m directions in which they spread.

    Args:
        points: POD coordinates.
        m: the dimension that the points seem to have.
        diameter: of the whole set, in state units.
        scatter: known scatter, in state units, which is no such coordinate.

    Returns:
        Its standard deviation, in state units; 0 where there is none.
    """
    m = max(1, min(m, points.shape[1] - 1))
    k = min(len(points), max(12, 4 * (m + 1)))
    if points.shape[1] < 2 or k < 2 * (m + 1):
        return 0.0
    size = points.std(0)
    base = points[farthest_points(points, min(BASES, len(points) // 2))[0]]
    distance, rows = neighbours(base, points, k)
    small = (size > max(CLOSE * diameter, 3 * scatter)) & (size < np.median(distance[:, -1]))
    if not small.any():
        return 0.0
    near = points[rows] - points[rows].mean(1, keepdims=True)
    along = near @ np.linalg.svd(near, full_matrices=False)[2][:, :m].transpose(0, 2, 1)
    left = near - along @ (np.linalg.pinv(along) @ near)
    freedom = k / (k - m - 1)
    unexplained = freedom * (left**2).mean((0, 1)) / np.maximum(size, 1e-300) ** 2
    return float(size[small & (unexplained > FOLLOWS)].max(initial=0.0))


def unevenness(points: Float[np.ndarray, "n Q"]) -> tuple[float, float]:
    """How far apart points lie in the rarest twentieth of the set, in state units; how much farther than in its middle.

    It is measured at a net, whose points are spread evenly however dense the sample is.
    """
    net = points[farthest_points(points, min(BASES, max(2, len(points) // 5)))[0]]
    distance = neighbours(net, points, NEAREST + 1)[0][:, -1]
    rarest = float(np.quantile(distance, 0.95))
    return rarest, rarest / max(float(np.median(distance)), 1e-300)
