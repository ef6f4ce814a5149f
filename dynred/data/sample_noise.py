"""How much white noise there is in samples of smooth motion."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy.lib.stride_tricks import sliding_window_view

UNEVEN = 2.0  # ratio of mean to median of mean squares over time, beyond which they are not those of noise
CALM = 0.25  # quantile over time that is taken for noise where they are not
BLOCK = 8  # differences in a row whose mean square is taken; where motion is fast for a while, it is no noise
BLOCKS = 1024  # of them, evenly spread, are looked at
STRIDE = 4  # orders in which levels
FALLING = 0.75  # of smooth motion fall by this factor, and those of noise
STEADY = 0.1  # by less than this
ORDERS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20)  # of the differences that noise is seen in


def noise_variance(
    times: Sequence[Float[np.ndarray, " _n"]], samples: Sequence[Float[np.ndarray, "_n _C"]], dim: int
) -> float:
    """Variance of white noise in the samples, summed over components.

    High differences of smooth motion vanish and those of noise do not: the least over several orders.

    Args:
        times: of every set of curves [n].
        samples: of every set of curves, side by side [n, C].
        dim: columns of one curve.
    """
    levels, spread, orders = [], [], []
    for order in ORDERS:
        squares = [_squares(t, x, order, dim) for t, x in zip(times, samples, strict=True) if len(t) > order]
        if squares:
            levels.append(_level(squares))
            spread.append(math.sqrt(2 * math.sqrt(order) / (sum(s.size for s in squares) * dim)))
            orders.append(order)
    if not levels:
        return 0.0
    least = min(level * (1 + 3 * error) for level, error in zip(levels, spread, strict=True))
    k = next(k for k, level in enumerate(levels) if level <= least)
    return levels[k] * _certain(orders, levels) if k == len(levels) - 1 else levels[k]


def _certain(orders: Sequence[int], levels: Sequence[float]) -> float:
    """The part of the last level that is noise: all where levels have ceased to fall, none where they fall on."""
    if len(levels) < 2 or levels[-2] == 0:
        return 0.0
    falls = (levels[-1] / levels[-2]) ** (STRIDE / (orders[-1] - orders[-2]))
    return min(max((falls - FALLING) / (1 - FALLING - STEADY), 0.0), 1.0)


def _squares(t: Float[np.ndarray, " n"], x: Float[np.ndarray, "n C"], order: int, dim: int) -> np.ndarray:
    """Squared differences [m, curves], whole blocks of them where there are many."""
    count = len(t) - order
    first = np.arange(count)
    blocks = count // BLOCK
    if blocks > BLOCKS:
        first = (np.linspace(0, blocks - 1, BLOCKS).astype(int)[:, None] * BLOCK + np.arange(BLOCK)).ravel()
    change = differences(t, x, order, first)
    return (change**2).reshape(len(change), -1, dim).sum(2)


def _level(squares: Sequence[Float[np.ndarray, "_m _curves"]]) -> float:
    """The mean square; that of calm times where it differs much over time, as that of noise does not."""
    mean = sum(float(s.sum()) for s in squares) / sum(s.size for s in squares)
    means, sizes = [], []
    for s in squares:
        for block in np.array_split(s, max(1, len(s) // BLOCK)):
            means.append(block.mean(0))
            sizes.append(np.full(s.shape[1], len(block)))
    each = np.repeat(np.concatenate(means), np.concatenate(sizes))
    return mean if mean < UNEVEN * float(np.median(each)) else float(np.quantile(each, CALM))


def differences(
    t: Float[np.ndarray, " n"], x: Float[np.ndarray, "n C"], order: int, first: Int[np.ndarray, " m"]
) -> Float[np.ndarray, "m C"]:
    """Divided differences from samples `first` on, scaled so that white noise of variance 1 keeps its variance."""
    windows = sliding_window_view(t, order + 1)[first]
    gaps = windows[:, :, None] - windows[:, None, :]
    logs = np.log(np.abs(gaps) + np.eye(order + 1)).sum(2)
    weights = np.exp(logs.min(1, keepdims=True) - logs) * (-1.0) ** np.arange(order + 1)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    change = np.zeros((len(first), x.shape[1]))
    for k in range(order + 1):
        change += weights[:, k, None] * x[first + k]
    return change
