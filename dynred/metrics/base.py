"""The base classes of metrics of a forecast and of long-time statistics."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred import plugins
from dynred.checks import kind_of, refuse
from dynred.data.grid import Grid
from dynred.data.trajectories import Trajectories
from dynred.kinds import snake_case
from dynred.models.forecast import Forecast
from dynred.numerics.modes import Modes
from dynred.numerics.time_grids import even_step
from dynred.spec import Spec
from dynred.user_code import user_code

FOLDER = "dynred.metrics"
COORDINATES = 8  # leading POD coordinates: they stand for a state where a statistic cannot look at the whole state


@dataclass(frozen=True)
class Metric(Spec, ABC):
    """A number for every trajectory of a forecast, finite also where the prediction diverged.

    Attributes:
        title: what the metric measures, in a few words; tables show the name of a metric without a title.
        higher_is_better: whether a larger value is better.
        unit: unit of the values; empty where they are dimensionless.
        summary: which value over the trajectories a table shows.
        measures: what the value depends on: predictions, or the encoder and decoder alone. Baselines that share the
            model's encoder, or have none, are not scored by what measures reconstructions.
    """

    title: ClassVar[str] = ""
    higher_is_better: ClassVar[bool]
    unit: ClassVar[str] = ""
    summary: ClassVar[Literal["mean", "median", "worst"]] = "mean"
    measures: ClassVar[Literal["predictions", "reconstructions"]] = "predictions"

    @property
    def name(self) -> str:
        """The name under which values are stored: the class name in snake case, e.g. `valid_time` of `ValidTime`."""
        return snake_case(type(self).__name__)

    def at(self, threshold: float) -> Self:
        """This metric, with errors above `threshold` counted as lost; a metric without a threshold returns itself."""
        return self

    @abstractmethod
    def __call__(self, forecast: Forecast) -> Float[Tensor, " N"]:
        """The value of every trajectory."""

    def censored(self, forecast: Forecast) -> Bool[Tensor, " N"]:
        """Which values are only known to be at least so large, because the test trajectory ended; by default none."""
        return torch.zeros(len(forecast.truth), dtype=torch.bool)


@dataclass(frozen=True, eq=False)
class Reference:
    """The true long-time states; statistics take their bins and units from them.

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
        """The time between snapshots; None where it varies by more than round-off, or where there is none."""
        return even_step(self.truth.grids)

    def coordinates(self, trajectories: Trajectories) -> Float[np.ndarray, "M Q"]:
        """The leading POD coordinates of states; NaN where a prediction diverged."""
        return self.modes.coefficients(trajectories.states.double()).numpy()


