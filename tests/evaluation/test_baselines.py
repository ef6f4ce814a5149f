"""Baselines: each does what its name says, and is exact where it should be."""

import numpy as np
import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.evaluation.baselines import baseline_forecasts, dmd, linear_model
from dynred.models.reduced import ReducedModel, ReducedSpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator


def spirals(n, times, seed=0):
    """Damped rotations about (1, 2) in a plane of four dimensions, sampled at the times."""
    rng = np.random.default_rng(seed)
    plane = np.linalg.qr(np.random.default_rng(9).normal(size=(4, 2)))[0]
    phase, size = rng.uniform(0, 6.28, (n, 1)), rng.uniform(1, 2, (n, 1))
    t = np.asarray(times)[None]
    decay, angle = size * np.exp(-0.1 * t), phase + 1.3 * t
    z = np.stack([1 + decay * np.cos(angle), 2 + decay * np.sin(angle)], -1)
    v = np.stack([-0.1 * (z[..., 0] - 1) - 1.3 * (z[..., 1] - 2), -0.1 * (z[..., 1] - 2) + 1.3 * (z[..., 0] - 1)], -1)
    return Trajectories.from_stacked(
        torch.from_numpy(z @ plane.T), torch.as_tensor(times), torch.from_numpy(v @ plane.T)
    )


def model(train):
    spec = ReducedSpec(PODSpec(2), LinearSpec())
    rng = generator(0)
    reducer = spec.fit_coordinates(train, train, rng=rng)
    return spec.fit_dynamics(reducer, train, train, rng=rng, about={})


def test_dmd_is_exact_for_a_linear_system_at_any_time():
    train = spirals(5, np.arange(40) * 0.25)
    reducer = PODSpec(2).fit(train, train, rng=generator(0))
    test = spirals(3, np.array([0.0, 0.1, 0.7, 5.0, 11.3]), seed=1)
    assert torch.allclose(dmd(reducer, train, test, 0.25), test.states, atol=1e-9)


def test_persistence_keeps_the_first_state_and_climatology_the_mean_of_the_training():
    train, test = spirals(5, np.arange(20) * 0.5), spirals(2, np.arange(7) * 0.5, seed=1)
    forecasts = dict(baseline_forecasts(model(train), train, test))
    assert torch.equal(forecasts["persistence"].predicted.states, test.initial[test.owner])
    assert torch.allclose(forecasts["climatology"].predicted.states, train.states.mean(0).expand(14, -1))


def test_without_an_even_step_there_is_no_dmd():
    train = spirals(5, np.array([0, 0.1, 0.3, 0.9, 1.0, 2.0]))
    assert "dmd" not in dict(baseline_forecasts(model(train), train, train))


def test_the_linear_model_is_in_the_models_own_coordinates():
    train = spirals(5, np.arange(20) * 0.5)
    own = model(train)
    linear = linear_model(own, train)
    assert isinstance(linear, ReducedModel)
    assert torch.equal(linear.encode(train.states), own.encode(train.states))


def test_a_map_that_grows_beyond_all_numbers_ends_as_a_divergence():
    t = np.arange(30) * 1.0
    growing = Trajectories.from_stacked(
        torch.exp(torch.from_numpy(t))[None, :, None] * torch.ones(3, 1, 2), torch.as_tensor(t)
    )
    reducer = PODSpec(1).fit(growing, growing, rng=generator(0))
    late = Trajectories.from_stacked(growing.states[:1].reshape(1, 1, 2).expand(1, 2, 2), torch.tensor([0.0, 1e4]))
    predicted = dmd(reducer, growing, late, 1.0)
    assert torch.isfinite(predicted[0]).all()
    assert not torch.isfinite(predicted[1]).any()


@pytest.mark.parametrize("n", [1, 3])
def test_forecasts_have_the_times_of_the_test(n):
    train, test = spirals(5, np.arange(20) * 0.5), spirals(n, np.arange(7) * 0.3, seed=1)
    for prediction in dict(baseline_forecasts(model(train), train, test)).values():
        assert torch.equal(prediction.predicted.t, test.t)
