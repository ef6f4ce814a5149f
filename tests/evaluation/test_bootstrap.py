"""Resamples draw trajectories, and the same ones for everybody."""

import numpy as np
import pytest

from dynred.errors import InputError
from dynred.evaluation.bootstrap import Resamples, mean
from dynred.rng import generator


def test_the_same_seed_gives_the_same_resamples_and_another_another():
    first, again = (Resamples.of(50).chosen for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, Resamples.of(50, rng=generator(1)).chosen)


def test_counts_say_how_often_a_resample_holds_a_trajectory():
    resamples, values = Resamples.of(7, count=20), np.arange(7.0)
    assert np.allclose(resamples.counts @ values / 7, resamples.of_values(values, mean))


def test_no_trajectories_are_refused():
    with pytest.raises(InputError, match="n must be an integer >= 1, got 0"):
        Resamples.of(0)
