"""Power spectrum over time."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from scipy.signal import welch

from dynred.checks import count
from dynred.data.trajectories import Trajectories
from dynred.metrics.base import Gauge, Reference, Statistic, segments

SHORTEST = 16  # number of snapshots below which a spectrum says nothing


@dataclass(frozen=True)
class PowerSpectrum(Statistic):
    """Distance between power spectra over time: sum |P - Q| / sum P over all frequencies, with P the truth's.

    The power at a frequency is the sum over all leading POD coordinates, which leave out little of the state. Spectra
    are Welch's (P. D. Welch, IEEE Trans. Audio Electroacoust. 15, 70 (1967)): Hann windows of `segment` snapshots, half
    overlapping. The time between snapshots must be constant.

    Attributes:
        segment: snapshots of a window; fewer where the shortest trajectory is shorter.
    """

    segment: int = 256
    title: ClassVar[str] = "power spectrum distance, over time"

    def __post_init__(self):
        count("segment", self.segment, SHORTEST, 10**9)

    def applies(self, reference: Reference) -> bool:
        """Whether all trajectories have at least 16 snapshots, evenly spaced in time."""
        return reference.step is not None and int(reference.truth.lengths.min()) >= SHORTEST

    def gauge(self, reference: Reference) -> "PowerSpectrumGauge":
        """See `Statistic`."""
        return PowerSpectrumGauge(reference, min(self.segment, int(reference.truth.lengths.min())))


class PowerSpectrumGauge(Gauge):
    """Spectra [N, frequencies] in squared state units per frequency."""

    def __init__(self, reference: Reference, segment: int):
        assert reference.step is not None
        self.reference, self.segment, self.step = reference, segment, reference.step
        self.axes = (np.fft.rfftfreq(segment, self.step),)
        self.labels = ("frequency (1 / time unit)",)

    def measure(self, trajectories: Trajectories) -> Float[np.ndarray, "N F"]:
        """The spectrum of every trajectory; a diverged prediction rests at the mean state from then on."""
        values = np.nan_to_num(self.reference.coordinates(trajectories), nan=0.0, posinf=0.0, neginf=0.0)
        spectra = [self._spectrum(pieces) for pieces in segments(values, trajectories.lengths, self.segment)]
        return np.stack(spectra)

    def _spectrum(self, pieces: Float[np.ndarray, "S L Q"]) -> Float[np.ndarray, " F"]:
        power = welch(pieces, 1 / self.step, nperseg=self.segment, detrend=False, axis=1)[1]
        return power.sum(2).mean(0)

    def distance(
        self, a: Float[np.ndarray, "*batch F"], b: Float[np.ndarray, "*batch F"]
    ) -> Float[np.ndarray, "*batch"]:
        """sum |a - b| / sum a: `a` is the truth."""
        return np.abs(a - b).sum(-1) / np.maximum(a.sum(-1), 1e-300)
