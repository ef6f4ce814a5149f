"""Averages around the points of a coarse lattice, and fields put together again."""

import math

import pytest
import torch

from dynred.errors import InputError
from dynred.numerics.lattice import Lattice
from dynred.reducers._cells import Cells
from dynred.rng import generator

CELLS = pytest.mark.parametrize(
    "cells",
    [
        Cells(Lattice((6,)), 4, 0.3),
        Cells(Lattice((6,), 2), 3, 0.0),
        Cells(Lattice((4, 6)), 2, 0.4),
        Cells(Lattice((4, 3), 2), 3, 0.3),
    ],
    ids=["line, even", "two fields, odd", "plane, even", "plane, odd"],
)


def random_states(cells):
    return torch.randn(5, cells.state_dim, generator=generator(0), dtype=torch.float64)


@CELLS
def test_values_around_coarse_points_make_the_field_again(cells):
    x = random_states(cells)
    values = cells.values(x.unflatten(-1, (cells.components, -1)))
    assert values.shape == (5, cells.lattice.sites, len(cells.around))
    assert torch.equal(cells.fields(values).flatten(-2), x)


@CELLS
def test_averages_move_with_whole_steps_of_the_lattice(cells):
    x, axes = random_states(cells), list(range(-len(cells.points), 0))
    moved = x.unflatten(-1, (cells.components, *cells.points)).roll([cells.per] * len(axes), axes).flatten(1)
    expected = cells.averages(x).unflatten(-1, cells.lattice.points).roll([1] * len(axes), axes).flatten(2)
    assert torch.allclose(cells.averages(moved), expected, atol=1e-14)


def test_an_average_of_a_wave_is_the_wave_damped_as_a_gaussian_damps_it():
    cells = Cells(Lattice((16,)), 8, 0.3)
    x = torch.arange(128, dtype=torch.float64)
    k = 2 * math.pi * 3 / 128
    damping = math.exp(-((k * 0.3 * 8) ** 2) / 2)
    assert torch.allclose(cells.averages(torch.cos(k * x))[0], damping * torch.cos(k * x[::8]), atol=1e-8)


def test_the_size_of_a_field_follows_from_the_number_of_its_values():
    assert Cells(Lattice((6,), 2), 4, 0.3).points_of(160) == (80,)
    assert Cells(Lattice((4, 6)), 2, 0.3).points_of(384) == (16, 24)


def test_a_size_that_does_not_fit_is_refused_with_the_nearest_that_does():
    cells = Cells(Lattice((6,)), 4, 0.3)
    with pytest.raises(InputError, match=r"got 66. The nearest that fits is 64."):
        cells.sized((66,))
    with pytest.raises(InputError, match=r"multiples of 4 .*, got 66 values. The nearest that fits has 64"):
        cells.points_of(66)
    with pytest.raises(InputError, match=r"proportions of 8 x 12 .* Say model.sized\(points\) else"):
        Cells(Lattice((4, 6)), 2, 0.3).points_of(100)
    with pytest.raises(InputError, match="points must be 1 numbers, one for each axis"):
        cells.sized((8, 8))
