"""Mean squared error of the reconstruction over the mean square of the states."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from dynred.checks import positive
from dynred.metrics.base import Metric, mean_by_trajectory
from dynred.models.forecast import Forecast


@dataclass(frozen=True)
class RelativeMSE(Metric):
    """mean |decode(encode(x)) - x|^2 over a trajectory, divided by mean |x|^2 of all true snapshots.

    The mean over trajectories of one length is what K. Champion, B. Lusch, J. N. Kutz, S. L. Brunton, PNAS 116, 22445
    (2019) report as the relative error of x: mean((x - x^)^2) / mean(x^2) over all entries. Unlike the nmse, it does
    not subtract the mean state.

    Attributes:
        ceiling: largest error of a snapshot that counts; a reconstruction that is not finite counts as this much.
    """

    ceiling: float = 10.0
    title: ClassVar[str] = "mean squared reconstruction error over mean |x|\u2060²"  # joined: no line may begin with ²
    higher_is_better: ClassVar[bool] = False
    measures: ClassVar[Literal["predictions", "reconstructions"]] = "reconstructions"

    def __post_init__(self):
        positive("ceiling", self.ceiling)

    def __call__(self, forecast: Forecast) -> Float[Tensor, " N"]:
        """See `Metric`."""
        size = forecast.truth.states.double().pow(2).sum(1).mean().clamp_min(1e-300)
        error = forecast.distance(forecast.reconstructed, forecast.truth).pow(2) / size
        return mean_by_trajectory(error.clamp_max(self.ceiling), forecast)
