"""Whether predictions are distributed like the truth, beside what chance would do."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from dynred.data.trajectories import Trajectories
from dynred.evaluation.bootstrap import Interval, Resamples
from dynred.evaluation.records import Agreement
from dynred.metrics.base import Gauge, Reference, find_statistics
from dynred.models.forecast import Forecast
from dynred.ode.grid import Grid
from dynred.rng import generator

SPLITS = 200  # of the truth in two halves
RESAMPLES = 200  # for the spread of a distance, which needs fewer than a quantile


def agreements(found: Forecast, grid: Grid | None = None) -> dict[str, Agreement]:
    """Every long-time statistic that applies, by name, over the later halves of truth and predictions.

    By then errors have had time to show; the earlier halves agree because they start from the same states.
    """
    truth, predicted = later_halves(found.truth), later_halves(found.predicted)
    reference = Reference(truth, grid)
    gauges = {statistic.name: statistic.gauge(reference) for statistic in find_statistics(reference)}
    weights = truth.lengths.double().numpy()
    return {
        name: agreement(gauge, gauge.measure(truth), gauge.measure(predicted), weights)
        for name, gauge in gauges.items()
    }


def agreement(
    gauge: Gauge,
    truth: Float[np.ndarray, "N ..."],
    predicted: Float[np.ndarray, "N ..."],
    weights: Float[np.ndarray, " N"],
) -> Agreement:
    """The distance between two means of contributions, of as many trajectories, with its interval and what chance does.

    Args:
        gauge: what measured them.
        truth, predicted: contributions of every trajectory.
        weights: of every trajectory [N], in both.
    """
    n = len(weights)
    distance = float(gauge.distance(_means(truth, weights), _means(predicted, weights)))
    if n < 2:
        return Agreement(distance)
    drawn = weights * Resamples.of(n, count=RESAMPLES).counts
    moved = gauge.distance(_means(truth, drawn), _means(predicted, drawn))
    chance = _sampling_error(gauge, truth, weights)
    return Agreement(distance, _interval(distance, moved), chance, distance / chance if chance > 0 else None)


def later_halves(trajectories: Trajectories) -> Trajectories:
    """The second half of every trajectory, at least one snapshot."""
    kept = (trajectories.lengths + 1) // 2
    place = torch.arange(len(trajectories.states)) - trajectories.starts[trajectories.owner]
    rows = place >= (trajectories.lengths - kept)[trajectories.owner]
    return Trajectories(trajectories.states[rows], trajectories.t[rows], kept)


def _sampling_error(gauge: Gauge, truth: Float[np.ndarray, "N ..."], weights: np.ndarray) -> float:
    """The mean distance of two sets of n true trajectories, from that of random halves.

    Halves are half as large, so their distance is larger by sqrt 2.
    """
    n, rng = len(weights), generator(0, "halves")
    order = torch.stack([torch.randperm(n, generator=rng) for _ in range(SPLITS)]).numpy()
    first, second = np.zeros((2, SPLITS, n))
    np.put_along_axis(first, order[:, : n // 2], 1, axis=1)
    np.put_along_axis(second, order[:, n // 2 : 2 * (n // 2)], 1, axis=1)
    halves = gauge.distance(_means(truth, first * weights), _means(truth, second * weights))
    return float(halves.mean()) / 2**0.5


def _means(values: Float[np.ndarray, "N ..."], weights: np.ndarray) -> np.ndarray:
    """Weighted means over trajectories, for one set of weights [N] or many [B, N]."""
    share = weights / weights.sum(-1, keepdims=True)
    return (share @ values.reshape(len(values), -1)).reshape(*weights.shape[:-1], *values.shape[1:])


def _interval(distance: float, moved: Sequence[float] | np.ndarray) -> Interval:
    """Two standard deviations of the resamples about the distance.

    Not their quantiles: a distance can only grow by noise, so those of resamples all lie above it.
    """
    spread = 1.96 * float(np.std(moved))
    return max(0.0, distance - spread), distance + spread
