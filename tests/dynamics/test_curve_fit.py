"""Latent dynamics of samples with noise, whose velocities are uncertain."""

from dataclasses import replace

import pytest
import torch

from dynred import NeuralODESpec, PolynomialODESpec, Trajectories, estimate_velocities
from dynred.numerics.polynomials import PolynomialSpec
from dynred.training.minimise import TrainingSpec


def cycle(n, noise, seed, dt=0.25, steps=24, growing=True):
    """The normal form of a Hopf bifurcation, in closed form: r' = r - r^3, phi' = 1."""
    g = torch.Generator().manual_seed(seed)
    t = dt * torch.arange(steps, dtype=torch.float64)
    start = 0.3 + torch.rand(n, 1, generator=g, dtype=torch.float64) if growing else torch.ones(n, 1)
    phase = 6.28 * torch.rand(n, 1, generator=g, dtype=torch.float64)
    r = 1 / torch.sqrt(1 + (start**-2 - 1) * torch.exp(-2 * t))
    x = torch.stack([r * torch.cos(t + phase), r * torch.sin(t + phase)], -1)
    x = x + noise * torch.randn(x.shape, generator=g, dtype=torch.float64)
    return Trajectories(x.reshape(-1, 2), t.repeat(n), torch.full((n,), steps))


def field_error(model):
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.0, -0.7]], dtype=torch.float64)
    growth = 1 - z.pow(2).sum(1, keepdim=True)
    true = growth * z + torch.stack([-z[:, 1], z[:, 0]], 1)
    return float((model.field(torch.zeros(()), z) - true).abs().max())


SPEC = PolynomialSpec(degree=3)


@pytest.fixture(scope="module")
def noisy():
    return estimate_velocities(cycle(16, 0.05, 0)), estimate_velocities(cycle(8, 0.05, 1))


def test_samples_with_noise_give_a_field_that_velocities_do_not(noisy):
    fitted = PolynomialODESpec(SPEC).fit(*noisy, rng=torch.Generator())
    exact_looking = [replace(part, attributes={}) for part in noisy]
    by_velocities = PolynomialODESpec(SPEC).fit(*exact_looking, rng=torch.Generator())
    assert "fitted to the samples themselves" in fitted.choice
    assert fitted.degree == 3
    assert field_error(fitted) < 0.1
    assert field_error(fitted) < 0.7 * field_error(by_velocities)


def test_a_network_does_not_bring_back_what_noise_does_to_velocities():
    """On the circle the field is a rotation, which noise makes slower: it is in the states, too."""
    parts = [estimate_velocities(cycle(12, 0.1, seed, growing=False)) for seed in (0, 1)]
    spec = NeuralODESpec(width=8, depth=1, start=PolynomialSpec(degree=1), training=TrainingSpec(steps=30))
    fitted = spec.fit(*parts, rng=torch.Generator().manual_seed(0))
    assert "fitted to the samples themselves" in fitted.choice
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-0.6, 0.8]], dtype=torch.float64)
    turned = torch.stack([-z[:, 1], z[:, 0]], 1)
    assert (fitted.field(torch.zeros(()), z) - turned).abs().max() < 0.05


def test_exact_velocities_are_fitted_as_ever():
    parts = [cycle(4, 0.0, seed) for seed in (0, 1)]
    moving = [replace(p, velocities=torch.roll(p.states, 1, 1)) for p in parts]
    assert PolynomialODESpec(SPEC).fit(*moving, rng=torch.Generator()).choice == ""
