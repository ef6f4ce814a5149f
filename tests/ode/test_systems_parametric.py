"""Systems over ranges of their parameters, several values at once; initial states that depend on parameters."""

import math

import numpy as np
import pytest
import torch

from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.ode.observe import observe
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.choose_solver import choose_solver
from dynred.simulation.simulate import simulate
from dynred.solvers.backward_euler import BackwardEuler
from dynred.solvers.explicit import Explicit
from dynred.testing import check_system

ZERO = torch.tensor(0.0, dtype=torch.float64)
TIGHT = Explicit("dopri8", rtol=1e-11, atol=1e-12)


def times(end, n=11):
    return torch.linspace(0, end, n, dtype=torch.float64)


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


# -- the mechanism -----------------------------------------------------------------------------------------------------


@pytest.fixture
def lifted():
    """y' = -y from an initial state that is the parameter itself, which is drawn from [5, 6] where it is not given."""
    return System(
        "lifted",
        2,
        rhs=lambda t, x, height, rate: -rate[..., None] * x,
        parameters={"height": 5.0, "rate": 1.0},
        sample_initial=lambda n, rng, height: torch.stack([height, torch.rand(n, generator=rng).double()], -1),
        sample_parameters=lambda n, rng: {"height": 5 + torch.rand(n, generator=rng, dtype=torch.float64)},
    )


def test_initial_states_follow_the_parameters_of_their_trajectories(lifted):
    height = numbers(1.0, 2.0, 3.0)
    found = simulate(lifted, 3, times(1.0), rng=generator(0), parameters={"height": height})
    assert torch.equal(found.initial[:, 0], height)
    assert torch.equal(found.parameters["height"], height)
    assert torch.equal(found.parameters["rate"], torch.ones(3).double())
    one = simulate(lifted, 3, times(1.0), rng=generator(0), parameters={"height": 7.0})
    assert (one.initial[:, 0] == 7.0).all()


def test_parameters_that_are_not_given_are_drawn_and_recorded(lifted):
    a, b = (simulate(lifted, 4, times(1.0), rng=generator(0)) for _ in range(2))
    assert torch.equal(a.initial[:, 0], a.parameters["height"])
    assert len(a.parameters["height"].unique()) == 4
    assert (a.parameters["height"] >= 5).all()
    assert torch.equal(a.states, b.states)
    check_system(lifted)


def test_given_initial_states_leave_parameters_at_their_defaults(lifted):
    found = simulate(lifted, times=times(1.0), rng=generator(0), initial=torch.ones(2, 2).double())
    assert (found.parameters["height"] == 5.0).all()


def test_an_observed_system_draws_what_its_ode_draws(lifted):
    seen = observe(lifted, lambda x: x[..., :1] ** 2)
    found = simulate(seen, 4, times(1.0), rng=generator(0))
    assert torch.allclose(found.initial[:, 0], found.parameters["height"] ** 2)


def test_the_solver_that_a_system_names_is_taken_unless_another_is_asked_for():
    system = find_system("burgers_inviscid", points=21)
    x, t = system.initial(1, generator(0)), times(1.0)
    method, reason = choose_solver(system.at(), x, t)
    assert method == BackwardEuler()
    assert "names it" in reason
    assert isinstance(choose_solver(system.at(), x, t, "explicit")[0], Explicit)


# -- Burgers -----------------------------------------------------------------------------------------------------------


def test_burgers_starts_from_the_gaussian_of_each_trajectory():
    system = find_system("burgers_inviscid")
    a, w = numbers(0.7, 0.9), numbers(1.1, 0.9)
    u = simulate(system, 2, times(1e-3, 2), rng=generator(0), parameters={"a": a, "w": w}).initial
    x = np.linspace(-3, 3, 1001)
    assert np.allclose(u[1], 0.9 * np.exp(-(x**2) / 2 / 0.9 / 0.9), atol=1e-15)
    assert u[0].max() == 0.7
    assert torch.equal(u[:, 0], u[:, -1])


