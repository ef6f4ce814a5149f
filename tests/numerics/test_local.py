"""Polynomials of neighbours on a lattice: mirrors, shifts, and what least squares finds."""

import numpy as np
import pytest
import torch

from dynred.errors import InputError
from dynred.numerics.lattice import Lattice, ball, box, shell_count
from dynred.numerics.local_fits import LocalPolynomialSpec, LocalSample
from dynred.numerics.local_map import LocalMap
from dynred.numerics.local_products import product_count, products_of
from dynred.rng import generator

LINE = Lattice((12,), 1, ((0,),), ((-1,),))
FIELDS = Lattice((9,), 2, ((0,), ()), ((1, -1), (-1, -1)))
PLANE = Lattice((7, 9), 2, ((0,), (1,), ()), ((1, 1), (1, 1), (-1, -1)))
LATTICES = pytest.mark.parametrize("lattice", [LINE, FIELDS, PLANE], ids=["line", "two fields", "plane"])


def random_fields(lattice, n=5):
    return torch.randn(n, lattice.dim, generator=generator(0), dtype=torch.float64)


def mirrored(lattice, number, z):
    field = z.unflatten(-1, (lattice.components, *lattice.points))
    for axis in lattice.flipped[number]:
        field = field.flip(axis - len(lattice.points)).roll(1, axis - len(lattice.points))
    signs = torch.tensor(lattice.signs[number], dtype=z.dtype)
    return (field * signs.reshape(-1, *[1] * len(lattice.points))).flatten(1)


def shifted(lattice, z):
    field = z.unflatten(-1, (lattice.components, *lattice.points))
    return field.roll([2] * len(lattice.points), list(range(-len(lattice.points), 0))).flatten(1)


def with_random_coefficients(lattice, reaches):
    local = LocalMap(lattice, ball(lattice, 0), reaches)
    local.coefficients = torch.randn(local.coefficients.shape, generator=generator(1), dtype=torch.float64)
    return lambda z: local(z, lattice.points).transpose(-1, -2).flatten(-2)


@LATTICES
def test_every_mirror_keeps_an_adapted_value_or_changes_its_sign(lattice):
    z = random_fields(lattice)
    for stencil in (ball(lattice, 2), box(lattice, [1] * len(lattice.points))):
        assert np.allclose(stencil.adapted @ stencil.adapted.T, np.eye(len(stencil)))
        places, adapted = torch.from_numpy(stencil.places(lattice.points)), torch.from_numpy(stencil.adapted)
        for number in range(len(lattice.flipped)):
            sign = 1.0 - 2 * torch.from_numpy(stencil.parities >> number & 1).double()
            at_origin = z[:, places[0]] @ adapted.T, mirrored(lattice, number, z)[:, places[0]] @ adapted.T
            assert torch.allclose(at_origin[1], sign * at_origin[0])


@LATTICES
def test_a_local_map_moves_with_shifts_and_mirrors(lattice):
    local, z = with_random_coefficients(lattice, (2, 1, 1)), random_fields(lattice)
    assert torch.allclose(local(shifted(lattice, z)), shifted(lattice, local(z)), atol=1e-12)
    for number in range(len(lattice.flipped)):
        assert torch.allclose(local(mirrored(lattice, number, z)), mirrored(lattice, number, local(z)), atol=1e-12)


@LATTICES
def test_products_of_few_factors_are_those_of_more_without_the_others(lattice):
    large, small = products_of(lattice, (2, 2, 1)), products_of(lattice, (2, 1))
    chosen = large.within((2, 1))
    assert len(large.degrees) == product_count(lattice, (2, 2, 1))
    assert len(chosen) == product_count(lattice, (2, 1))
    pruned, places = large.pruned(chosen)
    x = torch.randn(len(large.stencil), 4, generator=generator(0), dtype=torch.float64)
    near = x[: len(small.stencil)]
    values = torch.cat(pruned.values(x))[torch.from_numpy(places)]
    assert torch.equal(values, torch.cat(small.values(near)))


def chain(z, points):
    """z'_i = .3 (z_(i-1) - 2 z_i + z_(i+1)) + z_i (z_(i+1) - z_(i-1)) - z_i^3 on a ring."""
    left, right = z.roll(1, -1), z.roll(-1, -1)
    return 0.3 * (left - 2 * z + right) + z * (right - left) - z**3


def sample(lattice, n, seed):
    z = torch.randn(n, lattice.dim, generator=generator(seed), dtype=torch.float64)
    velocities = chain(z, lattice.points)
    return LocalSample(lattice, z, ball(lattice, 0), lambda rows: velocities[rows][..., None])


def test_the_search_finds_the_neighbours_and_the_degree_of_a_chain():
    fitted, error = LocalPolynomialSpec(terms=100).fit(sample(LINE, 200, 0), sample(LINE, 50, 1))
    assert error < 1e-20
    assert len(fitted.reaches) >= 3
    assert fitted.term_count < 60
    z = torch.randn(3, 31, generator=generator(2), dtype=torch.float64)  # another length
    assert torch.allclose(fitted(z, (31,))[..., 0], chain(z, (31,)), atol=1e-10)


def test_neighbours_that_are_given_are_taken():
    fitted, _ = LocalPolynomialSpec(neighbours=(3, 1)).fit(sample(LINE, 200, 0), sample(LINE, 50, 1))
    assert fitted.reaches == (3, 1)


def test_pieces_do_not_change_values(monkeypatch):
    local, z = with_random_coefficients(PLANE, (2, 1, 1)), random_fields(PLANE)
    whole = local(z)
    monkeypatch.setattr("dynred.numerics.local_map.CACHED", 1)
    assert torch.allclose(local(z), whole, atol=1e-13)


def test_neighbours_that_increase_or_are_too_many_are_refused():
    for reaches in ((1, 2), (), (-1,), (10**9,), (200, 200, 200)):
        with pytest.raises(InputError, match="neighbours must be"):
            LocalMap(LINE, ball(LINE, 0), reaches)


@pytest.mark.parametrize(("points", "shells"), [((8,), 3), ((9,), 4), ((1,), 0), ((8, 8), 6), ((8, 100), 6)])
def test_shells_do_not_reach_around_the_lattice(points, shells):
    assert shell_count(points) == shells
    stencil = ball(Lattice(points), shells)
    assert len(set(stencil.places(points)[0].tolist())) == len(stencil)


def test_a_lattice_with_wrong_mirrors_is_refused():
    with pytest.raises(InputError, match="signs must be one for every component"):
        Lattice((4,), 2, ((0,),), ((1,),))
    with pytest.raises(InputError, match="signs must be 1 or -1"):
        Lattice((4,), 1, ((0,),), ((2,),))
    with pytest.raises(InputError, match="flipped must be axes among 0 to 0"):
        Lattice((4,), 1, ((1,),), ((1,),))
    with pytest.raises(InputError, match="points must be"):
        Lattice((10**6, 10**6))
