"""From the points of one component to a `Piece`."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from dynred.geometry.dimension import Dimension, dimensions
from dynred.geometry.homology import Diagram, diagrams
from dynred.geometry.piece import Doubt, Piece
from dynred.geometry.reach import local_reach, reach
from dynred.geometry.sample import CLOSE, extent
from dynred.geometry.tangent import Tangents, depth, one_sidedness, tangents
from dynred.numerics.farthest_points import farthest_points

FEW = 200  # points of a component below which its verdict rests on too little
BLOB = 12.0  # lengths of the noise: a component smaller than this is a point
WHOLE = 0.25  # how far a manifold's dimension may come out from an integer
FALLING = 0.3  # how much the dimension may fall from the finest to the coarsest scale without a noise warning
SPREAD = 0.5  # of the estimators, beyond which they disagree
HIGHEST = 6  # manifold dimension up to which tangent spaces are fitted
ROUGH = (0.97, 0.06)  # this part of a smooth manifold is at most so rough
RIM = 0.8  # one-sidedness of a point at a boundary; inside it stays below .65
NET = 500
SHARE = 5  # points of the sample to one of the net
BEND = 3000  # points that the reach is taken over
CLEAR = 1.15  # margin of a diagram, below which holes and noise are not clearly told apart


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a piece was judged by.

    Attributes:
        dimensions: at growing scales.
        diagrams: persistence diagrams.
    """

    dimensions: list[Dimension]
    diagrams: list[Diagram]


class Moments(NamedTuple):
    """When the points were visited: trajectory and time of each, and the time within which neighbours do not count."""

    owner: Int[np.ndarray, " n"]
    time: Float[np.ndarray, " n"]
    window: float


def examine(
    points: Float[np.ndarray, "n Q"],
    rng: torch.Generator,
    *,
    diameter: float,
    noise: float = 0.0,
    when: Moments | None = None,
) -> tuple[Piece, Evidence]:
    """Judges one connected component.

    Args:
        points: distinct points of it, POD coordinates.
        rng: decides sub-samples.
        diameter: of the whole set.
        noise: length of the scatter around the set, in state units, where a noise floor was seen.
        when: for points of trajectories.
    """
    size = extent(points)
    if size < max(10 * CLOSE * diameter, BLOB * noise):
        doubts = (Doubt("a component is as small as the noise and taken for a point"),) if noise > 0 else ()
        return Piece(len(points), 0.0, (0.0, 0.0), 0, True, reach=np.inf, doubts=doubts), Evidence([], [])
    if len(points) < 30:
        doubt = Doubt(f"a component has only {len(points)} points", grave=True)
        return Piece(len(points), 0.0, (0.0, 0.0), None, None, betti=(1, None, None), doubts=(doubt,)), Evidence([], [])
    times = {} if when is None else when._asdict()
    curve = dimensions(points, rng, **times)
    value, doubts_of_dimension = _dimension(curve, len(points))
    found = diagrams(points, value)
    piece = _judge(points, value, curve, found, noise)
    return _doubted(piece, *doubts_of_dimension), Evidence(curve, found)


def _dimension(curve: list[Dimension], count: int) -> tuple[float, list[Doubt]]:
    values = [level.value for level in curve]
    low, high = curve[0].spread
    doubts = []
    if values[0] - min(values) > FALLING * max(1.0, min(values) / 2):
        says = f"the dimension grows towards small scales, from {min(values):.2g} to {values[0]:.2g}, as noise makes it"
        doubts.append(Doubt(says, grave=True))
    if high - low > SPREAD * max(1.0, values[0] / 3):
        doubts.append(Doubt(f"estimates of the dimension disagree, from {low:.2g} to {high:.2g}"))
    if count < FEW:
        doubts.append(Doubt(f"a component has only {count} points", grave=True))
    return (min(values) if doubts and doubts[0].grave and count >= FEW else values[0]), doubts


