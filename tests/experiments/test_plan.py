"""Plans: time scales from a pilot, settings within the time, costs near what runs take."""

import json
import math
import time

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.data.transforms.delays import DelaysSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import InputError
from dynred.experiments import costs, plan_source
from dynred.experiments.costs import Costs, Line, Rehearsal, rehearse, training_paths
from dynred.experiments.data_spec import SIMULATED, DataSpec
from dynred.experiments.folder import RunFolder
from dynred.experiments.open_source import source_of
from dynred.experiments.origin import origin
from dynred.experiments.pilot import pilot
from dynred.experiments.pipeline import reduce
from dynred.experiments.plan import FEWEST, FEWEST_STEPS, START, _Chooser, is_bare, plan, updated
from dynred.experiments.plan_source import plan_of
from dynred.experiments.planned import minutes_of, planned
from dynred.experiments.spec import ExperimentSpec
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

OWN = """
import numpy as np
dim = 3
def rhs(t, x):
    r = 1 - x[0] ** 2 - x[1] ** 2
    return np.array([r * x[0] - x[1], r * x[1] + x[0], -x[2]])
"""


def circle(rate=1.0, size=1.0, decay=1.0):
    """A limit cycle of period 2 pi / `rate` and radius `size` in the first two of three dimensions."""

    def rhs(t, x):
        y = x / size
        r = 1 - y[..., 0] ** 2 - y[..., 1] ** 2
        v = [r * y[..., 0] - y[..., 1], r * y[..., 1] + y[..., 0], -decay * y[..., 2]]
        return rate * size * torch.stack(v, -1)

    sample = lambda n, rng: size * torch.randn(n, 3, generator=rng, dtype=torch.float64)  # noqa: E731
    return System("circle", 3, rhs, sample)


def small(**others):
    training = TrainingSpec(steps=400)
    reducer = AutoencoderSpec(2, width=16, max_modes=3, training=training)
    return ExperimentSpec("circle", 2, reducer=reducer, dynamics=NeuralODESpec(width=16, training=training), **others)


@pytest.mark.parametrize(("rate", "size"), [(1e-4, 1.0), (300.0, 1e3)])
def test_a_pilot_finds_the_period_of_a_limit_cycle_in_any_units(rate, size):
    look = pilot(circle(rate, size), 60.0, 0)
    period = 2 * math.pi / rate
    assert look.fast == pytest.approx(period, rel=0.05)
    assert look.slow == pytest.approx(period, rel=0.15)
    assert look.settled
    assert 3 * period < look.transient < 100 * period


def test_a_pilot_sees_that_trajectories_come_to_rest():
    look = pilot(System("rest", 2, lambda t, x: -x), 60.0, 0)
    assert look.rests
    assert look.transient == 0


def chooser(spec, costs, system=None, **times):
    return _Chooser(spec, system or circle(), costs, {f"data.{name}": value for name, value in times.items()}, ())


TIMES = {"transient": 20.0, "duration": 60.0, "sampling": 0.3, "horizon": 60.0}
COSTS = [
    Costs(Line(1e-3, 1e-4), Line(1.0, 1e-5), 0.01, Line(3.0, 1e-5), 1, 1.0, 1.5, 1.0),
    Costs(Line(1e-2, 1e-6), Line(2.0, 0.0), 0.002, Line(3.0, 1e-4), 1, 3.0, 30.0, 1.0),
    Costs(Line(0.0, 1e-2), Line(1.0, 1e-5), 0.03, Line(3.0, 1e-5), 2, 1.0, 1.5, 1.0),
]


@pytest.mark.parametrize("costs", COSTS)
def test_more_time_buys_more_never_more_than_the_defaults_and_what_was_chosen_fits(costs):
    spec, before = ExperimentSpec("circle", 2), None
    for seconds in (20.0, 60.0, 200.0, 1e3, 1e5):
        settings, parts = chooser(spec, costs, **TIMES).within(seconds)
        counts = {name: settings[f"data.{name}"] for name in SIMULATED}
        steps = settings["reducer.training.steps"]
        least = counts == FEWEST and steps == FEWEST_STEPS
        assert least or sum(parts.values()) <= 1.01 * seconds
        if before is not None:
            assert settings["data.duration"] >= before["data.duration"]
        before = settings
    assert counts == SIMULATED
    assert [settings[f"{path}.steps"] for path in training_paths(spec)] == [5000, 6000]


def test_what_the_user_chose_stays():
    spec = ExperimentSpec("circle", 2, data=DataSpec(train=9, duration=7.0))
    given = _Chooser(spec, circle(), COSTS[0], {"data.sampling": 0.1}, ("reducer",))
    settings, _ = given.within(1e5)
    assert not {"data.train", "data.duration", "reducer.training.steps"} & set(settings)
    assert {"data.test", "data.validation", "dynamics.training.steps"} <= set(settings)


def test_a_plan_is_settings_that_take_about_as_long_as_it_says():
    system, spec = circle(), small()
    chosen = plan(spec, system, 0.2)
    again = ExperimentSpec.from_dict(json.loads(chosen.apply(spec).to_json()))
    assert again == chosen.apply(spec)
    assert chosen.words()[0].startswith("Planned for 0.2 minutes: ")
    start = time.perf_counter()
    reduction = reduce(system, 2, data=again.data, reducer=again.reducer, dynamics=again.dynamics)
    took = time.perf_counter() - start
    expected = sum(seconds for stage, seconds in chosen.seconds.items() if stage != "plan")
    assert took / 5 < expected < 5 * took  # others may use the machine
    assert reduction.evaluation.reconstruction.nmse < 0.02  # a busy machine plans little


