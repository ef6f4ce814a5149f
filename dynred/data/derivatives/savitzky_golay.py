"""Savitzky-Golay: a polynomial fitted to the samples around each time; for evenly spaced samples with noise."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float

from dynred.checks import count, refuse
from dynred.data.derivatives.base import Curve, Estimator, evenly_spaced


@dataclass(frozen=True)
class SavitzkyGolay(Estimator):
    """Least squares polynomials on windows of samples.

    Attributes:
        window: number of samples in a window, odd, > order.
        order: order of the polynomials, >= 1.

    References:
        A. Savitzky, M. J. E. Golay, Anal. Chem. 36, 1627 (1964); windows at the ends are not centred, after
        P. A. Gorry, Anal. Chem. 62, 570 (1990). SciPy's `savgol_filter` gives the same at the samples, and nothing
        between them.
    """

    window: int = 9
    order: int = 4

    def __post_init__(self):
        count("order", self.order, 1, 100)
        count("window", self.window, self.order + 1, 10**6)
        if self.window % 2 == 0:
            raise refuse("window", "odd", self.window)

    @classmethod
    def candidates(cls) -> list[Self]:
        """See `Estimator.candidates`."""
        return [cls(window) for window in (7, 9, 13, 19, 27)]

    def describe(self) -> str:
        """See `Estimator.describe`."""
        return f"Savitzky-Golay polynomials (window {self.window}, order {self.order})"

    def takes(self, t: Float[np.ndarray, " T"]) -> bool:
        """See `Estimator.takes`."""
        return len(t) >= self.window and evenly_spaced(t)

    def lower(self) -> "Self | None":
        """See `Estimator.lower`."""
        return type(self)(self.window, self.order - 2) if self.order > 2 else None

    def curve(self, t: Float[np.ndarray, " T"], x: Float[np.ndarray, "T D"]) -> Curve:
        """See `Estimator.curve`."""
        h, half = (t[-1] - t[0]) / (len(t) - 1), self.window // 2
        powers = np.arange(self.order + 1)
        inverse = np.linalg.pinv((np.arange(self.window)[:, None] - half).astype(float) ** powers)

        def value(s: np.ndarray, order: int = 0) -> np.ndarray:
            place = (s - t[0]) / h
            first = np.clip(np.rint(place).astype(int) - half, 0, len(t) - self.window)
            u = (place - first - half)[:, None]
            basis = u**powers if order == 0 else powers * u ** np.maximum(powers - 1, 0) / h
            samples = x[first[:, None] + np.arange(self.window)]
            return np.einsum("sw,swd->sd", basis @ inverse, samples)

        return value
