"""How many delays, and how far apart: mutual information and false nearest neighbours of sampled signals."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.signal import find_peaks
from scipy.spatial import cKDTree

Signals = Sequence[Float[np.ndarray, "_n D"]]  # of every trajectory

MOST_LAGS = 200
CELLS = (0.5, 0.6, 0.7, 0.85, 1.0)  # several partitions: exactly periodic samples fall badly into any one
DEPTH = 0.02  # of a minimum, as a part of the range of the curve: shallower ones may be chance
SHALLOW = 0.005  # of one that is looked at where the other takes many delays
ORDINARY = 3  # delays that are not many
MOST = 10  # delays that are tried
QUERIES = 2000  # states whose neighbours are looked at
RATIO, FAR = 15.0, 2.0  # Kennel's two criteria: growth of the distance, and distance in units of the spread
NOISE = 6.0  # standard deviations of the noise, below which a growth says nothing
SAME = 1e-6  # of the spread: states as near as that are visits of one, which are no neighbours
# Part of the neighbours that may be false: Kennel's one percent, and as much more as the noise is of the spread. With
# 5 % noise, signals of Lorenz-63, Roessler and a cycle have at most .037 in their own dimension, at least .083 below.
FALSE = 0.01


def mutual_information(signals: Signals, most: int) -> Float[np.ndarray, " L"]:
    """Information that a sample has of the one `lag` snapshots later, for lags 1 to `most`, as a part of what it has of
    itself at the same resolution; mean over components and partitions into cells of equal width."""
    total = sum(len(x) for x in signals)
    top = float(np.clip(1.3 * (total / 5) ** (1 / 3), 6, 24))
    counts = sorted({max(4, round(top * part)) for part in CELLS})
    curve = np.zeros(most)
    for component in range(signals[0].shape[1]):
        columns = [x[:, component] for x in signals]
        low, high = min(map(np.min, columns)), max(map(np.max, columns))
        if high > low:
            unit = [(column - low) / (high - low) for column in columns]
            for count in counts:
                cells = [np.minimum((column * count).astype(int), count - 1) for column in unit]
                curve += [_information(cells, lag, count) for lag in range(1, most + 1)]
    return curve / (len(counts) * signals[0].shape[1])


def _information(cells: Sequence[Int[np.ndarray, " _n"]], lag: int, count: int) -> float:
    pairs = np.concatenate([cell[:-lag] * count + cell[lag:] for cell in cells if len(cell) > lag])
    p = np.bincount(pairs, minlength=count * count).reshape(count, count) / len(pairs)
    both = p > 0
    apart = p.sum(1, keepdims=True) * p.sum(0, keepdims=True)
    return float((p[both] * np.log(p[both] / apart[both])).sum() / np.log(count))


def first_minimum(curve: Float[np.ndarray, " L"], depth: float = DEPTH) -> int:
    """The lag of the first minimum that is deep enough; where there is none, that of `first_fall`."""
    minima, _ = find_peaks(-curve, prominence=depth * float(np.ptp(curve)) or None)
    return int(minima[0]) + 1 if len(minima) else first_fall(curve)


def first_fall(curve: Float[np.ndarray, " L"]) -> int:
    """The first lag at which the curve has fallen to 1/e of its start, or else the last."""
    low = np.flatnonzero(curve < curve[0] / np.e)
    return int(low[0]) + 1 if len(low) else len(curve)


def choose_lag(signals: Signals, curve: Float[np.ndarray, " L"], noise: float) -> tuple[int, Float[np.ndarray, " K"]]:
    """The lag, and the false neighbours of 1, 2, ... delays of it.

    The lag is that of the first minimum of mutual information. A chaotic signal may have a shallow one alone before it
    has returned, where delays are too far apart; that shows in the number of delays. Where it is more than a flow in
    three dimensions takes, an earlier lag is taken instead that saves some: that of a shallow minimum, or the one at
    which mutual information has fallen to 1/e, which must save more.
    """
    lag = first_minimum(curve)
    false = false_neighbours(signals, lag, MOST, noise)
    for earlier, saved in ((first_minimum(curve, SHALLOW), 1), (first_fall(curve), 2)):
        if earlier < lag and len(false) and enough(false, noise) > ORDINARY:
            others = false_neighbours(signals, earlier, MOST, noise)
            if len(others) and enough(others, noise) <= enough(false, noise) - saved:
                lag, false = earlier, others
    return lag, false


def false_neighbours(signals: Signals, lag: int, most: int, noise: float) -> Float[np.ndarray, " K"]:
    """The part of nearest neighbours that one more delay drives apart, for 1 to `most` delays; fewer where the signals
    are too short for more.

    Neighbours within a lag of each other in one trajectory do not count, nor does growth that noise alone explains.

    Args:
        signals: of every trajectory, at one sampling, in units of one spread for all components.
        lag: snapshots between delays.
        most: largest number of delays.
        noise: standard deviation of the noise in one component.

    References:
        M. B. Kennel, R. Brown, H. D. I. Abarbanel, Phys. Rev. A 45, 3403 (1992), eqs. 4 and 5.
    """
    spread = float(np.concatenate(signals).std())
    parts = []
    for count in range(1, most + 1):
        long = [x for x in signals if len(x) > count * lag]
        if sum(len(x) - count * lag for x in long) < 50:
            break
        parts.append(_false(long, lag, count, spread, max(NOISE * noise, 1e-3 * spread)))
    return np.array(parts)


def _false(signals: Signals, lag: int, count: int, spread: float, floor: float) -> float:
    """The part of false neighbours of one number of delays."""
    blocks = [embedded(x, lag, count)[: len(x) - count * lag] for x in signals]
    x, following = np.concatenate(blocks), np.concatenate([y[count * lag :] for y in signals])
    owner = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])
    time = np.concatenate([np.arange(len(block)) for block in blocks])
    distinct = _distinct(x, SAME * spread)
    x, following, owner, time = x[distinct], following[distinct], owner[distinct], time[distinct]
    queries = np.unique(np.linspace(0, len(x) - 1, min(QUERIES, len(x))).astype(int))
    distance, near = cKDTree(x).query(x[queries], min(len(x), 4 * lag + 8))
    other = (owner[near] != owner[queries][:, None]) | (np.abs(time[near] - time[queries][:, None]) > lag)
    rows = np.flatnonzero(other.any(1))
    if not len(rows):
        return 0.0
    first = other[rows].argmax(1)
    apart = distance[rows, first]
    growth = np.linalg.norm(following[near[rows, first]] - following[queries[rows]], axis=1)
    false = (growth > RATIO * apart) | (np.hypot(growth, apart) > FAR * spread * np.sqrt(following.shape[1]))
    return float((false & (growth > floor)).mean())


def embedded(x: Float[np.ndarray, "n D"], lag: int, count: int) -> Float[np.ndarray, "m C"]:
    """Blocks of `count` snapshots that lie `lag` apart, the oldest first."""
    m = len(x) - (count - 1) * lag
    return np.concatenate([x[j * lag : j * lag + m] for j in range(count)], 1)


def _distinct(x: Float[np.ndarray, "m C"], width: float) -> Int[np.ndarray, " d"]:
    """Rows without repetitions, of which one at random stays."""
    order = np.random.default_rng(0).permutation(len(x))
    cells = np.round(x[order] / width).astype(np.int64)
    return np.sort(order[np.unique(cells, axis=0, return_index=True)[1]])


def enough(false: Float[np.ndarray, " K"], noise: float) -> int:
    """The first number of delays with few enough false neighbours; the one with fewest where there is none. `noise` is
    that of `false_neighbours`, in units of the spread."""
    few = np.flatnonzero(false < FALSE + noise)
    return int(few[0] if len(few) else false.argmin()) + 1
