"""Effective Minkowski dimension: how the number of balls that cover almost all of the set grows as they shrink."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dynred.geometry.sample import neighbours
from dynred.numerics.farthest_points import farthest_points

DISCARDED = 0.02  # fraction of points left out: the most isolated ones
MOST = 4000  # about how many points are covered at most
COUNTS = (4, 8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True)
class Covering:
    """The dimension as covers by n1 and by n2 balls, of radius r1 and r2, show it.

    Attributes:
        scale: geometric mean of r1 and r2, in state units.
        dimension: log(n2 / n1) / log(r1 / r2).
    """

    scale: float
    dimension: float


def covering_dimensions(points: Float[np.ndarray, "n Q"]) -> list[Covering]:
    """The effective Minkowski dimension as a function of scale, coarsest first; empty for fewer than 64 points.

    The balls lie around the points of farthest-point nets. Their radius is at most twice that of the best cover.

    Source:
        Z. Zhang, M. Chen, M. Wang, W. Liao, T. Zhao, "Effective Minkowski dimension of deep nonparametric regression",
        ICML (2023); arXiv 2306.14859.
    """
    points = points[:: max(1, len(points) // MOST)]
    counts = [n for n in COUNTS if 4 * n <= len(points)]
    if len(counts) < 2 or len(points) < 64:
        return []
    isolation = neighbours(points, points, 6)[0][:, -1]
    kept = points[np.argsort(isolation)[: len(points) - int(DISCARDED * len(points))]]
    radii = [farthest_points(kept, n)[1] for n in counts]
    return [
        Covering(float(np.sqrt(r1 * r2)), float(np.log(n2 / n1) / np.log(r1 / r2)))
        for n1, n2, r1, r2 in zip(counts, counts[1:], radii, radii[1:], strict=False)
        if r1 > r2 > 0
    ]
