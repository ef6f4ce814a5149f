"""Farthest-point nets: points spread evenly over a cloud, whatever its density."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int


def farthest_points(
    points: Float[np.ndarray, "n Q"], count: int, *, first: int | None = None, apart: float = 0.0
) -> tuple[Int[np.ndarray, " c"], float]:
    """Chooses a net of points, one after the other, each as far as possible from those before.

    Args:
        points: the points to choose from.
        count: the largest number of points that are chosen.
        first: the row that the net begins with; default: the point farthest from the origin.
        apart: the choice ends when no point is farther than this from the chosen ones; with 0, all points that differ
            may be chosen.

    Returns:
        The rows of the chosen points, and the covering radius: the largest distance of any point from the net. It is at
        most twice that of the best net of as many points.

    Source:
        T. F. Gonzalez, Theor. Comput. Sci. 38, 293 (1985).
    """
    squares = np.einsum("ij,ij->i", points, points)
    # |x|^2 - 2 x.y + |y|^2 is many times quicker than |x - y|^2 but loses digits where x and y are close, so it only
    # tells which points are certainly no closer to the new one. The bound on its error is three times the worst case.
    doubt = 8 * (points.shape[1] + 2) * float(np.finfo(points.dtype).eps) * float(squares.max())
    nearest = np.full(len(points), np.inf)
    chosen: list[int] = []
    farthest, radius = int(squares.argmax()) if first is None else first, math.inf
    while len(chosen) < min(count, len(points)) and radius > apart:
        chosen.append(farthest)
        newest = points[farthest]
        closer = np.flatnonzero(squares - 2 * (points @ newest) + squares[farthest] < nearest + doubt)
        gap = (torch.from_numpy(points[closer]) - torch.from_numpy(newest)).pow(2).sum(1).numpy()
        nearest[closer] = np.minimum(nearest[closer], gap)
        farthest = int(nearest.argmax())
        radius = math.sqrt(nearest[farthest])
    return np.array(chosen, dtype=int), radius
