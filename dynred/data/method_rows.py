"""Errors of methods in a row of growing accuracy, from the distances between them."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares

FEWEST = 3  # methods whose distances tell their errors


def row_errors(squares: Float[np.ndarray, "m m"]) -> Float[np.ndarray, " m"]:
    """The squared error of every method at the ends of trajectories.

    There the error of degree d is about a^d / (d + 1) for motion of angle a per sample, with signs that change from
    degree to degree. Averaged over motions, it is a logarithmically convex function of d, here a parabola, and
    squared errors of two methods add up to their squared distance. The truth is then near the mean of all methods,
    weighted by their errors, and the distance from it tells each method's own error.

    Args:
        squares: squared distances of m >= 3 methods, the lowest first [m, m]; 0 where noise hides them, at least
            three others.
    """
    count = len(squares)
    i, j = np.nonzero(np.triu(squares, 1))
    seen = np.log(squares[i, j])
    place = np.arange(count)

    def logs(parabola: np.ndarray) -> np.ndarray:
        return parabola[0] + parabola[1] * place + parabola[2] * place**2

    def misfit(parabola: np.ndarray) -> np.ndarray:
        level = logs(parabola)
        return np.logaddexp(level[i], level[j]) - seen

    start = [float(seen.max()), min(0.0, float(seen[-1] - seen[0]) / count), 0.01]
    fit = least_squares(misfit, start, bounds=([-np.inf, -np.inf, 0], np.inf), loss="soft_l1")
    typical = np.exp(logs(fit.x) - logs(fit.x).min())
    weights = 1 / typical
    weights /= weights.sum()
    away = squares @ weights - weights @ squares @ weights / 2
    uncertain = np.exp(logs(fit.x).min()) / (1 / typical).sum()
    return np.maximum(away, 0.0) + uncertain
