"""Reductions to maps: of systems that are maps, and of data whose velocities cannot be had."""

import math

import pytest
import torch

import dynred
from dynred.data.trajectories import Trajectories
from dynred.dynamics.map import MapSpec
from dynred.errors import InputError
from dynred.evaluation.lyapunov import lyapunov_spectrum
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.predict_run import predict_run
from dynred.experiments.run import run
from dynred.experiments.spec import ExperimentSpec
from dynred.models.load import load_model
from dynred.report.context import Context
from dynred.report.figures.phase_portrait import PhasePortrait
from dynred.report.figures.time_series import TimeSeries
from dynred.rng import generator

FEW = DataSpec(train=8, validation=4, test=4)


@pytest.fixture(scope="module")
def reduction():
    return dynred.reduce("henon", 2, data=FEW)


def lifted(n, steps, seed, spacing=1.0):
    """The logistic map, seen as five numbers."""
    x = dynred.simulate(dynred.find_system("logistic"), n, torch.arange(steps + 1.0), rng=generator(seed)).stacked()
    t = spacing * torch.arange(steps + 1, dtype=torch.float64)
    return Trajectories.from_stacked(torch.cat([x, 2 * x, 1 - x, x + 3, -x], -1), t)


def test_a_system_that_is_a_map_gets_a_map_and_is_predicted(reduction):
    assert reduction.model.time_step == 1
    assert reduction.evaluation.rollout.valid_time.median == pytest.approx(24)
    assert reduction.calibration is not None


def test_other_dynamics_of_a_map_are_refused_by_name():
    with pytest.raises(InputError, match=r"dynamics must be a map for henon, which is one, got neural_ode"):
        dynred.reduce("henon", 1, dynamics=dynred.NeuralODESpec())


def test_the_model_answers_what_a_map_has_no_answer_to_in_a_sentence(reduction):
    model, z = reduction.model, torch.zeros(1, 2)
    for ask in (lambda: model.rhs(0.0, z), model.vector_field, model.compile):
        with pytest.raises(InputError, match="given by a vector field"):
            ask()
    with pytest.raises(InputError, match=r"whole steps of 1 after t\[0\], got 1.5"):
        model.predict(z, torch.tensor([0.0, 1.5]))


def test_a_stored_map_predicts_the_same(reduction, tmp_path):
    reduction.model.save(tmp_path / "m.safetensors")
    x0, t = reduction.forecast.truth.initial, torch.arange(9.0)
    again = load_model(tmp_path / "m.safetensors")
    assert torch.equal(again.predict(x0, t).states, reduction.model.predict(x0, t).states)
    assert again.time_step == 1


def test_data_without_usable_velocities_are_reduced_to_a_map_and_the_refusal_names_it():
    data = lifted(12, 60, 0)
    with pytest.raises(InputError, match="--dynamics map"):
        dynred.reduce(data, 1)
    reduction = dynred.reduce(data, 1, dynamics=MapSpec())
    assert reduction.train.velocities is None
    spectrum = lyapunov_spectrum(
        reduction.model, rng=generator(0), initial=lifted(32, 1, 5).initial, duration=100.0, interval=1.0
    )
    assert spectrum.exponents[0] == pytest.approx(math.log(2), rel=0.02)


def test_uneven_data_are_refused_before_anything_is_fitted():
    data = lifted(12, 9, 0)
    t = data.t + 0.2 * (data.t == 3)
    with pytest.raises(InputError, match="evenly spaced, got steps from 0.8 to 1.2, up to 20 % off"):
        dynred.reduce(Trajectories(data.states, t, data.lengths), 1, dynamics=MapSpec())


def test_a_run_is_scored_and_predicted_again_from_its_folder(tmp_path):
    run(ExperimentSpec("logistic", 1, dynamics=MapSpec(), data=FEW), tmp_path / "run")
    prediction = predict_run(tmp_path / "run", 6, at=0)
    assert prediction.t.tolist() == [0, 1, 2, 3, 4, 5, 6]
    with pytest.raises(InputError, match="whole steps"):
        predict_run(tmp_path / "run", 6, at=0, every=0.5)


def test_a_map_has_one_chart():
    with pytest.raises(InputError, match="charts must be 1 for a map"):
        dynred.reduce("henon", 1, data=FEW, partition=dynred.PartitionSpec(charts=2))


def test_a_time_that_nothing_is_planned_for_is_refused():
    with pytest.raises(InputError, match="minutes must be left out for a map"):
        dynred.reduce("henon", 2, minutes=1)


def test_coordinates_of_a_map_are_taken_elsewhere_without_a_field(reduction):
    plain, x = reduction.model.to_numpy(), reduction.forecast.truth.initial
    assert (plain.decode(plain.encode(x.numpy())) == x.numpy()).all()
    with pytest.raises(InputError):
        plain.rhs(0.0, x.numpy())


def test_between_two_steps_of_a_map_nothing_is_drawn(reduction):
    context = Context(reduction.model, reduction.evaluation, reduction.scored)
    for figure in (PhasePortrait(), TimeSeries()):
        lines = [line for ax in figure.draw(context).axes for line in ax.lines]
        assert lines
        assert all(line.get_linestyle() == "None" for line in lines)
        assert "points" in figure.caption(context)
