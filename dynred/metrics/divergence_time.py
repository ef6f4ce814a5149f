"""Time of divergence."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dynred.metrics.base import Metric, first_time, never
from dynred.models.forecast import Forecast


@dataclass(frozen=True)
class DivergenceTime(Metric):
    """First time at which the prediction is no longer finite; at least the whole duration where it always is."""

    title: ClassVar[str] = "time of divergence"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "time units"
    summary: ClassVar[Literal["mean", "median", "worst"]] = "median"

    def __call__(self, forecast: Forecast) -> Float[Tensor, " N"]:
        """See `Metric`."""
        return first_time(torch.isinf(forecast.rollout_error()), forecast)

    def censored(self, forecast: Forecast) -> Bool[Tensor, " N"]:
        """See `Metric.censored`."""
        return never(torch.isinf(forecast.rollout_error()), forecast)
