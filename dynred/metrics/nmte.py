"""Normalised mean trajectory error."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from dynred.checks import positive
from dynred.metrics.base import Metric, mean_by_trajectory
from dynred.models.forecast import Forecast


@dataclass(frozen=True)
class NMTE(Metric):
    """mean_t |predicted - x| / max |x| of every trajectory; SSMLearn reports the mean over trajectories.

    The largest |x| is that of the whole trajectory, also where the test is a part of it: late parts of a transient are
    small, and a ratio to their own size would say nothing.

    States are measured from the origin, not from their mean: in SSMLearn a fixed point lies there. Source: M. Cenedese,
    J. Axas, B. Baeuerlein, K. Avila, G. Haller, Nat. Commun. 13, 872 (2022), and their code SSMLearn.

    Attributes:
        ceiling: largest error of a snapshot that counts, in units of max |x|; a diverged one counts as this much.
    """

    ceiling: float = 10.0
    title: ClassVar[str] = "normalised mean trajectory error (NMTE)"
    higher_is_better: ClassVar[bool] = False

    def __post_init__(self):
        positive("ceiling", self.ceiling)

    def __call__(self, forecast: Forecast) -> Float[Tensor, " N"]:
        """See `Metric`."""
        size = forecast.largest_states.clamp_min(1e-300)
        error = forecast.distance(forecast.predicted, forecast.truth) / size[forecast.truth.owner]
        return mean_by_trajectory(error.clamp_max(self.ceiling), forecast)
