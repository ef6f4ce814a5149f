"""Confidence intervals by resampling trajectories.

Snapshots of one trajectory depend on each other, so whole trajectories are drawn anew, never snapshots. Source of the
intervals: A. C. Davison, D. V. Hinkley, Bootstrap Methods and their Application (1997), chapter 5.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.stats import binom, binomtest

from dynred.checks import integer
from dynred.rng import generator

RESAMPLES = 1000
LEVEL = 0.95
CELLS = 4096  # cells of equal content: values of snapshots are sorted into them before quantiles are resampled

Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Resamples:
    """Which of N trajectories each of B resamples consists of.

    Two sets of values that use the same resamples are compared trajectory by trajectory.

    Attributes:
        chosen: indices of trajectories [B, N].
    """

    chosen: Int[np.ndarray, "B N"]

    @classmethod
    def of(cls, n: int, *, count: int = RESAMPLES, rng: torch.Generator | None = None) -> "Resamples":
        """`count` resamples of n trajectories, drawn with replacement; without `rng`, always the same resamples."""
        integer("n", n, 1)
        rng = rng or generator(0, "bootstrap")
        return cls(torch.randint(n, (count, n), generator=rng).numpy())

    @property
    def counts(self) -> Float[np.ndarray, "B N"]:
        """How often each resample holds each trajectory."""
        b, n = self.chosen.shape
        flat = np.bincount((self.chosen + n * np.arange(b)[:, None]).ravel(), minlength=b * n)
        return flat.reshape(b, n).astype(float)

    def of_values(
        self,
        values: Float[np.ndarray, " N"],
        statistic: Callable[[Float[np.ndarray, "*batch N"]], Float[np.ndarray, "*batch"]],
    ) -> Float[np.ndarray, " B"]:
        """The statistic [..., N] -> [...] of every resample of one value per trajectory."""
        return statistic(values[self.chosen])

    def interval(
        self,
        values: Float[np.ndarray, " N"],
        statistic: Callable[[Float[np.ndarray, "*batch N"]], Float[np.ndarray, "*batch"]],
    ) -> Interval:
        """The percentile interval of a statistic of one value per trajectory."""
        return percentile_interval(self.of_values(values, statistic))

    def mean_interval(self, values: Float[np.ndarray, " N"]) -> Interval:
        """The interval of a mean.

        Values 0 and 1 count events, and get the exact interval: where no event was seen, no resample has any either.
        """
        if np.isin(values, (0.0, 1.0)).all():
            return proportion_interval(int(values.sum()), len(values))
        return self.interval(values, mean)

    def ratio_interval(self, sums: Float[np.ndarray, " N"], weights: Float[np.ndarray, " N"]) -> Interval:
        """The interval of sum(sums) / sum(weights): a mean over snapshots, whose number differs by trajectory."""
        counts = self.counts
        return percentile_interval(counts @ sums / (counts @ weights))

    def curve_interval(
        self, table: Float[np.ndarray, "N T"]
    ) -> tuple[Float[np.ndarray, " T"], Float[np.ndarray, " T"]]:
        """The interval of the median of every column: its lower ends [T] and upper ends [T].

        The ends are order statistics of the sample. The percentile interval of a median tends to them as the number of
        resamples grows, because the number of a resample's values below the median is binomial. So none are drawn.
        """
        n = len(table)
        low, high = binom.interval(LEVEL, n, 0.5)
        ordered = np.sort(table, axis=0)
        return ordered[int(low)], ordered[min(int(high), n - 1)]

    def snapshot_quantile_intervals(
        self, values: Float[np.ndarray, " M"], owner: Int[np.ndarray, " M"], fractions: tuple[float, ...]
    ) -> list[Interval]:
        """The intervals of quantiles over snapshots; `owner` says which trajectory each snapshot belongs to.

        Values are sorted into at most 4096 cells of equal content first, so an interval is exact to 1 / 4096 of the
        snapshots; the maximum (fraction 1) is exact.
        """
        order, m, n = np.argsort(values, kind="stable"), len(values), self.chosen.shape[1]
        cells = min(m, CELLS)
        cell = np.empty(m, dtype=np.int64)
        cell[order] = np.arange(m) * cells // m
        upper = values[order][np.searchsorted(cell[order], np.arange(cells), side="right") - 1]
        content = np.bincount(owner * cells + cell, minlength=n * cells).reshape(n, cells).astype(float)
        below = np.cumsum(self.counts @ content, axis=1)
        highest = np.full(n, -np.inf)
        np.maximum.at(highest, owner, values)
        intervals = []
        for q in fractions:
            index = np.argmax(below >= q * below[:, -1:] - 1e-9, axis=1)
            intervals.append(percentile_interval(highest[self.chosen].max(1) if q == 1 else upper[index]))
        return intervals


def mean(values: Float[np.ndarray, "*batch N"]) -> Float[np.ndarray, "*batch"]:
    """The mean over the last axis."""
    return values.mean(-1)


def median(values: Float[np.ndarray, "*batch N"]) -> Float[np.ndarray, "*batch"]:
    """The median over the last axis."""
    return np.median(values, -1)


def largest(values: Float[np.ndarray, "*batch N"]) -> Float[np.ndarray, "*batch"]:
    """The maximum over the last axis. No resample exceeds the sample, so the interval only reaches down from it."""
    return values.max(-1)


def smallest(values: Float[np.ndarray, "*batch N"]) -> Float[np.ndarray, "*batch"]:
    """The minimum over the last axis; see `largest`."""
    return values.min(-1)


def percentile_interval(draws: Float[np.ndarray, " B"], level: float = LEVEL) -> Interval:
    """The interval that holds the central fraction `level` of the values of resamples."""
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], method="nearest")  # "nearest" turns no infinite value into NaN
    return float(low), float(high)


def proportion_interval(k: int, n: int, level: float = LEVEL) -> Interval:
    """The exact interval of a proportion, after k events in n trials.

    Source: C. J. Clopper, E. S. Pearson, Biometrika 26, 404 (1934).
    """
    interval = binomtest(k, n).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)
