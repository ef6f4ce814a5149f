"""Times that the end of the test cut off: what is known of their quantiles, and no more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynred.evaluation.censoring import Times
from dynred.evaluation.spreads import Score, Spread

times = st.lists(st.tuples(st.floats(0.1, 100), st.booleans()), min_size=1, max_size=12)


def of(*values, censored=()):
    flags = np.zeros(len(values), dtype=bool)
    flags[list(censored)] = True
    return Times(np.array(values, dtype=float), flags)


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=12))
def test_without_a_censored_time_the_median_is_the_ordinary_one(values):
    assert of(*values).quantile(0.5) == (pytest.approx(np.median(values)), False)


def test_a_median_that_is_cut_off_is_at_least_the_longest_wait():
    assert of(3, 120, 120, 120, censored=(1, 2, 3)).quantile(0.5) == (120, True)
    assert of(3, 5, 7, 120, 120, censored=(3, 4)).quantile(0.5) == (7, False)


def test_half_of_two_is_at_least_the_middle():
    assert of(10, 120, censored=(1,)).quantile(0.5) == (65, True)


def test_the_product_limit_estimate_of_a_textbook():
    # Remission times of 21 patients (E. J. Freireich et al., Blood 21, 699 (1963)): the median is 23 weeks.
    ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    going = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    sample = of(*ended, *going, censored=range(len(ended), len(ended) + len(going)))
    assert sample.quantile(0.5) == (23, False)
    assert sample.interval(0.5) == ((13, 35), True)


@given(times)
def test_an_interval_holds_its_quantile(pairs):
    values, censored = (np.array(part) for part in zip(*pairs, strict=True))
    sample = Times(values, censored)
    for fraction in (0.1, 0.5):
        ends = sample.interval(fraction)
        if ends is not None:
            assert ends[0][0] <= sample.quantile(fraction)[0] <= ends[0][1]


@pytest.mark.parametrize("n", [5, 8, 12])
@pytest.mark.parametrize("cut", ["the same for all", "different"])
def test_95_of_100_intervals_hold_the_true_median(n, cut):
    rng, hits = np.random.default_rng(n), []
    for _ in range(500):
        values = rng.exponential(size=n)
        ends = np.full(n, 1.2) if cut == "the same for all" else 2 * rng.exponential(size=n)
        (low, high), beyond = Times(np.minimum(values, ends), values > ends).interval(0.5)
        hits.append(low <= np.log(2) and (beyond or np.log(2) <= high))
    assert 0.92 <= np.mean(hits) <= 0.99


def test_a_spread_says_which_of_its_numbers_are_cut_off():
    values, censored = np.array([3.0, 5, 120, 120, 120, 120, 120]), np.array([0, 0, 1, 1, 1, 1, 1], dtype=bool)
    spread = Spread.of(values, censored)
    assert spread.median == 120
    assert {"median", "mean", "median_interval", "mean_interval"} == set(spread.at_least)
    assert spread.scaled(2.0).at_least == spread.at_least
    score = Score.of(values, True, "", censored)
    assert (score.worst, "worst" in score.at_least) == (3, False)
    everything = Score.of(values[2:], True, "", censored[2:])
    assert "worst" in everything.at_least
