"""Equivariant polynomials: which products symmetries allow, and least squares fits by them."""

import itertools
import math

import pytest
import torch

from dynred.errors import InputError
from dynred.numerics.equivariant import Products, Sector, Terms, product_values, term_values, terms_by_degree
from dynred.numerics.equivariant_fits import EquivariantPolynomialSpec
from dynred.numerics.equivariant_map import EquivariantMap, targets_of
from dynred.numerics.representation import Representation
from dynred.rng import generator

SPACES = {
    "a mirrored translation": Representation(((1,), (2,), (3,)), (), (0,), True),
    "a translation with still coordinates": Representation(((1,), (2,)), ((0,), (0,)), (0,), True, (1, -1)),
    "a phase and a shift": Representation(((1, 0), (1, 1)), ((0, 0),), (0, 4)),
    "sites on a ring": Representation(((1,), (2,)), ((0,), (3,)), (6,)),
    "a change of signs": Representation((), ((), (), ()), (), True, (-1, -1, 1)),
    "no symmetry but the phase": Representation(((1,),), ((0,),), (0,)),
}
each_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)


def points(space, n=60):
    return torch.randn(n, space.dim, generator=generator(0, "points"), dtype=torch.float64)


def angles(space):
    return tuple(2 * math.pi / n if n else 0.7 + i for i, n in enumerate(space.orders))


def random_map(space, degree):
    fitted = EquivariantMap(space, space, [degree] * len(targets_of(space)))
    fitted.coefficients = torch.randn(fitted.coefficients.shape, generator=generator(0), dtype=torch.float64)
    return fitted


@each_space
def test_a_map_commutes_with_every_element_of_the_group(space):
    fitted, z = random_map(space, 4), points(space)
    moved = space.turned(z, angles(space))
    torch.testing.assert_close(fitted(moved), space.turned(fitted(z), angles(space)), rtol=1e-12, atol=1e-11)
    if space.mirrored:
        torch.testing.assert_close(fitted(space.mirror_image(z)), space.mirror_image(fitted(z)), rtol=0, atol=1e-11)


@each_space
def test_terms_are_independent_and_as_many_as_the_counts_say(space):
    products, z = Products.of(space, 4), points(space, 200)
    for target in targets_of(space):
        terms = Terms.of(space, products, target.sector, 4)
        values = term_values(target.sector, terms, product_values(space, products, z)).flatten(1)
        assert torch.linalg.matrix_rank(values / values.norm(dim=1, keepdim=True)) == len(terms)
        counted = terms_by_degree(space, target.sector, 4)
        if not target.sector.real:
            assert counted == [int((terms.degrees <= d).sum()) for d in range(5)]


def test_the_terms_are_all_products_whose_wave_numbers_add_up():
    space, waves = SPACES["a mirrored translation"], (1, 2, 3, -1, -2, -3)
    for charge in (1, 3, 5):
        chosen = [
            w
            for d in range(6)
            for w in itertools.combinations_with_replacement(range(6), d)
            if sum(waves[i] for i in w) == charge
        ]
        assert len(Terms.of(space, Products.of(space, 5), Sector((charge,)), 5)) == len(chosen)


@each_space
def test_a_map_is_the_sum_of_its_terms(space):
    fitted, z = random_map(space, 3), points(space)
    products, first, expected = Products.of(space, 3), 0, torch.zeros(len(z), space.dim, dtype=torch.float64)
    for target in targets_of(space):
        terms, s = Terms.of(space, products, target.sector, 3), len(target.columns[0])
        f = term_values(target.sector, terms, product_values(space, products, z))
        c = fitted.coefficients[first : first + len(terms) * s].reshape(-1, s)
        for part, column in enumerate(target.columns):
            expected[:, list(column)] = (c.T @ f[:, part]).T
        first += len(terms) * s
    torch.testing.assert_close(fitted(z), expected, rtol=0, atol=1e-11)


@each_space
def test_a_fit_finds_the_polynomial_again_and_its_degree(space):
    truth, z, held = random_map(space, 3), points(space, 3000), points(space, 3100)[3000:]
    fitted, errors = EquivariantPolynomialSpec(terms=300).fit(space, space, (z, truth(z)), (held, truth(held)))
    assert float(errors.sum()) < 1e-20 * float(truth(held).pow(2).sum(1).mean())
    torch.testing.assert_close(fitted(held), truth(held), rtol=0, atol=1e-8)


def test_values_that_no_product_can_reach_stay_zero():
    space, values = Representation(((2,),), (), (0,), True), Representation(((4,), (3,)), (), (0,), True)
    z = points(space, 500)
    square = torch.stack([z[:, 0] ** 2 - z[:, 1] ** 2, 2 * z[:, 0] * z[:, 1]], 1)
    y = torch.cat([square, torch.ones_like(square)], 1)
    fitted, _ = EquivariantPolynomialSpec(degree=4).fit(space, values, (z, y), (z, y))
    torch.testing.assert_close(fitted(z), torch.cat([square, torch.zeros_like(square)], 1), rtol=0, atol=1e-10)


def test_a_degree_whose_least_squares_do_not_fit_says_which_degree_does():
    space = Representation(tuple((k,) for k in range(1, 10)), (), (0,), True)
    z = points(space, 50)
    with pytest.raises(InputError, match=r"degree must be at most \d, whose least squares memory holds, got 12"):
        EquivariantPolynomialSpec(degree=12).fit(space, space, (z, z), (z, z))


def test_a_map_of_a_file_that_would_be_too_large_is_refused_before_it_is_built():
    space = Representation(tuple((k,) for k in range(1, 60)), (), (0,), True)
    with pytest.raises(InputError, match="degree must be so low"):
        EquivariantMap(space, space, [40] * 59)
