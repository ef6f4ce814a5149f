import dataclasses
import json

import pytest
import torch

from dynred.cli.app import main
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.parametric import ParametricSpec
from dynred.errors import InputError
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.pipeline import reduce
from dynred.models.joint import JointSpec, _Both, _Loss, prediction_error
from dynred.models.load import load_model
from dynred.models.partition import PartitionSpec
from dynred.models.reduced import ReducedSpec, on_reducer
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.pod import PODSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.spec import Spec
from dynred.training.minimise import TrainingSpec

SHORT = TrainingSpec(steps=60, batch_size=64, validations=3)
REDUCER = AutoencoderSpec(2, width=16, training=SHORT)
FIELD = NeuralODESpec(width=16, depth=2, start=None, training=SHORT)
DATA = DataSpec(train=4, validation=1, test=1, duration=1.0)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def parts(request):
    lifted = request.getfixturevalue("lifted")
    return lifted[:9], lifted[9:]


@pytest.fixture(scope="module")
def model(parts):
    """Trained far too little, so that there is something to refine."""
    fitted = REDUCER.fit(*parts, rng=generator(0))
    return on_reducer(fitted, FIELD, *parts, rng=generator(0))


def test_residuals_are_those_of_pushed_forward_velocities_and_of_differences(model, parts):
    data = parts[0]
    loss = _Loss(JointSpec(), _Both(model), data, CPU)
    with torch.no_grad():
        reconstruction, velocity, decoded = loss.residuals(torch.arange(len(data.states)))
    x, latents = data.states, data.map(model.encode)
    scale = (x - x.mean(0)).pow(2).sum(1).mean()
    expected = (model.reconstruct(x) - x).pow(2).sum(1).mean() / scale
    assert reconstruction == pytest.approx(expected.item(), rel=1e-4)
    g = model.rhs(0.0, latents.states)
    expected = ((g - latents.velocities) / model.dynamics.units.rate).pow(2).mean()
    assert velocity == pytest.approx(expected.item(), rel=1e-4)
    step = 1e-2
    moved = (model.decode(latents.states + step * g) - model.decode(latents.states - step * g)) / (2 * step)
    expected = (moved - data.velocities).pow(2).sum(1).mean() / data.velocities.pow(2).sum(1).mean()
    assert decoded == pytest.approx(expected.item(), rel=2e-2)


def test_the_rollout_residual_is_that_of_predictions_over_the_window(model, parts):
    spec = JointSpec(rollout=1.0, window=3, substeps=4)
    loss = _Loss(spec, _Both(model), parts[0], CPU)
    windows = parts[0].windows(4, stride=2)
    assert loss.rows.shape == (len(windows), 4)
    with torch.no_grad():
        found = loss.rollout(torch.arange(len(windows)))
        z = model.encode(windows.states).double().reshape(len(windows), 4, 2)
        rolled = model.rollout(z[:, 0], windows.times(0))
    expected = ((rolled - z)[:, 1:] / model.dynamics.units.spread).pow(2).mean()
    assert found == pytest.approx(expected.item(), rel=1e-2)


ROLLOUT = pytest.param({"rollout": 1.0}, marks=pytest.mark.slow)


@pytest.mark.parametrize("weights", [{}, {"decoded": 0.3}, ROLLOUT], ids=str)
def test_predictions_of_a_crude_model_get_better(model, parts, weights):
    spec = JointSpec(**weights, training=TrainingSpec(steps=300, batch_size=64, learning_rate=3e-3))
    refined = spec.refine(model, *parts, rng=generator(0))
    assert prediction_error(refined, parts[1]) < 0.7 * prediction_error(model, parts[1])
    assert [h.stage for h in refined.histories] == ["reducer", "dynamics", "joint"]


def test_refinement_that_does_not_help_predictions_is_undone(model, parts):
    wild = JointSpec(training=TrainingSpec(steps=4, batch_size=8, learning_rate=30.0, validations=1))
    kept = wild.refine(model, *parts, rng=generator(0))
    t, x = parts[1].times(0), parts[1].initial
    assert torch.equal(kept.predict(x, t).states, model.predict(x, t).states)
    assert kept.histories[-1].stage == "joint"  # so that the attempt can be seen
    assert model.histories[-1].stage == "dynamics"


