"""Have the trajectories reached K? And how long do neighbours in time look like neighbours in space?"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from dynred.data.trajectories import Trajectories
from dynred.geometry.sample import Sample, neighbours

MOST = 1000  # most points of every quarter
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
    """Compares the quarters of every trajectory's time: on K, the first is as close to the last as the third."""
    assert sample.owner is not None
    assert sample.time is not None
    count = int(sample.owner.max()) + 1
    first, last = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(first, sample.owner, sample.time)
    np.maximum.at(last, sample.owner, sample.time)
    length = np.maximum(last - first, 1e-300)[sample.owner]
    quarter = np.minimum(4 * (sample.time - first[sample.owner]) / length, 3.999).astype(int)
    parts = [_some(sample.points[quarter == q], rng) for q in (0, 2, 3)]
    if min(len(part) for part in parts) < 10:
        return Drift(0.0, 0.0)
    early, late = (float(np.quantile(neighbours(part, parts[2], 1)[0], 0.9)) for part in parts[:2])
    return Drift(early / sample.diameter, late / sample.diameter)


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


def _some(points: Float[np.ndarray, "n Q"], rng: torch.Generator) -> Float[np.ndarray, "m Q"]:
    return points[torch.randperm(len(points), generator=rng).numpy()[:MOST]]
