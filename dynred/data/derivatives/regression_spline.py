"""Regression splines: least squares splines with few knots; for samples with noise, however many in a period."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float
from scipy.interpolate import make_lsq_spline

from dynred.checks import count, positive, refuse
from dynred.data.derivatives.base import Curve, Estimator

LARGEST = 2.0**15  # spacing that is tried


@dataclass(frozen=True)
class RegressionSpline(Estimator):
    """The spline that is nearest to the samples by least squares, with a knot after every so many samples.

    Where samples are few it is a polynomial of that degree or, below degree + 1 samples, of a lower one.

    Attributes:
        spacing: samples per coefficient of the spline, >= 1.
        degree: odd, >= 1.

    References:
        C. de Boor, A Practical Guide to Splines (Springer, 2001), chapter XIV.
    """

    spacing: float = 2.0
    degree: int = 5

    def __post_init__(self):
        if positive("spacing", self.spacing) < 1:
            raise refuse("spacing", "at least 1 sample", self.spacing)
        count("degree", self.degree, 1, 100)
        if self.degree % 2 == 0:
            raise refuse("degree", "odd", self.degree)

    @classmethod
    def candidates(cls) -> list[Self]:
        """See `Estimator.candidates`."""
        spacings = [1.5 * 2 ** (k / 2) for k in range(40)]
        return [cls(spacing, degree) for spacing in spacings if spacing <= LARGEST for degree in (3, 5, 7)]

    def describe(self) -> str:
        """See `Estimator.describe`."""
        return f"least squares spline (degree {self.degree}, {self.spacing:.3g} samples per knot)"

    def takes(self, t: Float[np.ndarray, " T"]) -> bool:
        """See `Estimator.takes`."""
        return len(t) >= 2

    @property
    def resolution(self) -> float:
        """See `Estimator.resolution`."""
        return self.spacing

    def suits(self, t: Float[np.ndarray, " T"]) -> bool:
        """See `Estimator.suits`."""
        return len(t) >= (self.degree + 1) * self.spacing

    def higher(self) -> Self:
        """See `Estimator.higher`."""
        return type(self)(self.spacing, self.degree + 2)

    def lower(self) -> Self | None:
        """See `Estimator.lower`."""
        return type(self)(self.spacing, self.degree - 2) if self.degree > 2 else None

    def curve(self, t: Float[np.ndarray, " T"], x: Float[np.ndarray, "T D"]) -> Curve:
        """See `Estimator.curve`."""
        degree = min(self.degree, len(t) - 1)
        inside = max(0, round(len(t) / self.spacing) - degree - 1)
        end = (
            min(self.spacing * (degree + 1), len(t) - 1.0) / 2
        )  # fewer samples would not decide the pieces at the ends
        places = np.linspace(end, len(t) - 1 - end, inside) if inside > 1 else np.full(inside, (len(t) - 1) / 2)
        inner = np.interp(places, np.arange(len(t)), t)
        knots = np.concatenate([np.repeat(t[0], degree + 1), inner, np.repeat(t[-1], degree + 1)])
        return make_lsq_spline(t, x, knots, degree, method="norm-eq")
