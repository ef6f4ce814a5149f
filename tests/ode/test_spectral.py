"""Modes of fields on an interval, and grids and parameters of PDE systems that do not fit each other."""

import math

import pytest
import torch

from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.ode.spectral import cosine_modes, sine_modes
from dynred.rng import generator
from dynred.simulation.simulate import simulate

# -- modes -------------------------------------------------------------------------------------------------------------


def test_modes_of_an_interval_are_exact_on_what_they_span():
    cosine, sine = cosine_modes(20, 3.0), sine_modes(20, 3.0)
    k = math.pi / 3.0
    v = torch.zeros(20, dtype=torch.float64)
    v[4] = 1
    assert torch.allclose(cosine.amplitudes(torch.cos(4 * k * cosine.points)), v, atol=1e-13)
    assert torch.allclose(sine.amplitudes(torch.sin(5 * k * sine.points)), v, atol=1e-13)
    for modes in (cosine, sine):
        u = torch.randn(2, 3, 20, generator=generator(0), dtype=torch.float64)
        assert torch.allclose(modes.values(modes.amplitudes(u)), u, atol=1e-13)
    assert cosine.points[[0, -1]].tolist() == [0.0, 3.0]
    assert sine.points[[0, -1]].tolist() == pytest.approx([3 / 21, 60 / 21])


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("kuramoto_sivashinsky", {"length": 200.0}, r"points must be >= 128 on the length 200, got 64\."),
        ("kuramoto_sivashinsky", {"viscosity": 0.0}, r"viscosity must be a finite number > 0, got 0\.0"),
        ("kuramoto_sivashinsky", {"viscosity": 0.01}, r"points must be >= 142 on the length 22, got 64\."),
        ("complex_ginzburg_landau", {"length": 200.0}, r"points must be >= 256 on the length 200, got 128\."),
        ("swift_hohenberg", {"points": 64}, r"points must be >= 80 on the length 62\.8319, got 64\."),
        ("swift_hohenberg", {"points": 129}, r"points must be even, got 129\."),
        (
            "burgers",
            {"viscosity": 0.001},
            r"viscosity must be >= 0\.0245 on 128 points, got 0\.001\. points=3142 would",
        ),
        ("chafee_infante", {"points": 8}, r"points must be an integer >= 16, got 8\."),
        ("kolmogorov_flow", {"points": 33}, r"points must be even, got 33\."),
        ("kolmogorov_flow", {"wave_number": 11}, r"wave_number must be an integer in \[1, 10\], got 11\."),
        ("lambda_omega", {"boundary": "neuman"}, r"boundary must be one of neumann, periodic, got 'neuman'\. Did you"),
        (
            "kolmogorov_flow",
            {"reynolds": 40.0},
            r"reynolds must be <= 16 on 32 x 32 points, got 40\. points=52 would do\.",
        ),
        (
            "brusselator",
            {"points": 16},
            r"diffusion_u must be >= 0\.0346 on 16 points, got 0\.02\. points=22 would do\.",
        ),
        ("lambda_omega", {"points": 20}, r"d1 must be >= 0\.25 on 20 points, got 0\.1\. points=32 would do\."),
        (
            "chafee_infante",
            {"reaction": 500.0},
            r"1 / reaction must be >= 0\.00379 on 64 points, got 0\.002\. points=90",
        ),
        ("fitzhugh_nagumo", {"length": -1.0}, r"length must be a finite number > 0, got -1\.0\."),
    ],
)
def test_a_system_on_an_unfit_grid_is_refused(name, arguments, message):
    with pytest.raises(InputError, match=message):
        find_system(name, **arguments)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("kuramoto_sivashinsky", {"viscosity": [1.0, -0.1]}, r"viscosity must be > 0, got -0\.1\."),
        (
            "kuramoto_sivashinsky",
            {"viscosity": 0.02},
            r"viscosity must be >= 0\.0479 on 64 points, got 0\.02\. points=100",
        ),
        ("burgers", {"viscosity": -1.0}, r"viscosity must be > 0, got -1\."),
        ("burgers", {"viscosity": [0.05, 0.01]}, r"on 128 points, got 0\.01\. points=316 would do\."),
        (
            "chafee_infante",
            {"reaction": 500.0},
            r"1 / reaction must be >= 0\.00379 on 64 points, got 0\.002\. points=90",
        ),
        ("kolmogorov_flow", {"reynolds": [14.4, -2.0]}, r"reynolds must be > 0, got -2\."),
        (
            "kolmogorov_flow",
            {"reynolds": 40.0},
            r"reynolds must be <= 16 on 32 x 32 points, got 40\. points=52 would do\.",
        ),
        (
            "lambda_omega",
            {"d1": [0.1, 0.001]},
            r"d1 must be >= 0\.01 on 100 points, got 0\.001\. points=318 would do\.",
        ),
        ("lambda_omega", {"d2": -0.1}, r"d2 must be > 0, got -0\.1\."),
        ("fitzhugh_nagumo", {"diffusion_v": -4.0}, r"diffusion_v must be > 0, got -4\."),
        (
            "brusselator",
            {"diffusion_u": 0.0001},
            r"diffusion_u must be >= 0\.00237 on 64 points, got 0\.0001\. points=312",
        ),
    ],
)
def test_a_parameter_that_the_grid_cannot_resolve_is_refused(name, parameters, message):
    values = {k: torch.tensor(v, dtype=torch.float64) for k, v in parameters.items()}
    with pytest.raises(InputError, match=message):
        simulate(find_system(name), 2, torch.tensor([0.0, 0.1]).double(), rng=generator(0), parameters=values)
