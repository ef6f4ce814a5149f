"""PDE systems against what is known of them exactly: solutions, invariants, functionals, thresholds, equilibria."""

import math

import pytest
import torch
from scipy.optimize import brentq
from scipy.special import ellipj, ellipk, ive

from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.etdrk4 import ETDRK4

ZERO = torch.tensor(0.0, dtype=torch.float64)


def run(system, x, times, **parameters):
    t = torch.as_tensor(times, dtype=torch.float64)
    return simulate(system, rng=generator(0), initial=x, times=t, parameters=parameters).stacked()


def jacobian(field, x):
    assert field.differentiable
    return torch.func.jacfwd(lambda y: field(ZERO, y[None])[0])(x)


def points(system):
    return system.grid.axes[0].coordinates


# -- Burgers -----------------------------------------------------------------------------------------------------------


def test_burgers_is_solved_by_cole_and_hopf():
    # From sin x: phi is a heat kernel's sum, with modified Bessel functions for coefficients.
    system, nu, t = find_system("burgers", viscosity=0.1), 0.1, 1.3
    x, k = points(system), torch.arange(1, 60, dtype=torch.float64)
    weights = torch.from_numpy(ive(k.numpy(), 0.5 / nu)) * torch.exp(-nu * k**2 * t)
    phi = ive(0, 0.5 / nu) + 2 * torch.cos(torch.outer(x, k)) @ weights
    slope = -2 * torch.sin(torch.outer(x, k)) @ (k * weights)
    found = run(system, torch.sin(x)[None], [0.0, t])[0, -1]
    assert torch.allclose(found, -2 * nu * slope / phi, atol=1e-7)


def test_burgers_keeps_its_mass_and_never_grows():
    system = find_system("burgers")
    x = system.initial(5, generator(1)) + torch.linspace(-0.5, 0.5, 5).double()[:, None]
    states = run(system, x, torch.linspace(0, 3, 13))
    assert torch.allclose(states.mean(-1), x.mean(-1, keepdim=True).expand(-1, 13), atol=1e-13)
    extent = states.amax(-1) - states.amin(-1)
    assert (extent.diff(dim=1) < 1e-4).all()


def test_burgers_decays_at_the_rate_of_its_slowest_mode():
    system = find_system("burgers", viscosity=0.3, points=32)
    size = run(system, system.initial(3, generator(0)), [0.0, 30.0, 32.0]).norm(dim=-1)
    rate = torch.log(size[:, 2] / size[:, 1]) / 2
    assert torch.allclose(rate, torch.full((3,), system.known.constants["slowest_decay"]).double(), atol=1e-4)


# -- Kuramoto-Sivashinsky ----------------------------------------------------------------------------------------------


def test_kuramoto_sivashinsky_at_another_viscosity_is_the_same_flow_in_other_units():
    one, nu = find_system("kuramoto_sivashinsky"), 0.25
    other = find_system("kuramoto_sivashinsky", length=11.0, viscosity=nu)
    x = one.initial(2, generator(0))
    expected = run(one, x, [0.0, 5.0, 10.0]) / math.sqrt(nu)
    assert torch.allclose(run(other, x / math.sqrt(nu), [0.0, 5.0 * nu, 10.0 * nu]), expected, atol=1e-10)
    assert other.time_scale == one.time_scale * nu
    assert other.known.constants["kaplan_yorke_dimension"] == one.known.constants["kaplan_yorke_dimension"]


def test_kuramoto_sivashinsky_beats_at_sixteen_over_337_with_one_period():
    system = find_system("kuramoto_sivashinsky", length=2 * math.pi, viscosity=16 / 337)
    t = torch.arange(0, 1.2, 0.01, dtype=torch.float64)
    states = simulate(system, 8, t, rng=generator(1), transient=20.0).stacked()
    gap = (states - states[:, :1]).norm(dim=-1) / states.norm(dim=-1).mean(1, keepdim=True)
    nearest, when = gap[:, 20:70].min(1)  # the first return: after two periods some are as near
    beating = nearest < 1e-2
    assert beating.sum() >= 4  # the others still wander: chaotic transients are long here
    assert (t[20:][when[beating]] - 0.45).abs().max() < 0.011


