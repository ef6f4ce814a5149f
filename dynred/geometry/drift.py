"""Have the trajectories reached K? And how long do neighbours in time look like neighbours in space?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from dynred.data.trajectories import Trajectories
from dynred.geometry.sample import Sample, extent, neighbours

MOST = 1000  # most points of every quarter
FEWEST = 10  # points of every quarter below which nothing is seen
STEP = 0.1  # fraction of the diameter: states that far apart in one trajectory are no neighbours in time
FACTOR = 3.0  # how much farther the first quarter must be from the last than the third is
LEAST = 0.02  # fraction of the diameter: a smaller drift counts as none


@dataclass(frozen=True)
class Drift:
    """How far early states are from late ones.

    Attributes:
        early: 90 % of the states of the first quarter (in time) are this close to the last quarter, in diameters.
        late: the same distance for the third quarter.
    """

    early: float
    late: float

    @property
    def seen(self) -> bool:
        """Whether early states lie off the set of the late ones."""
        return self.early > max(FACTOR * self.late, LEAST)


def drift(sample: Sample, rng: torch.Generator) -> Drift:
    """The drift of the trajectories of a sample."""
    assert sample.owner is not None
    assert sample.time is not None
    chosen = _quarters(sample.owner, sample.time, rng)
    return _compared([sample.points[rows] for rows in chosen], sample.diameter)


def trajectory_drift(trajectories: Trajectories, rng: torch.Generator) -> Drift:
    """The drift of trajectories, in the space of their states."""
    chosen = _quarters(trajectories.owner.numpy(), trajectories.t.double().numpy(), rng)
    points = [trajectories.states[torch.from_numpy(rows)].double().numpy() for rows in chosen]
    return _compared(points, extent(np.concatenate(points))) if min(map(len, points)) else Drift(0.0, 0.0)


def _quarters(
    owner: Int[np.ndarray, " n"], time: Float[np.ndarray, " n"], rng: torch.Generator
) -> list[Int[np.ndarray, " _m"]]:
    """Rows of the first, third and last quarter of every trajectory's time, a thousand at most of each."""
    count = int(owner.max()) + 1
    first, last = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(first, owner, time)
    np.maximum.at(last, owner, time)
    length = np.maximum(last - first, 1e-300)[owner]
    quarter = np.minimum(4 * (time - first[owner]) / length, 3.999).astype(int)
    return [_some(np.nonzero(quarter == q)[0], rng) for q in (0, 2, 3)]


def _compared(parts: Sequence[Float[np.ndarray, "_m Q"]], diameter: float) -> Drift:
    """How far the first and the second part are from the third: on K, equally far."""
    if min(len(part) for part in parts) < FEWEST or diameter <= 0:
        return Drift(0.0, 0.0)
    early, late = (float(np.quantile(neighbours(part, parts[2], 1)[0], 0.9)) for part in parts[:2])
    return Drift(early / diameter, late / diameter)


def time_window(trajectories: Trajectories, diameter: float) -> float:
    """The time in which a state moves a tenth of the diameter, in time units; 0 where it never moves."""
    inner = torch.ones(len(trajectories.states) - 1, dtype=torch.bool)
    inner[torch.cumsum(trajectories.lengths, 0)[:-1] - 1] = False
    steps = torch.nonzero(inner)[:, 0]
    steps = steps[:: max(1, len(steps) // 20000)]
    if len(steps) == 0:
        return 0.0
    moved = torch.linalg.vector_norm(trajectories.states[steps + 1] - trajectories.states[steps], dim=1).double()
    speed = float((moved / (trajectories.t[steps + 1] - trajectories.t[steps])).median())
    return STEP * diameter / speed if speed > 0 else 0.0


def _some(rows: Int[np.ndarray, " n"], rng: torch.Generator) -> Int[np.ndarray, " m"]:
    return rows[torch.randperm(len(rows), generator=rng).numpy()[:MOST]]
