"""Systems that are maps: simulated step by step, exactly, without velocities."""

import math

import numpy as np
import pytest
import torch

from dynred.errors import DivergenceError, InputError
from dynred.evaluation.lyapunov import lyapunov_spectrum
from dynred.ode.find import find_system
from dynred.ode.observe import observe
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.events import Event
from dynred.simulation.simulate import simulate, simulate_to


def test_the_logistic_map_follows_its_exact_solution():
    theta = torch.tensor([0.3, 1.1], dtype=torch.float64)
    initial = (torch.sin(theta) ** 2)[:, None]
    states = simulate(find_system("logistic"), times=torch.arange(16.0), initial=initial, rng=generator(0)).stacked()
    exact = torch.sin(theta[:, None] * 2.0 ** torch.arange(16, dtype=torch.float64)) ** 2
    assert (states[..., 0] - exact).abs().max() < 1e-11


def test_exponents_are_per_step_and_known():
    logistic = lyapunov_spectrum(find_system("logistic"), rng=generator(0), n=64, duration=200)
    assert logistic.exponents[0] == pytest.approx(math.log(2), rel=0.01)
    henon = lyapunov_spectrum(find_system("henon"), rng=generator(0), n=128, duration=200)
    assert henon.exponents[0] == pytest.approx(0.4192, rel=0.02)
    assert henon.exponents.sum() == pytest.approx(math.log(0.3), abs=1e-9)


def test_a_map_has_no_velocities_and_counts_steps_by_default():
    own = System("doubling", 1, lambda t, x: (2 * x) % 1, discrete=True, duration=4)
    data = simulate(own, 2, initial=torch.tensor([[0.1], [0.2]], dtype=torch.float64), rng=generator(0))
    assert data.velocities is None
    assert data.times(0).tolist() == [0, 1, 2, 3, 4]


def test_a_map_in_numpy_is_the_same():
    def step(t, x):
        return np.array([1 - 1.4 * x[0] ** 2 + x[1], 0.3 * x[0]])

    x = torch.tensor([[0.1, 0.1]], dtype=torch.float64)
    mine = simulate(System("mine", 2, step, discrete=True), times=torch.arange(9.0), initial=x, rng=generator(0))
    ours = simulate(find_system("henon"), times=torch.arange(9.0), initial=x, rng=generator(0))
    assert torch.allclose(mine.states, ours.states, rtol=1e-9)


def test_a_map_is_seen_through_an_observation():
    seen = observe(find_system("henon"), lambda x: torch.cat([x, x**2], -1))
    data = simulate(seen, 2, torch.arange(4.0), rng=generator(0))
    assert data.dim == 4
    assert torch.equal(data.states[:, 2:], data.states[:, :2] ** 2)


def test_a_store_that_is_written_in_blocks_is_refused(tmp_path):
    with pytest.raises(InputError, match="system must be an ODE for a store that is written in blocks, got a map"):
        simulate_to(tmp_path / "h.zarr", find_system("henon"), 3, torch.arange(5.0), rng=generator(0))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"times": [0, 0.5, 1]}, "whole steps of 1"),
        ({"solver": "stiff"}, "solver must be left out for a map"),
        ({"events": [Event(lambda t, x: x[..., 0])]}, "events must be left out for a map"),
    ],
)
def test_what_maps_do_not_have_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        simulate(find_system("henon"), 1, rng=generator(0), **arguments)


def test_divergence_says_what_to_try():
    with pytest.raises(DivergenceError, match="other initial states or parameters: the steps of a map are exact"):
        simulate(find_system("logistic"), initial=torch.tensor([[-2.0]]), rng=generator(0))