# -- Ginzburg-Landau ---------------------------------------------------------------------------------------------------


def test_plane_waves_of_ginzburg_landau_keep_their_dispersion_relation():
    system = find_system("complex_ginzburg_landau")
    x, t = points(system), 7.0
    alpha, beta = torch.tensor([0.5, -1.0, 0.0]).double(), torch.tensor([1.0, 0.7, -0.4]).double()
    q = 2 * math.pi / 50 * torch.tensor([0.0, 1.0, 3.0]).double()
    omega = beta + (alpha - beta) * q**2
    phase = q[:, None] * x
    wave = torch.sqrt(1 - q**2)[:, None] * torch.polar(torch.ones_like(phase), phase)
    later = wave * torch.polar(torch.ones(3).double(), -omega * t)[:, None]
    both = [torch.cat([a.real, a.imag], -1) for a in (wave, later)]
    found = run(system, both[0], [0.0, t], alpha=alpha, beta=beta)[:, -1]
    assert torch.allclose(found, both[1], atol=1e-6)


def test_plane_waves_lose_stability_where_benjamin_and_feir_say():
    system = find_system("complex_ginzburg_landau", length=60.0, points=80)
    uniform = torch.cat([torch.ones(80), torch.zeros(80)]).double()
    for beta, unstable in ((-0.45, False), (-0.60, True)):
        # In the frame that turns with the wave, at the angular velocity beta.
        turning = beta * torch.kron(torch.tensor([[0.0, -1.0], [1.0, 0.0]]), torch.eye(80)).double()
        matrix = jacobian(system.at({"alpha": 2.0, "beta": beta}), uniform) + turning
        assert (torch.linalg.eigvals(matrix).real.max() > 1e-4) == unstable


# -- gradient systems --------------------------------------------------------------------------------------------------


