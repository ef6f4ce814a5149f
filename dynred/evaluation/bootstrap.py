"""Resampling of trajectories, and the statistics that are resampled.

Snapshots of one trajectory depend on each other, so whole trajectories are drawn anew, never snapshots. Source: A. C.
Davison, D. V. Hinkley, Bootstrap Methods and their Application (1997).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from dynred.checks import integer
from dynred.rng import generator

RESAMPLES = 1000
LEVEL = 0.95

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


def mean(values: Float[np.ndarray, "*batch N"]) -> Float[np.ndarray, "*batch"]:
    """The mean over the last axis."""
    return values.mean(-1)


def median(values: Float[np.ndarray, "*batch N"]) -> Float[np.ndarray, "*batch"]:
    """The median over the last axis."""
    return np.median(values, -1)


def largest(values: Float[np.ndarray, "*batch N"]) -> Float[np.ndarray, "*batch"]:
    """The maximum over the last axis."""
    return values.max(-1)


def smallest(values: Float[np.ndarray, "*batch N"]) -> Float[np.ndarray, "*batch"]:
    """The minimum over the last axis."""
    return values.min(-1)
