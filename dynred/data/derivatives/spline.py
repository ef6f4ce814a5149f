"""Interpolating splines: exact at the samples, and the best there is for smooth motion without noise."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import make_interp_spline

from dynred.data.derivatives.base import Curve, Estimator


@dataclass(frozen=True)
class Spline(Estimator):
    """The quintic spline through the samples (cubic below 6, linear below 4); its derivative has error O(h^5)."""

    def describe(self) -> str:
        """See `Estimator.describe`."""
        return "quintic spline"

    def takes(self, t: Float[np.ndarray, " T"]) -> bool:
        """See `Estimator.takes`."""
        return len(t) >= 2

    def curve(self, t: Float[np.ndarray, " T"], x: Float[np.ndarray, "T D"]) -> Curve:
        """See `Estimator.curve`."""
        return make_interp_spline(t, x, k=5 if len(t) >= 6 else 3 if len(t) >= 4 else 1)
