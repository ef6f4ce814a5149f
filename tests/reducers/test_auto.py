"""The reducer that the data choose."""

import dataclasses

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.experiments.choose_experiment import choose_experiment
from dynred.experiments.pipeline import reduce
from dynred.models.load import load_model
from dynred.numerics.latent_space import LatentSpace
from dynred.reducers.auto import AutoReducerSpec
from dynred.reducers.autoencoder import Autoencoder, AutoencoderSpec
from dynred.reducers.polynomial import PolynomialManifold
from dynred.rng import generator
from dynred.testing.reducers import check_reducer
from dynred.testing.samples import curves
from dynred.training.minimise import TrainingSpec

FEW = TrainingSpec(steps=40, batch_size=64, validations=2)


def test_a_graph_over_the_leading_modes_is_given_by_least_squares(lifted):
    train, validation = lifted[:8], lifted[8:]
    reducer = AutoReducerSpec(2, training=FEW).fit(train, validation, rng=generator(0))
    assert isinstance(reducer, PolynomialManifold)
    error = (reducer.reconstruct(validation.states) - validation.states).pow(2).sum()
    assert error < 1e-4 * (validation.states - validation.states.mean(0)).pow(2).sum()


def test_what_a_polynomial_leaves_too_much_of_is_learned(lifted):
    spec = AutoReducerSpec(1, training=FEW)  # one line cannot carry a circle
    reducer = spec.fit(lifted[:8], lifted[8:], rng=generator(0))
    assert isinstance(reducer, Autoencoder)
    assert reducer.spec == AutoencoderSpec(1, training=FEW)


def test_angles_take_an_autoencoder(lifted):
    spec = AutoReducerSpec(1, angles=1, training=FEW)
    assert spec.latent_space == LatentSpace(angles=1, lines=0)
    assert isinstance(spec.fit(lifted[:8], lifted[8:], rng=generator(0)), Autoencoder)


def test_what_is_enough_decides(lifted):
    spec = AutoReducerSpec(2, enough=1e-30, training=FEW)
    assert isinstance(spec.fit(lifted[:8], lifted[8:], rng=generator(0)), Autoencoder)


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_both_choices_keep_the_contract_of_reducers(latent_dim):
    check_reducer(AutoReducerSpec(latent_dim, training=FEW), curves(6))


def test_it_is_the_default_where_nobody_names_a_reducer_or_its_settings(lifted):
    assert isinstance(choose_experiment("lorenz63", 2).reducer, AutoReducerSpec)
    width = choose_experiment("lorenz63", 2, changes={"reducer.width": 16})
    assert width.reducer == AutoencoderSpec(2, width=16)
    assert choose_experiment("lorenz63", angles=1).reducer.latent_space.angles == 1
    joint = choose_experiment("lorenz63", 2, changes={"joint": {"kind": "joint"}})
    assert isinstance(joint.reducer, AutoencoderSpec)


def test_a_model_is_stored_with_what_was_chosen(lifted, tmp_path, small_dynamics):
    model = reduce(lifted, 2, dynamics=small_dynamics).model
    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert isinstance(again.reducer, PolynomialManifold)
    assert torch.equal(again.encode(lifted.initial), model.encode(lifted.initial))


@pytest.mark.parametrize(
    ("settings", "match"), [({"enough": 0.0}, "enough must be in"), ({"angles": 3}, "angles must")]
)
def test_settings_out_of_range_are_refused(settings, match):
    with pytest.raises(InputError, match=match):
        AutoReducerSpec(2, **settings)


def test_the_units_of_few_variables_do_not_decide_whether_a_polynomial_is_found():
    t = torch.linspace(0, 12, 60, dtype=torch.float64)
    parts = []
    for i in range(4):
        a, b = (1 + 0.2 * i) * torch.cos(t), (1 + 0.2 * i) * torch.sin(t)
        states = torch.stack([a, b, a * b / 3, a**2 / 3], 1)
        parts.append(Trajectories(states, t, torch.tensor([60])))
    data = Trajectories.concatenate(parts)
    data = dataclasses.replace(data, states=data.states / data.states.std(0))
    reducer = AutoReducerSpec(2, training=FEW).fit(data[:3], data[3:], rng=generator(0))
    assert isinstance(reducer, PolynomialManifold)
    assert (reducer.reconstruct(data.states) - data.states).abs().max() < 1e-3
