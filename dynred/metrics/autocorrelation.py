"""Autocorrelation over time."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from dynred.data.trajectories import Trajectories
from dynred.metrics.base import Gauge, Reference, Statistic, segments

SHORTEST = 16  # number of snapshots below which a correlation over time says nothing
LONGEST = 512  # bound on the lags, in snapshots


@dataclass(frozen=True)
class Autocorrelation(Statistic):
    """Distance between autocorrelations: the largest |C(s) - C'(s)| over all lags s.

    C(s) = <a(t) . a(t + s)> / <|a|^2 of the truth>, with a the leading POD coordinates (from the true mean), averaged
    over time and trajectories: 1 at s = 0 for the truth. Lags reach to half of the shortest trajectory. The time
    between snapshots must be constant.
    """

    title: ClassVar[str] = "autocorrelation distance"

    def applies(self, reference: Reference) -> bool:
        """Whether all trajectories have at least 16 snapshots, evenly spaced in time."""
        return reference.step is not None and int(reference.truth.lengths.min()) >= SHORTEST

    def gauge(self, reference: Reference) -> "AutocorrelationGauge":
        """See `Statistic`."""
        return AutocorrelationGauge(reference)


class AutocorrelationGauge(Gauge):
    """Autocorrelations [N, lags] in units of the truth's variance."""

    def __init__(self, reference: Reference):
        assert reference.step is not None
        self.reference, self.length = reference, min(2 * LONGEST, int(reference.truth.lengths.min()))
        self.size = float((reference.coordinates(reference.truth) ** 2).sum(1).mean()) or 1.0
        self.axes = (reference.step * np.arange(self.length // 2),)
        self.labels = ("lag (time units)",)

    def measure(self, trajectories: Trajectories) -> Float[np.ndarray, "N S"]:
        """The autocorrelation of every trajectory; a diverged prediction rests at the mean state from then on."""
        values = np.nan_to_num(self.reference.coordinates(trajectories), nan=0.0, posinf=0.0, neginf=0.0)
        correlations = [self._correlation(pieces) for pieces in segments(values, trajectories.lengths, self.length)]
        return np.stack(correlations) / self.size

    def _correlation(self, pieces: Float[np.ndarray, "S L Q"]) -> np.ndarray:
        # Zeros of the same length keep the sum from wrapping around; lag s has L - s terms.
        modes = np.fft.rfft(pieces, 2 * self.length, axis=1)
        sums = np.fft.irfft((np.abs(modes) ** 2).sum(2), 2 * self.length, axis=1)[:, : self.length // 2].mean(0)
        return sums / (self.length - np.arange(self.length // 2))

    def distance(
        self, a: Float[np.ndarray, "*batch S"], b: Float[np.ndarray, "*batch S"]
    ) -> Float[np.ndarray, "*batch"]:
        """The largest difference."""
        return np.abs(a - b).max(-1)
