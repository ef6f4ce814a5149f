"""From the points of one component to a `Piece`."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from dynred.geometry.cloud import Moments
from dynred.geometry.dimension import Dimension, dimensions
from dynred.geometry.homology import Diagram, diagrams
from dynred.geometry.piece import Doubt, Piece
from dynred.geometry.reach import local_reach, reach
from dynred.geometry.sample import CLOSE, extent
from dynred.geometry.tangent import Tangents, depth, one_sidedness, tangents
from dynred.geometry.thin import thin_size, unevenness
from dynred.numerics.farthest_points import farthest_points

FEW = 200  # points of a component below which its verdict rests on too little
BLOB = 12.0  # in lengths of the noise: a component smaller than this is a point
WHOLE = 0.25  # how far the estimated dimension of a manifold may be from an integer
FALLING = 0.3  # how much the dimension may fall from the finest to the coarsest scale without a noise warning
SPREAD = 0.5  # of the estimators, beyond which they disagree
HIGHEST = 6  # manifold dimension up to which tangent spaces are fitted
ROUGH = (0.97, 0.06)  # this fraction of the points of a smooth manifold is at most so rough
RIM = 0.8  # one-sidedness of a point at a boundary; inside it stays below .65
NET = 500
SHARE = 5  # sample points for each point of the net
BEND = 3000  # about how many points the reach is taken over at most
UNEVEN = 4.0  # ratio of densities; evenly drawn samples of at least 300 points reach 2.6, whatever their dimension
HELD = 1.5  # radii of a net: where such balls hold a few points everywhere, it does not show where points are rare
SMALL = 0.1  # fraction of the diameter: a set that is no manifold may have holes of this size
COARSE = 0.55  # of the reach: a coarser net may not show the holes of a manifold
CLEAR = 1.15  # margin of a diagram, below which holes and noise are not clearly told apart


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a piece was judged by.

    Attributes:
        dimensions: the dimension at growing scales.
        diagrams: persistence diagrams.
    """

    dimensions: list[Dimension]
    diagrams: list[Diagram]


def examine(
    points: Float[np.ndarray, "n Q"],
    rng: torch.Generator,
    *,
    diameter: float,
    noise: float = 0.0,
    scatter: float = 0.0,
    on_curves: bool = False,
    when: Moments | None = None,
) -> tuple[Piece, Evidence]:
    """Judges one connected component.

    Args:
        points: distinct points of the component, POD coordinates.
        rng: chooses sub-samples.
        diameter: of the whole set, in state units.
        noise: length of the scatter around the set, in state units, where a noise floor was seen.
        scatter: how far apart the passes of trajectories lie, in state units: that of a curve that they repeat.
        on_curves: whether the points lie on curves in the set.
        when: when trajectories visited the points; None for bare points.

    Returns:
        The piece, and what it was judged by.
    """
    size = extent(points)
    if size < max(10 * CLOSE * diameter, BLOB * noise):
        tiny = (Doubt("a component is as small as the noise and taken for a point"),) if noise > 0 else ()
        return Piece(len(points), 0.0, (0.0, 0.0), 0, True, reach=np.inf, doubts=tiny), Evidence([], [])
    if len(points) < 30:
        doubt = Doubt(f"a component has only {len(points)} points", grave=True)
        return Piece(len(points), 0.0, (0.0, 0.0), None, None, betti=(1, None, None), doubts=(doubt,)), Evidence([], [])
    times = {} if when is None else when._asdict()
    curve = dimensions(points, rng, **times)
    value, doubts_of_dimension = _dimension(curve, len(points))
    persistence = diagrams(points, value, on_curves=on_curves)
    if round(value) == 1 and np.isfinite(scatter):
        noise = max(noise, scatter)
    piece = _judge(points, value, curve, persistence, noise)
    finest = min(diagram.radius for diagram in persistence)
    thin = thin_size(points, round(value), diameter=diameter, scatter=noise)
    doubts = [
        *doubts_of_dimension,
        *_hidden(piece, persistence, diameter),
        *_unlike(points, value, thin / diameter, finest),
    ]
    return _doubted(piece, *doubts), Evidence(curve, persistence)


def _unlike(points: Float[np.ndarray, "n Q"], dimension: float, thin: float, finest: float) -> list[Doubt]:
    """Doubts where the sample is finer in some places or directions than in others, and than the finest net."""
    doubts = []
    if thin > 0:
        reason = f"coordinates of {thin:.2g} diameters differ between neighbours: noise, or K is too thin there to show"
        doubts.append(Doubt(reason, grave=True))
    rarest, ratio = unevenness(points)
    rarer = ratio ** max(1.0, dimension)
    if rarer > UNEVEN and rarest > HELD * finest:
        reason = f"points are {rarer:.2g} times rarer in places than elsewhere, which hides or feigns gaps and holes"
        doubts.append(Doubt(reason, grave=True))
    return doubts


def _hidden(piece: Piece, persistence: list[Diagram], diameter: float) -> list[Doubt]:
    """Whether the sample is too coarse to show all holes that are not small.

    Those of a manifold are no smaller than its reach. Where that is smaller than the holes that may hide in any set, it
    tells no more than these: a band that is folded has a small reach and no small holes.
    """
    if piece.kind == "circle":  # which has no other hole
        return []
    unseen = min(d.unseen for d in persistence if d.degree == 1)
    if unseen <= SMALL * diameter:
        return []
    if piece.reach is None:
        reason = f"holes smaller than {unseen / diameter:.2g} diameters do not show in so few points"
        return [Doubt(reason, grave=True)]
    if max(d.radius for d in persistence) > COARSE * piece.reach:
        return [Doubt("the sample is coarse against the reach, so that holes may be hidden", grave=True)]
    return []


