"""Fourier series in time: spectrally accurate for evenly spaced samples of whole periods, and bad for all others."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float

from dynred.checks import positive, refuse
from dynred.data.derivatives.base import Curve, Estimator, evenly_spaced

LONGEST = 4096  # largest number of samples: all sines and cosines at all times are formed


@dataclass(frozen=True)
class FourierSeries(Estimator):
    """The trigonometric interpolant of T samples at distance h, with period T h: the first sample follows the last.

    Attributes:
        part: 0 < part <= 1, of the frequencies, the lowest, that are kept.
    """

    part: float = 1.0

    def __post_init__(self):
        if positive("part", self.part) > 1:
            raise refuse("part", "at most 1", self.part)

    @classmethod
    def candidates(cls) -> list[Self]:
        """See `Estimator.candidates`."""
        return [cls(0.5**k) for k in range(10)]

    def describe(self) -> str:
        """See `Estimator.describe`."""
        return "Fourier series" if self.part == 1 else f"Fourier series ({self.part:.3g} of the frequencies)"

    def takes(self, t: Float[np.ndarray, " T"]) -> bool:
        """See `Estimator.takes`."""
        return 8 <= len(t) <= LONGEST and evenly_spaced(t)

    def suits(self, t: Float[np.ndarray, " T"]) -> bool:
        """See `Estimator.suits`."""
        return self.takes(t) and len(t) * self.part >= 8

    def lower(self) -> "Self | None":
        """See `Estimator.lower`."""
        return type(self)(self.part / 2)

    def curve(self, t: Float[np.ndarray, " T"], x: Float[np.ndarray, "T D"]) -> Curve:
        """See `Estimator.curve`."""
        n = len(t)
        period = n * (t[-1] - t[0]) / (n - 1)
        amplitudes = np.fft.rfft(x, axis=0) / n
        amplitudes[1:] *= 2
        if n % 2 == 0:
            amplitudes[-1] /= 2  # the highest mode stands for itself and its mirror image
        amplitudes = amplitudes[: max(2, math.ceil(self.part * len(amplitudes)))]
        rate = 2j * np.pi * np.arange(len(amplitudes)) / period

        def value(s: np.ndarray, order: int = 0) -> np.ndarray:
            waves = np.exp(np.outer(s - t[0], rate)) * rate**order
            return np.real(waves @ amplitudes)

        return value