def test_burgers_draws_the_published_square():
    found = find_system("burgers_inviscid", points=21).draw_parameters(500, generator(0))
    for name, low, high in (("a", 0.7, 0.9), ("w", 0.9, 1.1)):
        assert low <= found[name].min() < low + 0.01
        assert high - 0.01 < found[name].max() <= high


def test_a_step_of_burgers_is_the_one_of_the_published_code():
    # The loop of LaSDI's code, written out: the last point is not an unknown but a copy of the first.
    system = find_system("burgers_inviscid", points=61)
    found = simulate(system, 1, times(0.01), rng=generator(0), parameters={"a": 0.75, "w": 1.05}).stacked()[0]
    c, u = 1e-3 / 0.1, found[0, :-1].numpy()
    for row in found[1:]:
        w = u.copy()
        for _ in range(10):
            jacobian = np.diag(1 + c * (2 * w - np.roll(w, 1))) - np.diag(c * w[1:], -1)
            jacobian[0, -1] -= c * w[0]
            w = w - np.linalg.solve(jacobian, w - u + c * (w**2 - w * np.roll(w, 1)))
            if np.linalg.norm(w - u + c * (w**2 - w * np.roll(w, 1))) < 1e-8 * np.linalg.norm(u):
                break
        u = w
        assert np.allclose(row[:-1], u, atol=1e-13)
        assert row[-1] == row[0]


def test_burgers_mass_falls_at_the_rate_of_its_squared_differences_exactly():
    system = find_system("burgers_inviscid")
    spacing = 6 / 1000
    t = times(0.01)
    found = simulate(system, 3, t, rng=generator(0))
    u, velocity = found.states, found.velocities
    loss = (u[:, 1:] - u[:, :-1]).pow(2).sum(-1) / 2
    assert torch.allclose(spacing * velocity[:, :-1].sum(-1), -loss, rtol=1e-10, atol=1e-15)
    # Backward Euler keeps the law, with the differences at the end of each step.
    mass, loss = spacing * found.stacked()[..., :-1].sum(-1), loss.reshape(3, 11)
    assert torch.allclose(torch.diff(mass), -1e-3 * loss[:, 1:], rtol=0, atol=1e-9)


def test_burgers_keeps_within_the_bounds_of_its_initial_state():
    u = simulate(find_system("burgers_inviscid", points=101), 4, times(1.0), rng=generator(0)).stacked()
    tolerance = 1e-7  # Newton's
    assert (u.amax(-1) <= u[:, :1].amax(-1) + tolerance).all()
    assert (u.amin(-1) >= u[:, :1].amin(-1) - tolerance).all()


def test_burgers_converges_to_the_solution_by_characteristics_with_first_order():
    x = torch.linspace(-3, 3, 40001, dtype=torch.float64)
    u0 = 0.8 * torch.exp(-(x**2) / 2)
    errors = []
    for points in (101, 201, 401):
        system = find_system("burgers_inviscid", points=points)
        start = system.sample_initial(1, generator(0), numbers(0.8), numbers(1.0))
        solver = BackwardEuler(1.0 / (points - 1))
        found = simulate(system, times=times(1.0, 2), initial=start, rng=generator(0), solver=solver).stacked()[0, -1]
        at = np.interp(np.linspace(-3, 3, points), (x + u0).numpy(), u0.numpy(), period=6.0)
        errors.append(float((found - torch.from_numpy(at)).norm() / points**0.5))
    assert np.log2(np.array(errors[:-1]) / np.array(errors[1:])) == pytest.approx(1.0, abs=0.15)


def test_burgers_refuses_parameters_out_of_range():
    system = find_system("burgers_inviscid", points=21)
    with pytest.raises(InputError, match=r"w must be > 0, got 0\."):
        simulate(system, 2, times(1.0), rng=generator(0), parameters={"w": 0.0})
    with pytest.raises(InputError, match=r"a must be >= 0, got -0\.1\. Upwind"):
        simulate(system, 2, times(1.0), rng=generator(0), parameters={"a": numbers(0.8, -0.1)})
    with pytest.raises(InputError, match=r"points must be an integer >= 11, got 3"):
        find_system("burgers_inviscid", points=3)


