"""What is said before the scores: each finding where it is true, with its number, and nowhere else."""

import dataclasses

import numpy as np
import pytest
import torch

from dynred.data.split import HeldOut
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.evaluation.evaluate import evaluate, score
from dynred.evaluation.evaluation import Evaluation
from dynred.models.forecast import forecast
from dynred.models.reduced import ReducedSpec
from dynred.ode.system import System
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec


def turning(n=6, steps=80, rate=1.0, seed=0, decay=0.0):
    """Rotations in a plane of four dimensions with exact velocities."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 16, steps)
    angle, size = rng.uniform(0, 6.28, (n, 1)) + rate * t, rng.uniform(1, 2, (n, 1)) * np.exp(-decay * t)
    z = np.stack([size * np.cos(angle), size * np.sin(angle)], -1)
    v = np.stack([-rate * z[..., 1] - decay * z[..., 0], rate * z[..., 0] - decay * z[..., 1]], -1)
    plane = np.linalg.qr(np.random.default_rng(9).normal(size=(4, 2)))[0].T
    return Trajectories.from_stacked(torch.from_numpy(z @ plane), torch.from_numpy(t), torch.from_numpy(v @ plane))


def fitted(train, reducer=None, drift=1.0):
    spec, rng = ReducedSpec(reducer or PODSpec(2), LinearSpec()), generator(0)
    model = spec.fit_dynamics(spec.fit_coordinates(train, train, rng=rng), train, train, rng=rng, about={})
    model.dynamics.matrix *= drift
    return model


def kinds(evaluation):
    return [finding.kind for finding in evaluation.findings]


def test_an_exact_model_on_enough_trajectories_has_no_findings():
    train = turning()
    assert kinds(evaluate(fitted(train), turning(seed=1), train=train)) == []


def test_a_model_that_is_worse_than_linear_dynamics_says_so_first_with_both_numbers():
    train = turning()
    found = evaluate(fitted(train, drift=1.3), turning(seed=1), train=train)
    first = found.findings[0]
    assert first.kind == "worse_than_a_baseline"
    assert "linear dynamics" in first.text
    assert first.value == pytest.approx(found.baselines["linear"]["metrics"]["rollout_error"].mean)
    assert str(found).splitlines()[1] == f"! {first.text}"


def test_pod_that_is_as_good_is_named_but_not_to_a_model_of_pod():
    train = turning()
    hasty = fitted(train, AutoencoderSpec(2, training=TrainingSpec(steps=1)))
    assert "pod_as_good" in kinds(evaluate(hasty, turning(seed=1), train=train))


def test_few_trajectories_are_told_and_get_no_intervals():
    train = turning()
    found = evaluate(fitted(train), turning(n=4, seed=1), train=train)
    assert kinds(found) == ["few_tests"]
    assert found.rollout.valid_time.median_interval is None
    assert found.reconstruction.nmse_interval is None
    assert found.rollout.error.low is None


def test_a_test_at_rest_is_told():
    train = turning(decay=2.0)
    assert "at_rest" in kinds(evaluate(fitted(train), turning(seed=1, decay=2.0), train=train))


def test_training_that_is_still_on_its_way_to_k_is_told():
    slow = System(
        "slow",
        3,
        lambda t, x: torch.stack([x[..., 1], -x[..., 0], -0.1 * x[..., 2]], -1),
        lambda n, rng: torch.tensor([1.0, 0.0, 2.0]) + 0.1 * torch.randn(n, 3, generator=rng),
    )
    early, late = (
        simulate(slow, 12, torch.linspace(0, 40, 201), rng=generator(0), transient=transient) for transient in (0, 90)
    )
    model = fitted(early)
    (finding,) = [each for each in evaluate(model, early, train=early, system=slow).findings if each.kind == "drift"]
    assert "leave out their beginning" in finding.text
    assert finding.value > 0.05
    assert "drift" not in kinds(evaluate(model, early, train=late, system=slow))
    published = dataclasses.replace(slow, reference="Somebody 1963")
    assert "drift" not in kinds(evaluate(model, early, train=early, system=published))


def test_valid_times_beyond_the_trust_in_the_truth_are_counted():
    train, test = turning(), turning(seed=1)
    model = fitted(train)
    scored = score(forecast(model, test), model, train, held_out=HeldOut("simulated", trusted=(7.5, 16.0)))
    (finding,) = scored.findings
    assert finding.kind == "beyond_trust"
    assert finding.text.startswith("1 of 2 valid times that were checked are longer than the truth can be trusted")
    assert scored.test.words.endswith("a finer solver agrees for 7.5 to 16 time units (2 checked)")
    assert not score(forecast(model, test), model, train, held_out=HeldOut("simulated", trusted=(16.0,))).findings


def test_states_that_do_not_determine_the_motion_are_told():
    train = turning(n=12, steps=400)
    one = Trajectories(train.states[:, :1], train.t, train.lengths, train.velocities[:, :1])
    flat = Trajectories(one.states.repeat(1, 3), one.t, one.lengths, one.velocities.repeat(1, 3))
    found = evaluate(fitted(flat, PODSpec(1)), flat, train=flat)
    assert found.two_valued.verdict
    assert "two_valued" in kinds(found)
    assert not evaluate(fitted(train), train, train=train).two_valued.verdict


def test_whole_states_of_an_autonomous_system_are_not_doubted():
    train = turning(n=12, steps=400)
    seen, moving = (part[:, :1].repeat(1, 3) for part in (train.states, train.velocities))
    flat = dataclasses.replace(train, states=seen, velocities=moving)
    model, whole = fitted(flat, PODSpec(1)), System("whole", 3, lambda t, x, mu: -x, parameters={"mu": 1.0})
    assert evaluate(model, flat, train=flat).two_valued.verdict
    assert evaluate(model, flat, train=flat, system=whole).two_valued is None
    varied = dataclasses.replace(flat, parameters={"mu": torch.arange(1.0, 13.0)})  # which the model does not see
    assert evaluate(model, varied, train=varied, system=whole).two_valued.verdict


def test_a_right_hand_side_that_depends_on_time_is_told():
    train = turning()
    model = fitted(train).described(time_dependent=0.4)
    assert "time_dependent" in kinds(evaluate(model, turning(seed=1), train=train))


def test_a_rollout_that_diverges_says_when_how_far_and_what_to_try():
    train = turning()
    model = fitted(train)
    model.dynamics.matrix[:, :2] += 60 * torch.eye(2)
    found = evaluate(model, turning(seed=1), train=train)
    (finding,) = [finding for finding in found.findings if finding.kind == "diverged"]
    assert finding.value == 6
    assert "standard deviations from the nearest training state" in finding.text
    assert "stabilised" in finding.text


def test_coordinates_that_lose_what_matters_at_few_moments_bound_the_valid_time():
    """One line carries nearly all of the energy; a coordinate that it leaves out jumps after half of the time."""
    t = np.linspace(0, 10, 101)
    jump = np.zeros((6, 101))
    jump[:, 50:55] = 3.0
    slope = np.arange(1, 7)[:, None] / 6  # no two trajectories alike
    states = torch.from_numpy(np.stack([t * slope, jump], -1))
    rates = torch.from_numpy(np.stack([np.broadcast_to(slope, jump.shape), 0 * jump], -1))
    data = Trajectories.from_stacked(states, torch.from_numpy(t), rates)
    scored = evaluate(fitted(data, PODSpec(1)), data, train=data)
    assert scored.rollout.exact_dynamics.median == pytest.approx(t[50])
    bound = next(finding for finding in scored.findings if finding.kind == "bounded_by_encoder")
    assert bound.value == scored.rollout.exact_dynamics.median >= scored.rollout.valid_time.median
    assert "better dynamics would not make predictions hold longer" in bound.text
    assert Evaluation.from_dict(scored.to_dict()).rollout.exact_dynamics == scored.rollout.exact_dynamics


def test_what_was_not_used_and_how_bad_velocities_are_is_passed_on():
    train = turning()
    bad = dataclasses.replace(train, attributes={"velocity_error": 0.2})
    model = fitted(train)
    scored = score(forecast(model, turning(seed=1)), model, bad, notes=("Not used: trajectory 3.",))
    assert kinds(scored) == ["velocities", "unused_data"]
    assert scored.findings[0].value == 0.2


def test_findings_survive_json():
    train = turning()
    found = evaluate(fitted(train, drift=1.3), turning(n=3, seed=1), train=train)
    again = Evaluation.from_dict(found.to_dict())
    assert again.findings == found.findings
    assert again.two_valued == found.two_valued
    assert again.test == found.test


def test_trajectories_that_are_parts_of_one_give_no_intervals_however_many():
    train, test = turning(), turning(seed=1)
    model = fitted(train)
    held_out = HeldOut("pieces", (0, 0, 1, 1, 2, 2), 3)
    scored = score(forecast(model, test), model, train, held_out=held_out)
    assert scored.rollout.valid_time.median_interval is None
    assert all(each.mean_interval is None for each in scored.metrics.values())
    assert all(each.interval is None for each in scored.statistics.values())
    assert scored.test.words.startswith("6 pieces of 3 trajectories")


def test_a_poor_reconstruction_says_whether_the_coordinates_or_the_data_are_too_few():
    train, test = turning(), turning(seed=1)
    few = evaluate(fitted(train, PODSpec(1)), test, train=train)
    (finding,) = [finding for finding in few.findings if finding.kind == "lossy"]
    assert finding.text.startswith("1 coordinate loses ")
    assert "`dynred inspect` says how many" in finding.text
    assert finding.value == few.reconstruction.nmse
    elsewhere = dataclasses.replace(test, states=test.states.roll(1, 1))
    (finding,) = [f for f in evaluate(fitted(train), elsewhere, train=train).findings if f.kind == "lossy"]
    assert finding.text.startswith("2 coordinates lose ")
    assert "take more training trajectories" in finding.text
