"""Very long rollouts of models whose long-time behaviour is known."""

import dataclasses
import math

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.errors import InputError
from dynred.evaluation.evaluate import evaluate
from dynred.evaluation.evaluation import Evaluation
from dynred.evaluation.long_time import long_time
from dynred.models.reduced import ReducedModel
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate


@pytest.fixture(scope="module")
def oscillators():
    """Rotations in a plane within R^5, of random amplitude: POD of two modes with linear dynamics is exact."""
    plane = torch.linalg.qr(torch.randn(5, 2, generator=generator(3), dtype=torch.float64))[0]
    matrix = plane @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64) @ plane.T

    def initial(n, rng):
        return torch.randn(n, 2, generator=rng, dtype=torch.float64) @ plane.T

    return System("oscillators", 5, lambda t, x: x @ matrix.T, initial, time_scale=2 * math.pi, sampling=0.2)


@pytest.fixture(scope="module")
def exact(oscillators):
    train = simulate(oscillators, 6, torch.linspace(0, 6, 31, dtype=torch.float64), rng=generator(0, "train"))
    reducer = PODSpec(2).fit(train, train, rng=generator(0))
    latents = train.map(reducer.encode)
    return ReducedModel(reducer, LinearSpec().fit(latents, latents, rng=generator(0)), {"system": "oscillators"})


def growing(model, rate):
    """The same model with latents that grow at a rate."""
    train = Trajectories.from_stacked(torch.eye(2, dtype=torch.float64)[None], torch.arange(2.0), torch.zeros(1, 2, 2))
    dynamics = LinearSpec().fit(train, train, rng=generator(0))
    dynamics.load_state_dict(model.dynamics.state_dict())
    dynamics.matrix[:, :2] += rate * torch.eye(2, dtype=torch.float64)
    return ReducedModel(model.reducer, dynamics, model.about)


def test_an_exact_model_stays_and_has_the_statistics_of_the_truth(oscillators, exact):
    found = long_time(exact, oscillators, n=8, duration=60.0, exponents=0)
    assert found.rollouts == 8
    assert found.duration == pytest.approx(60)
    assert found.left == 0
    assert found.left_interval[0] == 0
    assert {"joint_density", "marginals", "power_spectrum", "autocorrelation"} == set(found.statistics)
    assert all(one.distance < 0.05 and one.ratio < 0.2 for one in found.statistics.values())
    assert found.full is None


def test_an_exact_model_has_the_exponents_of_the_truth(oscillators, exact):
    found = long_time(exact, oscillators, n=4, duration=6.0)
    assert found.reduced.exponents == pytest.approx([0, 0], abs=1e-3)
    assert found.full.exponents == pytest.approx([0, 0], abs=1e-3)


def test_a_rollout_in_pieces_is_the_rollout_in_one(oscillators, exact):
    # Growth to 1.36 in the first piece of 512 snapshots, to 2.5 in the third: the largest leaves at 1.5.
    slow = growing(exact, 0.003)
    assert long_time(slow, oscillators, n=4, duration=100.0, exponents=0).left == 0
    assert long_time(slow, oscillators, n=4, duration=300.0, exponents=0).left >= 1


def test_an_unstable_model_is_seen_to_leave_and_has_no_statistics_of_the_truth(oscillators, exact):
    found = long_time(growing(exact, 1.0), oscillators, n=8, duration=60.0, exponents=1)
    assert found.left == 8
    assert found.statistics["marginals"].ratio > 3
    assert found.full is not None
    assert found.reduced is None


def test_what_was_found_is_kept_in_the_evaluation(oscillators, exact):
    found = long_time(exact, oscillators, n=4, duration=4.0, exponents=1)
    assert len(found.full.exponents) == 1
    test = simulate(oscillators, 4, torch.linspace(0, 6, 31, dtype=torch.float64), rng=generator(0, "test"))
    plain = evaluate(exact, test).to_dict()
    again = Evaluation.from_dict({**plain, "long_time": Evaluation.to_dict(_with(exact, test, found))["long_time"]})
    assert again.long_time == found


def _with(model, test, found):
    return dataclasses.replace(evaluate(model, test), long_time=found)


def test_systems_seen_through_a_map_are_followed_too(exact):
    system = find_system("graph_lift", dim=5)
    train = simulate(system, 6, torch.linspace(0, 6, 31, dtype=torch.float64), rng=generator(0))
    reducer = PODSpec(2).fit(train, train, rng=generator(0))
    latents = train.map(reducer.encode)
    model = ReducedModel(reducer, LinearSpec().fit(latents, latents, rng=generator(0)))
    assert long_time(model, system, n=3, duration=10.0, exponents=0).full is None


def test_bad_arguments_are_refused(oscillators, exact):
    with pytest.raises(InputError, match="n must be an integer >= 2, got 1"):
        long_time(exact, oscillators, n=1)
    with pytest.raises(InputError, match="duration must be a finite number > 0"):
        long_time(exact, oscillators, duration=0)
    with pytest.raises(InputError, match="system must be of 5 dimensions, like the model, got 3"):
        long_time(exact, find_system("lorenz63"))
