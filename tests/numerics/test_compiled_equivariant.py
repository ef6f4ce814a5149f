"""Equivariant maps in compiled loops are those of torch."""

import pytest
import torch
from test_equivariant import SPACES, each_space, points, random_map

from dynred.numerics import equivariant_map
from dynred.numerics.equivariant_map import EquivariantMap, targets_of
from dynred.rng import generator

pytest.importorskip("numba")


def both_ways(fitted, z, monkeypatch):
    """Values by torch, and in a compiled loop."""
    plain = fitted(z)
    monkeypatch.setattr(EquivariantMap, "many", 1)
    return plain, fitted(z)


@each_space
@pytest.mark.parametrize("n", [1, 3, 60, 150])
def test_the_values_of_any_number_of_points_agree_to_round_off(space, n, monkeypatch):
    plain, compiled = both_ways(random_map(space, 4), points(space, n), monkeypatch)
    torch.testing.assert_close(compiled, plain, rtol=1e-12, atol=1e-12)


def test_a_value_does_not_depend_on_the_points_beside_it(monkeypatch):
    space = SPACES["a mirrored translation"]
    fitted, z = random_map(space, 5), points(space, 130)
    monkeypatch.setattr(EquivariantMap, "many", 1)
    assert torch.equal(fitted(z), torch.cat([fitted(part) for part in z.split(37)]))


def test_values_without_terms_are_zero(monkeypatch):
    space = SPACES["a mirrored translation"]
    fitted = EquivariantMap(space, space, [3, 0, *[2] * (len(targets_of(space)) - 2)])
    fitted.coefficients = torch.ones_like(fitted.coefficients)
    plain, compiled = both_ways(fitted, points(space), monkeypatch)
    torch.testing.assert_close(compiled, plain, rtol=1e-12, atol=1e-12)
    assert torch.equal(compiled[:, 2:4], torch.zeros_like(compiled[:, 2:4]))


@each_space
def test_derivatives_are_those_of_torch(space, monkeypatch):
    fitted, z = random_map(space, 3), points(space)
    plain = torch.func.jvp(fitted, (z,), (torch.ones_like(z),))[1]
    monkeypatch.setattr(EquivariantMap, "many", 1)
    assert torch.equal(torch.func.jvp(fitted, (z,), (torch.ones_like(z),))[1], plain)
    torch.testing.assert_close(torch.func.vmap(fitted)(z[None])[0], fitted._at(z), rtol=1e-12, atol=1e-12)


def test_new_coefficients_are_seen(monkeypatch):
    space = SPACES["a mirrored translation"]
    fitted, z = random_map(space, 3), points(space)
    monkeypatch.setattr(EquivariantMap, "many", 1)
    before = fitted(z)
    fitted.coefficients = 2 * fitted.coefficients
    torch.testing.assert_close(fitted(z), 2 * before)


@each_space
def test_tangents_are_pushed_as_torch_pushes_them(space, monkeypatch):
    fitted, z = random_map(space, 4), points(space, 5)
    tangents = torch.randn(5, 3, space.dim, generator=generator(0), dtype=torch.float64)
    value, pushed = fitted.push(z, tangents)
    monkeypatch.setattr(equivariant_map, "compiled_loops", lambda: None)
    plain = fitted.push(z, tangents)
    torch.testing.assert_close(value, plain[0], rtol=1e-12, atol=1e-11)
    torch.testing.assert_close(pushed, plain[1], rtol=1e-12, atol=1e-11)
