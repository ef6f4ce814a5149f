"""Valid prediction time."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from jaxtyping import Bool, Float
from torch import Tensor

from dynred.checks import positive
from dynred.metrics.base import Metric, first_time, never
from dynred.models.forecast import Forecast


@dataclass(frozen=True)
class ValidTime(Metric):
    """First time at which the rollout's error exceeds a threshold; at least the whole duration where it never does.

    The error is |predicted - x| divided by the root mean square distance from the mean (P. R. Vlachas et al., Neural
    Networks 126, 191 (2020), define it so up to the normalisation by component).

    Attributes:
        threshold: largest valid error, in units of the root mean square distance from the mean, > 0.
    """

    threshold: float = 0.5
    title: ClassVar[str] = "valid time"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "time units"
    summary: ClassVar[Literal["mean", "median", "worst"]] = "median"

    def __post_init__(self):
        positive("threshold", self.threshold)

    def at(self, threshold: float) -> Self:
        """See `Metric`."""
        return replace(self, threshold=threshold)

    def __call__(self, forecast: Forecast) -> Float[Tensor, " N"]:
        """See `Metric`."""
        return first_time(forecast.rollout_error() > self.threshold, forecast)

    def censored(self, forecast: Forecast) -> Bool[Tensor, " N"]:
        """See `Metric.censored`."""
        return never(forecast.rollout_error() > self.threshold, forecast)
