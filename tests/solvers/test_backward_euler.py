"""Backward Euler with Newton's method, and the direct solvers under it."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from dynred.errors import DivergenceError, InputError
from dynred.numerics.jacobian import Pattern
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers._direct import CyclicBand, direct_solver
from dynred.solvers.backward_euler import BackwardEuler

ZERO = torch.tensor(0.0, dtype=torch.float64)


def times(end, n=2):
    return torch.linspace(0, end, n, dtype=torch.float64)


def ring(size, offsets):
    """The pattern of a cyclic banded matrix, its diagonals at the given offsets."""
    index = torch.arange(size)
    return Pattern.of(torch.cat([torch.stack([(index + o) % size, index]) for o in offsets], 1), size)


def dense(pattern, values):
    matrix = values.new_zeros(len(values), pattern.dim, pattern.dim)
    matrix[:, pattern.rows, pattern.columns] = values
    return matrix


def scattered(size, per_row, seed=0):
    columns = torch.randint(size, (size * per_row,), generator=generator(seed, "scattered"))
    entries = torch.stack([torch.arange(size).repeat(per_row), columns])
    return Pattern.of(torch.cat([entries, torch.arange(size).expand(2, size)], 1), size)


def random_system(pattern, n=3, m=2):
    rng = generator(1, "matrix")
    values = torch.randn(n, len(pattern.rows), generator=rng, dtype=torch.float64)
    values = values + 4.0 * (pattern.rows == pattern.columns)
    return values, torch.randn(n, pattern.dim, m, generator=rng, dtype=torch.float64)


PATTERNS = {
    "dense": ring(20, range(-10, 10)),
    "bidiagonal ring": ring(201, (0, 1)),
    "pentadiagonal ring": ring(150, (-2, -1, 0, 1, 2)),
    "one-sided ring": ring(150, (-3, 0)),
    "tridiagonal": Pattern.of(torch.stack([torch.arange(299) // 3, (torch.arange(299) + 1) // 3]), 100),
    "sparse": scattered(120, 3),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_direct_solvers_agree_with_dense_elimination(name):
    pattern = PATTERNS[name]
    values, b = random_system(pattern)
    assert torch.allclose(direct_solver(pattern)(values, b), torch.linalg.solve(dense(pattern, values), b), atol=1e-10)


def test_a_band_that_wraps_around_is_as_narrow_as_it_looks():
    band = CyclicBand.of(ring(100, (-2, 0, 1)))
    assert (band.below, band.above, band.wrapped_rows.tolist()) == (1, 2, [0, 98, 99])


@pytest.mark.parametrize("name", PATTERNS)
def test_a_singular_matrix_and_one_with_nan_give_nan_and_leave_the_others_alone(name):
    pattern = PATTERNS[name]
    values, b = random_system(pattern, n=4)
    whole = direct_solver(pattern)(values, b)
    values[1], values[2, 0] = 0.0, torch.nan
    found = direct_solver(pattern)(values, b)
    assert found[1].isnan().all()
    assert found[2].isnan().all()
    assert torch.allclose(found[[0, 3]], whole[[0, 3]], rtol=1e-12)


# -- the method --------------------------------------------------------------------------------------------------------


def test_a_linear_decay_is_divided_by_one_plus_h_a_in_every_step():
    system = System("decay", 2, rhs=lambda t, x, a: -a[..., None] * x, parameters={"a": 1.0})
    a, x0 = torch.tensor([3.0, 1e7], dtype=torch.float64), torch.tensor([[1.0, -2.0], [5.0, 1.0]], dtype=torch.float64)
    found = BackwardEuler(0.1).solve(system.at({"a": a}), x0, times(1.0, 3))
    assert torch.allclose(found[:, 1], x0 * (1 + 0.1 * a[:, None]) ** -5, rtol=1e-7, atol=1e-30)
    assert torch.allclose(found[0, 2], x0[0] * (1 + 0.1 * 3.0) ** -10, rtol=1e-12)


def test_the_time_of_the_right_hand_side_is_that_at_the_end_of_the_step():
    system = System("forced", 1, rhs=lambda t, x: (2 * t)[..., None] + 0 * x)
    found = BackwardEuler(0.25).solve(system.at(), torch.zeros(1, 1, dtype=torch.float64), times(1.0))
    assert float(found[0, 1]) == pytest.approx(0.25 * 2 * (0.25 + 0.5 + 0.75 + 1.0))


def test_the_error_is_of_first_order_in_the_step():
    system = find_system("stuart_landau")
    x0 = torch.tensor([[0.5, 0.2], [1.3, -0.4]], dtype=torch.float64)
    exact = solve(system, x0, 1.0)
    errors = []
    for step in (0.04, 0.02, 0.01):
        found = BackwardEuler(step).solve(system.at(), x0, times(1.0))[:, -1]
        errors.append(float((found - exact).norm()))
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert orders == pytest.approx(1.0, abs=0.15)


def solve(system, x0, end):
    """By SciPy's Radau at a tolerance of 1e-11, without this library's solvers."""
    field, pattern = system.at(), system.jacobian_pattern
    options = {} if pattern is None else {"jac_sparsity": pattern.matrix(torch.ones(len(pattern.rows)))}

    def one(x):
        def velocity(t, y):
            return field(ZERO, torch.from_numpy(y)).numpy()

        return solve_ivp(velocity, (0, end), x, "Radau", rtol=1e-11, atol=1e-11, **options).y[:, -1]

    return torch.from_numpy(np.stack([one(x) for x in x0]))


def test_burgers_converges_to_scipys_flow_of_the_same_differences_with_first_order():
    system = find_system("burgers_inviscid", points=101)
    x0 = system.initial(2, generator(0))
    exact, errors = solve(system, x0, 1.0), []
    for step in (0.02, 0.01, 0.005):
        found = simulate(system, times=times(1.0), initial=x0, rng=generator(0), solver=BackwardEuler(step))
        errors.append(float((found.stacked()[:, -1] - exact).norm() / exact.norm()))
    assert errors[-1] < 2e-3
    assert np.log2(np.array(errors[:-1]) / np.array(errors[1:])) == pytest.approx(1.0, abs=0.15)


def test_every_step_solves_its_equation_to_newtons_tolerance():
    system = find_system("burgers_inviscid")
    t = times(0.004, 5)
    x = simulate(system, 3, t, rng=generator(0)).stacked()
    residual = x[:, 1:] - x[:, :-1] - 1e-3 * system.at()(ZERO, x[:, 1:])
    assert (residual.norm(dim=-1) <= 1e-8 * x.norm(dim=-1)[:, :-1]).all()


def test_differences_stand_in_for_derivatives_that_torch_does_not_have():
    def rhs(t, x):
        return np.stack([x[..., 1], 4 * (1 - x[..., 0] ** 2) * x[..., 1] - x[..., 0]], -1)

    def same(t, x):
        q, v = x.unbind(-1)
        return torch.stack([v, 4 * (1 - q * q) * v - q], -1)

    x0 = torch.tensor([[2.0, 0.0], [0.5, 1.0]], dtype=torch.float64)
    fields = [System("oscillator", 2, rhs=f).at() for f in (rhs, same)]
    assert [field.differentiable for field in fields] == [False, True]
    a, b = (BackwardEuler(0.02, tolerance=1e-11).solve(field, x0, times(0.5)) for field in fields)
    assert torch.allclose(a, b, atol=1e-9)


def test_a_trajectory_is_the_same_alone_as_among_others():
    system = find_system("burgers_inviscid", points=201)
    x0 = system.initial(4, generator(0))
    solver = BackwardEuler(0.01)
    together = solver.solve(system.at(), x0, times(0.1))
    alone = torch.cat([solver.solve(system.at(), row[None], times(0.1)) for row in x0])
    assert torch.allclose(together, alone, atol=1e-14)


def test_tangents_are_the_derivative_of_the_scheme():
    system = find_system("stuart_landau")
    x = torch.tensor([[0.5, 0.2], [1.3, -0.4]], dtype=torch.float64)
    tangents = torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
    solver = BackwardEuler(0.05, tolerance=1e-13)
    end, moved = solver.flow_with_tangents(system.at(), x, tangents, 0.5)
    assert torch.allclose(end, solver.solve(system.at(), x, times(0.5))[:, -1], atol=1e-13)
    for i in range(2):
        ahead, behind = (solver.solve(system.at(), x + s * tangents[:, i], times(0.5))[:, -1] for s in (1e-5, -1e-5))
        assert torch.allclose(moved[:, i], (ahead - behind) / 2e-5, atol=1e-8)


def test_a_blow_up_is_nan_in_its_row_and_an_error_where_truth_is_simulated():
    system = System("blow_up", 1, rhs=lambda t, x: x**2)
    x0 = torch.tensor([[2.0], [0.1]], dtype=torch.float64)
    found = BackwardEuler(0.01).solve(system.at(), x0, times(1.0, 11))[..., 0]
    assert found[0, :4].isfinite().all()  # the solution ends at t = .5
    assert found[0, 6:].isnan().all()
    assert found[1].isfinite().all()
    with pytest.raises(
        DivergenceError, match=r"Trajectory 0 diverged after t = 0\.[45].*smaller `step` of BackwardEuler"
    ):
        simulate(system, times=times(1.0, 11), initial=x0, rng=generator(0), solver=BackwardEuler(0.01))


def test_a_time_limit_ends_the_work_and_marks_what_was_not_reached():
    system = find_system("stuart_landau")
    x0 = system.initial(2, generator(0))
    found = BackwardEuler(0.01, time_limit=1e-9).solve(system.at(), x0, times(1.0, 3))
    assert torch.equal(found[:, 0], x0)
    assert found[:, 1:].isinf().all()
    whole, unlimited = (BackwardEuler(0.01, time_limit=s).solve(system.at(), x0, times(0.1, 3)) for s in (3600, None))
    assert torch.equal(whole, unlimited)


def test_large_dense_jacobians_and_bad_settings_are_refused():
    with pytest.raises(InputError, match=r"step must be a finite number > 0, got 0"):
        BackwardEuler(step=0)
    with pytest.raises(InputError, match=r"max_iterations must be an integer >= 1, got 0"):
        BackwardEuler(max_iterations=0)
    mixing = System("mixing", 2500, rhs=lambda t, x: x.mean(-1, keepdim=True).sin() - x)
    with pytest.raises(
        InputError, match=r"Jacobian must be sparse in more than 2000 dimensions, got a dense one of 2500"
    ):
        simulate(mixing, 1, times(1.0), rng=generator(0), solver="backward_euler")


@pytest.mark.slow
def test_the_published_burgers_model_is_converged_to_a_tenth_of_a_percent_in_time():
    system = find_system("burgers_inviscid")
    x0 = system.initial(2, generator(0))
    found = simulate(system, times=times(1.0), initial=x0, rng=generator(0)).stacked()[:, -1]
    exact = solve(system, x0, 1.0)
    assert float(((found - exact).norm(dim=-1) / exact.norm(dim=-1)).max()) < 1e-3
    assert math.isfinite(float(found.sum()))
