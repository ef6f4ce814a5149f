"""Polynomial fields fitted to samples of states."""

import pytest
import torch

from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.polynomials import factors
from dynred.numerics.shooting_fit import PolynomialField, Shooting

SPACES = [LatentSpace(lines=3), LatentSpace(angles=1, lines=1)]


def random_field(space, degree=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    field = PolynomialField(space, degree, torch.linspace(0.5, 1.5, space.dim, dtype=torch.float64))
    terms = len(factors(space.feature_dim, degree))
    return field, 0.3 * torch.randn(terms, space.dim, generator=g, dtype=torch.float64)


def velocity(field, coefficients, y):
    return field.ratio * (field.monomials(y) @ coefficients)


@pytest.mark.parametrize("space", SPACES)
def test_the_jacobian_is_that_of_automatic_differentiation(space):
    field, coefficients = random_field(space)
    y = torch.randn(5, space.dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ours = field.jacobian(y, field.monomials(y), field.derivatives(coefficients))
    theirs = torch.func.vmap(torch.func.jacrev(lambda x: velocity(field, coefficients, x[None])[0]))(y)
    assert torch.allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("space", SPACES)
def test_the_gauss_newton_gradient_is_that_of_the_squares(space):
    field, coefficients = random_field(space)
    g = torch.Generator().manual_seed(2)
    y = torch.randn(4, 6, space.dim, generator=g, dtype=torch.float64)
    t = torch.linspace(0, 0.5, 6, dtype=torch.float64).expand(4, 6)
    shooting = Shooting(field, y, t, 2)
    weight = torch.linspace(1.0, 2.0, space.dim, dtype=torch.float64)
    fit = shooting._passed(y[:, 0], coefficients)
    normal = shooting._normal(fit, weight)
    eps = 1e-6

    def half_cost(coefficients):
        return float((shooting._passed(y[:, 0], coefficients).squares * weight).sum()) / 2

    for place in (0, coefficients.numel() - 1):
        shift = torch.zeros(coefficients.numel(), dtype=torch.float64)
        shift[place] = eps
        up, down = (half_cost(coefficients + sign * shift.view_as(coefficients)) for sign in (1, -1))
        assert float(normal.c[place]) == pytest.approx(-(up - down) / (2 * eps), rel=1e-5, abs=1e-7)


def test_an_oscillator_is_found_in_noisy_samples_without_bias():
    """Least squares on these states would give coefficients that are 2 % too small, even with true velocities."""
    g = torch.Generator().manual_seed(3)
    field = PolynomialField(LatentSpace(lines=2), 1, torch.ones(2, dtype=torch.float64))
    true = torch.tensor([[0.0, 0.0], [0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    t = 0.1 * torch.arange(64, dtype=torch.float64)
    phase = 6.28 * torch.rand(100, 1, generator=g, dtype=torch.float64)
    y = torch.stack([torch.sin(t + phase), torch.cos(t + phase)], -1)
    y = y + 0.1 * torch.randn(y.shape, generator=g, dtype=torch.float64)
    variance = torch.full((2,), 0.01, dtype=torch.float64)
    fit = Shooting(field, y, t.expand(100, 64), 1).fit(y[:, 0], 0.8 * true, variance)
    assert (fit.coefficients - true).abs().max() < 4e-3  # three standard errors of the worst
    missed = (fit.squares / 64).mean().sqrt()
    assert float(missed) == pytest.approx(0.1 * (1 - 1 / 64) ** 0.5, rel=0.02)
