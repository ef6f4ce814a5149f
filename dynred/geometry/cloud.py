"""The points that an inspection measures: snapshots, or points as far apart along the flow as across it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from dynred.data.trajectories import Trajectories
from dynred.geometry.drift import time_window
from dynred.geometry.passes import passes
from dynred.geometry.piece import Doubt
from dynred.geometry.sample import Sample

REPEATED = 3.0  # with so many snapshots per distinct point, neighbours in time are neighbours in space


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
        curve: index of the curve on which each point lies [n]; None where points lie on none.
        apart: how far the passes of trajectories lie apart, in state units; 0 for points on no curve.
        scatter: distance that nearly all passes keep from the nearest other one; 0 for points on no curve.
        counts: number of snapshots that each point stands for [n]; None for points drawn on curves.
        moments: when the points were visited, where neighbours in time must not count; None where all neighbours do.
        doubts: why the points may not show K.
    """

    points: Float[np.ndarray, "n Q"]
    curve: Int[np.ndarray, " n"] | None = None
    apart: float = 0.0
    scatter: float = 0.0
    counts: Int[np.ndarray, " n"] | None = None
    moments: Moments | None = None
    doubts: tuple[Doubt, ...] = ()

    @property
    def seen(self) -> bool:
        """Whether the points can show all of K."""
        return not self.doubts


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
    found = passes(data, sample, rng) if isinstance(data, Trajectories) else None
    if found is None or not isinstance(data, Trajectories):
        return snapshots(data, sample)
    drawn = found.drawn
    if not found.few:
        return Cloud(drawn.points, drawn.owner, found.apart, found.scatter)
    how = f"lie {found.apart / sample.diameter:.2g} diameters apart" if np.isfinite(found.apart) else "do not come back"
    doubt = Doubt(f"too few passes to tell what lies between them: trajectories {how}", grave=True)
    moments = Moments(drawn.owner, drawn.time, time_window(data, sample.diameter))
    return Cloud(drawn.points, drawn.owner, found.apart, moments=moments, doubts=(doubt,))
