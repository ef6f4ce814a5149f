"""A stored model on data that its run never saw: scores and predictions, in Python and by command, from anywhere."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from dynred.cli.app import main
from dynred.data.storage import load_trajectories, save_trajectories
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.evaluation.evaluate import evaluate
from dynred.experiments.compare_runs import compare_runs
from dynred.experiments.evaluate_run import evaluate_run
from dynred.experiments.predict_run import predict_run
from dynred.models.load import load_model


def rotations(n, seed, steps=40, dtype=torch.float64):
    """Rotations in three dimensions at irregular times, without velocities."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 8, steps) + 0.02 * np.sin(np.arange(steps))
    angle, size = rng.uniform(0, 6.28, (n, 1)) + t, rng.uniform(1, 2, (n, 1))
    x, y = size * np.cos(angle), size * np.sin(angle)
    return Trajectories.from_stacked(torch.from_numpy(np.stack([x, y, x * y], -1)).to(dtype), torch.from_numpy(t))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run on ten trajectories, another with one coordinate less, and three more trajectories."""
    folder = tmp_path_factory.mktemp("comfort")
    save_trajectories(rotations(10, 0), folder / "train.npz")
    save_trajectories(rotations(3, 1), folder / "new.npz")
    for name, dim in (("run", 2), ("other", 1)):
        words = ("--latent-dim", dim, "--reducer", "pod", "--dynamics", "linear", "--out", folder / name)
        main([str(word) for word in ("reduce", folder / "train.npz", *words)])
    return folder


@pytest.fixture
def moved(folder, tmp_path):
    """The run alone, elsewhere."""
    shutil.copytree(folder / "run", tmp_path / "elsewhere" / "run")
    return tmp_path / "elsewhere" / "run"


def words_of(capsys, *tokens):
    """What a refused command says."""
    with pytest.raises(SystemExit):
        main([str(token) for token in tokens])
    return capsys.readouterr().err


def test_scores_on_a_file_are_those_of_evaluate_and_change_nothing(folder, capsys):
    before = {path.name: path.read_bytes() for path in (folder / "run").iterdir()}
    capsys.readouterr()
    main(["evaluate", str(folder / "run"), "--data", str(folder / "new.npz"), "--json"])
    scores = json.loads(capsys.readouterr().out)
    direct = evaluate(load_model(folder / "run"), load_trajectories(folder / "new.npz")).to_dict()
    assert scores["metrics"] == direct["metrics"]
    assert scores["reconstruction"] == direct["reconstruction"]
    assert set(scores["baselines"]) == {"pod", "linear", "persistence", "climatology"}
    assert scores["test"]["words"].startswith("3 trajectories from new.npz")
    assert {path.name: path.read_bytes() for path in (folder / "run").iterdir()} == before


def test_a_run_is_scored_from_anywhere(folder, moved, monkeypatch):
    monkeypatch.chdir(moved.parent)
    assert evaluate_run("run").metrics == evaluate_run(folder / "run").metrics
    found = evaluate_run(moved, data=folder / "new.npz")
    assert found.baselines


def test_a_run_whose_data_are_gone_is_scored_on_others_without_baselines(folder, moved, monkeypatch):
    data = (folder / "train.npz").rename(folder / "hidden.npz")
    try:
        with pytest.raises(InputError, match="the data of the run"):
            evaluate_run(moved)
        scores = evaluate_run(moved, data=folder / "new.npz")
        assert scores.baselines == {}
        assert scores.findings[0].kind == "no_baselines"
        assert "train.npz" in scores.findings[0].text
        assert len(predict_run(moved, 2.0, initial=folder / "new.npz")) == 3
    finally:
        data.rename(folder / "train.npz")


def test_trajectories_that_training_saw_are_told(folder):
    scores = evaluate_run(folder / "run", data=Trajectories.concatenate([rotations(3, 1), rotations(10, 0)[4:7]]))
    finding = scores.findings[0]
    assert finding.kind == "trained_on"
    assert "of the 6 trajectories" in finding.text
    assert scores.test.seen is None
    assert "trained_on" not in {f.kind for f in evaluate_run(folder / "run", data=folder / "new.npz").findings}


def test_models_are_compared_on_a_file(folder, capsys):
    comparison = compare_runs([folder / "run", folder / "other"], data=folder / "new.npz")
    assert comparison.trajectories == 3
    capsys.readouterr()
    main(["evaluate", *(str(folder / name) for name in ("run", "other")), "--data", str(folder / "new.npz"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["comparison"]["models"] == ["run", "other"]


def test_predictions_are_those_of_the_model_at_the_times_of_the_data(folder, tmp_path):
    model, new = load_model(folder / "run"), load_trajectories(folder / "new.npz")
    prediction = predict_run(folder / "run", 4.0, initial=folder / "new.npz", every=0.5)
    t = 0.5 * torch.arange(9).double()
    assert torch.equal(prediction.states, model.predict(new.initial, t).states)
    assert torch.allclose(prediction.times(2), new.times(2)[0] + t)
    first = predict_run(folder / "run", at=0)  # at the times of the test trajectory itself
    main(["predict", str(folder / "run"), "--at", "0", "--out", str(tmp_path / "p.csv")])
    table = pd.read_csv(tmp_path / "p.csv")
    assert list(table) == ["trajectory", "t", "x1", "x2", "x3"]
    assert np.allclose(table.to_numpy()[:, 2:], first.states)
    assert np.allclose(table["t"], first.t)
    assert np.allclose(np.diff(table["t"]).std(), np.diff(new.times(0)).std())


@pytest.mark.parametrize("suffix", [".npz", ".nc", ".zarr"])
def test_predictions_are_written_as_the_suffix_says(folder, tmp_path, suffix):
    out, states = tmp_path / f"p{suffix}", tmp_path / "states.npz"
    np.savez(states, states=np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    main(["predict", str(folder / "run"), "--initial", str(states), "--until", "3", "--out", str(out)])
    stored = load_trajectories(out)
    assert torch.equal(stored.states, predict_run(folder / "run", 3.0, initial=states).states)
    assert stored.lengths.tolist() == [201, 201]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--at", 0, "--initial", "new.npz"), "either `initial` or `at`, got both"),
        ((), "either `initial` or `at`, got neither"),
        (("--at", 7), "at must be an integer in [0, 0], got 7"),
        (("--initial", "new.npz"), "until must be given"),
        (("--initial", "new.npz", "--until", 1, "--every", 2), "every must be at most `until`, 1, got 2"),
        (("--initial", "new.npz", "--until", -1), "until must be"),
        (("--initial", "wide.npz", "--until", 1), "initial must be states of 3 values, got 5"),
        (("--initial", "none.npz", "--until", 1), "none.npz does not exist"),
        (("--at", 0, "--out", "old.csv"), "out must be a new file"),
        (("--at", 0, "--out", "old.csv", "--overwrite"), "which dynred did not write"),
        (("--at", 0, "--out", "p.txt"), ".zarr, .npz, .nc, .csv"),
    ],
)
def test_what_cannot_be_predicted_is_refused_in_a_sentence(folder, tmp_path, monkeypatch, capsys, options, sentence):
    monkeypatch.chdir(tmp_path)
    shutil.copy(folder / "new.npz", tmp_path)
    np.savez("wide.npz", states=np.zeros((8, 5)))
    (tmp_path / "old.csv").write_text("a,b\n1,2\n")
    given = options if "--out" in options else (*options, "--out", "p.csv")
    assert sentence in words_of(capsys, "predict", folder / "run", *given)
    assert (tmp_path / "old.csv").read_text() == "a,b\n1,2\n"
    assert not (tmp_path / "p.csv").exists()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (rotations(2, 1).map(lambda x: x[:, :2]), "of 3 dimensions, like the training trajectories, got 2"),
        (rotations(2, 1).windows(1), "at least 2 snapshots"),
    ],
)
def test_data_that_do_not_fit_the_model_are_refused(folder, data, sentence):
    with pytest.raises(InputError, match=sentence):
        evaluate_run(folder / "run", data=data)
    with pytest.raises(InputError, match="long must be left out"):
        evaluate_run(folder / "run", data=rotations(2, 1), long=True)
