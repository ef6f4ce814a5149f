"""Local models: fitted on a short field, they hold for longer ones."""

import dataclasses

import numpy as np
import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.local import LocalDynamicsSpec
from dynred.errors import InputError
from dynred.models.load import load_model
from dynred.models.reduced import on_reducer
from dynred.numerics.local_fits import LocalPolynomialSpec
from dynred.ode.find import find_system
from dynred.reducers.local import LocalReducerSpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

SMALL = LocalPolynomialSpec(terms=150)
T = torch.arange(11, dtype=torch.float64)


def kuramoto_sivashinsky(length, n):
    system = find_system("kuramoto_sivashinsky", length=length, points=round(length * 64 / 22))
    return simulate(system, n, torch.arange(61, dtype=torch.float64), rng=generator(0), transient=100.0)


@pytest.fixture(scope="module")
def truth():
    return kuramoto_sivashinsky(44.0, 16)


@pytest.fixture(scope="module")
def model(truth):
    reducer = LocalReducerSpec(32, polynomial=SMALL).fit(truth[:13], truth[13:], rng=generator(0))
    return on_reducer(reducer, LocalDynamicsSpec(SMALL), truth[:13], truth[13:], rng=generator(0))


@pytest.fixture(scope="module")
def longer():
    return kuramoto_sivashinsky(88.0, 4)


def error(prediction, truth):
    return float((prediction - truth).norm() / truth.norm())


def test_a_model_of_a_short_field_predicts_short_and_long_ones(model, truth, longer):
    for test in (truth[13:], longer):
        prediction = model.predict(test.initial, T).stacked()
        assert prediction.shape == (len(test), len(T), test.dim)
        assert error(prediction[:, 0], test.initial) < 1e-3
        assert error(prediction[:, 3], test.stacked()[:, 3]) < 0.2


def test_a_field_that_repeats_is_predicted_as_its_period_is(model, truth):
    short = model.predict(truth.initial[:3], T).stacked()
    twice = model.predict(truth.initial[:3].repeat(1, 2), T).stacked()
    assert error(twice, short.repeat(1, 1, 2)) < 1e-9


def test_predictions_move_with_the_lattice_and_with_the_mirror(model, longer):
    plain = model.predict(longer.initial, T).stacked()
    assert error(model.predict(longer.initial.roll(12, -1), T).stacked(), plain.roll(12, -1)) < 1e-9
    mirrored = model.predict(-longer.initial.flip(-1).roll(1, -1), T).stacked()
    assert error(mirrored, -plain.flip(-1).roll(1, -1)) < 1e-9


def test_every_method_takes_fields_of_any_size_that_fits(model, longer):
    x = longer.initial
    z = model.encode(x)
    assert z.shape == (4, 64)
    assert model.decode(z).shape == model.reconstruct(x).shape == x.shape
    assert model.rhs(0.0, z).shape == model.rollout(z, T)[:, 0].shape == z.shape
    assert isinstance(model.reconstruct(x.numpy()), np.ndarray)
    assert torch.equal(model.sized(256).encode(x), z)


def test_a_file_holds_the_model_of_every_size(model, longer, tmp_path):
    model.save(tmp_path / "model.safetensors")
    model.sized(256).save(tmp_path / "longer.safetensors")
    expected = model.predict(longer.initial, T).stacked()
    for name in ("model", "longer"):
        loaded = load_model(tmp_path / f"{name}.safetensors")
        assert torch.equal(loaded.predict(longer.initial, T).stacked(), expected)
    sizes = [load_model(tmp_path / f"{name}.safetensors").parts()[0] for name in ("model", "longer")]
    assert {k: v.shape for k, v in sizes[0].items()} == {k: v.shape for k, v in sizes[1].items()}


def test_exported_functions_agree(model, truth):
    functions, x = model.to_numpy(), truth.initial[:3]
    z = model.encode(x)
    assert np.allclose(functions.encode(x.numpy()), z.numpy(), atol=1e-12)
    assert np.allclose(functions.decode(z.numpy()), model.decode(z).numpy(), atol=1e-12)
    assert np.allclose(functions.rhs(0.0, z.numpy()), model.rhs(0.0, z).numpy(), atol=1e-12)


def test_the_model_says_for_which_fields_it_holds(model):
    assert "points are 0.34375 apart along x, any multiple of 4 along an axis" in model.notes()[0]


def test_sizes_that_do_not_fit_are_refused(model, truth):
    with pytest.raises(InputError, match=r"multiples of 4 .* got 66 values. The nearest .* 64 values"):
        model.predict(torch.zeros(66), T)
    with pytest.raises(InputError, match="points must be a multiple of 4"):
        model.sized(66)
    fixed = PODSpec(4).fit(truth[:13], truth[13:], rng=generator(0))
    plain = on_reducer(fixed, LinearSpec(), truth[:13], truth[13:], rng=generator(0))
    with pytest.raises(InputError, match="states of 128 values"):
        plain.predict(torch.zeros(256), T)
    with pytest.raises(InputError, match="reducer must be one of fields of any size"):
        plain.sized(256)


def test_data_without_a_translation_are_refused(truth):
    bare = dataclasses.replace(truth, attributes={})
    with pytest.raises(InputError, match="symmetries must be declared for local models, got none"):
        LocalReducerSpec(32).fit(bare[:13], bare[13:], rng=generator(0))
    with pytest.raises(InputError, match="must be a number that divides 128 points evenly: 8 or 4 or 2, got 7"):
        LocalReducerSpec(7).fit(truth[:13], truth[13:], rng=generator(0))
    latents = Trajectories.from_stacked(truth.stacked()[..., :4], truth.times(0), truth.stacked()[..., :4])
    with pytest.raises(InputError, match="latent space of local dynamics must be values on a lattice"):
        LocalDynamicsSpec().fit(latents[:13], latents[13:], rng=generator(0))


def test_two_fields_with_a_phase_share_one_local_model():
    system = find_system("complex_ginzburg_landau", length=20.0, points=64)
    truth = simulate(system, 8, 0.1 * torch.arange(31, dtype=torch.float64), rng=generator(0), transient=20.0)
    reducer = LocalReducerSpec(64, polynomial=SMALL).fit(truth[:6], truth[6:], rng=generator(0))
    model = on_reducer(reducer, LocalDynamicsSpec(SMALL), truth[:6], truth[6:], rng=generator(0))
    t = truth.times(0)[:4]
    assert error(model.predict(truth[6:].initial, t).stacked(), truth[6:].stacked()[:, :4]) < 0.05
    halves = truth[6:].initial.unflatten(-1, (2, 64))
    doubled = model.predict(torch.cat([halves, halves], -1).flatten(1), t).stacked()
    assert error(doubled[..., :64], model.predict(truth[6:].initial, t).stacked()[..., :64]) < 1e-9
