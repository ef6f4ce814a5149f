"""Largest relative error over time."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from dynred.checks import positive
from dynred.metrics.base import Metric, largest_by_trajectory
from dynred.models.forecast import Forecast


@dataclass(frozen=True)
class MaxRelativeError(Metric):
    """max_t |predicted - x| / |x| of every trajectory, with |x| at the same t; LaSDI studies report the worst.

    States are measured from the origin, not from their mean. Source: W. D. Fries, X. He, Y. Choi, Comput. Methods
    Appl. Mech. Eng. 399, 115436 (2022); X. He, Y. Choi, W. D. Fries, J. L. Belof, J.-S. Chen, J. Comput. Phys. 489,
    112267 (2023).

    Attributes:
        ceiling: largest error that counts; a diverged prediction counts as this much.
    """

    ceiling: float = 10.0
    title: ClassVar[str] = "largest relative error over time"
    higher_is_better: ClassVar[bool] = False
    summary: ClassVar[Literal["mean", "median", "worst"]] = "worst"

    def __post_init__(self):
        positive("ceiling", self.ceiling)

    def __call__(self, forecast: Forecast) -> Float[Tensor, " N"]:
        """See `Metric`."""
        size = forecast.truth.states.double().norm(dim=1).clamp_min(1e-300)
        error = forecast.distance(forecast.predicted, forecast.truth) / size
        return largest_by_trajectory(error.clamp_max(self.ceiling), forecast)