# -- Lorenz in rho, Stuart-Landau in mu --------------------------------------------------------------------------------


def test_lorenz_in_rho_ends_where_it_must():
    rho = numbers(0.5, 0.5, 10.0, 10.0, 15.0, 15.0)
    found = simulate(
        find_system("lorenz63"), 6, times(1.0, 2), rng=generator(0), parameters={"rho": rho}, transient=60.0
    ).initial
    wing = (8 / 3 * (rho - 1).clamp_min(0)).sqrt()
    exact = torch.stack([wing, wing, (rho - 1).clamp_min(0)], -1)
    found[:, :2] *= found[:, :1].sign()  # which of the two equilibria is a matter of the initial state
    assert torch.allclose(found, exact, atol=1e-5)


def test_lorenz_stays_in_its_ball_for_every_rho():
    system, rho = find_system("lorenz63"), numbers(0.5, 10.0, 28.0, 60.0, 100.0, 200.0)
    options = {"parameters": {"rho": rho}, "solver": Explicit(rtol=1e-5, atol=1e-5), "transient": 15.0}
    x = simulate(system, 6, times(5.0, 201), rng=generator(0), **options).stacked()
    beta = 8 / 3
    centre = torch.stack([0 * rho, 0 * rho, 10 + rho], -1)[:, None]
    radius = beta * (10 + rho) / (2 * math.sqrt(beta - 1))
    assert ((x - centre).norm(dim=-1).amax(-1) <= radius).all()
    assert radius[2] == pytest.approx(system.known.constants["absorbing_radius"])
    size = x.std(1).norm(dim=-1)
    assert size[:2].max() < 1e-2 < 5 < size[2] < size[3] < size[5]


def test_lorenz_at_the_default_starts_where_it_did():
    x = find_system("lorenz63").initial(2000, generator(0))
    assert torch.allclose(x.mean(0), numbers(0, 0, 25), atol=0.5)
    assert torch.allclose(x.std(0), numbers(5, 5, 5), atol=0.3)


def test_stuart_landau_in_mu_ends_on_the_circle_of_its_mu():
    system = find_system("stuart_landau")
    mu = numbers(0.4, 0.7, 1.0, 4.0, -0.4)
    found = simulate(system, 5, times(3.0), rng=generator(0), parameters={"mu": mu}, transient=15 / 0.4)
    each = mu[:, None].expand(5, 11)
    assert system.known.distance(found.stacked(), mu=each).max() < 1e-6
    assert torch.allclose(found.initial.norm(dim=-1), mu.clamp_min(0).sqrt(), atol=1e-6)


def test_the_known_circle_moves_with_mu():
    system = find_system("stuart_landau")
    mu = numbers(0.25, 1.0, 9.0)
    x = system.known.sample(3, generator(0), mu=mu)
    assert torch.allclose(x.norm(dim=-1), numbers(0.5, 1.0, 3.0))
    assert system.known.distance(x, mu=mu).max() < 1e-15
    assert system.known.distance(x).tolist() == pytest.approx([0.5, 0.0, 2.0])
    later = simulate(system, times=times(2.0), initial=x, rng=generator(0), parameters={"mu": mu}, solver=TIGHT)
    assert system.known.distance(later.stacked(), mu=mu[:, None]).max() < 1e-9


def test_stuart_landau_starts_within_half_and_three_halves_of_its_circle():
    system = find_system("stuart_landau")
    mu = torch.linspace(0.1, 4, 300, dtype=torch.float64)
    ratio = system.initial(300, generator(0), {**system.draw_parameters(300, generator(0)), "mu": mu}).norm(dim=-1)
    ratio = ratio / mu.sqrt()
    assert 0.5 <= ratio.min() < 0.55
    assert 1.45 < ratio.max() <= 1.5
