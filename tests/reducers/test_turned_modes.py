"""Coordinates of symmetric manifolds that are searched for within the representations."""

import math

import pytest
import torch

from dynred.data.grid import Axis, Grid, grid_attribute
from dynred.data.symmetries import Reflection, Translation
from dynred.data.trajectories import Trajectories
from dynred.numerics.equivariant_fits import EquivariantPolynomialSpec
from dynred.reducers.equivariant import EquivariantManifoldSpec
from dynred.rng import generator

N = 8
X = 2 * math.pi / N * torch.arange(N, dtype=torch.float64)
GRID = Grid((Axis("x", X, period=2 * math.pi),), ("u", "v"))


def folded(phase):
    """Fields (u, v) of one complex number w, of which v shows w, and u, which is larger, a fold of it.

    With a phase between w and its fold no mirror is a symmetry.
    """
    rng = generator(0)
    size = 0.3 + torch.rand(400, generator=rng, dtype=torch.float64)
    w = torch.polar(size, 6.3 * torch.rand(400, generator=rng, dtype=torch.float64))
    wave, fold = torch.exp(1j * X), w * (1 - w.abs() ** 2) * torch.exp(torch.tensor(1j * phase))
    states = torch.cat([9 * (fold[:, None] * wave).real, (w[:, None] * wave).real], 1)
    symmetries = [Translation("x"), *([] if phase else [Reflection("x")])]
    attributes = {**grid_attribute([GRID]), "symmetries": [each.to_dict() for each in symmetries]}
    return Trajectories.from_stacked(states.reshape(8, 50, 2 * N), torch.arange(50.0), attributes=attributes)


@pytest.mark.parametrize("phase", [0.0, 0.8])
def test_the_search_finds_the_coordinates_over_which_a_folded_set_is_a_graph(phase):
    states = folded(phase)
    left = []
    for search in (1, 3):
        spec = EquivariantManifoldSpec(2, EquivariantPolynomialSpec(degree=3), search=search)
        fitted = spec.fit(states[:6], states[6:], rng=generator(0))
        x = states[6:].states
        left.append(float((fitted.reconstruct(x) - x).square().sum() / x.square().sum()))
    assert left[0] > 1e-3
    assert left[1] < 1e-9


def test_turned_modes_are_orthonormal_and_keep_their_charges():
    states = folded(0.8)
    spec = EquivariantManifoldSpec(2, EquivariantPolynomialSpec(degree=3), search=2)
    fitted = spec.fit(states, states, rng=generator(0))
    basis = torch.cat([fitted.leading, fitted.slaved], 1)
    torch.testing.assert_close(basis.T @ basis, torch.eye(basis.shape[1], dtype=torch.float64))
    shifted = states.states.unflatten(-1, (2, N)).roll(-1, -1).flatten(-2)
    angle = (2 * math.pi / N,)
    moved = fitted.latent_space.representation.turned(fitted.encode(states.states), angle)
    torch.testing.assert_close(fitted.encode(shifted), moved)
