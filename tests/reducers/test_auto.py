"""The reducer that the data choose."""

import dataclasses

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.dynamics.equivariant import EquivariantODE
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.errors import InputError
from dynred.experiments.choose_experiment import choose_experiment
from dynred.experiments.pipeline import reduce
from dynred.experiments.spec import default_reducer
from dynred.models.load import load_model
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.find import find_system
from dynred.reducers.auto import AutoReducerSpec
from dynred.reducers.autoencoder import Autoencoder, AutoencoderSpec
from dynred.reducers.equivariant import EquivariantManifold
from dynred.reducers.polynomial import PolynomialManifold
from dynred.rng import generator
from dynred.simulation.simulate import simulate
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


@pytest.fixture(scope="module")
def waves():
    """Kuramoto-Sivashinsky on a short length, which declares translation and reflection."""
    system = find_system("kuramoto_sivashinsky", length=16.0, points=32)
    return simulate(system, 12, torch.arange(40, dtype=torch.float64), rng=generator(0), transient=20.0)


def test_where_a_continuous_symmetry_is_declared_equivariant_polynomials_are_tried(waves):
    reducer = AutoReducerSpec(8, training=FEW).fit(waves[:9], waves[9:], rng=generator(0))
    assert isinstance(reducer, EquivariantManifold)
    without = AutoReducerSpec(8, symmetry=False, training=FEW).fit(waves[:9], waves[9:], rng=generator(0))
    assert isinstance(without, PolynomialManifold)
    assert left_by(reducer, waves[9:].states) < left_by(without, waves[9:].states)


def left_by(reducer, x):
    return float((reducer.reconstruct(x) - x).pow(2).sum())


def test_coordinates_that_whole_modes_do_not_fill_are_those_without_symmetries(waves):
    chosen, without = (
        AutoReducerSpec(7, symmetry=symmetry, training=FEW).fit(waves[:9], waves[9:], rng=generator(0))
        for symmetry in (True, False)
    )
    assert torch.equal(chosen.encode(waves.states), without.encode(waves.states))


def test_the_pair_is_taken_by_default_and_said(waves):
    default = reduce(waves, 8)
    assert isinstance(default.model.dynamics, EquivariantODE)
    assert "The declared symmetries are used: equivariant polynomials predict" in default.evaluation.closing


def test_named_dynamics_or_their_settings_leave_symmetries_aside():
    assert AutoReducerSpec(2) == choose_experiment("lorenz63", 2).reducer
    aside = AutoReducerSpec(2, symmetry=False)
    assert choose_experiment("lorenz63", 2, dynamics="neural_ode").reducer == aside
    assert choose_experiment("lorenz63", 2, changes={"dynamics.width": 8}).reducer == aside
    assert default_reducer(2, None, PolynomialODESpec()) == aside
    assert default_reducer(2, None, None) == AutoReducerSpec(2)


def test_settings_that_earlier_versions_stored_are_the_same():
    assert "symmetry" not in AutoReducerSpec(2).to_dict()


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
