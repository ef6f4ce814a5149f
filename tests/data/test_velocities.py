import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.signal import savgol_filter

from dynred import plugins
from dynred.data.derivatives.base import Estimator
from dynred.data.derivatives.fourier import FourierSeries
from dynred.data.derivatives.savitzky_golay import SavitzkyGolay
from dynred.data.derivatives.smoothing_spline import SmoothingSpline
from dynred.data.derivatives.spline import Spline
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities
from dynred.errors import InputError
from dynred.rng import generator


def waves(n=6, count=121, step=0.1, noise=0.0):
    """Samples of sums of two incommensurate waves, with their exact velocities."""
    t = step * torch.arange(count, dtype=torch.float64)
    phase = torch.arange(n, dtype=torch.float64)[:, None, None]
    rate = torch.tensor([1.0, math.sqrt(2)], dtype=torch.float64)
    angle = t[:, None] * rate + phase
    states = torch.sin(angle) + noise * torch.randn(angle.shape, generator=generator(0, "noise"), dtype=torch.float64)
    return Trajectories.from_stacked(states, t, rate * torch.cos(angle))


def estimated(data, estimator=None):
    """The estimate and its true error, as a fraction of the root mean square velocity."""
    found = estimate_velocities(dataclasses.replace(data, velocities=None), estimator)
    error = (found.velocities - data.velocities).norm() / data.velocities.norm()
    return found, float(error)


def test_without_noise_the_interpolating_spline_is_chosen_and_is_accurate():
    found, error = estimated(waves())
    assert found.attributes["velocities"].startswith("degree-")
    assert error < 1e-4
    check = found.attributes["velocity_check"]
    assert min(check, key=check.get).startswith("degree-")
    assert len(check) >= 8


@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_with_noise_a_method_that_smooths_is_chosen_and_is_several_times_better_than_the_spline(noise):
    data = waves(noise=noise)
    found, error = estimated(data)
    assert any(word in found.attributes["velocities"] for word in ("smoothing", "Savitzky", "least squares"))
    _, interpolated = estimated(data, Spline())
    assert error < 0.3 * interpolated


@pytest.mark.parametrize("noise", [0.0, 1e-3, 1e-2, 1e-1])
def test_the_reported_error_is_of_the_order_of_the_true_one(noise):
    found, error = estimated(waves(noise=noise))
    assert 0.2 * error < found.attributes["velocity_error"] + 1e-5 < 8 * error + 1e-4


def test_whole_periods_are_recognised_by_their_fourier_series():
    t = 2 * math.pi * torch.arange(80, dtype=torch.float64) / 80
    angle = torch.stack([t, 3 * t], -1) + torch.tensor([0.3, 1.0])
    bent = torch.exp(torch.sin(angle))
    data = Trajectories.from_stacked(bent[None], t, (bent * torch.cos(angle) * torch.tensor([1.0, 3.0]))[None])
    found, error = estimated(data)
    assert found.attributes["velocities"] == "Fourier series"
    assert error < 1e-6


@pytest.mark.parametrize("estimator", [Spline(), SavitzkyGolay(9), SmoothingSpline(0.01)])
def test_a_cubic_is_differentiated_exactly_or_nearly(estimator):
    t = np.linspace(0, 2, 41)
    x = np.stack([t**3 - t, 2 * t], -1)
    found = estimator.curve(t, x)(t, 1)
    assert np.abs(found[5:-5] - np.stack([3 * t**2 - 1, 2 + 0 * t], -1)[5:-5]).max() < 1e-3


def test_savitzky_golay_agrees_with_scipy_at_the_samples():
    t, x = np.arange(30) * 0.1, np.random.default_rng(0).standard_normal((30, 3))
    found = SavitzkyGolay(9, 4).curve(t, x)
    assert np.allclose(found(t, 0), savgol_filter(x, 9, 4, axis=0), atol=1e-10)
    assert np.allclose(found(t, 1), savgol_filter(x, 9, 4, deriv=1, delta=0.1, axis=0), atol=1e-9)


@pytest.mark.parametrize("name", plugins.names("dynred.data.derivatives"))
def test_every_method_is_linear_in_the_samples_and_its_slope_is_that_of_its_curve(name):
    method = plugins.load_class("dynred.data.derivatives", name, Estimator)()
    t, s = np.linspace(0, 3, 33)[:-1], np.array([0.71, 1.33, 2.02])
    x, y = np.random.default_rng(0).standard_normal((2, 32, 2))
    assert method.takes(t)
    together, one, other = (method.curve(t, a) for a in (x + 2 * y, x, y))
    assert np.allclose(together(s, 1), one(s, 1) + 2 * other(s, 1), atol=1e-9)
    slope = (one(s + 1e-5, 0) - one(s - 1e-5, 0)) / 2e-5
    assert np.allclose(slope, one(s, 1), rtol=1e-4, atol=1e-4)


def test_uneven_times_leave_methods_that_take_them():
    t = torch.sort(torch.rand(80, generator=generator(0), dtype=torch.float64) * 10).values
    data = Trajectories(torch.sin(t)[:, None], t, torch.tensor([80]), torch.cos(t)[:, None])
    found, _ = estimated(data)
    assert all("spline" in name for name in found.attributes["velocity_check"])  # neither Fourier nor Savitzky-Golay


def test_short_trajectories_get_splines_of_known_error_and_the_shortest_of_unknown_one():
    found, error = estimated(waves(count=12))
    assert "spline" in found.attributes["velocities"]
    assert 0.5 * error < found.attributes["velocity_error"] < 2 * error + 1e-8
    assert error < 1e-6
    pair, _ = estimated(waves(count=2))
    assert pair.attributes["velocity_error"] is None
    assert pair.attributes["velocity_check"] == {}


def test_what_cannot_be_used_is_refused():
    with pytest.raises(InputError, match="of at least 2 snapshots each, got 1 in trajectory 0"):
        estimate_velocities(Trajectories(torch.zeros(1, 2), torch.zeros(1), torch.tensor([1])))
    with pytest.raises(InputError, match="such as a Savitzky-Golay.* takes, got 12 samples in 0"):
        estimated(waves(count=12), SavitzkyGolay(27))
    with pytest.raises(InputError, match="window must be an integer >= 5"):
        SavitzkyGolay(4)
    with pytest.raises(InputError, match="smoothing must be a finite number > 0"):
        SmoothingSpline(0.0)


def test_fourier_series_of_an_even_number_of_samples_goes_through_them():
    t, x = np.arange(16) / 16, np.random.default_rng(1).standard_normal((16, 1))
    assert np.allclose(FourierSeries().curve(t, x)(t, 0), x, atol=1e-12)
