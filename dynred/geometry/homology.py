"""Components and holes: persistent homology of farthest-point nets, and which bars are more than sampling noise."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial.distance import cdist

from dynred.geometry.extra import load
from dynred.geometry.sample import neighbours
from dynred.numerics.farthest_points import farthest_points

PARTS = 500  # points of the net for components
NET = 800  # for H1
NET_LINE = 300  # for H1 of a curve: as good, and without the many triangles of the large circle
NET_STRANDS = 1500  # for H1 of a curve that seems to have several holes
FOLLOWED = 12.0  # covering radii up to which these are followed
NET_H2 = 400  # for H2, whose cost grows with the fourth power
MOST = 6000  # points that nets are chosen from
SHARE = 5  # sample points for each point of a net: with fewer the net shows the gaps of the sample
ISOLATED = 0.02  # fraction of bare points left out of nets: the outermost of an uneven sample, which make it coarse
GAP = 3.0  # ratio of successive edges of the spanning tree that parts components; within one component it reaches 1.8
UNCLEAR_GAP = 1.8
FAR = 0.02  # fraction of the diameter: a gap smaller than this parts nothing
# Bounds of the threshold on death / birth that parts holes from noise; it lies in the widest gap between them. Measured
# on samples of discs, spheres, tori, Klein bottles and the Lorenz attractor: noise reaches 2.5 (H1) and 1.4 (H2), holes
# begin at 3.5 and 1.6.
RATIO = {1: (2.2, 3.4), 2: (1.35, 1.75)}
# In connection scales: a class born later comes from gaps between parts of the set, as between the layers of a roll.
# The spanning tree of a closed curve leaves out its largest gap, which is up to three times as long in random samples.
LATE, LATE_CURVE = 2.0, 3.0
THRESHOLD = {2: 7.0, 3: 5.0}  # covering radii up to which H2 of surfaces and 3-manifolds is followed: enough, and cheap


@dataclass(frozen=True, eq=False)
class Diagram:
    """Bars of one homology degree.

    Attributes:
        degree: 1 or 2.
        coefficients: the field Z/p.
        bars: birth and death of each class [b, 2], as distances in state units (Vietoris and Rips); death is infinite
            where the class is still alive at the limit.
        holes: which bars are holes of the set [b].
        margin: how far holes and noise are apart: the least death / birth of a hole over the largest of the noise.
        radius: covering radius of the net.
        limit: largest distance that was looked at.
    """

    degree: int
    coefficients: int
    bars: Float[np.ndarray, "b 2"]
    holes: Bool[np.ndarray, " b"]
    margin: float
    radius: float
    limit: float

    @property
    def betti(self) -> int:
        """Number of holes."""
        return int(self.holes.sum())

    @property
    def size(self) -> float:
        """A radius up to which the largest hole of the set stays open in its neighbourhoods; 0 without holes.

        This cautious estimate is half the death less the covering radius: by H. Jung's theorem the class is alive in
        the union of balls until then.
        """
        deaths = np.minimum(self.bars[self.holes, 1], self.limit)
        return max(0.0, float(deaths.max(initial=0.0)) / 2 - self.radius)

    @property
    def unseen(self) -> float:
        """The radius of the largest hole that the net may hide, in state units.

        A round hole of radius r dies at sqrt 3 r, and is told from noise where that is `RATIO` times its birth.
        """
        return 2 * self.radius * RATIO[self.degree][1] / math.sqrt(3)


def components(
    points: Float[np.ndarray, "n Q"],
    diameter: float,
    *,
    curve: Int[np.ndarray, " n"] | None = None,
    apart: float = 0.0,
) -> tuple[Int[np.ndarray, " n"], float]:
    """The component of every point, by single linkage of a net, and how clear the components are.

    Args:
        points: the sample.
        diameter: of the whole set, in state units.
        curve: index of the curve of every point, which follow each other on it; a curve is connected. None for points
            that lie on none.
        apart: how far apart the passes of curves lie, in state units; so much parts nothing.

    Returns:
        Labels from 0, largest component first; and the clarity: how far the ratios of successive edges of the spanning
        tree are from ambiguous, above 1 where the components are clear.
    """
    rows, radius = farthest_points(points, PARTS)
    cells = neighbours(points, points[rows], 1)[1][:, 0]
    table = cdist(points[rows], points[rows])
    if curve is not None:
        follows = curve[1:] == curve[:-1]
        first, second = cells[1:][follows], cells[:-1][follows]
        table[first, second] = table[second, first] = 0
        # Shorter edges than these tell nothing: they are as the net, or the passes, happen to lie.
        table = np.maximum(table, max(radius, min(apart, diameter), 1e-300))
        np.fill_diagonal(table, 0)
    tree = minimum_spanning_tree(table).toarray()
    edges = np.sort(tree[tree > 0])[::-1]
    floor = max(FAR * diameter, 1e-300)
    ratios = edges[:-1] / edges[1:]
    parting = np.nonzero((ratios >= GAP) & (edges[:-1] >= floor))[0]
    last = int(parting[-1]) if len(parting) else -1
    other_ratios = np.delete(ratios, parting)[edges[:-1][np.delete(np.arange(len(ratios)), parting)] >= floor]
    clarity = UNCLEAR_GAP / float(other_ratios.max(initial=1.0))
    tree[tree >= (edges[last] if last >= 0 else np.inf)] = 0
    _, net_labels = connected_components(tree, directed=False)
    labels = net_labels[cells]
    order = np.argsort(-np.bincount(labels), kind="stable")
    return np.argsort(order)[labels], clarity


def diagrams(points: Float[np.ndarray, "n Q"], dimension: float, *, on_curves: bool = False) -> list[Diagram]:
    """Bars of a connected set: H1 over Z/2; from dimension 1.5 on also H2 over Z/2 and both over Z/3.

    H2 is left out beyond dimension 3.5, where nets of 300 points show nothing.

    Args:
        points: the sample.
        dimension: of the set.
        on_curves: whether the points lie on curves in the set. Then none is an outlier: the isolated ones lie where the
            flow spreads, and without them a hole would show there.

    Source:
        U. Bauer, "Ripser: efficient computation of Vietoris-Rips persistence barcodes", J. Appl. Comput. Topol. 5, 391
        (2021).
    """
    points = points[:: max(1, len(points) // MOST)]
    if dimension < 1.5:
        coarse = _bars(points, NET_LINE, 2, late=LATE_CURVE)
        # Two strands that pass close by close holes of a coarse net, which are none of the curve.
        return coarse if coarse[0].betti < 2 else _bars(points, NET_STRANDS, 2, FOLLOWED, LATE_CURVE)
    if not on_curves:
        isolation = neighbours(points, points, min(6, len(points)))[0][:, -1]
        points = points[np.argsort(isolation)[: len(points) - int(ISOLATED * len(points))]]
    persistence = _bars(points, NET, 2)
    if dimension < 3.5:
        limit = THRESHOLD[round(dimension)]
        persistence += _bars(points, NET_H2, 2, limit, top=2)[1:] + _bars(points, NET_H2, 3, limit, top=2)
    return persistence


def _bars(
    points: Float[np.ndarray, "n Q"],
    count: int,
    coefficients: int,
    radii: float = np.inf,
    late: float = LATE,
    top: int = 1,
) -> list[Diagram]:
    """Homology of a net up to the degree `top`, followed up to so many covering radii."""
    rows, radius = farthest_points(points, max(30, min(count, len(points) // SHARE)))
    table = cdist(points[rows], points[rows])
    latest = late * max(2 * radius, float(minimum_spanning_tree(table).data.max()))
    enclosing = float(table.max(1).min())  # the complex is a cone from here on
    limit = min(enclosing, radii * radius)
    barcodes = load("ripser").ripser(table, maxdim=top, distance_matrix=True, coeff=coefficients, thresh=limit)["dgms"]
    return [_judged(q, coefficients, barcodes[q], latest, limit, radius) for q in range(1, top + 1)]


def _judged(degree: int, coefficients: int, bars: np.ndarray, latest: float, limit: float, radius: float) -> Diagram:
    ratio = np.where(np.isfinite(bars[:, 1]), bars[:, 1], limit) / bars[:, 0].clip(1e-300)
    early = bars[:, 0] <= latest
    threshold, margin = _parting(ratio[early], *RATIO[degree])
    if (~early & (bars[:, 0] <= 2 * latest) & (ratio >= RATIO[degree][1])).any():
        margin = 1.0  # a large hole, but born between early and late
    return Diagram(degree, coefficients, bars, early & (ratio > threshold), margin, radius, limit)


def _parting(ratios: Float[np.ndarray, " b"], low: float, high: float) -> tuple[float, float]:
    """The threshold in [low, high] between holes and noise, in the widest gap between bars; and that gap, a factor."""
    inner = np.sort(ratios[(ratios > low) & (ratios < high)])
    below = ratios[ratios <= low].max(initial=1.0)
    above = ratios[ratios >= high].min(initial=np.inf)
    # Where nothing lies above, a gap that would never end must not win: it counts up to `high`.
    ladder = np.concatenate([[below], inner, [above if np.isfinite(above) else high]])
    widest = int(np.argmax(ladder[1:] / ladder[:-1]))
    parting = float(np.clip(np.sqrt(ladder[widest] * ladder[widest + 1]), low, high))
    return parting, float(ladder[widest + 1] / ladder[widest])
