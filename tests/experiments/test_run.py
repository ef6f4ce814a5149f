import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from dynred.cli.app import main
from dynred.data.storage import save_trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.errors import DivergenceError, FileFormatError, InputError
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.evaluate_run import evaluate_run
from dynred.experiments.open_source import source_of
from dynred.experiments.publish import certificate
from dynred.experiments.run import run, stored_spec
from dynred.experiments.spec import ExperimentSpec
from dynred.files import read_json, read_tensors
from dynred.models.load import load_model
from dynred.models.reduced import on_reducer
from dynred.ode.find import find_system
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

FILES = {
    "model.safetensors",
    "experiment.json",
    "evaluation.json",
    "certificate.json",
    "calibration.json",
    "report.html",
}


@pytest.fixture
def spec(small_data, small_reducer, small_dynamics):
    reducer = dataclasses.replace(small_reducer, latent_dim=1)
    return ExperimentSpec("stuart_landau", 1, data=small_data, reducer=reducer, dynamics=small_dynamics)


def test_a_run_folder_holds_just_the_documented_files(spec, tmp_path):
    found = run(spec, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    assert read_json(tmp_path / "run" / "evaluation.json") == found.to_dict()
    stored = read_json(tmp_path / "run" / "experiment.json")
    assert stored["seed"] == 0
    assert stored["versions"]["torch"] == torch.__version__
    assert stored_spec(tmp_path / "run") == spec


def test_a_folder_that_holds_a_run_is_left_alone_unless_asked(spec, tmp_path):
    run(spec, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match="out must be a folder without a run.*Use --resume or --overwrite"):
        run(spec, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    run(spec.updated("seed", 1), tmp_path, overwrite=True)
    assert stored_spec(tmp_path).seed == 1


def test_resuming_a_finished_run_computes_nothing(spec, tmp_path):
    found = run(spec, tmp_path)
    before = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert run(spec, tmp_path, resume=True) == found
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == before


def test_resuming_with_other_settings_names_what_differs(spec, tmp_path):
    run(spec, tmp_path)
    with pytest.raises(InputError, match="differ in: seed, threshold"):
        run(spec.updated("seed", 1).updated("threshold", 0.4), tmp_path, resume=True)


def test_evaluating_a_run_again_gives_the_same_scores(spec, tmp_path):
    first = run(spec, tmp_path)
    again = evaluate_run(tmp_path)
    assert again.reconstruction == first.reconstruction
    assert again.rollout == first.rollout
    assert again.baselines == first.baselines
    assert again.cost == first.cost


def test_a_run_from_a_data_file_can_be_evaluated_again(small_reducer, small_dynamics, tmp_path):
    times = torch.linspace(0, 6, 61, dtype=torch.float64)
    save_trajectories(simulate(find_system("stuart_landau"), 12, times, rng=generator(0)), tmp_path / "data.npz")
    source = str(tmp_path / "data.npz")
    reducer = dataclasses.replace(small_reducer, latent_dim=1)
    spec = ExperimentSpec(source, 1, data=DataSpec(), reducer=reducer, dynamics=small_dynamics)
    first = run(spec, tmp_path / "run")
    assert first.system == "stuart_landau"
    assert evaluate_run(tmp_path / "run").rollout == first.rollout


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"source": "stuart_landua"}, InputError, "Did you mean stuart_landau"),
        ({"latent_dim": 2}, InputError, "latent_dim must be an integer in"),
        ({"arguments": {"mass": 2}}, InputError, "argument of stuart_landau must be one of mu, omega"),
        ({"source": "nothing.npz"}, FileFormatError, "nothing.npz does not exist"),
        ({"source": "nothing.py"}, InputError, "path to an existing .py file"),
    ],
)
def test_bad_settings_leave_no_folder(spec, tmp_path, changes, error, message):
    for key, value in changes.items():
        spec = spec.updated(key, value)
    with pytest.raises(error, match=message):
        run(spec, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_truth_that_diverges_leaves_no_folder(tmp_path):
    file = tmp_path / "explosive.py"
    file.write_text("dim = 3\nduration = 3.0\n\n\ndef rhs(t, x):\n    return 1 + x**2\n")
    spec = ExperimentSpec(str(file), 1, reducer=PODSpec(1), dynamics=LinearSpec(), data=DataSpec(4, 1, 1))
    with pytest.raises(DivergenceError, match="diverged after"):
        run(spec, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_folders_without_a_run_or_of_a_newer_schema_are_refused(spec, tmp_path):
    with pytest.raises(FileFormatError, match="holds no run"):
        evaluate_run(tmp_path)
    run(spec, tmp_path)
    stored = read_json(tmp_path / "experiment.json")
    (tmp_path / "experiment.json").write_text(json.dumps({**stored, "schema": 7}))
    with pytest.raises(FileFormatError, match="schema 1 or older"):
        evaluate_run(tmp_path)


WORDS = [
    *("reduce", "graph_lift", "--latent-dim", "2", "--with", "dim=8"),
    *("--set", "data.train=8", "--set", "data.validation=2", "--set", "data.test=2", "--set", "data.duration=6.0"),
    *("--set", "data.transient=1.0", "--set", "data.sampling=0.2", "--set", "data.horizon=6.0"),
    *("--set", "reducer.width=16", "--set", "reducer.training.batch_size=32", "--set", "reducer.training.steps=400"),
    *("--set", "dynamics.width=16", "--set", "dynamics.training.batch_size=32"),
    *("--set", "dynamics.training.steps=1000"),
]
COMMAND = [sys.executable, "-c", "from dynred.cli.app import main; main()", *WORDS]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run of the command that nobody stops."""
    out = tmp_path_factory.mktemp("whole") / "run"
    main([*WORDS, "--out", str(out)])
    return out


def interrupt(out, number):
    """Starts the command and stops it in the middle of training the dynamics."""
    process = subprocess.Popen([*COMMAND, "--out", str(out)], stderr=subprocess.PIPE, text=True)
    reducer = out / "checkpoints" / "reducer.safetensors"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if reducer.exists() and read_tensors(reducer)[1]["done"] == 400:
            break
        time.sleep(0.01)
    time.sleep(0.5)
    os.kill(process.pid, number)
    return process.wait(timeout=60), process.stderr.read()


ENDS = [
    (signal.SIGKILL, -9),
    pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_a_stopped_run_ends_with_the_same_weights_bit_for_bit(tmp_path, monkeypatch, whole, number, code):
    returned, said = interrupt(tmp_path / "stopped", number)
    assert returned == code
    assert number == signal.SIGKILL or "--resume" in said
    assert not (tmp_path / "stopped" / "model.safetensors").exists()
    main([*WORDS, "--out", str(tmp_path / "stopped"), "--resume"])
    a, b = load_model(whole), load_model(tmp_path / "stopped")
    for part in ("reducer", "dynamics"):
        left, right = getattr(a, part).state_dict(), getattr(b, part).state_dict()
        assert all(torch.equal(left[key], right[key]) for key in left)
    assert {path.name for path in (tmp_path / "stopped").iterdir()} == FILES


def test_a_certificate_takes_no_points_of_k_at_other_parameters_than_those_of_the_test(circle):
    model = on_reducer(PODSpec(1).fit(circle, circle, rng=generator(0)), LinearSpec(), circle, circle, rng=generator(0))
    system = find_system("stuart_landau")
    at_default = certificate(model, source_of(system), circle, generator(0), samples=500)
    assert at_default.samples == 500
    assert at_default.obstruction.lower_bound == pytest.approx(1.0)
    drawing = dataclasses.replace(system, sample_parameters=lambda n, rng: {"mu": 0.5 + torch.rand(n, generator=rng)})
    drawn = certificate(model, source_of(drawing), circle, generator(0), samples=500)
    assert drawn.samples == len(circle.states)
    assert drawn.obstruction.obstructed is None
