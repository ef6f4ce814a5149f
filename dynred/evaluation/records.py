"""The parts of an evaluation: frozen records of numbers with their intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from dynred.evaluation.bootstrap import Interval, Resamples, largest, mean, median, smallest


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of an error over snapshots, each with its interval over trajectories."""

    NAMES: ClassVar = ("median", "p95", "p99", "max")
    median: float
    p95: float
    p99: float
    max: float
    median_interval: Interval | None = None
    p95_interval: Interval | None = None
    p99_interval: Interval | None = None
    max_interval: Interval | None = None

    @classmethod
    def of(cls, values: Float[np.ndarray, " M"], owner: Int[np.ndarray, " M"], resamples: Resamples) -> "Quantiles":
        """The quantiles of one value per snapshot; `owner` says which trajectory each snapshot belongs to."""
        fractions = (0.5, 0.95, 0.99, 1.0)
        numbers: dict[str, Any] = dict(zip(cls.NAMES, (float(q) for q in np.quantile(values, fractions)), strict=True))
        intervals = resamples.snapshot_quantile_intervals(values, owner, fractions)
        numbers |= {f"{name}_interval": i for name, i in zip(cls.NAMES, intervals, strict=True)}
        return cls(**numbers)

    def numbers(self) -> dict[str, float]:
        """The quantiles by name, without their intervals."""
        return {name: getattr(self, name) for name in self.NAMES}


@dataclass(frozen=True)
class Spread:
    """Middle and lower end of a score over trajectories, each with its interval."""

    NAMES: ClassVar = ("median", "mean", "p10")
    median: float
    mean: float
    p10: float
    median_interval: Interval | None = None
    mean_interval: Interval | None = None
    p10_interval: Interval | None = None

    @classmethod
    def of(cls, values: Float[np.ndarray, " N"] | Float[Tensor, " N"], resamples: Resamples | None = None) -> "Spread":
        """The spread of one value per trajectory."""
        v = np.asarray(values, dtype=float)
        resamples = resamples or Resamples.of(len(v))
        statistics = dict(zip(cls.NAMES, (median, mean, _p10), strict=True))
        numbers: dict[str, Any] = {name: float(statistic(v)) for name, statistic in statistics.items()}
        numbers |= {f"{name}_interval": resamples.interval(v, statistic) for name, statistic in statistics.items()}
        return cls(**numbers)

    def scaled(self, unit: float) -> "Spread":
        """The spread in a larger unit: every number is divided by `unit`."""
        numbers: dict[str, Any] = {name: getattr(self, name) / unit for name in self.NAMES}
        for name in (f"{name}_interval" for name in self.NAMES):
            interval = getattr(self, name)
            numbers[name] = None if interval is None else (interval[0] / unit, interval[1] / unit)
        return Spread(**numbers)


@dataclass(frozen=True)
class Score:
    """A metric over trajectories, each number with its interval; `worst` is the least favourable value."""

    median: float
    mean: float
    worst: float
    median_interval: Interval | None = None
    mean_interval: Interval | None = None
    worst_interval: Interval | None = None
    unit: str = ""

    @classmethod
    def of(cls, values: Float[np.ndarray, " N"], higher_is_better: bool, unit: str, resamples: Resamples) -> "Score":
        """The score of one value per trajectory."""
        worst = smallest if higher_is_better else largest
        numbers = (float(median(values)), float(mean(values)), float(worst(values)))
        middle, outer = resamples.interval(values, median), resamples.interval(values, worst)
        return cls(*numbers, middle, resamples.mean_interval(values), outer, unit)


@dataclass(frozen=True)
class Agreement:
    """How far a long-time statistic of predictions is from that of the truth.

    Attributes:
        distance: distance between the two.
        interval: interval of the distance.
        sampling_error: the distance that two sets of as many true trajectories would have by chance.
        ratio: distance over sampling error; about 1 where nothing tells predictions from truth.
    """

    distance: float
    interval: Interval | None = None
    sampling_error: float | None = None
    ratio: float | None = None


@dataclass(frozen=True)
class Reconstruction:
    """Error of decode(encode(x)).

    Attributes:
        nmse: mean |x^ - x|^2 / mean |x - mean x|^2 over test snapshots.
        relative_error: quantiles of |x^ - x| / sqrt(mean |x - mean x|^2) over test snapshots.
        nmse_interval: interval of the nmse.
    """

    nmse: float
    relative_error: Quantiles
    nmse_interval: Interval | None = None


