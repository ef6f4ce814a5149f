"""Reactions, chains and networks: slow manifolds, decay laws, published eigenvalues, the order parameter's equation."""

import math

import numpy as np
import pytest
import torch
from dynred.systems.michaelis_menten import slow_manifold
from scipy.integrate import solve_ivp

from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.explicit import Explicit

ZERO = torch.tensor(0.0, dtype=torch.float64)
TIGHT = Explicit("dopri8", rtol=1e-11, atol=1e-12)
SMALL = [
    ("davis_skodje", {}),
    ("michaelis_menten", {}),
    ("oscillator_chain", {}),
    ("kuramoto_network", {"oscillators": 6}),
]


def times(end, n=11):
    return torch.linspace(0, end, n, dtype=torch.float64)


def jacobian(system, x, **parameters):
    field = system.at(parameters)
    assert field.differentiable
    return torch.func.jacrev(lambda y: field(ZERO, y))(x)


@pytest.mark.parametrize(("name", "arguments"), SMALL)
def test_the_field_is_torchs_batched_and_differentiable(name, arguments):
    form = find_system(name, **arguments).right_hand_side
    assert (form.form, form.differentiable, form.timewise) == ("torch", True, True)


@pytest.mark.parametrize(("name", "arguments"), SMALL)
def test_trajectories_agree_with_scipys(name, arguments):
    system = find_system(name, **arguments)
    x, field = system.initial(1, generator(3)), system.at()
    found = simulate(system, rng=generator(0), initial=x, times=times(1.0, 2), solver=TIGHT).stacked()[0, -1]
    other = solve_ivp(
        lambda t, y: field(ZERO, torch.from_numpy(y)).numpy(), (0, 1), x[0], "Radau", rtol=1e-11, atol=1e-12
    )
    assert torch.allclose(found, torch.from_numpy(other.y[:, -1]), atol=1e-8)


@pytest.mark.parametrize(("name", "arguments"), SMALL)
def test_a_parameter_of_each_trajectory_acts_on_it_alone(name, arguments):
    system = find_system(name, **arguments)
    x = system.initial(3, generator(1))
    key, value = next(iter(system.parameters.items()))
    values = value * torch.tensor([1.2, 1.0, 1.1], dtype=torch.float64)
    options = {"rng": generator(0), "times": times(1.0, 3), "solver": TIGHT}
    together = simulate(system, initial=x, parameters={key: values}, **options)
    for i, one in enumerate(values):
        alone = simulate(system, initial=x[i : i + 1], parameters={key: one}, **options)
        assert torch.allclose(together[i : i + 1].states, alone.states, atol=1e-8)


# -- Davis-Skodje ------------------------------------------------------------------------------------------------------


def test_the_davis_skodje_manifold_is_invariant_to_round_off_for_every_gamma():
    system = find_system("davis_skodje")
    x = system.known.sample(200, generator(0))
    slow = x[:, 0]
    for gamma in (1.5, 10.0, 1e4):
        velocity = system.at({"gamma": gamma})(ZERO, x)
        assert torch.allclose(velocity[:, 0], -slow, rtol=1e-15)
        assert torch.allclose(velocity[:, 1], -slow / (1 + slow) ** 2, rtol=0, atol=1e-15 * gamma)


def test_davis_skodje_trajectories_are_the_closed_solution():
    system = find_system("davis_skodje", gamma=7.0)
    x, t = system.initial(5, generator(0)), times(2.0)
    found = simulate(system, rng=generator(0), initial=x, times=t, solver=TIGHT).stacked()
    slow = x[:, :1] * torch.exp(-t)
    excess = x[:, 1:] - x[:, :1] / (1 + x[:, :1])
    exact = torch.stack([slow, slow / (1 + slow) + excess * torch.exp(-7 * t)], -1)
    assert torch.allclose(found, exact, atol=1e-9)


def test_davis_skodje_is_on_all_of_its_manifold_after_the_transient():
    system = find_system("davis_skodje", gamma=25.0)
    start = simulate(system, 200, times(1.0), rng=generator(0)).initial
    assert system.known.distance(start).max() < 1e-6
    assert start[:, 0].min() < 0.1
    assert 2.9 < start[:, 0].max() < 3.0


