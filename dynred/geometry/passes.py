"""How far apart the passes of trajectories lie; and points of them that lie as far apart along the flow as across."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from dynred.data.trajectories import Trajectories
from dynred.geometry.curves import Curves, Drawn, as_curves, draw
from dynred.geometry.sample import Sample

FINE = 20000  # points among which the nearest pass is looked for
MOST = 8000  # most points that are drawn: more show the error of the interpolation
ASKED = 1500  # points whose nearest other pass is looked for
TABLE = 2 * 10**7  # most distances at a time
ALL = 0.97  # fraction of the passes that counts as all
BENT = 2.0  # in distances: two points farther apart along a curve lie on different passes
FEWEST = 300  # points as far apart along the passes as the passes are: fewer do not show what lies between the passes
THIN = 1000  # points that are drawn of passes too few
ENTRIES = 4 * 10**7  # most numbers in the snapshots that curves are drawn through
BLOCK = 200  # snapshots in a row: of more data, some such blocks are looked at


@dataclass(frozen=True, eq=False)
class Passes:
    """Points of curves, as far apart along the flow as across it where there are enough.

    Attributes:
        drawn: the points.
        dense: more points, as close along the curves as they can be looked at.
        apart: median distance from a pass to the nearest other one, across the flow, in state units; infinite where
            most of the curves are passed once only.
        scatter: distance that all but 3 % of the passes keep from the nearest other one.
        few: whether the passes are too few to show what lies between them.
    """

    drawn: Drawn
    dense: Drawn
    apart: float
    scatter: float
    few: bool


def passes(data: Trajectories, sample: Sample, rng: torch.Generator) -> Passes | None:
    """Points of the curves that trajectories run along; None where their snapshots show no curves.

    Args:
        data: the trajectories.
        sample: their snapshots, whose coordinates the points have.
        rng: draws the points.
    """
    data = _blocks(data, max(1, ENTRIES // sample.rank), rng)
    velocities = None if data.velocities is None else sample.projected_velocities(data.velocities)
    time, owner = data.t.double().numpy(), data.owner.numpy()
    curves = as_curves(sample.projected(data.states), time, owner, sample.diameter, velocities)
    return None if curves is None or curves.owner[-1] >= FINE else passes_of(curves, rng)


def passes_of(curves: Curves, rng: torch.Generator) -> Passes:
    """Draws points on curves, as far apart along them as they are from each other, but at most about `MOST`."""
    dense = draw(curves, curves.length / FINE, rng)
    distance = _apart(dense, rng)
    apart, scatter = (float(np.quantile(distance, q, method="lower")) for q in (0.5, ALL))
    single = np.bincount(curves.owner, np.append(np.diff(curves.arc), 0.0))
    few = bool(np.maximum(1, single / max(apart, curves.length / MOST)).sum() < FEWEST)
    spacing = curves.length / THIN if few else max(apart, curves.length / MOST)
    return Passes(draw(curves, spacing, rng), dense, apart, scatter, few)


def kept_apart(drawn: Drawn, part: Int[np.ndarray, " m"], rng: torch.Generator) -> float:
    """Distance that all but 3 % of the passes keep from the nearest other one of their part, in state units.

    Passes without another one beside them in their part do not count; 0 where none has one.

    Args:
        drawn: points on curves.
        part: index of the part of every point.
        rng: chooses the points that are looked at.
    """
    distance = _apart(drawn, rng, part)
    distance = distance[np.isfinite(distance)]
    return float(np.quantile(distance, ALL)) if len(distance) else 0.0


def _blocks(data: Trajectories, most: int, rng: torch.Generator) -> Trajectories:
    if len(data.states) <= most:
        return data
    pieces = data.windows(min(BLOCK, int(data.lengths.max())))
    count = max(1, most // int(pieces.lengths[0]))
    return pieces[torch.sort(torch.randperm(len(pieces), generator=rng)[:count]).values]


def _apart(drawn: Drawn, rng: torch.Generator, part: Int[np.ndarray, " m"] | None = None) -> Float[np.ndarray, " a"]:
    """Distance across the flow from some points to the nearest one of another pass, in the same part."""
    points = torch.from_numpy(drawn.points)
    asked = torch.randperm(len(points), generator=rng)[:ASKED].numpy()
    spacing = 2 * float(drawn.arc[-1]) / len(points)  # the most from one random point of a stretch to the next
    result = []
    for rows in np.array_split(asked, 1 + len(asked) * len(points) // TABLE):
        table = torch.cdist(points[rows], points).numpy()
        same = drawn.owner[rows][:, None] == drawn.owner
        table[same & (np.abs(drawn.arc[rows][:, None] - drawn.arc) <= BENT * table)] = np.inf
        if part is not None:
            table[part[rows][:, None] != part] = np.inf
        nearest = table.argmin(1)
        distance = table[np.arange(len(rows)), nearest]
        offset = drawn.points[nearest] - drawn.points[rows]
        along = np.einsum("ij,ij->i", offset, drawn.direction[rows])
        across = np.sqrt(np.clip(np.einsum("ij,ij->i", offset, offset) - along**2, 0, None))
        # Where one half of a cycle is passed once, the nearest pass is the other half, ahead or behind.
        beside = (np.abs(along) <= np.maximum(across, spacing)) if part is not None else True
        result.append(np.where(np.isfinite(distance) & beside, across, np.inf))
    return np.concatenate(result)
