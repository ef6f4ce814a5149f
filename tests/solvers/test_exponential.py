"""The exponential integrators: order, velocities on the way, deadlines, coefficients."""

import itertools
import math

import pytest
import torch

from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.ode.semilinear import Semilinear
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers._exponential import adams, coefficients
from dynred.solvers.base import Deadline
from dynred.solvers.etdrk4 import ETDRK4
from dynred.solvers.exponential_adams import ExponentialAdams

CASES = {
    "complex_ginzburg_landau": ({"length": 20.0, "points": 32}, 0.05, 1.0),  # complex modes, complex L
    "kolmogorov_flow": ({"points": 16, "wave_number": 1}, 0.05, 1.0),  # two dimensions
    "brusselator": (
        {"points": 24},
        0.08,
        0.8,
    ),  # real modes of two fields; smaller errors of order 5 drown in round-off
}


SOLVERS = {"etdrk4": ETDRK4, "exponential_adams": ExponentialAdams}


@pytest.mark.parametrize("name", CASES)
def test_the_order_of_etdrk4_is_four_for_modes_of_every_kind(name):
    arguments, step, end = CASES[name]
    system = find_system(name, **arguments)
    x = simulate(system, 3, [0.0], rng=generator(0), transient=10.0).states
    t = torch.tensor([0.0, end], dtype=torch.float64)
    exact = ETDRK4(step=step / 32).solve(system.at(), x, t)[:, -1]
    errors = [(ETDRK4(step=step / 2**i).solve(system.at(), x, t)[:, -1] - exact).abs().max() for i in range(3)]
    for coarse, fine in itertools.pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(4, abs=0.15)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", CASES)
def test_exponential_adams_has_its_order_for_modes_of_every_kind(name, order):
    arguments, step, end = CASES[name]
    system = find_system(name, **arguments)
    x = simulate(system, 3, [0.0], rng=generator(0), transient=10.0).states
    t = torch.tensor([0.0, end], dtype=torch.float64)
    exact = ExponentialAdams(step=step / 64, order=5).solve(system.at(), x, t)[:, -1]
    solvers = [ExponentialAdams(step=step / parts, order=order) for parts in (8, 12)]
    coarse, fine = ((one.solve(system.at(), x, t)[:, -1] - exact).abs().max() for one in solvers)
    assert math.log(coarse / fine) / math.log(1.5) == pytest.approx(order, abs=0.3)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", CASES)
def test_velocities_on_the_way_are_the_field_at_the_states(name, solver):
    system, method = find_system(name, **CASES[name][0]), SOLVERS[solver]()
    x, t = system.initial(2, generator(0)), torch.tensor([0.0, 0.02, 0.1, 0.15], dtype=torch.float64)
    states, velocities = method.solve_with_velocities(system.at(), x, t)
    field = system.at()
    expected = torch.stack([field(t[i], states[:, i]) for i in range(4)], 1)
    assert torch.equal(states, method.solve(field, x, t))
    assert (velocities - expected).abs().max() < 1e-11 * expected.abs().max()


def test_what_is_remembered_of_another_step_is_not_used():
    # Outputs at uneven times change the step; forgetting the past then costs accuracy nowhere.
    system = find_system("complex_ginzburg_landau", length=20.0, points=32)
    x = simulate(system, 2, [0.0], rng=generator(0), transient=10.0).states
    uneven = torch.tensor([0.0, 0.013, 0.3, 0.31, 0.7, 1.0], dtype=torch.float64)
    exact = ETDRK4(step=1e-3).solve(system.at(), x, uneven)
    found = ExponentialAdams(step=0.01).solve(system.at(), x, uneven)
    assert (found - exact).abs().max() < 1e-7


def test_the_first_weights_of_exponential_adams_are_those_of_adams_and_bashforth():
    linear = torch.tensor([0.0, -1e-9, -1e5], dtype=torch.float64)
    known = torch.tensor([55, -59, 37, -9], dtype=torch.float64) / 24  # J. C. Adams, F. Bashforth (1883)
    weights = torch.stack(adams(linear, 0.1, 4))
    assert torch.allclose(weights[:, 0], 0.1 * known, rtol=1e-12)
    assert torch.allclose(weights[:, 1], 0.1 * known, rtol=1e-8)
    # What decays at once is where its nonlinear part holds it: sum of weights N = -N / L.
    assert float(weights[:, 2].sum()) == pytest.approx(1e-5, rel=1e-9)


def test_what_adams_and_bashforth_lose_is_followed_by_etdrk4_with_the_same_step():
    system = find_system("kuramoto_sivashinsky", length=66.0, points=192)
    x, t = system.initial(64, generator(3)), torch.tensor([0.0, 5.0, 30.0], dtype=torch.float64)
    field, step = system.at(), 0.1
    found, velocities = ExponentialAdams(step=step).solve_with_velocities(field, x, t)
    lost = ExponentialAdams(step=step).scheme(field, x, Deadline(None)).follow(x, t, 1e6, None).isnan().any(-1).any(-1)
    assert 5 < int(lost.sum()) < 60
    assert torch.equal(found[lost], ETDRK4(step=step).solve(field, x[lost], t))
    assert (velocities - torch.stack([field(t[0], y) for y in found.unbind(1)], 1)).abs().max() < 1e-8


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


@pytest.mark.parametrize("solver", SOLVERS.values())
def test_velocities_end_where_states_do(solver):
    x = torch.tensor([[0.5], [3.0]], dtype=torch.float64)
    t = torch.linspace(0, 1, 6, dtype=torch.float64)
    states, velocities = solver().solve_with_velocities(explosive().at(), x, t, 1e6)
    assert states[1, 3:].isnan().all()
    assert torch.equal(states.isnan(), velocities.isnan())
    assert torch.allclose(velocities[0], states[0] ** 2 - states[0])


@pytest.mark.parametrize("solver", SOLVERS.values())
def test_a_deadline_leaves_what_was_reached_and_marks_the_rest(solver):
    system = find_system("kuramoto_sivashinsky", points=16, length=12.0)
    x, t = system.initial(2, generator(0)), torch.tensor([0.0, 0.25, 1e9], dtype=torch.float64)
    states = solver(time_limit=0.5).solve(system.at(), x, t)
    assert states[:, :2].isfinite().all()
    assert states[:, 2].isinf().all()


@pytest.mark.parametrize("solver", SOLVERS.values())
def test_a_field_without_a_split_is_refused(solver):
    with pytest.raises(InputError, match=r"solver must be one that needs no semilinear split, got " + solver.__name__):
        solver().solve(find_system("lorenz63").at(), torch.ones(1, 3).double(), torch.tensor([0.0, 1.0]).double())
