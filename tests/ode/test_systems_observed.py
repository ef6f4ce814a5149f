"""Published data sets that show a small ODE through a map: the maps, the initial states, what is kept."""

import math

import numpy as np
import pytest
import torch
from scipy.special import eval_legendre

from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.explicit import Explicit

TIGHT = Explicit(rtol=1e-11, atol=1e-12)


def times(end, n=11):
    return torch.linspace(0, end, n, dtype=torch.float64)


# -- Lorenz in 128 dimensions ------------------------------------------------------------------------------------------


def test_lorenz_is_seen_through_the_published_profiles():
    system = find_system("lorenz_legendre")
    state = system.initial(5, generator(0))
    z, y = state.numpy() / 40, np.linspace(-1, 1, 128)
    exact = sum(
        z[:, i : i + 1] * eval_legendre(i, y) + z[:, i : i + 1] ** 3 * eval_legendre(i + 3, y) for i in range(3)
    )
    assert np.allclose(system.observation.map(state), exact, atol=1e-13)


def test_lorenz_is_recovered_from_what_is_seen_by_projection():
    system = find_system("lorenz_legendre")
    found = simulate(system, 3, times(1.0), rng=generator(0), solver=TIGHT)
    plain = simulate(system.underlying, 3, times(1.0), rng=generator(0), solver=TIGHT)
    modes = np.stack([eval_legendre(k, np.linspace(-1, 1, 128)) for k in range(6)], 1)
    weights = np.linalg.lstsq(modes, found.states.T.numpy(), rcond=None)[0].T
    assert np.allclose(40 * weights[:, :3], plain.states, atol=1e-9)
    assert np.allclose(weights[:, 3:], weights[:, :3] ** 3, atol=1e-9)
    rates = np.linalg.lstsq(modes, found.velocities.T.numpy(), rcond=None)[0].T
    assert np.allclose(40 * rates[:, :3], plain.velocities, atol=1e-8)


def test_lorenz_starts_in_the_published_box_or_in_the_larger_one_around_it():
    half, wider = torch.tensor([36.0, 48, 41]), torch.tensor([54.0, 72, 61])
    inside = find_system("lorenz_legendre").initial(3000, generator(0)) - torch.tensor([0.0, 0, 25])
    assert (inside.abs() <= half).all()
    assert (inside.abs().amax(0) > 0.99 * half).all()
    outside = find_system("lorenz_legendre", outside=True).initial(3000, generator(0)) - torch.tensor([0.0, 0, 25])
    assert (outside.abs() <= wider).all()
    assert (outside.abs() > half).any(-1).all()


def test_rho_of_the_observed_lorenz_is_that_of_lorenz():
    system = find_system("lorenz_legendre")
    x0 = torch.tensor([[5.0, 6.0, 20.0]], dtype=torch.float64)
    options = {"times": times(0.5, 3), "initial": x0, "rng": generator(0), "parameters": {"rho": 20.0}}
    plain = simulate(find_system("lorenz63"), **options)
    assert torch.allclose(simulate(system, **options).states, system.observation.map(plain.states), atol=1e-9)


def test_fewer_points_than_profiles_are_refused():
    with pytest.raises(InputError, match=r"points must be an integer >= 6, got 5"):
        find_system("lorenz_legendre", points=5)


# -- the pendulum's film -----------------------------------------------------------------------------------------------


def test_the_film_is_the_published_one_upside_down():
    system = find_system("pendulum_video")
    state = system.initial(4, generator(0))
    across, down = np.meshgrid(np.linspace(-1.5, 1.5, 51), np.linspace(1.5, -1.5, 51))  # rows from the top there
    images = system.observation.map(state).reshape(4, 51, 51).numpy()
    for z, image in zip(state[:, 0].numpy(), images, strict=True):
        exact = np.exp(-((across - np.cos(z - np.pi / 2)) ** 2 + (down - np.sin(z - np.pi / 2)) ** 2) / 0.05)
        assert np.allclose(image[::-1], exact, atol=1e-14)


def test_the_film_starts_uniformly_where_the_energy_is_small():
    x = find_system("pendulum_video").initial(4000, generator(0))
    energy = x[:, 1] ** 2 / 2 - torch.cos(x[:, 0])
    assert energy.abs().max() <= 0.99
    assert x.mean(0).abs().max() < 0.1
    assert 2.9 < x[:, 0].abs().max() < math.acos(-0.99)
    assert 1.9 < x[:, 1].abs().max() < 2.0


def test_the_film_keeps_the_energy_and_shows_its_own_rate_of_change():
    system = find_system("pendulum_video", moving=True)
    assert system.dim == 2 * 51**2
    found = simulate(system, 3, times(1.0, 5), rng=generator(0), solver=TIGHT)
    plain = simulate(system.underlying, 3, times(1.0, 5), rng=generator(0), solver=TIGHT)
    z, speed = plain.stacked().unbind(-1)
    energy = speed**2 / 2 - torch.cos(z)
    assert (energy - energy[:, :1]).abs().max() < 1e-9
    assert torch.allclose(found.velocities[:, : 51**2], found.states[:, 51**2 :], atol=1e-10)


def test_one_image_hides_the_speed_and_the_image_with_its_change_does_not():
    state = torch.tensor([[0.7, 0.5], [0.7, -0.5]], dtype=torch.float64)
    still, moving = (find_system("pendulum_video", moving=m) for m in (False, True))
    a, b = still.observation.map(state)
    assert torch.equal(a, b)
    a, b = moving.observation.map(state)
    assert (a - b).norm() > 0.5
    assert (still.known.dimension, moving.known.dimension) == (1, 2)


def test_the_samples_of_the_film_fill_the_arc_of_the_bob():
    system = find_system("pendulum_video")
    images = system.known.sample(500, generator(0)).reshape(500, 51, 51)
    side = torch.linspace(-1.5, 1.5, 51, dtype=torch.float64)
    weight = images.sum((1, 2))
    right = (images.sum(1) * side).sum(-1) / weight
    above = (images.sum(2) * side).sum(-1) / weight
    assert torch.allclose(torch.hypot(right, above), torch.ones(500).double(), atol=1e-2)
    angle = torch.atan2(right, -above).sort().values
    assert torch.diff(angle).max() < 0.2
    assert angle.abs().max() < math.acos(-0.99) + 0.01


def test_too_few_pixels_are_refused():
    with pytest.raises(InputError, match=r"pixels must be an integer >= 5, got 2"):
        find_system("pendulum_video", pixels=2)
