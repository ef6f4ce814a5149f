"""Sparse Jacobians: patterns found by probing, values by colours, and implicit solvers that use them."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from dynred.errors import InputError
from dynred.numerics.jacobian import find_pattern
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.stiff import Stiff
from dynred.testing import check_system


def neighbours(u):
    return torch.roll(u, 1, -1) - 2 * u + torch.roll(u, -1, -1)


def fitzhugh_nagumo(x):
    u, v = x.chunk(2, -1)
    return torch.cat([20 * neighbours(u) + u - u**3 - v, 5 * neighbours(v) + 0.1 * (u - v)], -1)


def heat(points, diffusivity=1.0):
    """Diffusion between walls at zero, on (0, 1): a tridiagonal Jacobian, the lowest mode decays as it is known."""
    h = 1 / (points + 1)

    def rhs(t, x):
        wide = torch.nn.functional.pad(x, (1, 1))
        return diffusivity * (wide[..., 2:] - 2 * x + wide[..., :-2]) / h**2

    grid = h * torch.arange(1, points + 1, dtype=torch.float64)
    rate = diffusivity * 4 / h**2 * np.sin(np.pi * h / 2) ** 2
    mode = torch.sin(np.pi * grid)
    return System("heat", points, rhs, lambda n, rng: mode.repeat(n, 1)), mode, rate


def reaction_diffusion(cells):
    """u_t = u_xx + u (1 - u^2) + v, v_t = v_xx / 2 - v + u / 2 between reflecting walls, two fields in one vector."""
    h2 = (100.0 / cells) ** 2

    def walls(u):
        wide = torch.cat([u[..., :1], u, u[..., -1:]], -1)
        return (wide[..., 2:] - 2 * u + wide[..., :-2]) / h2

    def rhs(t, x):
        u, v = x.chunk(2, -1)
        return torch.cat([walls(u) + u * (1 - u * u) + v, 0.5 * walls(v) - v + 0.5 * u], -1)

    x = torch.linspace(0, 1, cells, dtype=torch.float64)
    start = torch.cat([0.5 + torch.cos(3 * np.pi * x), 0.2 * torch.sin(2 * np.pi * x)])
    return System("reaction_diffusion", 2 * cells, rhs, lambda n, rng: start.repeat(n, 1), stiff=True)


def dense(velocity, x):
    return torch.func.jacfwd(velocity)(x)


@pytest.mark.parametrize("exact", [True, False])
def test_probing_finds_exactly_the_entries_that_are_not_zero(exact):
    x = torch.randn(3, 240, generator=generator(0), dtype=torch.float64)
    pattern = find_pattern(fitzhugh_nagumo, x, exact)
    matrix = dense(fitzhugh_nagumo, x[0])
    assert torch.equal(pattern.entries[:, pattern.rows.argsort(stable=True)].T, torch.nonzero(matrix))
    assert pattern.colour_count <= 8


@pytest.mark.parametrize(("exact", "tolerance"), [(True, 1e-14), (False, 1e-4)])  # entries are up to 40
def test_coloured_derivatives_give_the_whole_jacobian(exact, tolerance):
    x = torch.randn(3, 240, generator=generator(0), dtype=torch.float64)
    pattern = find_pattern(fitzhugh_nagumo, x, True)
    values = pattern.values(fitzhugh_nagumo, x, exact)
    for row, one in zip(values, x, strict=True):
        error = torch.from_numpy(pattern.matrix(row).toarray()) - dense(fitzhugh_nagumo, one)
        assert float(error.abs().max()) < tolerance


def test_probing_takes_few_evaluations_of_ten_thousand_unknowns():
    calls = 0

    def counted(x):
        nonlocal calls
        calls += x[..., 0].numel()
        return fitzhugh_nagumo(x)

    x = torch.randn(1, 10_000, generator=generator(0), dtype=torch.float64)
    pattern = find_pattern(counted, x, False)
    assert len(pattern.rows) == 40_000
    assert calls < 150


def test_a_dense_jacobian_has_no_pattern():
    matrix = torch.randn(300, 300, generator=generator(0), dtype=torch.float64)
    x = torch.randn(2, 300, generator=generator(1), dtype=torch.float64)
    assert find_pattern(lambda y: y @ matrix, x, True) is None


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (torch.zeros(3, 2).long(), r"integers \[2, E\], got torch.int64 \[3, 2\]"),
        (torch.zeros(2, 5), r"integers \[2, E\], got torch.float32"),
        (torch.tensor([[0, 300], [0, 0]]), r"indices in \[0, 199\], got indices from 0 to 300"),
    ],
)
def test_declared_patterns_are_checked(entries, message):
    with pytest.raises(InputError, match=message):
        System("broken", 200, lambda t, x: -x, jacobian_sparsity=entries)


def test_a_declared_pattern_is_taken_instead_of_a_search():
    diagonal = torch.arange(200).repeat(2, 1)
    system = System("decay", 200, lambda t, x: -x, jacobian_sparsity=diagonal)
    assert system.jacobian_pattern.colour_count == 1
    assert torch.equal(system.jacobian_pattern.entries, diagonal)


@pytest.mark.parametrize("method", ["BDF", "Radau", "LSODA"])
def test_the_heat_equation_decays_at_its_known_rate_with_a_sparse_jacobian(method):
    system, mode, rate = heat(300)
    assert system.jacobian_pattern.bandwidth == (1, 1)
    times = torch.tensor([0.0, 0.05, 0.1], dtype=torch.float64)
    found = simulate(system, 1, times, rng=generator(0), solver=Stiff(method)).stacked()[0]
    exact = mode * torch.exp(-rate * times[:, None])
    assert float((found - exact).abs().max()) < 1e-5


def test_a_field_in_numpy_has_a_sparse_jacobian_as_well():
    h = 1 / 301

    def rhs(t, x):
        wide = np.concatenate([[0.0], x, [0.0]])
        return (wide[2:] - 2 * x + wide[:-2]) / h**2

    torch_one, mode, _ = heat(300)
    system = System("heat", 300, rhs, torch_one.sample_initial)
    assert not system.right_hand_side.differentiable
    assert system.jacobian_pattern.colour_count == 3
    times = torch.tensor([0.0, 0.1], dtype=torch.float64)
    a, b = (simulate(s, 1, times, rng=generator(0), solver=Stiff()).states for s in (system, torch_one))
    assert torch.allclose(a, b, atol=1e-6)


def test_a_declared_pattern_is_held_to_its_contract():
    system, _, _ = heat(120)
    wrong, right = torch.arange(120).repeat(2, 1), system.jacobian_pattern.entries
    noise = lambda n, rng: torch.randn(n, 120, generator=rng, dtype=torch.float64)  # noqa: E731
    check_system(dataclasses.replace(system, jacobian_sparsity=right, sample_initial=noise))
    with pytest.raises(AssertionError, match="jacobian_sparsity must hold every entry"):
        check_system(dataclasses.replace(system, jacobian_sparsity=wrong, sample_initial=noise))


def test_entries_that_a_pattern_lacks_are_found_on_the_way():
    system, _, _ = heat(300)
    wrong = dataclasses.replace(system, jacobian_sparsity=torch.arange(300).repeat(2, 1))
    times = torch.tensor([0.0, 0.1], dtype=torch.float64)
    a, b = (simulate(s, 1, times, rng=generator(0), solver=Stiff()).states for s in (system, wrong))
    assert torch.allclose(a, b, atol=1e-6)


def test_reaction_and_diffusion_of_ten_thousand_unknowns_agree_with_scipy_told_the_pattern():
    system = reaction_diffusion(5000)
    assert system.dim == 10_000
    times = torch.tensor([0.0, 0.5], dtype=torch.float64)
    found = simulate(system, 1, times, rng=generator(0), solver=Stiff(rtol=1e-5, atol=1e-7)).stacked()[0, -1]
    field, start = system.at(), system.initial(1, generator(0))[0].numpy()
    pattern = system.jacobian_pattern.matrix(torch.ones(len(system.jacobian_pattern.rows)))
    other = solve_ivp(
        lambda t, x: field(torch.tensor(t), torch.from_numpy(x)).numpy(),
        (0, 0.5),
        start,
        "BDF",
        t_eval=[0.5],
        rtol=1e-7,
        atol=1e-9,
        jac_sparsity=pattern,
    )
    assert float((found - torch.from_numpy(other.y[:, -1])).abs().max()) < 1e-4


def test_a_dense_jacobian_of_ten_thousand_unknowns_is_refused():
    system = System("spectral", 6000, lambda t, x: torch.fft.ifft(torch.fft.fft(x) ** 2).real, stiff=True)
    with pytest.raises(InputError, match="sparse in more than 5000 dimensions, got a dense one of 6000. Use BDF"):
        simulate(system, 1, torch.tensor([0.0, 1.0]), rng=generator(0), transient=0.0)
