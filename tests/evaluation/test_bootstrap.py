"""Intervals over trajectories: they cover what they should, and draw trajectories, never snapshots."""

import numpy as np
import pytest
from scipy.stats import norm

from dynred.errors import InputError
from dynred.evaluation.bootstrap import Resamples, largest, mean, median, percentile_interval, proportion_interval
from dynred.rng import generator


def test_the_interval_of_a_mean_is_that_of_the_normal_law():
    values = norm.ppf((np.arange(400) + 0.5) / 400)
    low, high = Resamples.of(400).interval(values, mean)
    assert (low, high) == pytest.approx((-1.96 / 20, 1.96 / 20), abs=0.012)


def test_95_of_100_intervals_hold_the_true_mean():
    rng = np.random.default_rng(0)
    resamples = Resamples.of(40)
    found = [resamples.interval(rng.exponential(size=40), mean) for _ in range(300)]
    inside = np.mean([low <= 1 <= high for low, high in found])
    assert 0.88 <= inside <= 0.97  # percentile intervals of a skewed law cover a little less than they say


def test_snapshots_of_one_trajectory_count_as_one():
    values, copies = np.random.default_rng(1).normal(size=30), 50
    resamples = Resamples.of(30)
    alone = resamples.snapshot_quantile_intervals(values, np.arange(30), (0.5,))
    repeated = resamples.snapshot_quantile_intervals(
        np.repeat(values, copies), np.repeat(np.arange(30), copies), (0.5,)
    )
    assert repeated[0] == pytest.approx(alone[0], abs=0.1)
    weights = np.full(30, float(copies))
    assert resamples.ratio_interval(copies * values, weights) == pytest.approx(resamples.interval(values, mean))


def test_quantiles_over_snapshots_are_those_of_the_drawn_trajectories():
    rng = np.random.default_rng(2)
    lengths = rng.integers(3, 30, size=12)
    owner = np.repeat(np.arange(12), lengths)
    values = rng.normal(size=len(owner)) + 0.5 * owner
    resamples = Resamples.of(12, count=300)
    found = resamples.snapshot_quantile_intervals(values, owner, (0.5, 0.95, 1.0))
    drawn = [np.concatenate([values[owner == i] for i in row]) for row in resamples.chosen]
    for q, interval in zip((0.5, 0.95, 1.0), found, strict=True):
        by_hand = np.array([np.quantile(d, q, method="inverted_cdf") for d in drawn])
        assert interval == percentile_interval(by_hand)


def test_many_snapshots_are_sorted_into_cells_without_losing_more_than_a_cell():
    values = np.random.default_rng(3).exponential(size=20000)
    owner = np.repeat(np.arange(100), 200)
    resamples = Resamples.of(100, count=100)
    (low, high), (_, top) = resamples.snapshot_quantile_intervals(values, owner, (0.99, 1.0))
    drawn = [
        np.quantile(values.reshape(100, 200)[row].ravel(), 0.99, method="inverted_cdf") for row in resamples.chosen
    ]
    assert (low, high) == pytest.approx(percentile_interval(np.array(drawn)), rel=0.01)
    assert top == values.max()


def test_the_interval_of_a_median_over_time_is_the_bootstraps():
    table = np.random.default_rng(4).normal(size=(200, 3))
    low, high = Resamples.of(200).curve_interval(table)
    for k in range(3):
        by_bootstrap = Resamples.of(200, count=4000).interval(table[:, k], median)
        assert (low[k], high[k]) == pytest.approx(by_bootstrap, abs=0.04)


def test_none_of_many_is_no_certainty():
    assert Resamples.of(256).mean_interval(np.zeros(256)) == pytest.approx((0, 1 - 0.025 ** (1 / 256)))
    assert proportion_interval(256, 256) == pytest.approx((0.025 ** (1 / 256), 1))


def test_infinite_values_stay_infinite():
    values = np.array([1.0, 2.0, 3.0, np.inf, np.inf, np.inf])
    low, high = Resamples.of(6).interval(values, largest)
    assert high == np.inf
    assert low <= high


def test_the_same_seed_gives_the_same_interval_and_another_another():
    values = np.random.default_rng(5).normal(size=50)
    first, again = (Resamples.of(50).interval(values, mean) for _ in range(2))
    other = Resamples.of(50, rng=generator(1)).interval(values, mean)
    assert first == again
    assert first != other


def test_no_trajectories_are_refused():
    with pytest.raises(InputError, match="n must be an integer >= 1, got 0"):
        Resamples.of(0)
