"""Intervals over trajectories: they hold their number always, the truth as often as they say, and few give none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from dynred.evaluation.intervals import (
    FEWEST,
    fraction_interval,
    mean_interval,
    proportion_interval,
    quantile_interval,
    ratio_interval,
    snapshot_quantile_interval,
)

LAWS = {
    "normal": (lambda rng, n: rng.normal(size=n), 0.0, 0.0),
    "uniform": (lambda rng, n: rng.uniform(size=n), 0.5, 0.5),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0, np.log(2)),
}
some = st.lists(st.floats(0, 1e3), min_size=1, max_size=12)


def held(interval, truth, law, n, tries=400):
    rng = np.random.default_rng(n)
    ends = [interval(LAWS[law][0](rng, n)) for _ in range(tries)]
    return np.mean([low <= truth <= high for low, high in ends])


@pytest.mark.parametrize("n", [5, 8, 12])
@pytest.mark.parametrize("law", LAWS)
def test_95_of_100_intervals_hold_the_true_median(law, n):
    share = held(lambda values: quantile_interval(values, 0.5), LAWS[law][2], law, n, 1500)
    assert 0.92 <= share <= 0.98


@pytest.mark.parametrize("n", [5, 12, 40])
@pytest.mark.parametrize("law", LAWS)
def test_95_of_100_intervals_hold_the_true_mean(law, n):
    assert 0.9 <= held(mean_interval, LAWS[law][1], law, n) <= 0.99  # 400 tries: give or take 2 % at two sigma


@given(some)
def test_an_interval_holds_its_number(values):
    values = np.array(values)
    for interval, number in (
        (mean_interval(values), values.mean()),
        (quantile_interval(values, 0.5), np.median(values)),
        (quantile_interval(values, 0.1), np.quantile(values, 0.1)),
    ):
        if interval is not None:
            assert interval[0] - 1e-9 * number <= number <= interval[1] + 1e-9 * number


@given(some, st.integers(0, 2**32 - 1))
def test_an_interval_of_a_quantile_over_snapshots_holds_it(sizes, seed):
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(len(sizes)), rng.integers(1, 9, len(sizes)))
    values = np.array(sizes)[owner] + rng.exponential(size=len(owner))
    for fraction in (0.5, 0.95, 0.99):
        interval = snapshot_quantile_interval(values, owner, fraction)
        if interval is not None:
            assert interval[0] <= np.quantile(values, fraction) <= interval[1]


@pytest.mark.parametrize("n", range(1, FEWEST))
def test_fewer_than_five_trajectories_give_no_interval(n):
    values = np.arange(1.0, n + 1)
    assert mean_interval(values) is None
    assert quantile_interval(values, 0.5) is None
    assert ratio_interval(values, np.ones(n)) is None
    assert snapshot_quantile_interval(np.arange(100.0), np.arange(100) % n, 0.5) is None


def test_a_quantile_near_the_end_needs_more_trajectories_than_a_median():
    values = np.arange(20.0)
    assert quantile_interval(values, 0.5) is not None
    assert quantile_interval(values, 0.1) is None
    assert quantile_interval(np.arange(60.0), 0.1) is not None


@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_ends_lie_between_the_order_statistics_of_the_binomial_law(fraction):
    n, values = 100, np.arange(100.0)
    low, high = quantile_interval(values, fraction)
    assert binom.ppf(0.025, n, fraction) - 1 <= low <= binom.ppf(0.025, n, fraction)
    assert binom.ppf(0.975, n, fraction) - 1 <= high <= binom.ppf(0.975, n, fraction) + 1


def test_the_interval_of_a_mean_is_that_of_the_normal_law():
    values = norm.ppf((np.arange(400) + 0.5) / 400)
    assert mean_interval(values) == pytest.approx((-1.96 / 20, 1.96 / 20), abs=0.012)


def test_snapshots_of_one_trajectory_count_as_one():
    values, copies = np.random.default_rng(1).normal(size=30), 50
    alone = snapshot_quantile_interval(values, np.arange(30), 0.5)
    repeated = snapshot_quantile_interval(np.repeat(values, copies), np.repeat(np.arange(30), copies), 0.5)
    assert np.diff(repeated)[0] == pytest.approx(np.diff(alone)[0], rel=0.25)
    assert ratio_interval(copies * values, np.full(30, float(copies))) == pytest.approx(mean_interval(values))


def test_95_of_100_intervals_hold_the_true_quantile_over_snapshots():
    rng, hits, told = np.random.default_rng(2), [], 0
    for _ in range(300):  # trajectories differ by as much as their snapshots do
        values = rng.normal(size=(12, 1)) + rng.normal(size=(12, 40))
        interval = snapshot_quantile_interval(values.ravel(), np.repeat(np.arange(12), 40), 0.5)
        told += interval is not None
        hits.append(interval[0] <= 0 <= interval[1])
    assert told == 300
    assert 0.91 <= np.mean(hits) <= 0.99


def test_a_fraction_that_all_trajectories_share_is_no_certainty():
    low, high = fraction_interval(np.full((10, 1), 5.0), np.full((10, 1), 5))
    assert high[0] == 1
    assert low[0] == pytest.approx(proportion_interval(10, 10)[0])


def test_none_of_many_is_no_certainty():
    assert mean_interval(np.zeros(256)) == pytest.approx((0, 1 - 0.025 ** (1 / 256)))
    assert proportion_interval(256, 256) == pytest.approx((0.025 ** (1 / 256), 1))


def test_infinite_values_have_a_median_between_finite_ones_and_no_interval_of_the_mean():
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.inf])
    low, high = quantile_interval(values, 0.5)
    assert 1 <= low < high
    assert mean_interval(values) is None


def test_numbers_that_are_nowhere_negative_have_no_negative_mean():
    assert mean_interval(np.array([1e-9, 1e-9, 1e-9, 1e-9, 5.0, 1e-9]))[0] >= 0
