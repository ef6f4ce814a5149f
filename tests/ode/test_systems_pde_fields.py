"""Reaction-diffusion and flow systems against what is known of them exactly."""

import math

import pytest
import torch

from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate

ZERO = torch.tensor(0.0, dtype=torch.float64)


def run(system, x, times, **parameters):
    t = torch.as_tensor(times, dtype=torch.float64)
    return simulate(system, rng=generator(0), initial=x, times=t, parameters=parameters).stacked()


def jacobian(field, x):
    assert field.differentiable
    return torch.func.jacfwd(lambda y: field(ZERO, y[None])[0])(x)


# -- Kolmogorov flow ---------------------------------------------------------------------------------------------------


def fields(w):
    """Velocity (u, v) of a vorticity [..., n, n], by complex transforms."""
    n = w.shape[-1]
    k = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)
    kx, ky = torch.meshgrid(k, k, indexing="ij")
    psi = torch.fft.fft2(w) / torch.where(kx**2 + ky**2 > 0, kx**2 + ky**2, torch.inf)
    return torch.fft.ifft2(1j * ky * psi).real, torch.fft.ifft2(-1j * kx * psi).real


def laminar(system, reynolds, n):
    y = system.grid.axes[1].coordinates
    return (-reynolds / n * torch.cos(n * y)).expand(len(y), len(y)).flatten()


def test_laminar_kolmogorov_flow_rests_with_its_energy():
    system = find_system("kolmogorov_flow")
    w = laminar(system, 14.4, 2)
    assert system.at()(ZERO, w).abs().max() < 1e-12
    u, v = fields(w.reshape(32, 32))
    assert (u**2 + v**2).mean() / 2 == pytest.approx(system.known.constants["laminar_energy"])


def test_kolmogorov_flow_gains_what_the_force_does_and_loses_what_viscosity_takes():
    system, reynolds = find_system("kolmogorov_flow"), 12.0
    w = run(system, system.initial(3, generator(0)), [0.0, 2.0], reynolds=reynolds)[:, -1]
    assert system.right_hand_side.differentiable
    velocity = system.at({"reynolds": reynolds})(ZERO, w)

    def energy(w):
        u, v = fields(w.unflatten(-1, (32, 32)))
        return (u**2 + v**2).mean((-2, -1)) / 2

    change = torch.func.jvp(energy, (w,), (velocity,))[1]
    u, _ = fields(w.unflatten(-1, (32, 32)))
    power = (u * torch.sin(2 * system.grid.axes[1].coordinates)).mean((-2, -1))
    assert torch.allclose(change, power - w.square().mean(-1) / reynolds, atol=1e-12)


def test_kolmogorov_flow_without_force_and_viscosity_keeps_energy_and_enstrophy():
    system = find_system("kolmogorov_flow")
    split, w = system.semilinear, system.initial(4, generator(0))
    rest = split.nonlinear(ZERO, split.to_modes(torch.zeros(1024).double()), torch.tensor(14.4))
    advection = split.from_modes(split.nonlinear(ZERO, split.to_modes(w), torch.tensor(14.4)) - rest)
    u, v = fields(w.unflatten(-1, (32, 32)))
    du, dv = fields(advection.unflatten(-1, (32, 32)))
    assert (w * advection).mean(-1).abs().max() < 1e-12 * advection.abs().max()
    assert (u * du + v * dv).mean((-2, -1)).abs().max() < 1e-12 * advection.abs().max()


def test_kolmogorov_flow_commutes_with_shifts_along_and_keeps_its_mean():
    system = find_system("kolmogorov_flow")
    w = system.initial(2, generator(0))
    shifted = w.unflatten(-1, (32, 32)).roll(5, -2).flatten(-2)
    expected = system.at()(ZERO, w).unflatten(-1, (32, 32)).roll(5, -2).flatten(-2)
    assert torch.allclose(system.at()(ZERO, shifted), expected, atol=1e-11)
    assert run(system, w, [0.0, 5.0]).mean(-1).abs().max() < 1e-13


def test_laminar_kolmogorov_flow_is_stable_at_the_largest_scale_alone():
    # One wave of the force per period never loses stability (L. D. Meshalkin, Ya. G. Sinai, 1961), two do.
    for n, reynolds, points, unstable in ((1, 15.0, 16, False), (2, 3.5, 16, False), (2, 5.0, 20, True)):
        system = find_system("kolmogorov_flow", points=points, wave_number=n, reynolds=reynolds)
        matrix = jacobian(system.at(), laminar(system, reynolds, n))
        assert (torch.linalg.eigvals(matrix).real.max() > 1e-6) == unstable