class Gauge(ABC):
    """A statistic whose bins and units are fixed: it measures trajectories, and tells how far two means are apart.

    A long-time statistic of a set is the mean of what its trajectories contribute, weighted by their lengths. So the
    sampling error follows from drawing trajectories anew, without measuring them again.

    Attributes:
        axes: the values at which the statistic is measured, one array for every axis of a contribution: edges of bins,
            frequencies, lags.
        labels: name of each axis, with its unit.
    """

    axes: tuple[Float[np.ndarray, " _"], ...]
    labels: tuple[str, ...]

    @abstractmethod
    def measure(self, trajectories: Trajectories) -> Float[np.ndarray, "N ..."]:
        """The contribution of every trajectory; finite also where a prediction diverged."""

    @abstractmethod
    def distance(self, a: Float[np.ndarray, "..."], b: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """How far two means, or two batches of means (further leading axes), are apart.

        The distance is 0 where they are equal, and of the order of 1 where they have nothing in common. Where the two
        play different parts, `a` is the truth's.
        """


@dataclass(frozen=True)
class Statistic(Spec, ABC):
    """A long-time property of a set of trajectories.

    A metric asks whether a prediction is near its truth. A statistic asks whether predictions are distributed like
    true trajectories.

    Attributes:
        title: what the distance compares, in a few words.
    """

    title: ClassVar[str]

    @property
    def name(self) -> str:
        """The name under which distances are stored: the class name in snake case, e.g. `marginals` of `Marginals`."""
        return snake_case(type(self).__name__)

    def applies(self, reference: Reference) -> bool:
        """Whether the statistic means anything for such states and times."""
        return True

    @abstractmethod
    def gauge(self, reference: Reference) -> Gauge:
        """The statistic with bins and units that suit the truth."""


def measured(metric: Metric, forecast: Forecast) -> Float[Tensor, " N"]:
    """The values of a metric in float64, checked because the metric may be the user's own.

    Raises:
        InputError: the metric failed, or did not give one number per trajectory.
    """
    with user_code(f"metric {type(metric).__name__}"):
        values = torch.as_tensor(metric(forecast))
    if values.shape != (len(forecast.truth),) or values.is_complex():
        expected = f"one real number per trajectory [{len(forecast.truth)}]"
        raise refuse(f"metric {type(metric).__name__}", expected, f"{values.dtype} of shape {list(values.shape)}")
    return values.double()


def cut_off(metric: Metric, forecast: Forecast) -> Bool[Tensor, " N"]:
    """Which values of a metric are only known to be at least so large, checked like `measured`.

    Raises:
        InputError: the metric failed, or did not give one truth value per trajectory.
    """
    with user_code(f"metric {type(metric).__name__}"):
        censored = torch.as_tensor(metric.censored(forecast))
    if censored.shape != (len(forecast.truth),) or censored.dtype != torch.bool:
        expected = f"one truth value per trajectory [{len(forecast.truth)}]"
        given = f"{censored.dtype} of shape {list(censored.shape)}"
        raise refuse(f"metric {type(metric).__name__}.censored", expected, given)
    return censored


def find_metrics(own: Sequence[Metric | str] = (), threshold: float = 0.5) -> list[Metric]:
    """Every metric of this folder with its default settings, and the user's own metrics.

    Args:
        own: the user's own metrics. `path/to/mine.py`, or another name of a plug-in, stands for the metric in it, with
            its default settings. A metric of this folder gives way to one of the user's with the same name.
        threshold: rollout error above which a prediction is lost, see `Metric.at`.

    Raises:
        InputError: an entry is no metric, two have the same name, or one was made for another threshold.
    """
    if isinstance(own, str):
        raise refuse("metrics", "a list of metrics or their names", repr(own))
    defaults = {metric.name: metric for metric in (cls().at(threshold) for cls in plugins.classes(FOLDER, Metric))}
    given = [_at(threshold, metric) for metric in own]
    names = [metric.name for metric in given]
    if len(set(names)) < len(names):
        raise refuse("metrics", "of different names", ", ".join(names), "The name of its class is that of a metric.")
    return list({**defaults, **dict(zip(names, given, strict=True))}.values())


def load_metric(metric: Metric | str) -> Metric:
    """The metric that a name stands for, with its default settings; a metric stands for itself."""
    if isinstance(metric, str):
        cls = plugins.load_class(FOLDER, metric, Metric)  # type: ignore[type-abstract] # the class that a name gives is concrete
        with user_code(f"metric {cls.__name__}"):
            return cls()
    if not isinstance(metric, Metric):
        raise refuse("metrics", "metrics or their names", kind_of(metric))
    return metric


def _at(threshold: float, metric: Metric | str) -> Metric:
    loaded = load_metric(metric)
    if loaded is metric and loaded.at(threshold) != loaded:
        advice = "Give the evaluation the same threshold."
        raise refuse(f"metric {loaded.name}", f"for the evaluation's threshold, {threshold:g}", repr(loaded), advice)
    return loaded.at(threshold)


def find_statistics(reference: Reference) -> list[Statistic]:
    """Every statistic of this folder that applies, with its default settings."""
    statistics = [cls() for cls in plugins.classes(FOLDER, Statistic)]
    return [statistic for statistic in statistics if statistic.applies(reference)]


def mean_by_trajectory(values: Float[Tensor, " M"], forecast: Forecast) -> Float[Tensor, " N"]:
    """The mean of a value per snapshot over each trajectory."""
    sums = torch.zeros(len(forecast.truth), dtype=values.dtype).index_add(0, forecast.truth.owner, values)
    return sums / forecast.truth.lengths


def largest_by_trajectory(values: Float[Tensor, " M"], forecast: Forecast) -> Float[Tensor, " N"]:
    """The largest of a value per snapshot over each trajectory."""
    lowest = torch.full((len(forecast.truth),), -torch.inf, dtype=values.dtype)
    return lowest.scatter_reduce(0, forecast.truth.owner, values, "amax")


def first_time(happens: Bool[Tensor, " M"], forecast: Forecast) -> Float[Tensor, " N"]:
    """Time since the start at which `happens` [M] is first true; the trajectory's duration where it never is."""
    elapsed, owner = forecast.elapsed, forecast.truth.owner
    last = elapsed[forecast.truth.starts + forecast.truth.lengths - 1]
    when = torch.where(happens, elapsed, last[owner])
    return last.scatter_reduce(0, owner, when, "amin")


def never(happens: Bool[Tensor, " M"], forecast: Forecast) -> Bool[Tensor, " N"]:
    """Whether `happens` [M] is false at every snapshot of a trajectory."""
    counts = torch.zeros(len(forecast.truth)).index_add(0, forecast.truth.owner, happens.float())
    return counts == 0


def segments(
    values: Float[np.ndarray, "M Q"], lengths: Int[Tensor, " N"], length: int
) -> list[Float[np.ndarray, "S L Q"]]:
    """The pieces of `length` snapshots of every trajectory: as many as fit side by side, spread evenly."""
    pieces, start = [], 0
    for n in lengths.tolist():
        begins = np.unique(np.linspace(0, n - length, max(1, n // length)).round().astype(int))
        pieces.append(np.stack([values[start + b : start + b + length] for b in begins]))
        start += n
    return pieces
