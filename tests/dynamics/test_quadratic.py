import dataclasses

import pytest
import torch

from dynred.dynamics._rollouts import rollout_score
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.quadratic import QuadraticSpec
from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate

NOW = torch.zeros((), dtype=torch.float64)


@pytest.fixture(scope="module")
def lorenz():
    times = torch.arange(0, 1.0, 0.05, dtype=torch.float64)
    return simulate(find_system("lorenz63"), 12, times, rng=generator(0, "lorenz"), transient=5.0)


def test_a_quadratic_system_is_found_exactly(lorenz):
    exact = QuadraticSpec(regularisation=(0.0,)).fit(lorenz[:9], lorenz[9:], rng=generator(0))
    assert torch.allclose(exact.field(NOW, lorenz.states), lorenz.velocities, rtol=1e-10, atol=1e-9)


def test_the_solution_in_pieces_is_that_of_all_snapshots_at_once(lorenz):
    weight = 1e-2
    found = QuadraticSpec(regularisation=(weight,)).fit(lorenz[:9], lorenz[9:], rng=generator(0))
    design = found.library(lorenz[:9].states)
    target = lorenz[:9].velocities / found.units.rate
    penalty = weight * torch.eye(10, dtype=torch.float64)
    penalty[0, 0] = 0
    normal = design.T @ design / len(design) + penalty
    assert torch.allclose(found.coefficients, torch.linalg.solve(normal, design.T @ target / len(design)), atol=1e-9)


def test_the_weights_are_those_whose_validation_rollouts_are_best(lorenz):
    noise = torch.randn(lorenz.velocities.shape, generator=generator(0, "noise"), dtype=torch.float64)
    wrong = dataclasses.replace(lorenz, velocities=lorenz.velocities + 20 * noise)
    weights = (0.0, 1e-2)
    chosen = QuadraticSpec(regularisation=weights).fit(wrong[:6], lorenz[9:], rng=generator(0))
    alone = [QuadraticSpec(regularisation=(w,)).fit(wrong[:6], lorenz[9:], rng=generator(0)) for w in weights]
    assert rollout_score(chosen, lorenz[9:]) <= min(rollout_score(one, lorenz[9:]) for one in alone) + 1e-12


def test_it_predicts_a_quadratic_system_where_linear_dynamics_cannot(lorenz):
    quadratic, linear = (
        s.fit(lorenz[:9], lorenz[9:], rng=generator(0)) for s in (QuadraticSpec((0.0, 1e-8)), LinearSpec())
    )
    assert rollout_score(quadratic, lorenz[9:]) < 0.05 * rollout_score(linear, lorenz[9:])


def test_equations_can_be_read_whatever_the_units(lorenz):
    # z -> 2 z + 5: the equations in z are those of Lorenz in (z - 5) / 2.
    moved = lorenz.map(lambda x: 2 * x + 5)
    found = QuadraticSpec(regularisation=(0.0,)).fit(moved[:9], moved[9:], rng=generator(0))
    one = found.library(torch.zeros(1, 3)).new_tensor([[1.0, 2.0, 3.0]])
    values = torch.cat([torch.ones(1, 1).double(), one, one[:, :1] * one, one[:, 1:2] * one[:, 1:], one[:, 2:] ** 2], 1)
    exact = find_system("lorenz63").at()(NOW, (one - 5) / 2) * 2
    assert torch.allclose(values @ found.latent_coefficients(), exact, atol=1e-6)


@pytest.mark.parametrize("weights", [(), (-1.0,), (float("inf"),)])
def test_weights_out_of_range_are_refused(weights):
    with pytest.raises(InputError, match="regularisation.* must be (one or more weights >= 0|a finite number)"):
        QuadraticSpec(regularisation=weights)
