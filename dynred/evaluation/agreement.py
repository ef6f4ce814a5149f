"""Whether predictions are distributed like the truth, compared with what chance alone would do."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from dynred.data.grid import Grid
from dynred.data.trajectories import Trajectories
from dynred.evaluation.bootstrap import Interval, Resamples
from dynred.evaluation.intervals import FEWEST
from dynred.evaluation.records import Agreement
from dynred.metrics.base import Gauge, Reference, find_statistics
from dynred.models.forecast import Forecast
from dynred.rng import generator

SPLITS = 200  # random splits of the truth into two halves
RESAMPLES = 200  # a spread of distances needs fewer than a quantile


def agreements(forecast: Forecast, grid: Grid | None = None, *, independent: bool = True) -> dict[str, Agreement]:
    """The agreement in every long-time statistic that applies, by name, over the later halves of truth and predictions.

    Errors need time to show: the earlier halves agree because they start from the same states. Trajectories that are
    not `independent` give no interval.
    """
    truth, predicted = later_halves(forecast.truth), later_halves(forecast.predicted)
    reference = Reference(truth, grid)
    gauges = {statistic.name: statistic.gauge(reference) for statistic in find_statistics(reference)}
    weights = truth.lengths.double().numpy()
    return {
        name: agreement(gauge, gauge.measure(truth), gauge.measure(predicted), weights, independent=independent)
        for name, gauge in gauges.items()
    }


def agreement(
    gauge: Gauge,
    truth: Float[np.ndarray, "N ..."],
    predicted: Float[np.ndarray, "N ..."],
    weights: Float[np.ndarray, " N"],
    *,
    independent: bool = True,
) -> Agreement:
    """The distance between the mean contributions of truth and predictions, with its interval and sampling error.

    Args:
        gauge: the gauge that measured the contributions.
        truth: contribution of every true trajectory.
        predicted: contribution of every predicted trajectory, as many.
        weights: weight of every trajectory [N], the same for truth and predictions.
        independent: whether trajectories are independent of each other.

    Returns:
        The distance; without an interval where fewer than five trajectories, or dependent ones, would give it.
    """
    n = len(weights)
    distance = float(gauge.distance(_means(truth, weights), _means(predicted, weights)))
    if n < FEWEST or not independent:
        return Agreement(distance)
    resampled_weights = weights * Resamples.of(n, count=RESAMPLES).counts
    resampled = gauge.distance(_means(truth, resampled_weights), _means(predicted, resampled_weights))
    chance = _sampling_error(gauge, truth, weights)
    return Agreement(distance, _interval(distance, resampled), chance, distance / chance if chance > 0 else None)


def later_halves(trajectories: Trajectories) -> Trajectories:
    """The second half of every trajectory, at least one snapshot."""
    lengths = (trajectories.lengths + 1) // 2
    place = torch.arange(len(trajectories.states)) - trajectories.starts[trajectories.owner]
    rows = place >= (trajectories.lengths - lengths)[trajectories.owner]
    return Trajectories(trajectories.states[rows], trajectories.t[rows], lengths)


def _sampling_error(gauge: Gauge, truth: Float[np.ndarray, "N ..."], weights: np.ndarray) -> float:
    """The mean distance between two sets of n true trajectories, estimated from random halves of the truth.

    A half has n / 2 trajectories, so two halves are farther apart by a factor of sqrt 2.
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


def _interval(distance: float, resampled: Sequence[float] | np.ndarray) -> Interval:
    """1.96 standard deviations of the resampled distances on either side of the distance, cut off at 0.

    Quantiles of the resampled distances would not do: noise makes a distance larger, so they all lie above it.
    """
    spread = 1.96 * float(np.std(resampled))
    return max(0.0, distance - spread), distance + spread
