import dataclasses

import pytest
import torch

from dynred.dynamics.ensemble import EnsembleSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import InputError
from dynred.models.load import load_model
from dynred.models.reduced import ReducedModel
from dynred.ode.find import find_system
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

NET = NeuralODESpec(width=16, depth=2, start=None, training=TrainingSpec(steps=100, batch_size=64, validations=4))
SPEC = EnsembleSpec(member=NET, members=3)
NOW = torch.zeros((), dtype=torch.float64)


@pytest.fixture(scope="module")
def spirals():
    times = torch.linspace(0, 3, 16, dtype=torch.float64)
    return simulate(find_system("stuart_landau"), 16, times, rng=generator(0, "spirals"), transient=0.0)


@pytest.fixture(scope="module")
def fitted(spirals):
    return SPEC.fit(spirals[:12], spirals[12:], rng=generator(0))


def test_the_field_is_the_mean_of_fields_that_differ(spirals, fitted):
    members = torch.stack([member.field(NOW, spirals.states) for member in fitted.members])
    assert torch.allclose(fitted.field(NOW, spirals.states), members.mean(0), atol=1e-12)
    assert (members[0] - members[1]).abs().max() > 1e-3


def test_the_mean_field_is_at_least_as_near_the_truth_as_its_members_are_on_average(spirals, fitted):
    # |mean - v|^2 <= mean |member - v|^2, with equality only where members agree.
    def error(dynamics):
        return float((dynamics.field(NOW, spirals.states) - spirals.velocities).pow(2).mean())

    assert error(fitted) < sum(error(member) for member in fitted.members) / 3


def test_only_an_ensemble_averages_others_than_itself(fitted):
    averaged = fitted.averaged()
    assert len(averaged) == 3
    assert all(part is member for part, member in zip(averaged, fitted.members, strict=True))
    assert averaged[0].averaged() == (averaged[0],)


def test_a_saved_ensemble_is_the_same_bit_for_bit(tmp_path):
    times = torch.linspace(0, 3, 16, dtype=torch.float64)
    data = simulate(find_system("graph_lift", dim=6), 8, times, rng=generator(0))
    reducer = PODSpec(2).fit(data, data, rng=generator(0))
    tiny = dataclasses.replace(SPEC, member=dataclasses.replace(NET, training=TrainingSpec(steps=5)))
    model = ReducedModel(reducer, tiny.fit(data.map(reducer.encode), data.map(reducer.encode), rng=generator(0)))
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert torch.equal(again.predict(data.initial, times).states, model.predict(data.initial, times).states)
    assert [h.stage for h in again.histories] == ["dynamics 1", "dynamics 2", "dynamics 3"]


def test_members_keep_checkpoints_of_their_own(spirals, tmp_path):
    found = SPEC.fit(spirals[:12], spirals[12:], rng=generator(0), runtime=Runtime(checkpoints=tmp_path))
    assert sorted(p.parent.name for p in tmp_path.rglob("*.safetensors")) == ["member_0", "member_1", "member_2"]
    again = SPEC.fit(spirals[:12], spirals[12:], rng=generator(0), runtime=Runtime(checkpoints=tmp_path))
    assert torch.equal(found.field(NOW, spirals.states), again.field(NOW, spirals.states))


def test_one_member_is_no_ensemble():
    with pytest.raises(InputError, match="members must be an integer >= 2, got 1"):
        EnsembleSpec(members=1)