def test_the_reach_of_the_davis_skodje_manifold_is_its_smallest_radius_of_curvature():
    y = torch.linspace(0, 3, 4001, dtype=torch.float64)
    x = torch.stack([y, y / (1 + y)], -1)
    tangent = torch.stack([torch.ones_like(y), (1 + y) ** -2], -1)
    tangent = tangent / tangent.norm(dim=-1, keepdim=True)
    # Federer: the reach is the infimum of |b - a|^2 / (2 dist(b - a, tangent at a)), over every twentieth pair here.
    a, b, along = x[::20, None], x[None, ::20], tangent[::20, None]
    step = b - a
    normal = (step - (step * along).sum(-1, keepdim=True) * along).norm(dim=-1)
    radius = step.pow(2).sum(-1) / (2 * normal)
    smallest = radius[normal > 1e-9].min()
    assert math.sqrt(2) <= smallest < math.sqrt(2) + 0.02
    assert find_system("davis_skodje").known.reach == pytest.approx(math.sqrt(2))


def test_the_davis_skodje_distance_is_that_to_the_nearest_of_dense_samples_within_root_two():
    system = find_system("davis_skodje")
    y = torch.linspace(0, 3, 6001, dtype=torch.float64)
    curve = torch.stack([y, y / (1 + y)], -1)
    x = curve[::300] + 0.2 * torch.randn(21, 2, generator=generator(0), dtype=torch.float64)
    nearest = torch.cdist(x, curve).min(1).values
    ratio = system.known.distance(x) / nearest
    assert (ratio > 1 - 1e-3).all()
    assert (ratio < math.sqrt(2) + 1e-3).all()


def test_davis_skodje_refuses_a_gamma_that_makes_nothing_slow():
    with pytest.raises(InputError, match=r"gamma must be a finite number > 1, got 1"):
        find_system("davis_skodje", gamma=1)
    with pytest.raises(InputError, match=r"gamma must be > 1, got 0\.5"):
        simulate(find_system("davis_skodje"), 2, times(1.0), rng=generator(0), parameters={"gamma": 0.5})


# -- Michaelis-Menten --------------------------------------------------------------------------------------------------


def test_what_the_enzyme_converts_is_what_substrate_and_complex_lose():
    system = find_system("michaelis_menten", epsilon=0.3, turnover=0.4)
    x = system.initial(50, generator(0))
    s, c = system.at()(ZERO, x).unbind(-1)
    assert torch.allclose(s + 0.3 * c, -0.4 * x[:, 1], atol=1e-14)


def test_michaelis_menten_is_the_mass_action_kinetics_of_four_species():
    k1, back, k2, e0, s0 = 2.0, 0.7, 0.9, 0.2, 1.5
    system = find_system(
        "michaelis_menten", epsilon=e0 / s0, michaelis=(back + k2) / (k1 * s0), turnover=k2 / (k1 * s0)
    )

    def species(t, y):
        enzyme, substrate, both, product = y
        bind, loose, make = k1 * enzyme * substrate, back * both, k2 * both
        return [loose + make - bind, loose - bind, bind - loose - make, make]

    t = times(5.0)
    full = solve_ivp(species, (0, 5 / (k1 * e0)), [e0, s0, 0, 0], "Radau", t / (k1 * e0), rtol=1e-11, atol=1e-13).y
    start = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    found = simulate(system, rng=generator(0), initial=start, times=t, solver=TIGHT).stacked()[0]
    assert np.allclose(found, np.stack([full[1] / s0, full[2] / e0], -1), atol=1e-8)
    assert np.allclose(full[0] + full[2], e0)
    assert np.allclose(full[1] + full[2] + full[3], s0)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_slow_manifolds_expansion_is_invariant_to_its_order(order):
    s = torch.linspace(0.2, 1.5, 20, dtype=torch.float64)
    defects = []
    for epsilon in (2e-3, 1e-3):
        system = find_system("michaelis_menten", epsilon=epsilon, michaelis=0.8, turnover=0.5)

        def curve(s, epsilon=epsilon):
            return slow_manifold(s, epsilon, 0.8, 0.5, order)

        c, slope = torch.func.jvp(curve, (s,), (torch.ones_like(s),))
        velocity = system.at()(ZERO, torch.stack([s, c], -1))
        defects.append(float((epsilon * (slope * velocity[:, 0] - velocity[:, 1])).norm()))
    assert math.log2(defects[0] / defects[1]) == pytest.approx(order + 1, abs=0.15)