@pytest.mark.slow
def test_systems_that_name_their_times_keep_them():
    system = find_system("lorenz63")
    assert not is_bare(system)
    chosen = plan(ExperimentSpec("lorenz63", 2, reducer=small().reducer, dynamics=small().dynamics), system, 0.1)
    assert not {"data.transient", "data.sampling"} & set(chosen.settings)


@pytest.mark.parametrize(
    ("chosen", "minutes", "expected"),
    [((), None, 3.0), (("data.train",), None, None), (("reducer.training.steps",), None, None), (("seed",), 0.5, 0.5)],
)
def test_an_own_system_without_times_is_planned_unless_something_was_chosen(tmp_path, chosen, minutes, expected):
    (tmp_path / "own.py").write_text(OWN)
    spec = ExperimentSpec(str(tmp_path / "own.py"), 2)
    assert minutes_of(spec, minutes, chosen) == expected
    assert minutes_of(ExperimentSpec("lorenz63", 2), minutes, chosen) == minutes
    (tmp_path / "own_times.py").write_text(OWN + "duration = 20.0\n")
    assert minutes_of(ExperimentSpec(str(tmp_path / "own_times.py"), 2), minutes, chosen) == minutes


def test_a_planned_run_is_resumed_with_the_settings_of_its_plan(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    spec = updated(small(data=DataSpec(train=4)), {"source": str(tmp_path / "own.py")})
    chosen = {"data.sampling": 0.25, "dynamics.training.steps": 7, "dynamics.training.patience": 6}
    begun, folder = updated(spec, chosen), RunFolder(tmp_path / "run")
    with folder.locked():
        folder.begin(origin(begun, begun.open(), [], folder))
    settings, lines = planned(spec, 1.0, ("data.test",), tmp_path / "run")
    assert chosen.items() <= settings.items()
    assert "data.test" not in settings
    assert updated(spec, settings) == updated(spec, chosen)
    assert lines == []


@pytest.fixture
def measured():
    """Five trajectories without an equation."""
    times = torch.linspace(0, 6, 61, dtype=torch.float64)
    return Trajectories.from_stacked(simulate(circle(), 5, times, rng=generator(0)).stacked(), times)


def test_a_plan_for_data_chooses_training_and_keeps_all_trajectories(measured, monkeypatch):
    cost = Rehearsal(Line(1.0, 1e-3), 0.1, Line(3.0, 1e-3))
    monkeypatch.setattr(plan_source, "rehearse", lambda *_: cost)
    spec, source = small(), source_of(measured)
    little, some, much = (plan_of(spec, source, minutes) for minutes in (0.02, 0.8, 1e3))
    paths = [f"{path}.{name}" for path in training_paths(spec) for name in ("steps", "patience")]
    assert set(little.settings) == set(much.settings) == set(paths)
    steps = [{plan.settings[path] for path in paths if path.endswith("steps")} for plan in (little, some, much)]
    assert steps[0] == {FEWEST_STEPS}
    assert steps[2] == {400}
    assert FEWEST_STEPS < min(steps[1]) < 400
    assert sum(some.seconds.values()) == pytest.approx(48 - START, abs=1)
    assert much.later == much.settings
    assert "would buy" not in " ".join(much.words())
    assert plan_of(spec, source, 1.0, fixed=["reducer", "dynamics"]).settings == {}
    with pytest.raises(InputError, match="minutes must be"):
        reduce(measured, 2, minutes=-1.0)


def test_a_plan_measures_the_states_that_transforms_make(measured, monkeypatch):
    seen = []
    monkeypatch.setattr(costs, "_fitted", lambda spec, *states: seen.append(states[0].dim) or (0.1, 0.01))
    monkeypatch.setattr(costs, "_scored", lambda *_: 0.1)
    known = simulate(circle(), 5, measured.times(0), rng=generator(0))
    rehearse(small().model, known, 10.0, [DelaysSpec(4, lag=1)])
    assert set(seen) == {12}
    rehearse(small().model, known, 10.0, [DelaysSpec(99, lag=1)])  # too short a pilot: as it is
    assert seen[-1] == 3


@pytest.mark.parametrize("lengths", [(1, 1), (1, 5), (40, 1)])
def test_a_pilot_that_ended_before_its_trajectories_did_still_gives_costs(lengths):
    t = torch.cat([torch.arange(float(n), dtype=torch.float64) for n in lengths])
    x = torch.randn(len(t), 3, generator=generator(0), dtype=torch.float64)
    cost = rehearse(small().model, Trajectories(x, t, torch.tensor(lengths), -x), 0.1)
    assert cost.step > 0
    assert cost.scoring(100) > 0


def test_too_many_coordinates_are_refused_before_anything_is_planned(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    with pytest.raises(InputError, match=r"latent_dim must be an integer in \[1, 2\], got 3"):
        planned(ExperimentSpec(str(tmp_path / "own.py"), 3), 1.0, ())
