"""What every metric of a forecast offers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.forecast import Forecast
from dynred.spec import Spec


@dataclass(frozen=True)
class Metric(Spec, ABC):
    """A number for every trajectory of a forecast, finite also where the prediction diverged.

    Attributes:
        higher_is_better: which way it points.
        unit: what it counts; empty for dimensionless.
    """

    higher_is_better: ClassVar[bool]
    unit: ClassVar[str] = ""

    @abstractmethod
    def __call__(self, forecast: Forecast) -> Float[Tensor, " N"]:
        """The value of every trajectory."""


def mean_by_trajectory(values: Float[Tensor, " M"], forecast: Forecast) -> Float[Tensor, " N"]:
    """The mean of a value per snapshot over each trajectory."""
    sums = torch.zeros(len(forecast.truth), dtype=values.dtype).index_add(0, forecast.truth.owner, values)
    return sums / forecast.truth.lengths


def first_time(happens: Tensor, forecast: Forecast) -> Float[Tensor, " N"]:
    """Time since the start at which `happens` [M] is first true; the length of the trajectory where it never is."""
    elapsed, owner = forecast.elapsed, forecast.truth.owner
    last = elapsed[forecast.truth.starts + forecast.truth.lengths - 1]
    when = torch.where(happens, elapsed, last[owner])
    return last.scatter_reduce(0, owner, when, "amin")
