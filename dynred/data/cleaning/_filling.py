"""Values between samples, by the interpolating spline whose degree foretells left-out samples best."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.interpolate import make_interp_spline

DEGREES = (1, 3, 5, 7, 9, 11, 13)  # of the splines that are compared
LEFT_OUT = 5  # every so manieth sample is left out in turn
CHECKED = 20000  # most samples on which degrees are compared

Pair = tuple[Float[np.ndarray, " _n"], Float[np.ndarray, "_n _C"]]


def interpolated(
    t: Float[np.ndarray, " n"], x: Float[np.ndarray, "n C"], at: Float[np.ndarray, " S"], degree: int
) -> Float[np.ndarray, "S C"]:
    """Values at times within those of the samples; few samples lower the degree."""
    if len(t) == 1:
        return np.repeat(x, len(at), 0)
    lowest = min(degree, len(t) - 1 - len(t) % 2)
    return make_interp_spline(t, x, k=lowest)(at)


def best_degree(curves: Sequence[Pair]) -> tuple[int, float | None]:
    """The degree of the least error at samples that are left out, and that error.

    The error is a root mean square, as a part of the deviation of the samples. Each fifth sample is left out in turn,
    never the first or last of a curve, so that errors are those of gaps of one sample.

    Returns:
        Degree 3 and None where curves are too short for a comparison.
    """
    curves = [(t, x) for t, x in curves if len(t) > 2 * LEFT_OUT]
    total = sum(x.size for _, x in curves)
    curves = curves[:: max(1, total // (CHECKED * max(1, curves[0][1].shape[1])))] if curves else []
    size = sum(float(((x - x.mean(0)) ** 2).sum()) for _, x in curves)
    if not size > 0:
        return 3, None
    errors = {degree: sum(_left_out(t, x, degree) for t, x in curves) / size for degree in DEGREES}
    degree = min(DEGREES, key=lambda each: errors[each])
    return degree, float(np.sqrt(errors[degree]))


def _left_out(t: Float[np.ndarray, " n"], x: Float[np.ndarray, "n C"], degree: int) -> float:
    """Squared errors at samples that are left out, summed over all of them."""
    total = 0.0
    for first in range(1, LEFT_OUT + 1):
        out = np.zeros(len(t), bool)
        out[first:-1:LEFT_OUT] = True
        total += float(((interpolated(t[~out], x[~out], t[out], degree) - x[out]) ** 2).sum())
    return total
