"""Tolerances follow the size of the states: in other units the same solution comes out."""

import dataclasses

import pytest
import torch

from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.explicit import Explicit
from dynred.solvers.stiff import Stiff
from dynred.spec import Spec

SOLVERS = [Explicit(), Explicit("dopri8"), *(Stiff(method) for method in ("BDF", "Radau", "LSODA"))]
each_solver = pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver.method)


def lorenz(t, x):
    a, b, c = x.unbind(-1)
    return torch.stack([10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c], -1)


def in_units(rhs, units, **others):
    """The ODE of y = units * x."""
    return System("in_units", len(units), lambda t, y: units * rhs(t, y / units), **others)


def solved(solver, rhs, units, x0, times):
    system = in_units(rhs, units)
    return simulate(system, times=times, initial=units * x0, rng=generator(0), solver=solver).stacked() / units


def exact(rhs, x0, times):
    return solved(Explicit("dopri8", rtol=1e-12, atol=1e-12), rhs, torch.ones(x0.shape[1]).double(), x0, times)


@each_solver
@pytest.mark.parametrize("units", [[1e-12] * 3, [1e12] * 3, [1.0, 1e-4, 1e4]], ids=["small", "large", "mixed"])
def test_a_solution_does_not_depend_on_the_units_of_its_components(solver, units):
    x0, times = torch.tensor([[1.0, 2.0, 20.0], [-3.0, -4.0, 25.0]]).double(), torch.linspace(0, 2, 9).double()
    error = solved(solver, lorenz, torch.tensor(units).double(), x0, times) - exact(lorenz, x0, times)
    assert float(error.abs().max()) < 1e-4


def spiral(t, x):
    return torch.stack([-0.1 * x[..., 0] - x[..., 1], x[..., 0] - 0.1 * x[..., 1]], -1)


@each_solver
@pytest.mark.parametrize("unit", [1.0, 1e-12, 1e12])
def test_a_forced_state_that_starts_at_zero_is_right(solver, unit):
    def forced(t, x):
        drive = torch.sin(t) if t.ndim == 0 else torch.sin(t)[..., None]
        return drive - x  # zero at first: neither the state nor its velocity says how large it will be

    x0, times = torch.zeros(1, 1).double(), torch.linspace(0, 8, 17).double()
    x = solved(solver, forced, torch.tensor([unit]).double(), x0, times)[0, :, 0]
    truth = (torch.sin(times) - torch.cos(times) + torch.exp(-times)) / 2
    assert float((x - truth).abs().max()) < 3e-6


@each_solver
def test_a_component_that_is_always_zero_and_a_state_that_rests_cost_nothing(solver):
    x0, times = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).double(), torch.linspace(0, 3, 4).double()
    x = solved(solver, lambda t, x: -x, torch.ones(2).double(), x0, times)
    assert torch.allclose(x[0, :, 0], torch.exp(-times), atol=1e-6)
    assert float(x[0, :, 1].abs().max()) == 0
    assert float(x[1].abs().max()) == 0


@pytest.mark.parametrize("solver", [Explicit(), Stiff()], ids=["explicit", "stiff"])
def test_a_trajectory_that_comes_from_afar_is_followed_in_the_units_of_where_it_goes(solver):
    def onto_a_small_circle(t, x):
        return spiral(t, x) + 0.1 * x + x * (1 - x.pow(2).sum(-1, keepdim=True) / 1e-12).clamp_min(-3)

    x0, times = torch.tensor([[1.0, 0.0]]).double(), torch.tensor([0.0, 60.0, 70.0]).double()
    system = System("small", 2, onto_a_small_circle)
    x = simulate(system, times=times, initial=x0, rng=generator(0), solver=solver).stacked()
    assert x[0, 1:].norm(dim=-1).tolist() == pytest.approx([1e-6, 1e-6], rel=1e-5)


def test_a_decay_to_nothing_ends():
    x = simulate(System("decay", 2, spiral), times=[0.0, 500.0, 2e3], initial=torch.ones(1, 2), rng=generator(0))
    assert float(x.states[-1].abs().max()) < 1e-12


def test_rows_keep_their_own_sizes():
    x0, times = torch.tensor([[1.0, 2.0, 20.0]]).double(), torch.linspace(0, 2, 9).double()
    alone = simulate(System("lorenz", 3, lorenz), times=times, initial=x0, rng=generator(0)).stacked()
    among = simulate(System("lorenz", 3, lorenz), times=times, initial=torch.cat([x0, 1e-9 * x0]), rng=generator(0))
    assert torch.allclose(among.stacked()[:1], alone, rtol=0, atol=1e-5)


@each_solver
def test_an_absolute_tolerance_in_the_states_units_is_kept_and_read(solver):
    given = dataclasses.replace(solver, atol=1e-8)
    assert Spec.from_dict(given.to_dict()) == given
    assert Spec.from_dict(solver.to_dict()) == solver
    assert (given.atol, solver.atol) == (1e-8, None)
    x0, times = torch.tensor([[1e-8]]).double(), torch.linspace(0, 3, 4).double()
    rough, fine = (solved(s, lambda t, x: -x, torch.ones(1).double(), x0, times)[0, :, 0] for s in (given, solver))
    truth = 1e-8 * torch.exp(-times)
    assert float((rough - fine).abs().max()) > 0
    assert float((fine / truth - 1).abs().max()) < 1e-6


def test_tangents_follow_states_of_any_size():
    x0, times = torch.tensor([[1.0, 2.0, 20.0]]).double(), 0.2
    frame = torch.eye(3).double()[None]
    ends = []
    for unit in (1.0, 1e-12, 1e12):
        field = in_units(lorenz, torch.full((3,), unit).double()).at()
        x, v = Explicit().flow_with_tangents(field, unit * x0, frame, times)
        ends.append(torch.cat([x[:, None] / unit, v], 1))
    assert all(torch.allclose(end, ends[0], rtol=1e-5, atol=1e-6) for end in ends)
