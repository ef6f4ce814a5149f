"""Rollouts of latent vector fields end: within a number of evaluations and a time, wherever they are then."""

import time

import pytest
import torch

from dynred.dynamics.base import Standardisation, VectorFieldDynamics
from dynred.latent_space import LatentSpace
from dynred.polynomials import factors, monomials, rescaled
from dynred.rng import generator

T = torch.arange(0, 201, 1.0, dtype=torch.float64)
Z0 = torch.tensor([[1.0, 0.0], [0.0, 0.5]], dtype=torch.float64)


class Rotation(VectorFieldDynamics):
    """z' = (-z2, z1), which takes `pause` seconds to say so."""

    def __init__(self, pause=0.0):
        super().__init__()
        self.latent_space, self.units, self.pause, self.calls = LatentSpace(lines=2), Standardisation.empty(2), pause, 0

    def field(self, t, z):
        self.calls += 1
        time.sleep(self.pause)
        return torch.stack([-z[..., 1], z[..., 0]], -1)

    def sizes(self):
        return {}


def test_a_rollout_that_uses_up_its_evaluations_is_nan_from_there_on_and_right_before():
    limited, whole = Rotation(), Rotation().rollout(Z0, T)
    limited.max_evaluations = 400
    found = limited.rollout(Z0, T)
    lost = found.isnan().all(-1)
    first = int(lost[0].int().argmax())
    assert 5 < first < 150
    assert lost[:, first:].all()
    assert torch.allclose(found[:, :first], whole[:, :first], atol=1e-6)
    assert limited.calls < 600


def test_a_rollout_that_uses_up_its_time_returns_soon():
    slow = Rotation(pause=0.01)
    slow.time_limit = 0.5
    start = time.monotonic()
    found = slow.rollout(Z0, T)
    assert time.monotonic() - start < 20
    assert torch.equal(found[:, 0], Z0)
    assert found[:, -1].isnan().all()


def test_without_reaching_a_limit_nothing_changes():
    whole = Rotation().rollout(Z0, T[:20])
    exact = torch.stack([torch.cos(T[:20]), torch.sin(T[:20])], -1)
    assert torch.allclose(whole[0], exact, atol=1e-2)
    assert whole.isfinite().all()


def test_a_field_without_parameters_is_its_own_whatever_is_bound():
    field = Rotation()
    assert field.bind({"mu": torch.ones(2)}) is field


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_polynomials_in_other_units_have_the_same_values(degree):
    rng = generator(0, degree)
    terms = factors(3, degree)
    coefficients = torch.randn(len(terms), 2, generator=rng, dtype=torch.float64)
    shift, unit = torch.tensor([0.5, 0.0, -2.0]).double(), torch.tensor([2.0, 0.1, 5.0]).double()
    z = torch.randn(10, 3, generator=rng, dtype=torch.float64)
    there = monomials((z - shift) / unit, terms) @ coefficients
    here = monomials(z, terms) @ rescaled(coefficients, terms, shift, unit)
    assert torch.allclose(here, there, rtol=1e-9, atol=1e-9)
