"""Rollouts that leave the attracting set for good or for a while."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from dynred.checks import positive
from dynred.metrics.base import Metric, largest_by_trajectory
from dynred.models.forecast import Forecast


@dataclass(frozen=True)
class Escape(Metric):
    """1 where a prediction ever leaves a ball around the mean true state, or is not finite; 0 where it stays within.

    The ball's radius is `factor` times the distance of the farthest true state. The mean over trajectories is the
    fraction of rollouts that leave. The ball is a coarse bound on the attracting set: a prediction within it may still
    be distributed wrongly, and the long-time statistics test that.

    Attributes:
        factor: > 0; 1.5 lies beyond what a longer truth would reach.
    """

    factor: float = 1.5
    title: ClassVar[str] = "fraction of rollouts that leave the attractor"
    higher_is_better: ClassVar[bool] = False

    def __post_init__(self):
        positive("factor", self.factor)

    def __call__(self, forecast: Forecast) -> Float[Tensor, " N"]:
        """See `Metric`."""
        states = forecast.truth.states.double()
        centre = states.mean(0)
        limit = self.factor * (states - centre).norm(dim=1).max()
        far = ~((forecast.predicted.states.double() - centre).norm(dim=1) <= limit)  # a NaN counts as far
        return largest_by_trajectory(far.double(), forecast)
