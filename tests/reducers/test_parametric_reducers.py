import dataclasses

import pytest
import torch

from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.parametric import ParametricSpec
from dynred.errors import InputError
from dynred.evaluation.certify import certify
from dynred.evaluation.evaluate import evaluate
from dynred.models.atlas import AtlasSpec
from dynred.models.load import load_model
from dynred.models.reduced import on_reducer
from dynred.ode.find import find_system
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.pod import PODSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

TIMES = torch.linspace(0, 12, 41, dtype=torch.float64)
STEPS = TrainingSpec(steps=800, batch_size=256)
ANGLE = AutoencoderSpec(1, angles=1, width=48, parametric=True, training=STEPS)
FIELD = ParametricSpec(member=NeuralODESpec(width=32, depth=2, training=TrainingSpec(steps=200, batch_size=256)))
SPECS = {"angle": ANGLE, "polynomial": PolynomialManifoldSpec(2, parametric=True)}


def cycles(low, high, n):
    """Trajectories on the limit cycle of radius sqrt(mu), bent into eight dimensions."""
    mu = torch.linspace(low, high, n, dtype=torch.float64)
    lift = find_system("graph_lift", dim=8, rate=20.0)
    return simulate(lift, n, TIMES, rng=generator(0, "cycles", n), parameters={"mu": mu})


@pytest.fixture(scope="module")
def data():
    """Training, validation and unseen parameters in between."""
    return cycles(0.5, 2.0, 24), cycles(0.6, 1.9, 6), cycles(0.55, 1.95, 7)


@pytest.fixture(scope="module")
def models(data):
    train, validation, _ = data
    reducers = {name: spec.fit(train, validation, rng=generator(0)) for name, spec in SPECS.items()}
    return {name: on_reducer(one, FIELD, train, validation, rng=generator(0)) for name, one in reducers.items()}


def test_one_angle_carries_every_cycle_of_an_annulus_at_its_own_parameter(data, models):
    train, validation, unseen = data
    scored = evaluate(models["angle"], unseen)
    assert scored.reconstruction.nmse < 1e-5
    assert max(scored.rollout.error.median) < 0.01
    # Without the parameter there is no way for one coordinate to tell the radius.
    blind = dataclasses.replace(ANGLE, parametric=False).fit(train, validation, rng=generator(0))
    left = (blind.reconstruct(unseen.states) - unseen.states).pow(2).sum()
    assert left / (unseen.states - unseen.states.mean(0)).pow(2).sum() > 1e-2


def test_velocities_are_pushed_forward_at_the_parameters_of_each_trajectory(data, models):
    unseen = data[2]
    for model in models.values():
        latents, step = model.reducer.latents(unseen), 1e-5
        each = model.at(unseen.row_parameters)
        ahead = each.encode(unseen.states + step * unseen.velocities)
        behind = each.encode(unseen.states - step * unseen.velocities)
        slope = model.latent_space.difference(ahead, behind).double() / (2 * step)
        assert torch.allclose(latents.velocities.double(), slope, rtol=0.02, atol=0.02)
        alone = model.at(unseen[3].parameters).encode(unseen[3].states)
        assert torch.allclose(latents[3].states, alone, atol=1e-5)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_model_takes_parameters_in_every_shape_of_batch(data, models, name):
    unseen, model = data[2], models[name]
    stacked, mu = unseen.stacked(), unseen.parameters["mu"]
    flat = model.at(unseen.row_parameters).reconstruct(unseen.states)
    assert torch.equal(model.at({"mu": mu[:, None]}).reconstruct(stacked).reshape(flat.shape), flat)
    one = model.at({"mu": float(mu[2])}).reconstruct(unseen[2].states)
    assert torch.allclose(one, flat.reshape(stacked.shape)[2], atol=1e-5)
    with pytest.raises(InputError, match=r"parameters must be given for mu, got none for mu.*`model.at\(parameters\)`"):
        model.reconstruct(unseen.states)
    with pytest.raises(InputError, match=r"parameter mu must be a number or values of shape \[287\], got shape \[7\]"):
        model.at(unseen.parameters).reconstruct(unseen.states)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_model_survives_its_file_and_leaves_as_numpy_at_fixed_parameters(data, models, name, tmp_path):
    unseen, model = data[2], models[name]
    model.save(tmp_path / "m.safetensors")
    found = model.at(unseen.parameters).predict(unseen.initial, TIMES).states
    again = load_model(tmp_path / "m.safetensors")
    assert torch.equal(again.at(unseen.parameters).predict(unseen.initial, TIMES).states, found)
    fixed, x = model.at({"mu": 1.3}), unseen.states[:9]
    functions, z = fixed.to_numpy(), fixed.encode(x)
    assert torch.allclose(torch.as_tensor(functions.encode(x.numpy())).double(), z.double(), atol=1e-5)
    assert torch.allclose(torch.as_tensor(functions.decode(z.double().numpy())).double(), fixed.decode(z), atol=1e-5)


def test_a_certificate_takes_each_trajectory_at_its_own_parameters(data, models):
    found = certify(models["angle"], data[2], rng=generator(0))
    size = data[2].states.std(0).norm()
    assert found.error.max < 0.02 * size
    assert found.over_time.every_max[-1] < 0.05 * size
    with pytest.raises(InputError, match="parameters must be given for mu"):
        certify(models["angle"], data[2].states, rng=generator(0))


@pytest.mark.slow
def test_charts_see_parameters_too_and_hand_over_at_them(data):
    train, validation, unseen = data
    chart = AutoencoderSpec(1, width=32, parametric=True, training=dataclasses.replace(STEPS, steps=300))
    model = AtlasSpec(charts=5, reducer=chart, dynamics=FIELD).fit(train, validation, rng=generator(0))
    scored = evaluate(model, unseen)  # two turns, through every chart
    assert scored.reconstruction.nmse < 1e-4
    assert max(scored.rollout.error.median) < 0.1


def test_trajectories_without_the_parameter_are_refused(data):
    train, validation, _ = data
    bare = dataclasses.replace(validation, parameters={})
    with pytest.raises(InputError, match="parameters must be given for mu, got none for mu"):
        ANGLE.fit(train, bare, rng=generator(0))


def test_equal_parameters_are_not_seen(data):
    train = dataclasses.replace(data[0], parameters={"mu": torch.ones(24, dtype=torch.float64)})
    found = PolynomialManifoldSpec(2, parametric=True).fit(train, train, rng=generator(0))
    plain = PolynomialManifoldSpec(2).fit(train, train, rng=generator(0))
    assert found.seen.names == ()
    assert torch.equal(found.reconstruct(train.states), plain.reconstruct(train.states))


def test_reducers_that_see_nothing_leave_parameters_aside(data):
    train = data[0]
    pod = PODSpec(2).fit(train, train, rng=generator(0))
    assert torch.equal(pod.at(train.row_parameters).reconstruct(train.states), pod.reconstruct(train.states))
    assert torch.equal(pod.latents(train).velocities, train.map(pod.encode).velocities)