def _judge(
    points: Float[np.ndarray, "n Q"], value: float, curve: list[Dimension], found: list[Diagram], noise: float
) -> Piece:
    betti, clear = _betti(found, value)
    unknown = Piece(
        points=len(points),
        dimension=value,
        spread=(min(value, curve[0].spread[0]), max(value, curve[0].spread[1])),
        manifold=None,
        closed=None,
        betti=betti,
        open_until=tuple(max((d.size for d in found if d.degree == q), default=0.0) for q in (1, 2)),  # type: ignore[arg-type]
        doubts=() if clear else (Doubt("holes are not clearly told from sampling noise"),),
    )
    m = round(value)
    if m == 1 and (betti[1] or 0) > 1:
        return _doubted(unknown, Doubt("it is a curve that branches, or touches itself"))
    if not (1 <= m <= min(HIGHEST, points.shape[1]) and abs(value - m) <= WHOLE):
        return _doubted(unknown, Doubt(f"dimension {value:.3g} is that of no manifold seen clearly"))
    net = points[farthest_points(points, max(30, min(NET if m > 1 else NET // 2, len(points) // SHARE)))[0]]
    at = tangents(net, points, m, noise=noise)
    if np.quantile(at.roughness, ROUGH[0]) > ROUGH[1] + 2 * noise / at.radius:
        says = "it is not smooth everywhere at the sample's resolution: no manifold, or too few points"
        return _doubted(unknown, Doubt(says))
    closed, rim, unsure = _closed(at, m, betti)
    orientable, puzzle = _orientable(found) if m == 2 and closed else (None, [])
    manifold = replace(
        unknown,
        manifold=m,
        closed=closed,
        orientable=orientable,
        reach=reach(local_reach(at, points[:: max(1, len(points) // BEND)], noise=noise)),
        depth=depth(net, rim) if closed is False and rim.any() else 0.0,
    )
    return _doubted(manifold, *unsure, *puzzle)


def _betti(found: list[Diagram], value: float) -> tuple[tuple[int, int | None, int | None], bool]:
    by = {(d.degree, d.coefficients): d for d in found}
    first, second = by[1, 2], by.get((2, 2))
    b2 = second.betti if second else 0 if value < 1.5 else None
    return (1, first.betti, b2), min(d.margin for d in found) >= CLEAR


def _closed(at: Tangents, m: int, betti: tuple) -> tuple[bool | None, np.ndarray, list[Doubt]]:
    """Whether there is a boundary, by neighbours that lie on one side and by the top Betti number, which must agree."""
    side = one_sidedness(at.base, at.frame)
    rim = side > RIM
    top = betti[m] if m <= 2 else None
    enough = 1 if m == 1 else max(3, 0.5 * len(side) ** ((m - 1) / m))
    seen = None if 0 < rim.sum() < enough else not rim.any()
    if m == 1:  # a gap of the sample looks like two ends, but a curve with a hole is a circle
        return top == 1, rim, []
    if seen is None or (top is not None and seen != (top == 1)):
        return None, rim, [Doubt("whether it has a boundary is not clear", grave=True)]
    return seen, rim, []


def _orientable(found: list[Diagram]) -> tuple[bool | None, list[Doubt]]:
    """Of a closed surface: H2 over Z/3 is there or not, and H1 has one dimension less over Z/3 where it is not."""
    by = {(d.degree, d.coefficients): d.betti for d in found}
    same, less = by[1, 3] == by[1, 2], by[1, 3] == by[1, 2] - 1
    if by[2, 3] == 1 and same and by[1, 2] % 2 == 0:
        return True, []
    if by[2, 3] == 0 and less:
        return False, []
    return None, [Doubt("whether the surface is orientable is not clear", grave=True)]


def _doubted(piece: Piece, *more: Doubt) -> Piece:
    return replace(piece, doubts=(*piece.doubts, *more))
