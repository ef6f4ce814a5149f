"""Scores over trajectories and errors over snapshots: middles and ends, with their intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred.evaluation.bootstrap import Interval, largest, mean, smallest
from dynred.evaluation.censoring import Times
from dynred.evaluation.intervals import mean_interval, quantile_interval, snapshot_quantile_interval


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of an error over snapshots, each but the maximum with its interval over trajectories."""

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
    def of(
        cls, values: Float[np.ndarray, " M"], owner: Int[np.ndarray, " M"], *, independent: bool = True
    ) -> "Quantiles":
        """The quantiles of one value per snapshot.

        Args:
            values: the values.
            owner: which trajectory each snapshot belongs to.
            independent: whether trajectories are independent of each other; there are no intervals where not.
        """
        fractions = dict(zip(cls.NAMES, (0.5, 0.95, 0.99, 1.0), strict=True))
        numbers: dict[str, Any] = {name: float(np.quantile(values, q)) for name, q in fractions.items()}
        if independent:
            inner = {name: q for name, q in fractions.items() if q < 1}
            numbers |= {f"{n}_interval": snapshot_quantile_interval(values, owner, q) for n, q in inner.items()}
        return cls(**numbers)

    def numbers(self) -> dict[str, float]:
        """The quantiles by name, without their intervals."""
        return {name: getattr(self, name) for name in self.NAMES}


@dataclass(frozen=True)
class Spread:
    """Middle and lower end of a score over trajectories, each with its interval.

    Attributes:
        median, mean, p10: median, mean and 10 % quantile.
        median_interval, mean_interval, p10_interval: their intervals; None where trajectories are too few for one.
        at_least: names of the numbers that are only known to be at least so large, e.g. `median`; `median_interval`
            where that is true of the upper end of the interval.
    """

    NAMES: ClassVar = ("median", "mean", "p10")
    median: float
    mean: float
    p10: float
    median_interval: Interval | None = None
    mean_interval: Interval | None = None
    p10_interval: Interval | None = None
    at_least: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        values: Float[np.ndarray, " N"] | Float[Tensor, " N"],
        censored: Bool[np.ndarray, " N"] | None = None,
        *,
        independent: bool = True,
    ) -> "Spread":
        """The spread of one value per trajectory.

        Args:
            values: the values.
            censored: which values are only known to be at least so large; default: none.
            independent: whether trajectories are independent of each other; there are no intervals where not.
        """
        sample = _Sample.of(values, censored, independent)
        return cls(**sample.numbers({"median": 0.5, "p10": 0.1}))

    def scaled(self, unit: float) -> "Spread":
        """The spread in a larger unit: every number is divided by `unit`."""
        numbers: dict[str, Any] = {name: getattr(self, name) / unit for name in self.NAMES}
        for name in (f"{name}_interval" for name in self.NAMES):
            interval = getattr(self, name)
            numbers[name] = None if interval is None else (interval[0] / unit, interval[1] / unit)
        return Spread(**numbers, at_least=self.at_least)


@dataclass(frozen=True)
class Score:
    """A metric over trajectories; `worst` is the least favourable value, which has no interval.

    Attributes:
        median, mean, worst: median, mean and least favourable value.
        median_interval, mean_interval, worst_interval: intervals; None where trajectories are too few for one.
        unit: unit of the values; empty where they are dimensionless.
        at_least: as in `Spread`.
    """

    median: float
    mean: float
    worst: float
    median_interval: Interval | None = None
    mean_interval: Interval | None = None
    worst_interval: Interval | None = None
    unit: str = ""
    at_least: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        values: Float[np.ndarray, " N"],
        higher_is_better: bool,
        unit: str = "",
        censored: Bool[np.ndarray, " N"] | None = None,
        *,
        independent: bool = True,
    ) -> "Score":
        """The score of one value per trajectory; `censored` and `independent` as in `Spread.of`."""
        sample = _Sample.of(values, censored, independent)
        numbers = sample.numbers({"median": 0.5})
        worst = float((smallest if higher_is_better else largest)(sample.values))
        if sample.censored[sample.values == worst].any():
            numbers["at_least"] += ("worst",)
        return cls(**numbers, worst=worst, unit=unit)


@dataclass(frozen=True, eq=False)
class _Sample:
    """One value per trajectory, from which statistics with their intervals are made."""

    values: Float[np.ndarray, " N"]
    censored: Bool[np.ndarray, " N"]
    independent: bool

    @classmethod
    def of(cls, values: Any, censored: Bool[np.ndarray, " N"] | None, independent: bool) -> "_Sample":
        numbers = np.asarray(values, dtype=float)
        return cls(numbers, np.zeros(len(numbers), dtype=bool) if censored is None else censored, independent)

    def numbers(self, fractions: Mapping[str, float]) -> dict[str, Any]:
        """Mean and quantiles with their intervals, by the names of a record's fields, and `at_least`."""
        numbers: dict[str, Any] = {"mean": float(mean(self.values))}
        numbers["mean_interval"] = mean_interval(self.values) if self.independent else None
        at_least = ["mean", "mean_interval"] if self.censored.any() else []
        for name, fraction in fractions.items():
            numbers[name], beyond, numbers[f"{name}_interval"], open_ = self._quantile(fraction)
            at_least += [name] * beyond + [f"{name}_interval"] * open_
        return {**numbers, "at_least": tuple(name for name in at_least if numbers[name] is not None)}

    def _quantile(self, fraction: float) -> tuple[float, bool, Interval | None, bool]:
        if not self.censored.any():
            interval = quantile_interval(self.values, fraction) if self.independent else None
            return float(np.quantile(self.values, fraction)), False, interval, False
        times = Times(self.values, self.censored)
        value, beyond = times.quantile(fraction)
        ends = times.interval(fraction) if self.independent else None
        return (value, beyond, None, False) if ends is None else (value, beyond, *ends)
