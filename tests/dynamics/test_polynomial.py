import math

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.errors import InputError
from dynred.numerics.monomials import CACHED, all_monomials, polynomial
from dynred.numerics.polynomials import (
    BoundedMap,
    PolynomialMap,
    PolynomialSpec,
    Regression,
    factors,
    largest_degree,
    monomials,
)
from dynred.ode.find import find_system
from dynred.reducers.pod import PODSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed, "points"), dtype=torch.float64)


@pytest.fixture(scope="module")
def lorenz():
    times = torch.linspace(0, 4, 81, dtype=torch.float64)
    found = simulate(find_system("lorenz63"), 10, times, rng=generator(0, "lorenz"))
    return found[:8], found[8:]


@pytest.mark.parametrize(("variables", "degree"), [(1, 4), (3, 2), (8, 5)])
def test_there_are_as_many_monomials_as_the_binomial_says(variables, degree):
    found = factors(variables, degree)
    assert len(found) == math.comb(variables + degree, degree) == len({tuple(row) for row in found.tolist()})


@pytest.mark.parametrize(("variables", "degree"), [(1, 3), (3, 4), (2, 0), (8, 5)])
def test_a_polynomial_is_its_monomials_times_its_coefficients_for_any_number_of_points(variables, degree):
    terms = factors(variables, degree)
    coefficients = torch.randn(len(terms), 2, generator=generator(0), dtype=torch.float64)
    for points in (0, 1, 7, CACHED // len(terms) + 5 if degree == 5 else 40):
        y = torch.randn(points, variables, generator=generator(1), dtype=torch.float64)
        table = monomials(y, terms) @ coefficients
        assert torch.allclose(polynomial(y, coefficients, degree), table, rtol=1e-10, atol=1e-10)
    z = y.reshape(2, -1, variables) if len(y) % 2 == 0 else y[None]
    assert polynomial(z, coefficients, degree).shape == (*z.shape[:-1], 2)


def test_all_monomials_are_the_monomials_of_the_factors_in_their_order():
    y = normal(7, 2, 3)
    assert torch.allclose(all_monomials(y, 4), monomials(y, factors(3, 4)), rtol=1e-14)
    assert torch.equal(all_monomials(y, 0), torch.ones(7, 2, 1).double())


@pytest.mark.parametrize(("variables", "terms"), [(8, 1500), (3, 20), (28, 10)])
def test_the_largest_degree_is_the_last_with_few_enough_terms(variables, terms):
    degree = largest_degree(variables, terms)
    assert degree == 1 or math.comb(variables + degree, degree) <= terms
    assert math.comb(variables + degree + 1, degree + 1) > terms


def test_a_polynomial_is_recovered_from_its_values():
    truth = PolynomialMap(3, 2, 3)
    truth.coefficients = normal(len(truth.factors), 2)
    y, held = normal(400, 3), normal(50, 3, seed=1)
    fits = PolynomialSpec(degree=4, ridge=(1e-14,)).fits((y, truth(y)), (held, truth(held)))
    errors = [error for error, _ in fits]
    assert errors[0] > errors[1] > 1e-2
    assert errors[2] < 1e-20
    assert torch.allclose(fits[2][1].coefficients, truth.coefficients, atol=1e-10)


def test_the_equations_of_a_lower_degree_are_the_leading_ones_of_a_higher():
    y, values = normal(300, 4), normal(300, 2, seed=1)
    low, high = Regression.of(y, values, 2).solution(2, 1e-9), Regression.of(y, values, 4).solution(2, 1e-9)
    assert torch.allclose(low, high, atol=1e-12)


def degrees_tried(function, spec=None):
    y = torch.rand(2000, 1, generator=generator(0), dtype=torch.float64) * 2 - 1
    fits = (spec or PolynomialSpec()).fits((y[:1500], function(y[:1500])), (y[1500:], function(y[1500:])))
    return fits[-1][1].degree, min(fits, key=lambda fit: fit[0])[1].degree


def test_degrees_are_tried_as_long_as_the_error_falls():
    tried, best = degrees_tried(lambda y: 1 / (1 + 4 * y**2))  # smooth, and no polynomial
    assert tried == 20
    assert best > 14
    assert degrees_tried(lambda y: y**3 - y)[0] == 6  # exact: nothing is left to lower
    noise = torch.Generator().manual_seed(1)
    tried, _ = degrees_tried(lambda y: y**2 + 0.1 * torch.randn(y.shape, generator=noise, dtype=y.dtype))
    assert tried == 6  # noise does not fall
    assert degrees_tried(torch.cos, PolynomialSpec(degree=4)) == (4, 4)


def test_a_bounded_polynomial_levels_off_beyond_the_points_and_has_no_corner():
    y = torch.rand(50, 2, generator=generator(0), dtype=torch.float64)
    fitted = PolynomialMap(2, 1, 9)
    fitted.coefficients = torch.randn(fitted.coefficients.shape, generator=generator(1), dtype=torch.float64)
    bounded = BoundedMap.of(fitted, y)
    assert torch.equal(bounded(y), fitted(y))
    far = torch.tensor([[1e3, 0.5], [1e6, 0.5]], dtype=torch.float64)
    assert torch.equal(bounded(far[:1]), bounded(far[1:]))
    assert bounded(far).abs().max() < 1e-3 * fitted(far[:1]).abs().max()
    border = bounded.reach[1, 0] + torch.tensor([-1e-7, 0.0, 1e-7], dtype=torch.float64)
    left, right = bounded(torch.stack([border, torch.full_like(border, 0.5)], 1))[:, 0].diff()
    assert torch.isclose(left, right, rtol=1e-4)


def test_monomials_that_depend_on_each_other_do_no_harm():
    angle = 2 * math.pi * torch.rand(200, generator=generator(0), dtype=torch.float64)
    y = torch.stack([torch.cos(angle), torch.sin(angle)], -1)  # cos^2 + sin^2 = 1
    value = torch.cos(3 * angle)[:, None]
    error, _ = PolynomialSpec(degree=4, ridge=(1e-16,)).fits((y, value), (y, value))[-1]
    assert error < 1e-12


def test_polynomial_dynamics_are_exact_for_a_polynomial_system_at_its_degree(lorenz):
    train, held = lorenz
    found = PolynomialODESpec(PolynomialSpec(degree=3, ridge=(1e-14,))).fit(train, held, rng=generator(0))
    assert held.velocities is not None
    error = found.field(torch.tensor(0.0), held.states) - held.velocities
    assert error.abs().max() < 1e-6 * held.velocities.abs().max()
    assert found.degree in (2, 3)


def test_the_degree_whose_rollouts_are_best_is_taken(lorenz):
    train, held = lorenz
    assert PolynomialODESpec(PolynomialSpec(degree=1)).fit(train, held, rng=generator(0)).degree == 1
    assert PolynomialODESpec(PolynomialSpec(degree=2)).fit(train, held, rng=generator(0)).degree == 2


def bent(dim=6, n=12, steps=40):
    """Trajectories on the graph of a quadratic map over a plane, seen through a rotation."""
    z = 2 * torch.rand(n, steps, 2, generator=generator(0, "bent"), dtype=torch.float64) - 1
    flat = z.reshape(-1, 2)
    lifted = monomials(flat, factors(2, 2)[3:]) @ (0.1 * normal(3, dim - 2))
    rotation = torch.linalg.qr(normal(dim, dim, seed=2))[0]
    states = torch.cat([flat, lifted], -1) @ rotation.T
    return Trajectories.from_stacked(states.reshape(n, steps, dim), torch.arange(float(steps)))


def test_a_quadratic_manifold_is_recovered_where_pod_fails():
    data = bent()
    train, held = data[:9], data[9:]
    pod = PODSpec(2).fit(train, held, rng=generator(0))
    found = PolynomialManifoldSpec(2).fit(train, held, rng=generator(0))
    wrong, right = ((one.reconstruct(held.states) - held.states).norm(dim=1).max() for one in (pod, found))
    assert wrong > 0.1
    # POD's plane is tilted a little against the graph's, so that the decoder is no longer exactly quadratic.
    assert right < 1e-4 * wrong


@pytest.fixture(scope="module")
def profiles():
    """Lorenz through Legendre profiles: a cubic graph over three linear coordinates, but not over its leading modes."""
    system = find_system("lorenz_legendre")
    return [simulate(system, n, rng=generator(0, part)) for n, part in ((40, "train"), (10, "held"))]


def test_the_search_finds_the_linear_coordinates_over_which_the_set_is_a_graph(profiles):
    train, held = profiles
    cubic = PolynomialSpec(degree=3, ridge=(1e-14,))
    leading = PolynomialManifoldSpec(3, cubic).fit(train, held, rng=generator(0))
    searched = PolynomialManifoldSpec(3, cubic, starts=6).fit(train, held, rng=generator(0))
    folded, found = ((one.reconstruct(held.states) - held.states).norm(dim=1).max() for one in (leading, searched))
    assert folded > 0.1
    assert found < 1e-6 * folded


def test_it_goes_on_beyond_the_data_that_it_was_found_from(profiles):
    train, held = profiles
    searched = PolynomialManifoldSpec(3, PolynomialSpec(degree=3, ridge=(1e-14,)), starts=6)
    outside = simulate(find_system("lorenz_legendre", outside=True), 5, rng=generator(0, "outside")).states
    found = searched.fit(train, held, rng=generator(0)).reconstruct(outside)
    assert (found - outside).norm() < 1e-5 * outside.norm()


def test_encoding_a_decoded_latent_gives_it_back():
    data = bent()
    found = PolynomialManifoldSpec(2).fit(data[:9], data[9:], rng=generator(0))
    z = 0.5 * normal(20, 2, seed=5)
    assert torch.allclose(found.encode(found.decode(z)), z, atol=1e-12)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("degree", 0, "degree must be an integer >= 1"), ("terms", 0, "terms must"), ("ridge", (0.0,), "ridge must be")],
)
def test_settings_out_of_range_are_refused_by_name(field, value, message):
    with pytest.raises(InputError, match="starts must be an integer >= 0"):
        PolynomialManifoldSpec(2, starts=-1)
    with pytest.raises(InputError, match=message):
        PolynomialSpec(**{field: value})
