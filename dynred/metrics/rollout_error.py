"""Mean rollout error."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from dynred.checks import positive
from dynred.metrics.base import Metric, mean_by_trajectory
from dynred.models.forecast import Forecast


@dataclass(frozen=True)
class RolloutError(Metric):
    """Mean over a trajectory's snapshots of the rollout's error, each at most `ceiling`.

    The error is |predicted - x| divided by the root mean square distance from the mean.

    Attributes:
        ceiling: largest error that counts; a diverged prediction counts as this much. Two unrelated states of one
            attractor are 1.4 apart.
    """

    ceiling: float = 2.0
    title: ClassVar[str] = "mean rollout error"
    higher_is_better: ClassVar[bool] = False

    def __post_init__(self):
        positive("ceiling", self.ceiling)

    def __call__(self, forecast: Forecast) -> Float[Tensor, " N"]:
        """See `Metric`."""
        return mean_by_trajectory(forecast.rollout_error().clamp_max(self.ceiling), forecast)
