"""Modes on which a group of symmetries acts by phases and signs."""

from functools import partial

import torch

from dynred.data.grid import Axis, Grid
from dynred.data.symmetries import Reflection, Translation
from dynred.data.symmetry_group import Group
from dynred.numerics.adapted_modes import AdaptedModes
from dynred.numerics.equivariant import terms_by_degree
from dynred.numerics.equivariant_map import targets_of
from dynred.rng import generator

N = 8
POINTS = torch.arange(N, dtype=torch.float64)
GRID = Grid((Axis("x", POINTS, period=N), Axis("y", POINTS, period=N)))
GROUP = Group.of(
    [Translation("x"), Reflection("x", sign=-1, along="y", shift=0.25), Reflection("x,y")], GRID, N * N
)  # of a Kolmogorov flow


def mirrored(x):
    return GROUP.image(GROUP.mirror, x)


def adapted(x, limit=N * N):
    signs = [partial(GROUP.images, word) for word in GROUP.signs]
    return AdaptedModes.of(x, GROUP, mirrored, signs=signs, tolerance=1e-12, limit=limit)


def fields(n=200):
    x = torch.randn(n, N * N, generator=generator(0), dtype=torch.float64)
    return GROUP.resolved(x * torch.linspace(0.2, 2, N * N))


def test_the_group_acts_on_coefficients_as_their_representation_says():
    x = fields()
    modes = adapted(x)
    space = modes.representation
    assert space.orders == (0, 2)

    def coefficients(x):
        return (x - modes.mean) @ modes.basis

    a, half = coefficients(x), torch.pi
    torch.testing.assert_close(coefficients(GROUP.turned(x, [0.7])), space.turned(a, (0.7, 0.0)))
    torch.testing.assert_close(coefficients(GROUP.images(GROUP.signs[0], x)), space.turned(a, (0.0, half)))
    torch.testing.assert_close(coefficients(mirrored(x)), space.mirror_image(a))


def test_the_modes_are_orthonormal_and_span_all_that_the_grid_resolves():
    x = fields()
    modes = adapted(x)
    torch.testing.assert_close(modes.basis.T @ modes.basis, torch.eye(modes.basis.shape[1], dtype=torch.float64))
    torch.testing.assert_close((x - modes.mean) @ modes.basis @ modes.basis.T, x - modes.mean)


def test_a_sign_halves_the_terms_of_polynomials():
    space = adapted(fields(), limit=8).representation
    plain = type(space)(
        tuple(charge[:1] for charge in space.complex_charges),
        tuple(charge[:1] for charge in space.real_charges),
        space.orders[:1],
        True,
        space.parities,
    )
    own, more = (
        sum(terms_by_degree(each, target.sector, 5)[-1] * len(target.columns[0]) for target in targets_of(each))
        for each in (space, plain)
    )
    assert 0.4 < own / more < 0.6
