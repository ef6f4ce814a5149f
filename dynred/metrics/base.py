"""What every metric of a forecast and every long-time statistic offers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred import plugins
from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.models.forecast import Forecast
from dynred.numerics.modes import Modes
from dynred.ode.grid import Grid
from dynred.spec import Spec
from dynred.user_code import user_code

COORDINATES = 8  # leading POD coordinates that stand for a state where a statistic cannot look at all of it


@dataclass(frozen=True)
class Metric(Spec, ABC):
    """A number for every trajectory of a forecast, finite also where the prediction diverged.

    Attributes:
        title: what it is, a few words; without, its name stands for it.
        higher_is_better: which way it points.
        unit: what it counts; empty for dimensionless.
        summary: which value over trajectories stands for all in a table.
    """

    title: ClassVar[str] = ""
    higher_is_better: ClassVar[bool]
    unit: ClassVar[str] = ""
    summary: ClassVar[Literal["mean", "median", "worst"]] = "mean"

    @property
    def name(self) -> str:
        """The name under which its values are stored: that of its file."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def __call__(self, forecast: Forecast) -> Float[Tensor, " N"]:
        """The value of every trajectory."""


@dataclass(frozen=True, eq=False)
class Reference:
    """The true long-time states, from which statistics take their bins and units.

    Attributes:
        truth: trajectories on the attracting set.
        grid: for fields, how a state is laid out in space.
    """

    truth: Trajectories
    grid: Grid | None = None

    @cached_property
    def modes(self) -> Modes:
        """The leading POD modes of the true states."""
        return Modes.of(self.truth.states.double(), min(COORDINATES, self.truth.dim), scaled=False)

    @cached_property
    def step(self) -> float | None:
        """The time between snapshots, where it is the same throughout (to 1e-6); None where not."""
        steps = torch.diff(self.truth.t)[torch.diff(self.truth.owner) == 0]
        if len(steps) == 0 or float(steps.max() - steps.min()) > 1e-6 * float(steps.max()):
            return None
        return float(steps.mean())

    def coordinates(self, trajectories: Trajectories) -> Float[np.ndarray, "M Q"]:
        """The leading POD coordinates of states; NaN where a prediction diverged."""
        return self.modes.coefficients(trajectories.states.double()).numpy()


class Gauge(ABC):
    """A statistic whose bins and units are fixed: what it measures of each trajectory, and when two means agree.

    A long-time statistic of a set is the mean of what its trajectories contribute, weighted by their lengths. So its
    sampling error can be had by drawing trajectories anew, without measuring again.

    Attributes:
        axes: the values at which it is measured, one array for every axis of a contribution: edges of bins,
            frequencies, lags.
        labels: what these are, with units.
    """

    axes: tuple[Float[np.ndarray, " _"], ...]
    labels: tuple[str, ...]

    @abstractmethod
    def measure(self, trajectories: Trajectories) -> Float[np.ndarray, "N ..."]:
        """What every trajectory contributes; finite also where a prediction diverged."""

    @abstractmethod
    def distance(self, a: Float[np.ndarray, "..."], b: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """How far two means, or two batches of means (further leading axes), are apart.

        0 where they are equal, of the order of 1 where they have nothing in common. `a` is the truth's where that
        matters.
        """


@dataclass(frozen=True)
class Statistic(Spec, ABC):
    """A long-time property of a set of trajectories.

    Unlike a metric, it asks not whether a prediction is near its truth but whether predictions are distributed like
    true trajectories.

    Attributes:
        title: what the distance is, a few words.
    """

    title: ClassVar[str]

    @property
    def name(self) -> str:
        """The name under which its distance is stored: that of its file."""
        return type(self).__module__.rpartition(".")[2]

    def applies(self, reference: Reference) -> bool:
        """Whether it means anything for such states and times."""
        return True

    @abstractmethod
    def gauge(self, reference: Reference) -> Gauge:
        """The statistic with bins and units that suit the truth."""


def measured(metric: Metric, forecast: Forecast) -> Float[Tensor, " N"]:
    """The values of a metric, float64, checked: it may be the user's own.

    Raises:
        InputError: it failed, or did not give one number per trajectory.
    """
    with user_code(f"metric {type(metric).__name__}"):
        found = torch.as_tensor(metric(forecast))
    if found.shape != (len(forecast.truth),) or found.is_complex():
        expected = f"one real number per trajectory [{len(forecast.truth)}]"
        raise refuse(f"metric {type(metric).__name__}", expected, f"{found.dtype} of shape {list(found.shape)}")
    return found.double()


def find_metrics() -> list[Metric]:
    """Every metric of this folder, with its default settings."""
    return [found() for found in plugins.classes("dynred.metrics", Metric)]


def find_statistics(reference: Reference) -> list[Statistic]:
    """Every statistic of this folder that applies, with its default settings."""
    found = [found() for found in plugins.classes("dynred.metrics", Statistic)]
    return [statistic for statistic in found if statistic.applies(reference)]


def mean_by_trajectory(values: Float[Tensor, " M"], forecast: Forecast) -> Float[Tensor, " N"]:
    """The mean of a value per snapshot over each trajectory."""
    sums = torch.zeros(len(forecast.truth), dtype=values.dtype).index_add(0, forecast.truth.owner, values)
    return sums / forecast.truth.lengths


def largest_by_trajectory(values: Float[Tensor, " M"], forecast: Forecast) -> Float[Tensor, " N"]:
    """The largest value of a snapshot of each trajectory."""
    lowest = torch.full((len(forecast.truth),), -torch.inf, dtype=values.dtype)
    return lowest.scatter_reduce(0, forecast.truth.owner, values, "amax")


def first_time(happens: Bool[Tensor, " M"], forecast: Forecast) -> Float[Tensor, " N"]:
    """Time since the start at which `happens` [M] is first true; the length of the trajectory where it never is."""
    elapsed, owner = forecast.elapsed, forecast.truth.owner
    last = elapsed[forecast.truth.starts + forecast.truth.lengths - 1]
    when = torch.where(happens, elapsed, last[owner])
    return last.scatter_reduce(0, owner, when, "amin")


def segments(
    values: Float[np.ndarray, "M Q"], lengths: Int[Tensor, " N"], length: int
) -> list[Float[np.ndarray, "S L Q"]]:
    """For every trajectory, its pieces of `length` snapshots: as many as fit side by side, spread evenly."""
    found, start = [], 0
    for n in lengths.tolist():
        begins = np.unique(np.linspace(0, n - length, max(1, n // length)).round().astype(int))
        found.append(np.stack([values[start + b : start + b + length] for b in begins]))
        start += n
    return found
