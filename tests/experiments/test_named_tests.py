"""Tests that are named: files, trajectories, fractions, parts in time; in Python and by command."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from dynred.cli.app import main
from dynred.data.storage import load_trajectories, save_trajectories
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.errors import InputError
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.earlier import todays
from dynred.experiments.evaluate_run import evaluate_run
from dynred.experiments.pipeline import reduce
from dynred.experiments.spec import ExperimentSpec
from dynred.models.load import load_model
from dynred.reducers.pod import PODSpec
from dynred.rng import generator

PLAIN = {"reducer": PODSpec(2), "dynamics": LinearSpec()}


def measured(n=6, steps=60, seed=0):
    """Damped rotations in three dimensions, without velocities."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 12, steps)
    angle, size = rng.uniform(0, 6.28, (n, 1)) + t, rng.uniform(1, 2, (n, 1)) * np.exp(-0.05 * t)
    x, y = size * np.cos(angle), size * np.sin(angle)
    return Trajectories.from_stacked(torch.from_numpy(np.stack([x, y, x * y], -1)), torch.from_numpy(t))


@pytest.fixture
def files(tmp_path):
    save_trajectories(measured(), tmp_path / "train.npz")
    save_trajectories(measured(2, seed=7), tmp_path / "test.npz")
    return tmp_path


def scored(folder, *options):
    words = ("--latent-dim", 2, "--reducer", "pod", "--dynamics", "linear", "--out", folder / "run", "--overwrite")
    main([str(word) for word in ("reduce", folder / "train.npz", *words, *options)])
    return json.loads((folder / "run" / "evaluation.json").read_text())


def test_a_printed_score_is_that_of_predict_on_the_file(files):
    found = scored(files, "--test", files / "test.npz")
    model, test = load_model(files / "run"), load_trajectories(files / "test.npz")
    by_hand = []
    for part in test:
        error = (model.predict(part.states[:1], part.t).states - part.states).norm(dim=1)
        by_hand.append(float(error.mean() / part.states.norm(dim=1).max()))
    assert found["metrics"]["nmte"]["mean"] == pytest.approx(np.mean(by_hand), rel=1e-12)
    assert found["test"]["how"] == "file"
    assert found["test"]["words"].startswith("2 trajectories from test.npz, each 12 time units long, never trained on")


def test_named_trajectories_are_the_test(files):
    found = scored(files, "--test-trajectories", 4, 1)
    assert (found["test"]["chosen"], found["test"]["among"], found["test"]["seen"]) == ([1, 4], 6, False)
    assert "(trajectories 1, 4)" in found["test"]["words"]


def test_the_last_part_in_time_is_the_test_and_training_saw_the_rest(files):
    found = scored(files, "--split", "time", "--test-fraction", 0.3)
    assert found["test"]["snapshots"] == 6 * 18
    assert found["test"]["seen"]
    assert "never trained on" not in found["test"]["words"]
    whole = load_trajectories(files / "train.npz")
    model = load_model(files / "run")
    nmte = []
    for part in whole:
        late = part.states[42:]
        error = (model.predict(late[:1], part.t[42:]).states - late).norm(dim=1)
        nmte.append(float(error.mean() / part.states.norm(dim=1).max()))  # of the whole trajectory
    assert found["metrics"]["nmte"]["mean"] == pytest.approx(np.mean(nmte), rel=1e-9)


def test_python_takes_the_same_tests_as_the_command(files):
    by_command = scored(files, "--test", files / "test.npz")
    data = load_trajectories(files / "train.npz")
    for test in (load_trajectories(files / "test.npz"), str(files / "test.npz")):
        found = reduce(data, 2, test=test, **PLAIN).evaluation.to_dict()
        assert found["metrics"] == by_command["metrics"]


def test_a_run_with_a_test_of_its_own_is_scored_again_on_it(files):
    found = scored(files, "--test", files / "test.npz")
    again = evaluate_run(files / "run").to_dict()
    assert again["metrics"] == found["metrics"]
    assert again["test"] == found["test"]


def test_a_system_is_tested_on_a_file(tmp_path):
    from dynred.ode.find import find_system
    from dynred.simulation.simulate import simulate

    times = torch.linspace(0, 5, 21, dtype=torch.float64)
    test = simulate(find_system("stuart_landau"), 3, times, rng=generator(5))
    data = DataSpec(train=6, validation=2, duration=4.0, sampling=0.2)
    found = reduce("stuart_landau", 1, data=data, test=test, reducer=PODSpec(1), dynamics=LinearSpec())
    assert torch.equal(found.forecast.truth.states, test.states)
    assert len(found.train) == 6


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        (measured(2).map(lambda x: x[:, :2]), "test must be of 3 dimensions, like the training trajectories, got 2"),
        (
            dataclasses.replace(measured(2), parameters={"mu": torch.ones(2)}),
            r"the parameters of the .*\(none\), got mu",
        ),
        (measured(2).windows(1), "test must be trajectories of at least 2 snapshots, got 1 in trajectory 0"),
    ],
)
def test_a_test_that_does_not_fit_is_refused(test, sentence):
    with pytest.raises(InputError, match=sentence):
        reduce(measured(), 2, test=test, **PLAIN)


def test_a_system_does_not_split():
    with pytest.raises(InputError, match="must be left out for a system, got given"):
        reduce("stuart_landau", 1, data=DataSpec(test_fraction=0.2), reducer=PODSpec(1), dynamics=LinearSpec())


def test_a_trajectory_in_no_set_is_listed(files):
    data = Trajectories.concatenate([measured(5, 60), measured(1, 600)[:1].windows(1)[:1]])
    found = reduce(data, 2, **PLAIN).evaluation
    assert any("trajectory 5" in finding.text for finding in found.findings if finding.kind == "unused_data")


def test_velocities_that_are_too_wrong_are_refused_unless_forced():
    rng = np.random.default_rng(0)
    noise = Trajectories.from_stacked(torch.from_numpy(rng.normal(size=(6, 60, 3))), torch.arange(60.0))
    with pytest.raises(InputError, match="no dynamics are fitted to them, unless that is forced"):
        reduce(noise, 2, **PLAIN)
    forced = reduce(noise, 2, data=DataSpec(force=True), **PLAIN).evaluation
    assert "velocities" in [finding.kind for finding in forced.findings]


def test_settings_of_before_there_were_splits_are_read_with_the_split_of_then(tmp_path):
    new = ExperimentSpec("data.npz", 2).to_dict()
    old = {key: value for key, value in new.items() if key != "test"}
    kept = ("kind", "duration", "sampling", "horizon", "transient", "solver")
    old["data"] = {key: new["data"][key] for key in kept} | {"train": 256, "validation": 32, "test": 256}
    assert ExperimentSpec.from_dict(todays(old)).data == DataSpec(split="pieces", force=True)
    assert ExperimentSpec.from_dict(todays({**old, "source": "lorenz63"})).data.split == "auto"
    assert todays(new) == new
