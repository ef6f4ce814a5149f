"""Normalised mean squared error of the reconstruction."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from dynred.metrics.base import Metric, mean_by_trajectory
from dynred.models.forecast import Forecast


@dataclass(frozen=True)
class ReconstructionNMSE(Metric):
    """mean |decode(encode(x)) - x|^2 over a trajectory, divided by mean |x - mean x|^2 of all true snapshots.

    The mean over all snapshots is the nmse that studies of Kuramoto-Sivashinsky report (A. J. Linot, M. D. Graham,
    Chaos 32, 073110 (2022)).
    """

    title: ClassVar[str] = "reconstruction nmse"
    higher_is_better: ClassVar[bool] = False
    measures: ClassVar[Literal["predictions", "reconstructions"]] = "reconstructions"

    def __call__(self, forecast: Forecast) -> Float[Tensor, " N"]:
        """See `Metric`."""
        return mean_by_trajectory(forecast.reconstruction_error().pow(2), forecast)