def test_michaelis_menten_trajectories_end_on_the_slow_manifold_and_decay_at_its_rate():
    system = find_system("michaelis_menten", epsilon=0.02)
    x = simulate(system, 10, times(1.0), rng=generator(0), solver=TIGHT).states
    s, c = x.unbind(-1)
    errors = [float((c - slow_manifold(s, 0.02, 1.0, 0.5, order)).abs().max()) for order in (0, 1, 2)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert errors[2] < 1e-5
    values = torch.linalg.eigvals(jacobian(system, torch.zeros(2, dtype=torch.float64))).real.sort().values
    known = system.known.constants
    assert values.tolist() == pytest.approx([known["fast_rate"], known["slow_rate"]], rel=1e-10)


def test_concentrations_stay_positive_and_the_enzyme_is_never_more_than_full():
    system = find_system("michaelis_menten")
    s = torch.linspace(0, 2, 21, dtype=torch.float64)
    at = {c: system.at()(ZERO, torch.stack([s, torch.full_like(s, c)], -1)) for c in (0.0, 1.0)}
    assert (at[0.0][:, 1] >= 0).all()
    assert (at[1.0][:, 1] < 0).all()
    assert (system.at()(ZERO, torch.stack([0 * s, s / 2], -1))[:, 0] >= 0).all()


def test_michaelis_menten_refuses_impossible_constants():
    with pytest.raises(InputError, match=r"turnover must be in \(0, michaelis\] = \(0, 1\], got 1\.5"):
        find_system("michaelis_menten", turnover=1.5)
    with pytest.raises(InputError, match=r"epsilon must be > 0, got -0\.1"):
        simulate(find_system("michaelis_menten"), 2, times(1.0), rng=generator(0), parameters={"epsilon": -0.1})


# -- oscillator chain --------------------------------------------------------------------------------------------------

PUBLISHED = [
    -0.0011996 + 0.28254j,
    -0.0025406 + 0.785j,
    -0.0046493 + 1.2082j,
    -0.0074555 + 1.6069j,
    -0.0099883 + 1.8961j,
]


def test_the_chain_has_the_published_eigenvalues():
    values = torch.linalg.eigvals(jacobian(find_system("oscillator_chain"), torch.zeros(10, dtype=torch.float64)))
    upper = sorted((complex(v) for v in values if v.imag > 0), key=lambda v: v.imag)
    assert np.allclose(upper, PUBLISHED, rtol=0, atol=6e-5)
    known = find_system("oscillator_chain", modes=5).known.constants
    assert [complex(known[f"decay_{j}"], known[f"frequency_{j}"]) for j in range(1, 6)] == pytest.approx(upper)


def test_the_chain_loses_energy_to_its_dampers_alone():
    system = find_system("oscillator_chain")
    mass = torch.tensor([1.5, 1, 1, 1, 1], dtype=torch.float64)
    stretch = torch.eye(5, dtype=torch.float64) - torch.diag(torch.ones(4, dtype=torch.float64), -1)

    def springs(q):
        # The lengths by which the springs are stretched, from the wall on.
        return (q @ stretch.T).pow(2).sum() / 2

    def energy(x):
        q, v = x.split(5)
        return springs(q) + (mass * v**2).sum() / 2 + 3 * 1.5 * q[0] ** 4 / 4

    for x in torch.randn(5, 10, generator=generator(0), dtype=torch.float64):
        q, v = x.split(5)
        linear = 0.002 * (mass * v**2).sum() + 0.005 * 2 * springs(v)
        nonlinear = 1.5 * v[0] * (0.7 * q[0] ** 2 * v[0] + 0.33 * v[0] ** 2 + 0.5 * v[0] ** 3)
        change = (torch.func.grad(energy)(x) * system.at()(ZERO, x)).sum()
        assert torch.allclose(change, -linear - nonlinear, atol=1e-12)


def test_the_chain_starts_on_the_slow_eigenspace_and_stays_near_it():
    system = find_system("oscillator_chain", modes=1)
    x = system.initial(20, generator(0))
    assert 0.15 <= x.norm(dim=-1).min() <= x.norm(dim=-1).max() <= 0.3
    singular = torch.linalg.svdvals(x)
    assert singular[2] < 1e-12 * singular[0]
    found = simulate(system, 8, times(200.0, 101), rng=generator(0)).states
    basis = torch.linalg.svd(x)[2][:2]
    off = found - found @ basis.T @ basis
    assert off.norm(dim=-1).mean() < 0.2 * found.norm(dim=-1).mean()


def test_a_chain_has_no_more_modes_than_masses():
    with pytest.raises(InputError, match=r"modes must be an integer in \[1, 3\], got 4"):
        find_system("oscillator_chain", masses=3, modes=4)


# -- phase oscillators -------------------------------------------------------------------------------------------------


def order_parameter(states):
    cos, sin = states.chunk(2, -1)
    return torch.complex(cos.mean(-1), sin.mean(-1))


def ott_antonsen(start, t, coupling, spread):
    """r' = -spread r + coupling r (1 - r^2) / 2 in closed form: r^2 is logistic."""
    a, q = coupling - 2 * spread, start.abs()[:, None] ** 2
    square = a / (coupling + (a / q - coupling) * torch.exp(-a * t))
    return square.sqrt() * (start / start.abs())[:, None]


@pytest.mark.parametrize("n", [250, 1000])
def test_the_order_parameter_of_the_network_obeys_its_equation_within_the_finite_size_error(n):
    system = find_system("kuramoto_network", oscillators=n)
    t = times(1.0, 9)
    solver = Explicit("rk4", step=1 / n)  # resolves the fastest oscillator, at 2 n spread / pi
    x = simulate(system, 16, t, rng=generator(0), solver=solver, transient=0.0).stacked()
    z = order_parameter(x)
    error = (z - ott_antonsen(z[:, 0], t, 4.0, 0.5)).abs().pow(2).mean().sqrt()
    assert error < 1.5 / math.sqrt(n)
    assert (z[:, -1] - z[:, 0]).abs().mean() > 0.2  # it moved
    leaves = z[:, 0].abs() > 0.1  # nearer to the unstable rest at 0, one unit of time is too short
    assert leaves.sum() > 12
    assert z[leaves, -1].abs().std() < 0.5 * z[leaves, 0].abs().std()  # to one value, from far apart


def test_phases_move_by_kuramotos_equation():
    system = find_system("kuramoto_network", oscillators=7)
    theta = 6 * torch.rand(3, 7, generator=generator(0), dtype=torch.float64)
    x = torch.cat([torch.cos(theta), torch.sin(theta)], -1)
    cos, sin = x.chunk(2, -1)
    velocity = system.at({"coupling": 1.7})(ZERO, x)
    turning = cos * velocity[:, 7:] - sin * velocity[:, :7]
    frequency = 0.5 * torch.tan(math.pi * ((torch.arange(7).double() + 0.5) / 7 - 0.5))
    pull = torch.sin(theta[:, None] - theta[:, :, None]).mean(-1)
    assert torch.allclose(turning, frequency + 1.7 * pull, atol=1e-12)
    assert (cos * velocity[:, :7] + sin * velocity[:, 7:]).abs().max() < 1e-15  # the circles are invariant


def test_states_off_the_circles_return_to_them():
    system = find_system("kuramoto_network", oscillators=5)
    x = 1.2 * system.initial(2, generator(0))
    cos, sin = simulate(system, rng=generator(0), initial=x, times=times(12.0, 2)).stacked()[:, -1].chunk(2, -1)
    assert torch.allclose(torch.hypot(cos, sin), torch.ones(2, 5).double(), atol=1e-4)


def test_identical_phases_stay_together_without_spread_in_frequency():
    system = find_system("kuramoto_network", oscillators=5)
    x = system.initial(1, generator(0)).expand(2, -1)
    spread = torch.tensor([1e-9, 0.5], dtype=torch.float64)
    found = simulate(
        system, rng=generator(0), initial=x, times=times(20.0, 2), parameters={"spread": spread}, solver=TIGHT
    )
    r = order_parameter(found.stacked()[:, -1]).abs()
    assert r[0] == pytest.approx(1.0, abs=1e-6)
    assert r[1] < 0.99


def test_kuramoto_refuses_a_spread_that_is_not_positive():
    with pytest.raises(InputError, match=r"spread must be a finite number > 0, got 0"):
        find_system("kuramoto_network", spread=0)
    with pytest.raises(InputError, match=r"spread must be > 0, got -1"):
        simulate(find_system("kuramoto_network"), 2, times(1.0), rng=generator(0), parameters={"spread": -1.0})