def _dimension(curve: list[Dimension], count: int) -> tuple[float, list[Doubt]]:
    values = [level.value for level in curve]
    low, high = curve[0].spread
    doubts = []
    falling = values[0] - min(values) > FALLING * max(1.0, min(values) / 2)
    if falling:
        reason = (
            f"the dimension grows towards small scales, from {min(values):.2g} to {values[0]:.2g}, as noise makes it"
        )
        doubts.append(Doubt(reason, grave=True))
    if high - low > SPREAD * max(1.0, values[0] / 3):
        # Of a curve by some and a surface by others: strands closer than its points feign ends and hide its holes.
        grave = round(values[0]) == 1 and round(high) > 1
        doubts.append(Doubt(f"estimates of the dimension disagree, from {low:.2g} to {high:.2g}", grave))
    if count < FEW:
        doubts.append(Doubt(f"a component has only {count} points", grave=True))
    return (min(values) if falling and count >= FEW else values[0]), doubts


def _judge(
    points: Float[np.ndarray, "n Q"], value: float, curve: list[Dimension], persistence: list[Diagram], noise: float
) -> Piece:
    betti, clear = _betti(persistence, value)
    unknown = Piece(
        points=len(points),
        dimension=value,
        spread=(min(value, curve[0].spread[0]), max(value, curve[0].spread[1])),
        manifold=None,
        closed=None,
        betti=betti,
        open_until=tuple(max((d.size for d in persistence if d.degree == q), default=0.0) for q in (1, 2)),  # type: ignore[arg-type]
        doubts=() if clear else (Doubt("holes are not clearly told from sampling noise"),),
    )
    m = round(value)
    if m == 1 and (betti[1] or 0) > 1:
        return _doubted(unknown, Doubt("it is a curve that branches, or touches itself"))
    # Strands of a curve that lie closer than its points have such a dimension, or are not smooth, and hide its holes.
    if not (1 <= m <= min(HIGHEST, points.shape[1]) and abs(value - m) <= WHOLE):
        return _doubted(unknown, Doubt(f"dimension {value:.3g} is that of no manifold seen clearly", grave=m == 1))
    net = points[farthest_points(points, max(30, min(NET if m > 1 else NET // 2, len(points) // SHARE)))[0]]
    spaces = tangents(net, points, m, noise=noise)
    if np.quantile(spaces.roughness, ROUGH[0]) > ROUGH[1] + 2 * noise / spaces.radius:
        reason = "it is not smooth everywhere at the sample's resolution: no manifold, or too few points"
        return _doubted(unknown, Doubt(reason, grave=m == 1))
    closed, rim, unsure = _closed(spaces, m, betti)
    orientable, puzzle = _orientable(persistence) if m == 2 and closed else (None, [])
    manifold = replace(
        unknown,
        manifold=m,
        closed=closed,
        orientable=orientable,
        reach=reach(local_reach(spaces, points[:: max(1, len(points) // BEND)], noise=noise)),
        depth=depth(net, rim) if closed is False and rim.any() else 0.0,
    )
    return _doubted(manifold, *unsure, *puzzle)


def _betti(persistence: list[Diagram], value: float) -> tuple[tuple[int, int | None, int | None], bool]:
    by_degree = {(d.degree, d.coefficients): d for d in persistence}
    first, second = by_degree[1, 2], by_degree.get((2, 2))
    b2 = second.betti if second else 0 if value < 1.5 else None
    return (1, first.betti, b2), min(d.margin for d in persistence) >= CLEAR


def _closed(spaces: Tangents, m: int, betti: tuple) -> tuple[bool | None, np.ndarray, list[Doubt]]:
    """Whether there is no boundary, which points lie at one, and doubts.

    Neighbours that lie on one side and the top Betti number tell it, and must agree.
    """
    side = one_sidedness(spaces.base, spaces.frame)
    rim = side > RIM
    top_betti = betti[m] if m <= 2 else None
    enough = 1 if m == 1 else max(3, 0.5 * len(side) ** ((m - 1) / m))
    closed = None if 0 < rim.sum() < enough else not rim.any()
    if m == 1:  # a gap of the sample looks like two ends, but a curve with a hole is a circle
        return top_betti == 1, rim, []
    if closed is None or (top_betti is not None and closed != (top_betti == 1)):
        return None, rim, [Doubt("whether it has a boundary is not clear", grave=True)]
    return closed, rim, []


def _orientable(persistence: list[Diagram]) -> tuple[bool | None, list[Doubt]]:
    """Whether a closed surface is orientable, and doubts.

    One that is not has no H2 over Z/3, and its H1 has one dimension less over Z/3 than over Z/2.
    """
    betti = {(d.degree, d.coefficients): d.betti for d in persistence}
    equal, one_less = betti[1, 3] == betti[1, 2], betti[1, 3] == betti[1, 2] - 1
    if betti[2, 3] == 1 and equal and betti[1, 2] % 2 == 0:
        return True, []
    if betti[2, 3] == 0 and one_less:
        return False, []
    return None, [Doubt("whether the surface is orientable is not clear", grave=True)]


def _doubted(piece: Piece, *more: Doubt) -> Piece:
    return replace(piece, doubts=(*piece.doubts, *more))
