"""PDE systems against right-hand sides that are written anew, in SciPy's solvers."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.etdrk4 import ETDRK4
from dynred.testing import check_system

ZERO = torch.tensor(0.0, dtype=torch.float64)
KS_LENGTH = 2 * math.pi

# -- every formula once more, with dense differentiation matrices or complex transforms --------------------------------


def fourier(n, length):
    """First and second derivative on n points of a period (L. N. Trefethen, Spectral Methods in MATLAB, chapter 3)."""
    gap = np.subtract.outer(np.arange(n), np.arange(n)) * math.pi / n
    off = ~np.eye(n, dtype=bool)
    sign = np.where(off, np.cos(gap * n), 0.0)
    safe = np.where(off, gap, 1.0)
    first = 0.5 * sign / np.tan(safe)
    second = np.where(off, -0.5 * sign / np.sin(safe) ** 2, -(n**2) / 12 - 1 / 6)
    return 2 * math.pi / length * first, (2 * math.pi / length) ** 2 * second


def by_modes(shape, k):
    """Second derivative from a matrix of modes [points, modes] and their wave numbers."""
    return shape @ np.diag(-(k**2)) @ np.linalg.inv(shape)


def cosines(n, length):
    x, k = np.linspace(0, length, n), math.pi / length * np.arange(n)
    return by_modes(np.cos(np.outer(x, k)), k)


def sines(n, length):
    x, k = np.linspace(0, length, n + 2)[1:-1], math.pi / length * np.arange(1, n + 1)
    return by_modes(np.sin(np.outer(x, k)), k)


def kuramoto_sivashinsky(viscosity=1.0, length=22.0, points=64):
    d1, d2 = fourier(points, length)
    return lambda u: -d1 @ (u * u / 2) - d2 @ u - viscosity * d2 @ (d2 @ u)


def burgers(viscosity, length=2 * math.pi, points=128):
    d1, d2 = fourier(points, length)
    return lambda u: -d1 @ (u * u / 2) + viscosity * d2 @ u


def swift_hohenberg(drive, quadratic, length, points):
    d2 = fourier(points, length)[1] + np.eye(points)
    return lambda u: drive * u - d2 @ (d2 @ u) + quadratic * u**2 - u**3


def complex_ginzburg_landau(alpha, beta, length, points):
    d2 = fourier(points, length)[1]

    def rhs(x):
        a = x[:points] + 1j * x[points:]
        velocity = a + (1 + 1j * alpha) * (d2 @ a) - (1 + 1j * beta) * np.abs(a) ** 2 * a
        return np.concatenate([velocity.real, velocity.imag])

    return rhs


def chafee_infante(reaction, points):
    d2 = sines(points, math.pi)
    return lambda u: d2 @ u + reaction * (u - u**3)


def fitzhugh_nagumo(points, length=20.0):
    d2 = cosines(points, length)

    def rhs(x):
        u, v = x[:points], x[points:]
        return np.concatenate([d2 @ u + u - u**3 - v, 4 * d2 @ v + 0.006 * (u - 2 * v + 0.03)])

    return rhs


def brusselator(a, b, points):
    d2 = sines(points, 1.0)

    def rhs(x):
        u, v = x[:points], x[points:]
        reacted = u * u * v
        diffused = 0.02 * np.concatenate([d2 @ (u - a), d2 @ (v - b / a)])
        return diffused + np.concatenate([a - (b + 1) * u + reacted, b * u - reacted])

    return rhs


def lambda_omega(beta, d1, d2, points, length, boundary="periodic"):
    second = fourier(points, length)[1] if boundary == "periodic" else cosines(points, length)

    def rhs(x):
        u, v = x.reshape(2, points, points)
        r2 = u * u + v * v
        grow_u, grow_v = (1 - r2) * u + beta * r2 * v, (1 - r2) * v - beta * r2 * u
        return np.stack([grow_u + d1 * (second @ u + u @ second.T), grow_v + d2 * (second @ v + v @ second.T)]).ravel()

    return rhs


def kolmogorov_flow(reynolds, wave_number, points):
    k = np.fft.fftfreq(points, 1 / points)
    kx, ky = np.meshgrid(k, k, indexing="ij")
    square = kx**2 + ky**2
    kept = np.maximum(abs(kx), abs(ky)) <= (points - 1) // 3
    y = 2 * math.pi / points * np.arange(points)

    def rhs(x):
        w = np.fft.fft2(x.reshape(points, points))
        psi = np.where(kept, w, 0) / np.where(square > 0, square, np.inf)
        u, v, wx, wy = (
            np.fft.ifft2(f).real for f in (1j * ky * psi, -1j * kx * psi, 1j * kx * w * kept, 1j * ky * w * kept)
        )
        advected = np.fft.ifft2(np.fft.fft2(u * wx + v * wy) * kept).real
        diffused = np.fft.ifft2(-square * w).real / reynolds
        return (diffused - advected - wave_number * np.cos(wave_number * y)).ravel()

    return rhs


BEATING = 16 / 337
ROUTES = {
    "kuramoto_sivashinsky": ({"length": 12.0, "points": 16}, {}, kuramoto_sivashinsky(1.0, 12.0, 16), 2.0),
    "kuramoto_sivashinsky nu": (
        {"length": KS_LENGTH, "points": 20, "viscosity": BEATING},
        {},
        kuramoto_sivashinsky(BEATING, KS_LENGTH, 20),
        0.1,
    ),
    "burgers": ({"points": 32, "viscosity": 0.1}, {"viscosity": 0.15}, burgers(0.15, points=32), 1.0),
    "swift_hohenberg": (
        {"length": 12.0, "points": 16},
        {"drive": -0.1, "quadratic": 1.8},
        swift_hohenberg(-0.1, 1.8, 12.0, 16),
        5.0,
    ),
    "complex_ginzburg_landau": (
        {"length": 12.0, "points": 16},
        {"alpha": 1.5, "beta": -0.8},
        complex_ginzburg_landau(1.5, -0.8, 12.0, 16),
        2.0,
    ),
    "chafee_infante": ({"points": 16}, {"reaction": 8.0}, chafee_infante(8.0, 16), 1.0),
    "fitzhugh_nagumo": ({"points": 31}, {}, fitzhugh_nagumo(31), 5.0),
    "brusselator": ({"points": 24}, {"a": 1.2, "b": 2.5}, brusselator(1.2, 2.5, 24), 1.0),
    "lambda_omega": (
        {"points": 16, "length": 8.0},
        {"beta": 0.7, "d1": 0.1, "d2": 0.2},
        lambda_omega(0.7, 0.1, 0.2, 16, 8.0),
        1.0,
    ),
    "lambda_omega neumann": (
        {"points": 17, "length": 8.0, "boundary": "neumann"},
        {"beta": 1.3, "d1": 0.2, "d2": 0.1},
        lambda_omega(1.3, 0.2, 0.1, 17, 8.0, "neumann"),
        1.0,
    ),
    "kolmogorov_flow": ({"points": 16, "wave_number": 1}, {"reynolds": 12.0}, kolmogorov_flow(12.0, 1, 16), 1.0),
}


@pytest.mark.parametrize("name", ROUTES)
def test_the_right_hand_side_is_the_formula_written_anew(name):
    arguments, parameters, rhs, _ = ROUTES[name]
    system = find_system(name.split()[0], **arguments)
    x = system.initial(3, generator(0)) + 0.1 * torch.randn(3, system.dim, generator=generator(1), dtype=torch.float64)
    x = x - x.mean(-1, keepdim=True) if name == "kolmogorov_flow" else x
    found, expected = system.at(parameters)(ZERO, x), torch.stack([torch.from_numpy(rhs(row.numpy())) for row in x])
    assert (found - expected).abs().max() < 1e-9 * expected.abs().max()


@pytest.mark.parametrize("name", ROUTES)
def test_etdrk4_agrees_with_a_stiff_solver_of_scipy(name):
    arguments, parameters, rhs, end = ROUTES[name]
    system = find_system(name.split()[0], **arguments)
    x = system.initial(1, generator(0))
    method = ETDRK4(step=min(system.semilinear.step / 16, end / 200))
    states = method.solve(system.at(parameters), x, torch.tensor([0.0, end], dtype=torch.float64))
    other = solve_ivp(
        lambda t, y: rhs(y),
        (0, end),
        x[0].numpy(),
        "Radau" if system.dim < 100 else "LSODA",
        rtol=1e-9,
        atol=1e-10,
        t_eval=[end],
    )
    expected = torch.from_numpy(other.y[:, -1])
    assert (states[0, -1] - expected).abs().max() < 1e-6 * expected.abs().max()


# -- what all of them promise ------------------------------------------------------------------------------------------


VARIANTS = [
    ("kuramoto_sivashinsky", {"length": KS_LENGTH, "viscosity": 4 / 87}),
    ("complex_ginzburg_landau", {"length": 30.0, "points": 64}),
    ("swift_hohenberg", {"length": 8 * math.pi, "points": 64}),
    ("burgers", {"points": 256, "viscosity": 0.02}),
    ("chafee_infante", {"points": 33, "reaction": 0.5}),
    ("kolmogorov_flow", {"points": 48, "wave_number": 3}),
    ("lambda_omega", {"boundary": "neumann", "points": 51}),
    ("lambda_omega", {"masked": True}),
    ("fitzhugh_nagumo", {"points": 51}),
    ("brusselator", {"points": 32}),
]


@pytest.mark.parametrize(("name", "arguments"), VARIANTS)
def test_structural_arguments_keep_the_contract(name, arguments):
    check_system(find_system(name, **arguments))


@pytest.mark.parametrize("name", sorted({name.split()[0] for name in ROUTES}))
def test_parameters_of_each_trajectory_act_on_it_alone(name):
    system = find_system(name, **ROUTES[name][0])
    x, t = system.initial(3, generator(1)), torch.tensor([0.0, 0.05, 0.1], dtype=torch.float64)
    values = {
        k: v * torch.tensor([1.0, 1.05, 1.1]).double() for k, v in {**system.parameters, **ROUTES[name][1]}.items()
    }
    together = simulate(system, rng=generator(0), initial=x, times=t, parameters=values).stacked()
    for i in range(3):
        one = {k: v[i : i + 1] for k, v in values.items()}
        alone = simulate(system, rng=generator(0), initial=x[i : i + 1], times=t, parameters=one).stacked()
        assert torch.allclose(together[i : i + 1], alone, atol=1e-11)
    shared = simulate(system, rng=generator(0), initial=x, times=t, parameters={k: v[0] for k, v in values.items()})
    assert (together[2, -1] - shared.stacked()[2, -1]).abs().max() > 1e-6
