import dataclasses

import pytest
import torch

from dynred.dynamics._rollouts import rollout_score
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.parametric import ParametricSpec
from dynred.dynamics.sindy import SindySpec
from dynred.errors import InputError
from dynred.models.load import load_model
from dynred.models.reduced import ReducedModel
from dynred.ode.find import find_system
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

NET = NeuralODESpec(width=32, depth=2, training=TrainingSpec(steps=400, batch_size=128))
NOW = torch.zeros((), dtype=torch.float64)


def flows(system, name, values, n, times, transient=0.0):
    """n trajectories with the parameter spread over `values`."""
    mu = torch.linspace(*values, n, dtype=torch.float64)
    rng = generator(0, system, n)
    return simulate(find_system(system), n, times, rng=rng, parameters={name: mu}, transient=transient)


@pytest.fixture(scope="module")
def landau():
    """Training, validation and unseen parameters in between, from off the cycle, whose radius is sqrt(mu)."""
    times = torch.linspace(0, 4, 21, dtype=torch.float64)
    return [
        flows("stuart_landau", "mu", *spread, times)
        for spread in (((0.5, 2.0), 24), ((0.6, 1.9), 6), ((0.55, 1.95), 7))
    ]


def test_unseen_parameters_are_predicted_ten_times_better_than_without(landau):
    train, validation, unseen = landau
    seeing = ParametricSpec(member=NET).fit(train, validation, rng=generator(0))
    blind = NET.fit(train, validation, rng=generator(0))
    assert seeing.names == ("mu",)
    assert rollout_score(seeing, unseen) < 0.1 * rollout_score(blind, unseen)


def test_lorenz_in_rho_is_found_with_its_parameter_as_a_variable():
    times = torch.arange(0, 0.5, 0.02, dtype=torch.float64)
    train, validation, unseen = (
        flows("lorenz63", "rho", spread, n, times, transient=2.0)
        for spread, n in (((26, 32), 10), ((27, 31), 3), ((26.5, 31.5), 4))
    )
    spec = SindySpec(degree=2, thresholds=(1e-2,))
    found = ParametricSpec(member=spec).fit(train, validation, rng=generator(0))
    assert found.member.equations()[1] == "z2' = -1 z2 - 1 z1 z3 + 1 z1 z4"
    exact = find_system("lorenz63").at({"rho": 30.0})(NOW, unseen.states)
    assert torch.allclose(found.at({"rho": 30.0})(NOW, unseen.states), exact, rtol=1e-6, atol=1e-6)
    blind = spec.fit(train, validation, rng=generator(0))
    assert rollout_score(found, unseen) < 0.05 * rollout_score(blind, unseen)


def test_a_model_predicts_with_parameters_by_name_and_survives_its_file(landau, tmp_path):
    times = torch.linspace(0, 4, 21, dtype=torch.float64)
    lift = find_system("graph_lift", dim=8, rate=20.0)
    mu = torch.linspace(0.5, 2.0, 16, dtype=torch.float64)
    data = simulate(lift, 16, times, rng=generator(0), parameters={"mu": mu}, transient=0.5)
    reducer = PODSpec(2).fit(data, data, rng=generator(0))
    tiny = dataclasses.replace(NET, training=TrainingSpec(steps=20))
    dynamics = ParametricSpec(member=tiny).fit(data.map(reducer.encode), data.map(reducer.encode), rng=generator(0))
    model = ReducedModel(reducer, dynamics)
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    found = model.at(data.parameters).predict(data.initial, times)
    assert torch.equal(again.at(data.parameters).predict(data.initial, times).states, found.states)
    same = model.at({"mu": torch.tensor(1.0)}).predict(data.initial, times)
    assert not torch.allclose(same.states, found.states)
    z = model.encode(data.initial)
    assert torch.equal(model.at({"mu": 1.0}).rhs(0.0, z), dynamics.at({"mu": torch.tensor(1.0)})(NOW, z))


def test_each_row_has_its_own_parameters(landau):
    train, validation, unseen = landau
    tiny = dataclasses.replace(NET, training=TrainingSpec(steps=20))
    dynamics = ParametricSpec(member=tiny).fit(train, validation, rng=generator(0))
    t = unseen.times(0)
    together = dynamics.rollout(unseen.initial, t, unseen.parameters)
    for i, one in enumerate(unseen):
        alone = dynamics.rollout(one.initial, t, one.parameters)[0]
        assert torch.allclose(alone, together[i], atol=1e-3)  # the solver's tolerance; parameters are 0.2 apart
    field = dynamics.at(unseen.parameters)
    assert torch.allclose(field.rows(slice(2, 4))(NOW, unseen.initial[2:4]), field(NOW, unseen.initial)[2:4], atol=1e-6)


def test_without_differing_parameters_it_is_its_member(landau):
    one = landau[0][:4]
    constant = dataclasses.replace(one, parameters={"mu": torch.ones(4, dtype=torch.float64)})
    tiny = dataclasses.replace(NET, training=TrainingSpec(steps=20))
    found = ParametricSpec(member=tiny).fit(constant, constant, rng=generator(0))
    alone = tiny.fit(constant, constant, rng=generator(0))
    assert found.names == ()
    assert torch.equal(found.field(NOW, one.states), alone.field(NOW, one.states))


def test_missing_parameters_are_named(landau):
    tiny = dataclasses.replace(NET, training=TrainingSpec(steps=20))
    found = ParametricSpec(member=tiny).fit(landau[0], landau[1], rng=generator(0))
    with pytest.raises(InputError, match="parameters must be given for mu, got none for mu"):
        found.rollout(landau[2].initial, landau[2].times(0))
    with pytest.raises(InputError, match="validation must be trajectories with the parameters mu, got no mu"):
        ParametricSpec(member=tiny).fit(landau[0], dataclasses.replace(landau[1], parameters={}), rng=generator(0))