def swift_hohenberg_functional(system, u, r, s):
    k = 2 * math.pi / system.grid.axes[0].period * torch.arange(system.dim // 2 + 1, dtype=torch.float64)
    curved = torch.fft.irfft((1 - k**2) * torch.fft.rfft(u), n=system.dim)
    return (curved**2 / 2 - r * u**2 / 2 - s * u**3 / 3 + u**4 / 4).mean(-1)


def chafee_infante_functional(system, u, rate):
    x, k = points(system), torch.arange(1, system.dim + 1, dtype=torch.float64)
    modes = torch.linalg.solve(torch.sin(torch.outer(x, k)), u.T).T
    slope = (k**2 * modes**2).sum(-1) * (system.dim + 1) / system.dim / 4  # mean of u_x^2 / 2 as the points weigh it
    return slope - rate * (u**2 / 2 - u**4 / 4).mean(-1)


@pytest.mark.parametrize("name", ["swift_hohenberg", "chafee_infante"])
def test_the_velocity_is_minus_the_gradient_of_the_lyapunov_functional(name):
    system = find_system(name)
    functional, values = (
        (swift_hohenberg_functional, {"r": 0.2, "s": 0.9})
        if name == "swift_hohenberg"
        else (chafee_infante_functional, {"rate": 7.0})
    )
    u = system.initial(2, generator(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(functional(system, u, **values).sum(), u)
    parameters = {"drive": 0.2, "quadratic": 0.9} if name == "swift_hohenberg" else {"reaction": 7.0}
    velocity = system.at(parameters)(ZERO, u.detach())
    assert (velocity + system.dim * gradient).abs().max() < 1e-9 * velocity.abs().max()


def test_swift_hohenberg_falls_to_rolls_of_the_amplitude_at_onset():
    system, r = find_system("swift_hohenberg", length=4 * math.pi, points=16), 0.01
    start = 0.05 * torch.cos(points(system))[None] + 0.01 * torch.cos(points(system) / 2)
    t = torch.linspace(0, 1500, 16, dtype=torch.float64)
    states = ETDRK4(step=1.0).solve(system.at({"drive": r}), start, t)
    values = swift_hohenberg_functional(system, states, r, 0.0)
    assert (values.diff(dim=1) <= 1e-15).all()
    assert states[0, -1].abs().max() == pytest.approx(math.sqrt(4 * r / 3), rel=r)
    assert system.at({"drive": r})(ZERO, states[0, -1]).abs().max() < 1e-7


def test_swift_hohenberg_rolls_need_the_drive_of_the_nearest_mode():
    system = find_system("swift_hohenberg", length=2 * math.pi * 1.3, points=16)
    nearest = (1 - (1 / 1.3) ** 2) ** 2
    for drive, unstable in ((nearest - 1e-3, False), (nearest + 1e-3, True)):
        matrix = jacobian(system.at({"drive": drive}), torch.zeros(16, dtype=torch.float64))
        assert (torch.linalg.eigvalsh(matrix).max() > 0) == unstable


# -- Chafee-Infante ----------------------------------------------------------------------------------------------------


def equilibrium(system, rate, k):
    m = brentq(lambda m: 2 * k * ellipk(m) - math.sqrt(rate / (1 + m)) * math.pi, 0, 1 - 1e-12)
    return math.sqrt(2 * m / (1 + m)) * torch.from_numpy(
        ellipj(math.sqrt(rate / (1 + m)) * points(system).numpy(), m)[0]
    )


def test_chafee_infante_rests_at_elliptic_functions_with_as_many_unstable_directions_as_zeros_inside():
    system = find_system("chafee_infante", reaction=10.0)
    field = system.at()
    states = [torch.zeros(64, dtype=torch.float64), *(equilibrium(system, 10.0, k) for k in (1, 2, 3))]
    for state, unstable in zip(states, (3, 0, 1, 2), strict=True):
        assert field(ZERO, state).abs().max() < 1e-6
        assert (torch.linalg.eigvals(jacobian(field, state)).real > 0).sum() == unstable
    assert system.known.dimension == 3


@pytest.mark.parametrize(("rate", "dimension"), [(0.9, 0), (1.0, 0), (1.1, 1), (4.0, 1), (4.1, 2), (10.0, 3)])
def test_chafee_infante_has_the_equilibria_and_the_dimension_that_it_says(rate, dimension):
    system = find_system("chafee_infante", points=24, reaction=rate)
    x, k = points(system), torch.arange(1, 5, dtype=torch.float64)
    size, rng = torch.linspace(0.01, 2, 200, dtype=torch.float64)[:, None], generator(0)
    u = size * torch.randn(200, 4, generator=rng, dtype=torch.float64) / k @ torch.sin(torch.outer(k, x))
    field = system.at()
    assert field.differentiable
    matrices = torch.func.vmap(torch.func.jacfwd(lambda y: field(ZERO, y)))
    for _ in range(40):  # Newton from many starts; at a bifurcation it is slow
        u = u - torch.linalg.solve(matrices(u), field(ZERO, u))
    found = u[field(ZERO, u).abs().amax(-1) < 1e-9]
    different = 1 + int((found[:, 3].sort().values.diff() > 1e-2).sum())
    assert different == system.known.constants["equilibria"] == 2 * dimension + 1
    assert system.known.dimension == dimension


def test_chafee_infante_ends_in_the_stable_pair():
    system = find_system("chafee_infante", points=32)
    ends = run(system, system.initial(20, generator(0)), [0.0, 30.0])[:, -1]
    stable = equilibrium(system, 10.0, 1)
    gap = torch.minimum((ends - stable).abs().amax(-1), (ends + stable).abs().amax(-1))
    assert (gap < 1e-4).all()
    assert 3 <= int((ends[:, 16] > 0).sum()) <= 17