def test_angles_and_parameters_are_refined_like_lines(parts):
    mu = torch.linspace(0.9, 1.1, 12, dtype=torch.float64)
    train, validation = (
        dataclasses.replace(p, parameters={"mu": m}) for p, m in zip(parts, (mu[:9], mu[9:]), strict=True)
    )
    spec = AutoencoderSpec(1, angles=1, width=16, parametric=True, training=SHORT)
    fitted = spec.fit(train, validation, rng=generator(0))
    crude = on_reducer(fitted, ParametricSpec(member=FIELD), train, validation, rng=generator(0))
    steps = TrainingSpec(steps=200, batch_size=64, learning_rate=3e-3)
    refined = JointSpec(rollout=1.0, training=steps).refine(crude, train, validation, rng=generator(0))
    assert prediction_error(refined, validation) < prediction_error(crude, validation)


def test_models_without_weights_and_atlases_are_refused(parts):
    exact = PolynomialManifoldSpec(2).fit(*parts, rng=generator(0))
    with pytest.raises(InputError, match="reducer must be one with weights to train.*PolynomialManifold"):
        JointSpec().refine(on_reducer(exact, FIELD, *parts, rng=generator(0)), *parts, rng=generator(0))
    fitted = REDUCER.fit(*parts, rng=generator(0))
    with pytest.raises(
        InputError, match="dynamics must be one with weights to train, for joint refinement, got Linear"
    ):
        JointSpec().refine(on_reducer(fitted, LinearSpec(), *parts, rng=generator(0)), *parts, rng=generator(0))
    with pytest.raises(InputError, match="reducer must be one with weights to train"):  # before dynamics are trained
        reduce("stuart_landau", 1, data=DATA, reducer=PODSpec(1), joint=JointSpec())
    with pytest.raises(InputError, match="joint must be None where there are several charts, got 2 charts"):
        reduce("stuart_landau", 1, partition=PartitionSpec(2), joint=JointSpec())
    with pytest.raises(InputError, match="velocity must be a finite number >= 0, got -1"):
        JointSpec(velocity=-1.0)


def test_a_run_refines_jointly_where_a_setting_of_it_is_given(tmp_path):
    fast = ["training.steps=20", "training.batch_size=32", "width=16"]
    settings = [f"{part}.{one}" for part in ("reducer", "dynamics") for one in fast]
    settings += ["data.train=8", "data.validation=2", "data.test=4", "data.duration=6.0", "data.sampling=0.2"]
    settings += ["joint.velocity=0.5", "joint.training.steps=10"]
    flags = [word for one in settings for word in ("--set", one)]
    main(["reduce", "graph_lift", "--latent-dim", "2", "--out", str(tmp_path / "run"), *flags])
    stored = json.loads((tmp_path / "run" / "experiment.json").read_text())["spec"]["joint"]
    assert (stored["velocity"], stored["training"]["steps"]) == (0.5, 10)
    assert load_model(tmp_path / "run").histories[-1].stage == "joint"


def test_settings_of_a_model_fit_it_step_by_step_or_at_once(model, parts):
    spec, reducer = ReducedSpec(model.reducer.spec, LinearSpec()), model.reducer
    stepwise = spec.fit_dynamics(reducer, *parts, rng=generator(3))
    assert stepwise.spec == spec
    assert stepwise.coordinates is reducer
    assert spec.refine(stepwise, *parts, rng=generator(4)) is stepwise
    assert Spec.from_dict(spec.to_dict()) == spec


def test_coordinates_without_weights_are_refused_before_dynamics_are_fitted_for_nothing(parts):
    spec = ReducedSpec(PODSpec(1), FIELD, JointSpec())
    with pytest.raises(InputError, match="reducer must be one with weights to train, for joint refinement"):
        spec.fit_coordinates(*parts, rng=generator(0))
