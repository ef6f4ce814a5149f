"""Interpolating splines: exact at the samples, and the best there is for smooth motion without noise."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float
from scipy.interpolate import make_interp_spline

from dynred.checks import count, refuse
from dynred.data.derivatives.base import Curve, Estimator

HIGHEST = 13  # degree; beyond it the ends gain nothing and round-off grows
NAMES = {1: "linear", 3: "cubic", 5: "quintic"}


@dataclass(frozen=True)
class Spline(Estimator):
    """The spline of odd degree through the samples; the derivative of a quintic one has error O(h^5).

    A motion of angle a per sample is met but for the factor (a / (2 pi - a))^(degree + 1) between the ends, and
    a^degree / (degree + 1) at the ends. Fewer samples than degree + 1 get the highest odd degree that they allow.

    Attributes:
        degree: odd, >= 1.
    """

    degree: int = 5

    def __post_init__(self):
        count("degree", self.degree, 1, 100)
        if self.degree % 2 == 0:
            raise refuse("degree", "odd", self.degree)

    @classmethod
    def candidates(cls) -> list[Self]:
        """See `Estimator.candidates`."""
        return [cls(degree) for degree in range(1, HIGHEST + 1, 2)]

    def describe(self) -> str:
        """See `Estimator.describe`."""
        return f"{NAMES.get(self.degree, f'degree-{self.degree}')} spline"

    def takes(self, t: Float[np.ndarray, " T"]) -> bool:
        """See `Estimator.takes`."""
        return len(t) >= 2

    def suits(self, t: Float[np.ndarray, " T"]) -> bool:
        """See `Estimator.suits`."""
        return len(t) > self.degree

    def higher(self) -> Self:
        """See `Estimator.higher`."""
        return type(self)(self.degree + 2)

    def lower(self) -> Self | None:
        """See `Estimator.lower`."""
        return type(self)(self.degree - 2) if self.degree > 2 else None

    def curve(self, t: Float[np.ndarray, " T"], x: Float[np.ndarray, "T D"]) -> Curve:
        """See `Estimator.curve`."""
        return make_interp_spline(t, x, k=min(self.degree, len(t) - 1 - len(t) % 2))
