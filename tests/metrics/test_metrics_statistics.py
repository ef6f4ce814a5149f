"""Long-time statistics: exact on waves and known laws, and calibrated against chance."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from dynred.data.grid import Axis, Grid
from dynred.data.trajectories import Trajectories
from dynred.evaluation.agreement import agreement, agreements, later_halves
from dynred.metrics.autocorrelation import Autocorrelation
from dynred.metrics.base import Reference, find_statistics
from dynred.metrics.joint_density import JointDensity, derivatives
from dynred.metrics.marginals import Marginals
from dynred.metrics.power_spectrum import PowerSpectrum
from dynred.metrics.spatial_spectrum import SpatialSpectrum
from dynred.models.forecast import Forecast
from dynred.rng import generator

LENGTH, POINTS, OMEGA = 5.0, 32, 2 * math.pi * 4 / 64
X = LENGTH / POINTS * torch.arange(POINTS, dtype=torch.float64)
GRID = Grid((Axis("x", X, period=LENGTH),))
T = torch.arange(128, dtype=torch.float64)


def waves(n=6, size=1.0, k=3):
    """size cos(k q x - omega t + phase), q = 2 pi / LENGTH: a whole number of periods in time and in space."""
    phase = 2 * math.pi * torch.rand(n, 1, 1, generator=generator(0, "phase"), dtype=torch.float64)
    return Trajectories.from_stacked(size * torch.cos(k * 2 * math.pi / LENGTH * X - OMEGA * T[:, None] + phase), T)


def noise(n, seed, steps=64, size=1.0, dim=3):
    """Independent normal states: no snapshot knows of another."""
    states = size * torch.randn(n, steps, dim, generator=generator(seed, "noise"), dtype=torch.float64)
    return Trajectories.from_stacked(states, torch.arange(steps, dtype=torch.float64))


def test_spectral_derivatives_of_a_wave_are_exact():
    q = 2 * math.pi / LENGTH
    found = derivatives(torch.sin(3 * q * X)[None], GRID)[0]
    np.testing.assert_allclose(found[:, 0], 3 * q * torch.cos(3 * q * X), atol=1e-10)
    np.testing.assert_allclose(found[:, 1], -9 * q**2 * torch.sin(3 * q * X), atol=1e-9)


def test_the_joint_density_distance_is_2_where_nothing_overlaps_and_1_where_half_does():
    def uniform(low):
        states = low + torch.linspace(0, 1, 4001, dtype=torch.float64)[:-1]
        pair = torch.stack([states, torch.zeros(4000, dtype=torch.float64)], -1)
        return Trajectories.from_stacked(pair[None], torch.arange(4000.0))

    gauge = JointDensity(bins=100).gauge(Reference(uniform(0.0)))
    means = [gauge.measure(uniform(low))[0] for low in (0.0, 0.5, 3.0)]
    assert [float(gauge.distance(means[0], m)) for m in means] == pytest.approx([0, 1, 2], abs=0.05)
    assert all(m.sum() == pytest.approx(1) for m in means)


def test_the_pair_of_a_periodic_field_is_its_first_and_second_derivative():
    assert JointDensity().gauge(Reference(waves(), GRID)).labels == ("$u_{x}$", "$u_{xx}$")
    assert "POD" in JointDensity().gauge(Reference(waves())).labels[0]


def test_the_power_of_a_wave_is_at_its_frequency_and_sums_to_its_mean_square():
    truth = waves()
    gauge = PowerSpectrum(segment=64).gauge(Reference(truth))
    power, frequency = gauge.measure(truth).mean(0), gauge.axes[0]
    assert frequency[power.argmax()] == pytest.approx(OMEGA / (2 * math.pi))
    total = truth.states.pow(2).sum(1).mean()  # of the whole state: the sum over its points
    assert power.sum() * (frequency[1] - frequency[0]) == pytest.approx(float(total), rel=1e-2)


def test_twice_the_size_is_four_times_the_power_and_a_distance_of_three():
    gauge = PowerSpectrum(segment=64).gauge(Reference(waves()))
    a, b = (gauge.measure(waves(size=size)).mean(0) for size in (1.0, 2.0))
    assert float(gauge.distance(a, b)) == pytest.approx(3)


def test_the_power_over_space_is_at_the_waves_number_and_sums_to_the_mean_square():
    truth = waves()
    gauge = SpatialSpectrum().gauge(Reference(truth, GRID))
    power = gauge.measure(truth).mean(0)
    assert gauge.axes[0][power.argmax()] == pytest.approx(3 * 2 * math.pi / LENGTH)
    assert power.sum() == pytest.approx(float(truth.states.pow(2).mean()))


def test_power_over_space_of_noise_obeys_parseval_for_even_and_odd_numbers_of_points():
    for points in (8, 9):
        grid = Grid((Axis("x", torch.arange(points, dtype=torch.float64), period=float(points)),))
        truth = noise(3, 0, dim=points)
        power = SpatialSpectrum().gauge(Reference(truth, grid)).measure(truth).mean(0)
        assert power.sum() == pytest.approx(float(truth.states.pow(2).mean()))


def test_the_autocorrelation_of_a_wave_is_a_cosine():
    truth = waves()
    gauge = Autocorrelation().gauge(Reference(truth))
    # Over a finite piece the sum of lag s is not of whole periods, but the sum over phases is exact.
    np.testing.assert_allclose(gauge.measure(truth).mean(0), np.cos(OMEGA * gauge.axes[0]), atol=0.03)


def test_marginals_agree_with_scipys_wasserstein_distance():
    truth, other = noise(4, 0), noise(4, 1, size=1.3)
    reference = Reference(truth)
    gauge = Marginals(cells=3000).gauge(reference)
    found = gauge.distance(gauge.measure(truth).mean(0), gauge.measure(other).mean(0))
    a, b = reference.coordinates(truth), reference.coordinates(other)
    by_scipy = np.mean([wasserstein_distance(a[:, i], b[:, i]) / a[:, i].std() for i in range(3)])
    assert float(found) == pytest.approx(by_scipy, abs=2e-3)


def test_a_set_of_the_same_law_differs_as_chance_says_and_another_by_far_more():
    truth, same, other = noise(60, 0), noise(60, 1), noise(60, 2, size=1.5)
    reference = Reference(truth)
    for statistic in find_statistics(reference):
        gauge = statistic.gauge(reference)
        a, b, c = (gauge.measure(part) for part in (truth, same, other))
        weights = np.ones(60)
        assert 0.4 < agreement(gauge, a, b, weights).ratio < 2, statistic.name
        apart = agreement(gauge, a, c, weights)
        assert apart.ratio > 3, statistic.name
        assert apart.interval[0] > apart.sampling_error, statistic.name


def test_chance_falls_with_the_square_root_of_the_number_of_trajectories():
    few, many = noise(40, 0), noise(640, 1)
    found = []
    for truth in (few, many):
        gauge = Marginals().gauge(Reference(truth))
        values = gauge.measure(truth)
        found.append(agreement(gauge, values, values, np.ones(len(truth))).sampling_error)
    assert found[0] / found[1] == pytest.approx(4, rel=0.25)


def test_the_weight_of_a_trajectory_is_its_length():
    long, short = noise(2, 0, steps=60), noise(2, 1, steps=20)
    truth = Trajectories.concatenate([long, short])
    gauge = Marginals().gauge(Reference(truth))
    values, weights = gauge.measure(truth), truth.lengths.numpy()
    pooled = Trajectories(truth.states, torch.arange(160.0), torch.tensor([160]))
    np.testing.assert_allclose(np.average(values, axis=0, weights=weights), gauge.measure(pooled)[0])


def test_later_halves_keep_the_ends():
    parts = later_halves(Trajectories.concatenate([noise(1, 0, steps=7), noise(1, 1, steps=4)]))
    assert parts.lengths.tolist() == [4, 2]
    assert parts.t.tolist() == [3, 4, 5, 6, 2, 3]


def test_uneven_times_have_no_spectrum_but_a_density():
    truth = noise(3, 0)
    uneven = Trajectories(truth.states, truth.t**2, truth.lengths)
    assert {s.name for s in find_statistics(Reference(uneven))} == {"joint_density", "marginals"}


def test_perfect_predictions_have_no_distance_and_one_trajectory_no_interval():
    truth = noise(5, 0)
    found = agreements(Forecast(truth, truth, truth))
    assert found
    assert all(one.distance == 0 and one.ratio == 0 for one in found.values())
    alone = agreements(Forecast(truth[0], truth[0], truth[0]))
    assert all(one.interval is None and one.sampling_error is None for one in alone.values())