@dataclass(frozen=True)
class ErrorCurve:
    """Rollout error over time since the start: quantiles over trajectories; infinite where predictions diverged.

    Attributes:
        t: times since the start.
        median, mean, p90: median, mean and 90 % quantile of |predicted - x|.
        low, high: ends of the interval of the median.
        reconstruction: median of |decode(encode(x)) - x|, the share of encoder and decoder.
        dynamics: median of |predicted - decode(encode(x))|, the share of the latent dynamics.
    """

    t: list[float]
    median: list[float]
    mean: list[float]
    p90: list[float]
    low: list[float] | None = None
    high: list[float] | None = None
    reconstruction: list[float] | None = None
    dynamics: list[float] | None = None


@dataclass(frozen=True)
class Rollout:
    """Error of predictions from the first state of every test trajectory.

    Attributes:
        threshold: error above which a prediction is lost, in units of sqrt(mean |x - mean x|^2).
        valid_time: time until the error exceeds the threshold, in time units.
        valid_time_scaled: the same time in units of the system's time scale.
        diverged: number of trajectories whose prediction stopped being finite.
        error: the error over time.
        diverged_interval: interval of the number of diverged trajectories.
    """

    threshold: float
    valid_time: Spread
    valid_time_scaled: Spread
    diverged: int
    error: ErrorCurve
    diverged_interval: Interval | None = None


@dataclass(frozen=True)
class Exponents:
    """Lyapunov exponents per time unit, decreasing, with standard errors, and the Kaplan-Yorke dimension.

    The dimension is None where more exponents would be needed.
    """

    exponents: list[float]
    error: list[float]
    kaplan_yorke_dimension: float | None = None


@dataclass(frozen=True)
class LongTime:
    """What very long rollouts show.

    Attributes:
        rollouts: number of rollouts.
        duration: duration of each rollout, in time units.
        left: number of rollouts that left the attracting set.
        left_interval: interval of that number.
        statistics: how far the distribution of predictions is from that of the truth, by name of the statistic.
        full, reduced: exponents of the full and the reduced model; None where they were not computed.
    """

    rollouts: int
    duration: float
    left: int
    left_interval: Interval
    statistics: Mapping[str, Agreement]
    full: Exponents | None = None
    reduced: Exponents | None = None


@dataclass(frozen=True)
class Coverage:
    """How often a calibrated band around predictions holds the truth (`dynred.models.bands`).

    Attributes:
        level: how often the band should hold the truth, as a fraction.
        t: times since the start, as far as the band was calibrated.
        holds: fraction of the components of the test trajectories that the band holds at each time.
        low, high: ends of the interval of that fraction.
    """

    level: float
    t: list[float]
    holds: list[float]
    low: list[float]
    high: list[float]

    @classmethod
    def of(cls, level: float, t: list[float], table: Float[np.ndarray, "N T"]) -> "Coverage":
        """The coverage from a table: the fraction of each trajectory's components that the band holds at each time.

        NaN stands for times after the end of a trajectory.
        """
        counts, lasts = Resamples.of(len(table)).counts, ~np.isnan(table)
        with np.errstate(invalid="ignore"):  # a resample may have no trajectory that lasts so long
            means = counts @ np.where(lasts, table, 0.0) / (counts @ lasts)
        low, high = np.nanquantile(means, [0.025, 0.975], axis=0)
        return cls(level, t, np.nanmean(table, 0).tolist(), low.tolist(), high.tolist())


@dataclass(frozen=True)
class Cost:
    """What it took to make the model; None where it was not measured.

    Attributes:
        simulate_s, reducer_s, dynamics_s, evaluate_s: wall-clock seconds.
        peak_memory_mb: largest resident memory of the process so far, in MiB.
        parameters: number of trainable numbers of the model.
    """

    simulate_s: float | None = None
    reducer_s: float | None = None
    dynamics_s: float | None = None
    evaluate_s: float | None = None
    peak_memory_mb: float | None = None
    parameters: int | None = None


@dataclass(frozen=True)
class Speedup:
    """Seconds per time unit and trajectory of both models, in a batch of the test's size; None without an equation."""

    full_s_per_time_unit: float | None
    reduced_s_per_time_unit: float
    ratio: float | None


def _p10(values: Float[np.ndarray, "*batch N"]) -> Float[np.ndarray, "*batch"]:
    return np.quantile(values, 0.1, axis=-1)
