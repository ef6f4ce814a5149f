"""The points that an inspection measures: snapshots, or points as far apart along the flow as across it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from dynred.data.trajectories import Trajectories
from dynred.geometry.curves import Drawn
from dynred.geometry.drift import time_window
from dynred.geometry.homology import components
from dynred.geometry.passes import kept_apart, passes
from dynred.geometry.piece import Doubt
from dynred.geometry.sample import Sample

REPEATED = 3.0  # with so many snapshots per distinct point, neighbours in time are neighbours in space
# Passes that scatter around a cycle do so all along it: noise and the interpolation of coarse snapshots reach 15
# medians where they matter. Passes farther apart than so many are branches, as of transients, which are no scatter.
SCATTERED = 20.0


class Moments(NamedTuple):
    """When the points were visited: trajectory and time of each, and the time within which neighbours do not count."""

    owner: Int[np.ndarray, " n"]
    time: Float[np.ndarray, " n"]
    window: float

    def of(self, chosen: Bool[np.ndarray, " n"] | Int[np.ndarray, " m"]) -> "Moments":
        """Those of the chosen points."""
        return Moments(self.owner[chosen], self.time[chosen], self.window)


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points of K.

    Attributes:
        points: [n, Q], POD coordinates.
        drawn: the points as points of curves; None where they lie on none.
        dense: more points of K, closer along the flow than across it [m, Q]; None where there are no more.
        apart: how far the passes of trajectories lie apart, in state units; 0 for points on no curve.
        scatter: distance that nearly all passes of a cycle keep from the nearest other one; 0 for points on no curve.
        counts: number of snapshots that each point stands for [n]; None for points drawn on curves.
        moments: when the points were visited, where neighbours in time must not count; None where all neighbours do.
        doubts: why the points may not show K.
    """

    points: Float[np.ndarray, "n Q"]
    drawn: Drawn | None = None
    dense: Float[np.ndarray, "m Q"] | None = None
    apart: float = 0.0
    scatter: float = 0.0
    counts: Int[np.ndarray, " n"] | None = None
    moments: Moments | None = None
    doubts: tuple[Doubt, ...] = ()

    @property
    def seen(self) -> bool:
        """Whether the points can show all of K."""
        return not self.doubts


def parts(cloud: Cloud, diameter: float, rng: torch.Generator) -> tuple[Int[np.ndarray, " n"], float]:
    """The component of every point and how clear the components are, see `components`.

    Where the flow contracts, most passes lie close, and gaps between those that have just started look wide. A gap must
    be wider than those that nearly all passes of a component keep from each other.

    Args:
        cloud: the points.
        diameter: of K, in state units.
        rng: chooses the points whose nearest pass is looked for.
    """
    if cloud.drawn is None:
        return components(cloud.points, diameter)
    curve = cloud.drawn.owner
    labels, clarity = components(cloud.points, diameter, curve=curve, apart=cloud.apart)
    if labels.max() == 0:
        return labels, clarity
    apart = max(cloud.apart, kept_apart(cloud.drawn, labels, rng))
    return components(cloud.points, diameter, curve=curve, apart=apart)


def moves(data: object, sample: Sample) -> bool:
    """Whether these are trajectories, and states move along them."""
    return isinstance(data, Trajectories) and 0 < time_window(data, sample.diameter) < np.inf


def snapshots(data: object, sample: Sample) -> Cloud:
    """The snapshots of a sample, as they are."""
    if not isinstance(data, Trajectories) or sample.visits >= REPEATED:
        return Cloud(sample.points, counts=sample.counts)
    assert sample.owner is not None
    assert sample.time is not None
    moments = Moments(sample.owner, sample.time, time_window(data, sample.diameter))
    return Cloud(sample.points, counts=sample.counts, moments=moments)


def along_flow(data: object, sample: Sample, rng: torch.Generator) -> Cloud:
    """Points of the curves that trajectories run along; the snapshots where they show no curves."""
    strands = passes(data, sample, rng) if isinstance(data, Trajectories) else None
    if strands is None or not isinstance(data, Trajectories):
        return snapshots(data, sample)
    drawn = strands.drawn
    if not strands.few:
        scatter = min(strands.scatter, SCATTERED * strands.apart)
        return Cloud(drawn.points, drawn, strands.dense.points, strands.apart, scatter)
    how = (
        f"lie {strands.apart / sample.diameter:.2g} diameters apart"
        if np.isfinite(strands.apart)
        else "do not come back"
    )
    doubt = Doubt(f"too few passes to tell what lies between them: trajectories {how}", grave=True)
    moments = Moments(drawn.owner, drawn.time, time_window(data, sample.diameter))
    return Cloud(drawn.points, drawn, apart=strands.apart, moments=moments, doubts=(doubt,))
