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
    """1 where a prediction is anywhere farther from the mean true state than `factor` times the farthest true state, or
    not finite; 0 where it never is. Its mean is the fraction of rollouts that leave.

    This is a coarse box around the attracting set: what stays within it may still be distributed wrongly, which is what
    the long-time statistics ask.

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
        far = ~((forecast.predicted.states.double() - centre).norm(dim=1) <= limit)  # also where it is NaN
        return largest_by_trajectory(far.double(), forecast)
