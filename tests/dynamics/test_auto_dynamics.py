"""The dynamics that the data choose."""

import dataclasses

import pytest
import torch

from dynred.dynamics.auto import AutoDynamicsSpec
from dynred.dynamics.equivariant import EquivariantODE
from dynred.dynamics.linear import Linear, LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import InputError
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.representation import Representation
from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

FEW = NeuralODESpec(width=8, depth=1, training=TrainingSpec(steps=5, batch_size=16, validations=1))
TURNED = LatentSpace(lines=2, representation=Representation(((1,),), (), (0,)))
LINEAR = AutoDynamicsSpec(LinearSpec())


@pytest.fixture(scope="module")
def spirals():
    system = find_system("stuart_landau")
    return simulate(system, 10, torch.linspace(0, 4, 21).double(), rng=generator(0), transient=0.0)


def fitted(spec, truth, space=None):
    return spec.fit(truth[:8], truth[8:], rng=generator(0), latent_space=space)


def test_coordinates_without_charges_get_the_other_dynamics_bit_for_bit(spirals):
    z0, t = spirals.initial, torch.arange(3.0)
    chosen, plain = (fitted(spec, spirals).rollout(z0, t) for spec in (AutoDynamicsSpec(FEW), FEW))
    assert torch.equal(chosen, plain)


def test_coordinates_that_turn_get_equivariant_polynomials_where_rollouts_say_so(spirals):
    model = fitted(LINEAR, spirals, TURNED)
    assert isinstance(model, EquivariantODE)
    assert "no network was trained" in model.choice


def test_coordinates_that_do_not_turn_as_is_said_get_the_other_dynamics_and_this_is_said(spirals):
    # A field that is not the same in all directions: one coordinate is stretched.
    factors = torch.tensor([1.0, 3.0], dtype=torch.float64)
    stretched = dataclasses.replace(spirals, states=spirals.states * factors, velocities=spirals.velocities * factors)
    model = fitted(LINEAR, stretched, TURNED)
    assert isinstance(model, Linear)
    assert "symmetries are used in the coordinates only" in model.choice


def test_a_group_without_continuous_symmetries_changes_nothing(spirals):
    shifts = LatentSpace(lines=2, representation=Representation(((1,),), (), (4,)))
    assert isinstance(fitted(LINEAR, spirals, shifts), Linear)


def test_what_was_chosen_is_stored_and_not_the_choice():
    with pytest.raises(InputError, match="must be those of the class that was chosen, got auto"):
        AutoDynamicsSpec().build(LatentSpace(lines=2))