# -- lambda-omega ------------------------------------------------------------------------------------------------------


def uniform(system, u, v):
    half = system.dim // 2
    return torch.tensor([[u], [v]], dtype=torch.float64).expand(2, half).flatten()


@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
def test_uniform_lambda_omega_turns_backwards_at_radius_one(boundary):
    system = find_system("lambda_omega", points=20, length=8.0, boundary=boundary)
    states = run(system, uniform(system, 1.0, 0.0)[None], [0.0, 1.5], beta=0.8)[0, -1]
    assert torch.allclose(states, uniform(system, math.cos(1.2), -math.sin(1.2)), atol=1e-6)
    off = run(system, uniform(system, 1.001, 0.0)[None], [0.0, 1.0])[0, -1]
    radius = off.unflatten(-1, (2, -1)).norm(dim=0)
    assert torch.allclose(radius - 1, torch.full_like(radius, 1e-3 * math.exp(-2)), atol=2e-6)


def test_plane_waves_of_lambda_omega_turn_at_their_own_rate():
    system = find_system("lambda_omega", points=32)
    q, t = 2 * math.pi / 20, 3.0
    r2 = 1 - 0.2 * q**2
    x = system.grid.axes[0].coordinates[:, None].expand(32, 32).flatten()
    states = [math.sqrt(r2) * torch.cat([torch.cos(q * x - r2 * s), torch.sin(q * x - r2 * s)]) for s in (0.0, t)]
    found = run(system, states[0][None], [0.0, t], d1=0.2, d2=0.2)[0, -1]
    assert torch.allclose(found, states[1], atol=1e-5)


def test_lambda_omega_starts_with_the_published_spirals():
    for boundary, n in (("periodic", 100), ("neumann", 101)):
        system = find_system("lambda_omega", boundary=boundary)
        assert system.dim == 2 * n * n
        start = system.initial(3, generator(0)).unflatten(-1, (2, n, n))
        x, y = (axis.coordinates for axis in system.grid.axes)
        assert (float(x[0]), float(x[-1])) == pytest.approx((-10.0, 9.8 if n == 100 else 10.0))
        i, j = 37, 71
        r, angle = math.hypot(x[i], y[j]), math.atan2(y[j], x[i])
        if boundary == "periodic":
            expected = [math.tanh(r) * math.cos(angle - r), math.tanh(r) * math.sin(angle - r)]
        else:
            expected = [math.tanh(r * math.cos(angle - r)), math.tanh(r * math.sin(angle - r))]
        assert start[0, :, i, j].tolist() == pytest.approx(expected)
        assert torch.allclose(start.norm(dim=1), start[:1].norm(dim=1).expand(3, n, n))


def test_masked_lambda_omega_is_seen_as_the_published_data():
    whole, masked = find_system("lambda_omega", points=64), find_system("lambda_omega", points=64, masked=True)
    assert masked.dim == 4096
    t = torch.tensor([0.0, 0.1], dtype=torch.float64)
    both = [simulate(s, 1, t, rng=generator(0), transient=0.0) for s in (whole, masked)]
    x, y = (axis.coordinates for axis in whole.grid.axes)
    mask = torch.exp(-0.01 * (x[:, None] ** 2 + y**2)).flatten()
    assert torch.allclose(both[1].states, mask * both[0].states[:, :4096], atol=1e-14)
    assert torch.allclose(both[1].velocities, mask * both[0].velocities[:, :4096], atol=1e-13)


def test_lambda_omega_without_flux_is_the_even_part_of_a_periodic_one_on_twice_the_length():
    half = find_system("lambda_omega", points=17, length=6.0, boundary="neumann")
    whole = find_system("lambda_omega", points=32, length=12.0)
    x = 0.5 * torch.randn(1, 2, 17, 17, generator=generator(0), dtype=torch.float64)
    x = torch.nn.functional.avg_pool2d(x, 3, 1, 1)
    both = torch.cat([x, x[..., 1:-1, :].flip(-2)], -2)
    both = torch.cat([both, both[..., 1:-1].flip(-1)], -1)
    found = run(half, x.flatten(1), [0.0, 0.5]).unflatten(-1, (2, 17, 17))
    expected = run(whole, both.flatten(1), [0.0, 0.5]).unflatten(-1, (2, 32, 32))
    assert torch.allclose(found, expected[..., :17, :17], atol=1e-12)


# -- FitzHugh-Nagumo and Brusselator -----------------------------------------------------------------------------------


