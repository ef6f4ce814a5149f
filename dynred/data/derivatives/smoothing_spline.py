"""Smoothing splines: smooth curves that pass near the samples; for samples with noise."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float
from scipy.interpolate import make_smoothing_spline

from dynred.checks import positive
from dynred.data.derivatives.base import Curve, Estimator


@dataclass(frozen=True)
class SmoothingSpline(Estimator):
    """The natural cubic spline s with the least sum |x - s|^2 + smoothing h^3 integral |s''|^2, h the median distance.

    Attributes:
        smoothing: > 0; motion faster than smoothing^(-1/4) radians per sample is taken for noise.

    References:
        C. H. Reinsch, Numer. Math. 10, 177 (1967).
    """

    smoothing: float = 1.0

    def __post_init__(self):
        positive("smoothing", self.smoothing)

    @classmethod
    def candidates(cls) -> list[Self]:
        """See `Estimator.candidates`."""
        return [cls(10.0**k) for k in range(-1, 9)]

    def describe(self) -> str:
        """See `Estimator.describe`."""
        return f"smoothing spline (smoothing {self.smoothing:g})"

    def takes(self, t: Float[np.ndarray, " T"]) -> bool:
        """See `Estimator.takes`."""
        return len(t) >= 5

    @property
    def resolution(self) -> float:
        """See `Estimator.resolution`."""
        return max(1.0, 2 * math.sqrt(2) * self.smoothing**0.25)

    def suits(self, t: Float[np.ndarray, " T"]) -> bool:
        """See `Estimator.suits`."""
        return self.takes(t) and len(t) >= 4 * self.resolution

    def lower(self) -> Self:
        """See `Estimator.lower`."""
        return type(self)(10 * self.smoothing)

    def curve(self, t: Float[np.ndarray, " T"], x: Float[np.ndarray, "T D"]) -> Curve:
        """See `Estimator.curve`."""
        return make_smoothing_spline(t, x, lam=self.smoothing * float(np.median(np.diff(t))) ** 3)
