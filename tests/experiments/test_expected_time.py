"""The time that a reduction will take is told before it begins, where that is long, and never stops the work."""

import pytest
import torch

from dynred.dynamics.map import MapSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import DivergenceError
from dynred.experiments import expected_time
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.expected_time import in_words, time_to_reduce
from dynred.experiments.open_source import source_of
from dynred.experiments.pipeline import reduce
from dynred.experiments.spec import model_spec
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.identity import IdentitySpec
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

TRAINING = TrainingSpec(steps=100, batch_size=64)
REDUCER = AutoencoderSpec(2, width=16, max_modes=3, training=TRAINING)
DYNAMICS = NeuralODESpec(width=16, training=TRAINING)
DATA = DataSpec(train=8, validation=2, test=3, duration=6.0, sampling=0.1)


@pytest.fixture
def announced(monkeypatch):
    """However short the work is."""
    monkeypatch.setattr(expected_time, "SHORT", 0.0)


class Told(Exception):
    """What ends a reduction when the time of its stages is told."""


def end(seconds):
    raise Told(seconds)


@pytest.mark.usefixtures("announced")
def test_the_time_of_all_stages_is_told_before_a_system_is_simulated(monkeypatch):
    monkeypatch.setattr("dynred.experiments.system_source.simulate", None)
    system = find_system("graph_lift", dim=6)
    with pytest.raises(Told) as told:
        reduce(system, 2, data=DATA, reducer=REDUCER, dynamics=DYNAMICS, runtime=Runtime(expecting=end))
    (seconds,) = told.value.args
    assert list(seconds) == ["simulate", "fit", "score", "report"]
    assert min(seconds.values()) > 0


@pytest.mark.usefixtures("announced")
def test_the_time_of_the_stages_that_data_need_is_right_within_a_factor(circle):
    lifted, heard = simulate(find_system("graph_lift", dim=6), 8, circle.times(0), rng=generator(0)), []
    runtime = Runtime(expecting=heard.append)
    cost = reduce(lifted, 2, reducer=REDUCER, dynamics=DYNAMICS, runtime=runtime).evaluation.cost
    (seconds,) = heard
    assert list(seconds) == ["fit", "score", "report"]
    took = cost.reducer_s + cost.dynamics_s
    assert took / 6 < seconds["fit"] < 6 * took  # others may use the machine


@pytest.mark.usefixtures("announced")
def test_a_map_is_iterated_in_no_time_and_its_training_is_told():
    dynamics = MapSpec(NeuralODESpec(width=16, training=TRAINING))
    source = source_of("henon", None)
    seconds = time_to_reduce(model_spec(IdentitySpec(2), dynamics, None, None), source, DATA.updated("sampling", 1.0))
    assert seconds["simulate"] < seconds["fit"]


def test_nothing_is_measured_where_counting_says_that_the_work_is_short(monkeypatch):
    monkeypatch.setattr(expected_time, "pilot", None)
    source, settings = source_of("graph_lift", None), model_spec(REDUCER, DYNAMICS, None, None)
    assert time_to_reduce(settings, source, DATA) == {}


@pytest.mark.usefixtures("announced")
def test_measurements_that_fail_leave_it_to_the_work_to_say_why():
    explodes = System("explodes", 3, lambda t, x: 1e3 * x**2, lambda n, rng: torch.ones(n, 3).double())
    heard = []
    with pytest.raises(DivergenceError, match="diverged"):
        reduce(explodes, 2, data=DATA, reducer=REDUCER, dynamics=DYNAMICS, runtime=Runtime(expecting=heard.append))
    assert heard == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ({"simulate": 12.2, "fit": 25.0, "score": 0.1}, "About 37 s: simulate 12 s, fit 25 s."),
        ({"fit": 600.0, "score": 30.0, "report": 6.0}, "About 11 minutes: fit 10 minutes, score 30 s, report 6 s."),
        ({"simulate": 9000.0}, "About 2.5 hours: simulate 2.5 hours."),
    ],
)
def test_the_time_is_said_in_a_sentence_of_two_digits(seconds, words):
    assert in_words(seconds) == words
