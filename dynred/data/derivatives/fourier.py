"""Fourier series in time: spectrally accurate for evenly spaced samples of whole periods, and bad for all others."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dynred.data.derivatives.base import Curve, Estimator, evenly_spaced

LONGEST = 4096  # largest number of samples: all sines and cosines at all times are formed


@dataclass(frozen=True)
class FourierSeries(Estimator):
    """The trigonometric interpolant of T samples at distance h, with period T h: the first sample follows the last."""

    def describe(self) -> str:
        """See `Estimator.describe`."""
        return "Fourier series"

    def takes(self, t: Float[np.ndarray, " T"]) -> bool:
        """See `Estimator.takes`."""
        return 8 <= len(t) <= LONGEST and evenly_spaced(t)

    def curve(self, t: Float[np.ndarray, " T"], x: Float[np.ndarray, "T D"]) -> Curve:
        """See `Estimator.curve`."""
        n = len(t)
        period = n * (t[-1] - t[0]) / (n - 1)
        amplitudes = np.fft.rfft(x, axis=0) / n
        amplitudes[1:] *= 2
        if n % 2 == 0:
            amplitudes[-1] /= 2  # the highest mode stands for itself and its mirror image
        rate = 2j * np.pi * np.arange(len(amplitudes)) / period

        def value(s: np.ndarray, order: int = 0) -> np.ndarray:
            waves = np.exp(np.outer(s - t[0], rate)) * rate**order
            return np.real(waves @ amplitudes)

        return value