def test_uniform_fitzhugh_nagumo_obeys_the_two_ordinary_equations():
    system = find_system("fitzhugh_nagumo", points=16, length=10.0)
    u, v = 0.7, -0.2
    velocity = system.at()(ZERO, uniform(system, u, v))
    assert torch.allclose(velocity, uniform(system, u - u**3 - v, 0.006 * (u - 2 * v + 0.03)), atol=1e-14)


def test_fitzhugh_nagumo_commutes_with_reflection():
    system = find_system("fitzhugh_nagumo")
    x = system.initial(1, generator(0))
    mirrored = x.unflatten(-1, (2, 101)).flip(-1).flatten(-2)
    found = run(system, mirrored, [0.0, 5.0]).unflatten(-1, (2, 101)).flip(-1).flatten(-2)
    assert torch.allclose(found, run(system, x, [0.0, 5.0]), atol=1e-12)


def orbit(name, transient, end, step):
    system = find_system(name)
    t = torch.arange(0, end, step, dtype=torch.float64)
    states = simulate(system, 4, t, rng=generator(2), transient=transient).stacked()
    s = states[..., system.dim // 6]
    s = s - s.mean(1, keepdim=True)
    up = [torch.nonzero((row[:-1] < 0) & (row[1:] >= 0))[:, 0] for row in s]
    crossings = [t[i] - step * row[i] / (row[i + 1] - row[i]) for i, row in zip(up, s, strict=True)]
    periods = torch.stack([c.diff()[:2].mean() for c in crossings])
    gap = torch.cdist(states[1:, ::10], states[:1].expand(3, -1, -1)).min(2).values.max()
    return system, periods, gap / states.norm(dim=-1).mean()


def test_brusselator_ends_in_one_cycle():
    system, periods, gap = orbit("brusselator", 60.0, 21.5, 0.02)
    assert torch.allclose(periods, torch.full((4,), system.time_scale).double(), rtol=1e-3)
    assert gap < 0.01


@pytest.mark.slow
def test_fitzhugh_nagumo_ends_in_one_cycle():
    system, periods, gap = orbit("fitzhugh_nagumo", 2000.0, 600.0, 0.5)
    assert torch.allclose(periods, torch.full((4,), system.time_scale).double(), rtol=1e-3)
    assert gap < 0.01


def modes_of_brusselator(a, b, du, dv, length, count):
    q2 = (math.pi / length * torch.arange(1, count + 1, dtype=torch.float64)) ** 2
    block = torch.tensor([[b - 1, a**2], [-b, -(a**2)]], dtype=torch.float64)
    return block - q2[:, None, None] * torch.diag(torch.tensor([du, dv], dtype=torch.float64))


def test_brusselator_linearised_is_one_two_by_two_matrix_per_mode():
    system = find_system("brusselator", points=24)
    a, b, du, dv = 1.3, 2.2, 0.02, 0.05
    field = system.at({"a": a, "b": b, "diffusion_u": du, "diffusion_v": dv})
    rest = uniform(system, a, b / a)
    assert field(ZERO, rest).abs().max() < 1e-11
    found = torch.linalg.eigvals(jacobian(field, rest))
    expected = torch.linalg.eigvals(modes_of_brusselator(a, b, du, dv, 1.0, 24)).flatten()
    gaps = (found[:, None] - expected).abs()
    assert max(gaps.min(0).values.max(), gaps.min(1).values.max()) < 1e-9


@pytest.mark.parametrize(("kind", "du", "dv"), [("Hopf", 0.02, 0.02), ("Turing", 0.01, 0.1)])
def test_brusselator_loses_stability_at_the_thresholds_of_hopf_and_turing(kind, du, dv):
    system, a = find_system("brusselator", points=32), 1.5
    q2 = (math.pi * torch.arange(1, 33, dtype=torch.float64)) ** 2
    thresholds = {"Hopf": 1 + a**2 + (du + dv) * q2, "Turing": 1 + du * q2 + a**2 * du / dv + a**2 / (dv * q2)}
    first = {name: float(value.min()) for name, value in thresholds.items()}
    assert min(first, key=first.__getitem__) == kind
    assert first["Turing"] >= (1 + a * math.sqrt(du / dv)) ** 2
    for b, unstable in ((first[kind] - 1e-3, False), (first[kind] + 1e-3, True)):
        field = system.at({"a": a, "b": b, "diffusion_u": du, "diffusion_v": dv})
        values = torch.linalg.eigvals(jacobian(field, uniform(system, a, b / a)))
        leading = values[values.real.argmax()]
        assert (leading.real > 0) == unstable
        assert (leading.imag.abs() > 1e-3) == (kind == "Hopf")
