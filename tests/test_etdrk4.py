"""The exponential integrator: order, velocities on the way, deadlines, coefficients."""

import itertools
import math

import pytest
import torch

from dynred.errors import InputError
from dynred.rng import generator
from dynred.simulate import simulate
from dynred.solvers.etdrk4 import ETDRK4, coefficients
from dynred.system import Semilinear, System, find_system

CASES = {
    "complex_ginzburg_landau": ({"length": 20.0, "points": 32}, 0.05, 1.0),  # complex modes, complex L
    "kolmogorov_flow": ({"points": 16, "wave_number": 1}, 0.05, 1.0),  # two dimensions
    "brusselator": ({"points": 24}, 0.04, 0.8),  # real modes of two fields
}


@pytest.mark.parametrize("name", CASES)
def test_the_order_is_four_for_modes_of_every_kind(name):
    arguments, step, end = CASES[name]
    system = find_system(name, **arguments)
    x = simulate(system, 3, [0.0], rng=generator(0), transient=10.0).states
    t = torch.tensor([0.0, end], dtype=torch.float64)
    exact = ETDRK4(step=step / 32).solve(system.bind(), x, t)[:, -1]
    errors = [(ETDRK4(step=step / 2**i).solve(system.bind(), x, t)[:, -1] - exact).abs().max() for i in range(3)]
    for coarse, fine in itertools.pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(4, abs=0.15)


@pytest.mark.parametrize("name", CASES)
def test_velocities_on_the_way_are_the_field_at_the_states(name):
    system = find_system(name, **CASES[name][0])
    x, t = system.initial(2, generator(0)), torch.tensor([0.0, 0.02, 0.1, 0.15], dtype=torch.float64)
    states, velocities = ETDRK4().solve_with_velocities(system.bind(), x, t)
    field = system.bind()
    expected = torch.stack([field(t[i], states[:, i]) for i in range(4)], 1)
    assert torch.equal(states, ETDRK4().solve(field, x, t))
    assert (velocities - expected).abs().max() < 1e-11 * expected.abs().max()


def test_each_row_takes_the_coefficients_of_its_own_parameters():
    linear = torch.tensor([[0.0, -1.0, -50.0], [1e-9, 0.3, -1e4]], dtype=torch.float64)
    together = coefficients(linear, 0.1)
    for i in range(2):
        for both, one in zip(together, coefficients(linear[i], 0.1), strict=True):
            assert torch.allclose(both[i], one, rtol=1e-12, atol=0)
    assert together.f1[0, 0] == pytest.approx(0.1 / 6, abs=1e-15)  # the weights of Runge and Kutta where L = 0
    assert together.f2[0, 0] == pytest.approx(0.1 / 3, abs=1e-15)
    assert together.f3[0, 0] == pytest.approx(0.1 / 6, abs=1e-15)


def explosive():
    split = Semilinear(
        to_modes=lambda x: x,
        from_modes=lambda v: v,
        linear=lambda a: -a[..., None],
        nonlinear=lambda t, v, a: v * v + 0 * t,
        step=0.001,
    )
    return System("explosive", 1, parameters={"a": 1.0}, semilinear=split)


def test_velocities_end_where_states_do():
    x = torch.tensor([[0.5], [3.0]], dtype=torch.float64)
    t = torch.linspace(0, 1, 6, dtype=torch.float64)
    states, velocities = ETDRK4().solve_with_velocities(explosive().bind(), x, t, 1e6)
    assert states[1, 3:].isnan().all()
    assert torch.equal(states.isnan(), velocities.isnan())
    assert torch.allclose(velocities[0], states[0] ** 2 - states[0])


def test_a_deadline_leaves_what_was_reached_and_marks_the_rest():
    system = find_system("kuramoto_sivashinsky", points=16, length=12.0)
    x, t = system.initial(2, generator(0)), torch.tensor([0.0, 0.25, 1e9], dtype=torch.float64)
    states = ETDRK4(time_limit=0.5).solve(system.bind(), x, t)
    assert states[:, :2].isfinite().all()
    assert states[:, 2].isinf().all()


def test_a_field_without_a_split_is_refused():
    with pytest.raises(InputError, match=r"solver must be one that needs no semilinear split, got ETDRK4"):
        ETDRK4().solve(find_system("lorenz63").bind(), torch.ones(1, 3).double(), torch.tensor([0.0, 1.0]).double())
