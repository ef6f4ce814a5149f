"""A model is given its parameters in one way, `model.at`, and says what it can do."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynred.data.parameters import cut
from dynred.dynamics.base import LatentDynamics
from dynred.dynamics.ensemble import EnsembleSpec
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.parametric import ParametricSpec
from dynred.errors import InputError
from dynred.evaluation.lyapunov import lyapunov_spectrum
from dynred.models import base
from dynred.models.atlas import AtlasSpec
from dynred.models.load import load_model
from dynred.models.reduced import ReducedModel, on_reducer
from dynred.ode.find import find_system
from dynred.reducers.pod import PODSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

TIMES = torch.linspace(0, 2, 11, dtype=torch.float64)
NOW = torch.tensor(0.5, dtype=torch.float64)
NET = NeuralODESpec(width=8, depth=2, training=TrainingSpec(steps=20, batch_size=64, validations=2))
FIELD = EnsembleSpec(member=ParametricSpec(member=NET), members=3)
VALUES = st.floats(0.5, 2.0)


@pytest.fixture(scope="module")
def cycles():
    """Cycles of radius sqrt(mu), in six dimensions."""
    mu = torch.linspace(0.5, 2.0, 12, dtype=torch.float64)
    return simulate(find_system("graph_lift", dim=6), 12, TIMES, rng=generator(0), parameters={"mu": mu})


@pytest.fixture(scope="module")
def model(cycles):
    """Reducer and dynamics see mu; the dynamics are an ensemble."""
    reducer = PolynomialManifoldSpec(2, parametric=True).fit(cycles, cycles, rng=generator(0))
    return on_reducer(reducer, FIELD, cycles, cycles, rng=generator(0))


@pytest.fixture(scope="module")
def atlas(cycles):
    chart, field = PolynomialManifoldSpec(1, parametric=True), ParametricSpec(member=LinearSpec())
    return AtlasSpec(charts=3, reducer=chart, dynamics=field).fit(cycles, cycles, rng=generator(0))


def same(a, b):
    """Equal to the bit, also where a rollout diverged."""
    torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


def by_hand(model, parameters):
    """encode, decode, rhs and rollout of a reducer and dynamics that are given the parameters directly."""
    coder, field = model.reducer.at(parameters), model.dynamics.at(parameters)
    rollout = model.dynamics.rollout
    return coder.encode, coder.decode, lambda z: field(NOW, z), lambda z: rollout(z, TIMES, parameters)


@settings(max_examples=6, deadline=None)
@given(mu=st.one_of(VALUES, st.lists(VALUES, min_size=12, max_size=12)))
def test_a_model_at_parameters_is_its_parts_at_them(cycles, model, mu):
    here, x = model.at({"mu": mu}), cycles.initial
    encode, decode, rhs, rollout = by_hand(model, {"mu": torch.tensor(mu, dtype=torch.float64)})
    z = here.encode(x)
    assert torch.equal(z, encode(x))
    assert torch.equal(here.decode(z), decode(z))
    assert torch.equal(here.rhs(NOW, z), rhs(z))
    same(here.rollout(z, TIMES), rollout(z))
    assert torch.equal(here.reconstruct(x), decode(z))


@settings(max_examples=6, deadline=None)
@given(mu=st.lists(VALUES, min_size=12, max_size=12), rows=st.lists(st.integers(0, 11), min_size=1, max_size=12))
def test_rows_of_a_model_are_the_model_of_those_rows(cycles, model, mu, rows):
    index, values = torch.tensor(rows), {"mu": torch.tensor(mu, dtype=torch.float64), "other": torch.tensor(3.0)}
    some, chosen = model.at(values).rows(index), model.at(cut(values, index))
    x = cycles.initial[index]
    assert torch.equal(some.encode(x), chosen.encode(x))
    same(some.predict(x, TIMES).states, chosen.predict(x, TIMES).states)
    assert some.given["other"] == 3.0


@pytest.mark.parametrize("kind", ["model", "atlas"])
def test_large_batches_have_their_own_parameters_in_every_piece(kind, request, cycles, monkeypatch):
    here = request.getfixturevalue(kind).at(cycles.parameters)
    whole, predicted = here.along_time().reconstruct(cycles.stacked()), here.predict(cycles.initial, TIMES).states
    monkeypatch.setattr(base, "pieces", lambda rows, width=1: rows.split(7))
    assert torch.allclose(here.along_time().reconstruct(cycles.stacked()), whole, atol=1e-9)
    assert torch.allclose(here.predict(cycles.initial, TIMES).states, predicted, atol=1e-9, equal_nan=True)


def test_parameters_given_later_replace_those_of_the_same_name_and_no_others(cycles, model):
    x = cycles.initial
    twice = model.at({"mu": 0.7, "other": 5.0}).at({"mu": 1.3})
    assert torch.equal(twice.encode(x), model.at({"mu": 1.3}).encode(x))
    assert set(twice.given) == {"mu", "other"}
    assert model.given == {}


def test_names_that_a_model_does_not_know_are_left_aside(cycles, model):
    known = model.at({"mu": 1.3}).predict(cycles.initial, TIMES).states
    more = model.at({"mu": 1.3, "colour": torch.linspace(0, 1, 12)})
    same(more.predict(cycles.initial, TIMES).states, known)


def test_one_value_in_an_array_is_a_number_for_every_row(cycles, model):
    one = model.at({"mu": torch.tensor([1.3], dtype=torch.float64)})
    same(one.predict(cycles.initial, TIMES).states, model.at({"mu": 1.3}).predict(cycles.initial, TIMES).states)
    assert torch.equal(one.rows(slice(4, 6)).encode(cycles.initial[4:6]), one.encode(cycles.initial[4:6]))


@pytest.mark.parametrize("kind", ["model", "atlas"])
def test_wrong_lengths_and_missing_parameters_are_refused(kind, request, cycles):
    model, x = request.getfixturevalue(kind), cycles.initial
    wrong, z = model.at({"mu": torch.ones(5)}), model.at({"mu": 1.0}).encode(x)
    for call in (lambda m: m.predict(x, TIMES), lambda m: m.rollout(z, TIMES)):
        with pytest.raises(InputError, match=r"parameter mu must be a number or 12 of them, got shape \[5\]"):
            call(wrong)
    for call in (lambda m: m.encode(x), lambda m: m.decode(z), lambda m: m.reconstruct(x)):
        with pytest.raises(
            InputError, match=r"parameter mu must be a number or values of shape \[12\], got shape \[5\]"
        ):
            call(wrong)
    for call in (lambda m: m.encode(x), lambda m: m.rhs(0.0, z), lambda m: m.predict(x, TIMES)):
        with pytest.raises(
            InputError, match=r"parameters must be given for mu, got none for mu.*`model.at\(parameters\)`"
        ):
            call(model)


def test_what_was_given_is_no_part_of_the_file(model, tmp_path):
    model.at({"mu": 1.3}).save(tmp_path / "given.safetensors")
    model.save(tmp_path / "bare.safetensors")
    assert (tmp_path / "given.safetensors").read_bytes() == (tmp_path / "bare.safetensors").read_bytes()
    assert load_model(tmp_path / "given.safetensors").given == {}


# -- what a model can do -----------------------------------------------------------------------------------------------


def test_the_fields_of_the_members_average_to_that_of_the_ensemble(cycles, model):
    here = model.at(cycles.parameters)
    z, members = here.encode(cycles.initial), here.members()
    assert len(members) == 3
    each = torch.stack([member.vector_field()(NOW, z) for member in members])
    assert torch.equal(each.mean(0), here.vector_field()(NOW, z))
    assert torch.equal(each.mean(0), here.rhs(NOW, z))
    assert (each[0] - each[1]).abs().max() > 1e-5


def test_a_model_that_is_no_ensemble_is_its_only_member(cycles, model, atlas):
    for single in (model.members()[0], atlas, atlas.at({"mu": 1.0})):
        assert single.members() == (single,)


def test_dynamics_without_a_vector_field_say_so(cycles):
    class Still(LatentDynamics):
        def __init__(self, space):
            super().__init__()
            self.latent_space = space

        def rollout(self, z0, t, parameters=None):
            return z0.double()[:, None].expand(-1, len(t), -1)

        def sizes(self):
            return {}

    reducer = PODSpec(2).fit(cycles, cycles, rng=generator(0))
    still = ReducedModel(reducer, Still(reducer.latent_space))
    for call in (still.vector_field, lambda: still.rhs(0.0, torch.zeros(1, 2))):
        with pytest.raises(InputError, match="dynamics must be given by a vector field, got Still"):
            call()
    with pytest.raises(InputError, match="dynamics must be given by a vector field, got Still"):
        lyapunov_spectrum(still, rng=generator(0), initial=cycles.initial)


def test_an_atlas_has_a_velocity_but_no_single_field(cycles, atlas):
    here = atlas.at({"mu": 1.0})
    assert here.rhs(0.0, here.encode(cycles.initial)).shape == (12, 1)
    with pytest.raises(InputError, match="the model's dynamics must be given by one vector field, got AtlasModel"):
        here.vector_field()


@pytest.mark.slow
def test_exponents_are_those_of_the_field_at_the_parameters(cycles, model):
    here, options = model.at({"mu": 1.3}), {"duration": 2.0, "interval": 0.2}
    found = lyapunov_spectrum(here, 1, rng=generator(0), initial=cycles.initial, **options)
    z0 = here.encode(cycles.initial)
    field = here.vector_field()
    exact = lyapunov_spectrum(field, 1, rng=generator(0), initial=z0, **options)
    assert torch.equal(found.exponents, exact.exponents)
    with pytest.raises(InputError, match="parameters must be those of a system, got some for a model.*`model.at`"):
        lyapunov_spectrum(model, 1, rng=generator(0), parameters={"mu": 1.3}, **options)


def test_a_number_that_is_not_finite_is_refused_without_an_index(model):
    with pytest.raises(InputError, match=r"parameter mu must be finite everywhere, got nan\."):
        model.at({"mu": float("nan")})
