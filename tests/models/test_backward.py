"""Back in time: a prediction forward from where it leads returns, and the growth of errors is told."""

import math
import warnings

import pytest
import torch

import dynred
from dynred.data.trajectories import Trajectories
from dynred.dynamics.map import MapSpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.errors import DynredWarning, InputError
from dynred.models.backward import predict_backward
from dynred.models.reduced import ReducedModel
from dynred.numerics.polynomials import PolynomialSpec
from dynred.reducers.identity import IdentitySpec
from dynred.rng import generator

SLOW, FAST = -0.1, -1.0


@pytest.fixture(scope="module")
def data():
    t = torch.linspace(0, 3, 31, dtype=torch.float64)
    start = torch.randn(8, 1, 2, generator=generator(0), dtype=torch.float64)
    states = start * torch.stack([torch.exp(SLOW * t), torch.exp(FAST * t)], -1)
    return Trajectories.from_stacked(states, t, states * torch.tensor([SLOW, FAST]))


@pytest.fixture(scope="module")
def model(data):
    spec = PolynomialODESpec(PolynomialSpec(degree=1))
    dynamics = spec.fit(data[:6], data[6:], rng=generator(0))
    return ReducedModel(IdentitySpec(2).fit(data[:6], data[6:], rng=generator(0)), dynamics)


def test_what_is_predicted_forward_from_the_past_is_the_present(model, data):
    x0 = data.initial[:3]
    past = predict_backward(model, x0, torch.tensor([1.0, 0.5, 0.0]))
    assert past.times(0).tolist() == [0, 0.5, 1]
    assert torch.allclose(past.stacked()[:, -1], x0, atol=1e-12)
    assert torch.allclose(model.predict(past.initial, past.times(0)).stacked()[:, -1], x0, atol=1e-4)


def test_errors_grow_by_what_contracts_forward_and_are_told(model, data):
    with pytest.warns(DynredWarning, match=r"Back over 4 time units errors grow up to 5[0-9] times"):
        past = predict_backward(model, data.initial[:1], torch.tensor([4.0, 0.0]))
    spread = model.dynamics.units.spread
    assert past.attributes["growth"][0] == pytest.approx(math.exp(-4 * FAST), rel=1e-3)
    assert len(spread) == 2


def test_little_growth_is_no_warning(model, data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predict_backward(model, data.initial[:1], torch.tensor([1.0, 0.0]))


def test_times_that_increase_and_maps_are_refused(model):
    with pytest.raises(InputError, match="strictly increasing"):
        predict_backward(model, torch.zeros(1, 2), torch.tensor([0.0, 1.0]))
    henon = dynred.reduce("henon", 2, data=dynred.DataSpec(train=4, validation=2, test=2), dynamics=MapSpec())
    with pytest.raises(InputError, match="given by a vector field, got a map"):
        predict_backward(henon.model, torch.zeros(1, 2), torch.tensor([1.0, 0.0]))
