"""Files that earlier versions wrote are read, and what those left unfinished goes on.

tests/data/ has what two commits of version 0.1 wrote, in which classes were named by their places in the code:
`0ca31f3` a run and an atlas, `ea3c2b1` a run, one that was stopped, and a store of which a part is missing.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch

from dynred import kinds
from dynred.cli.app import main
from dynred.data.storage import load_trajectories
from dynred.experiments.certify_run import certify_run
from dynred.experiments.evaluate_run import evaluate_run
from dynred.experiments.run import run, stored_spec
from dynred.files import read_tensors
from dynred.models.load import load_model
from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate_to
from dynred.solvers.explicit import Explicit
from dynred.spec import Spec

pytestmark = pytest.mark.usefixtures("truths_once")

DATA = Path(__file__).parents[1] / "data"
PREDICTIONS = {
    f"{version.parent.name}/{name}": states
    for version in DATA.glob("*/predictions.json")
    for name, states in json.loads(version.read_text()).items()
}
STARTS = torch.tensor([[1.0, 2.0, 20.0], [-3.0, -5.0, 25.0]], dtype=torch.float64)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_models_of_earlier_versions_predict_what_they_predicted(name, tmp_path):
    expected = torch.tensor(PREDICTIONS[name], dtype=torch.float64)
    model = load_model(DATA / name)
    times = torch.tensor([0.0, 0.2, 0.4], dtype=torch.float64)
    torch.testing.assert_close(model.predict(STARTS, times).stacked(), expected, rtol=1e-5, atol=1e-5)
    model.save(tmp_path / "again.safetensors")
    again = load_model(tmp_path / "again.safetensors")
    torch.testing.assert_close(again.predict(STARTS, times).stacked(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["0ca31f3/run", pytest.param("ea3c2b1/ensemble", marks=pytest.mark.slow)])
def test_runs_of_earlier_versions_are_evaluated_and_certified(name, tmp_path, monkeypatch):
    out = tmp_path / "run"
    shutil.copytree(DATA / name, out)
    before = json.loads((out / "evaluation.json").read_text())
    again = evaluate_run(out)
    rel = 1e-3 if name.startswith("ea3c2b1") else 0.1  # before, test trajectories were drawn otherwise
    assert again.reconstruction.nmse == pytest.approx(before["reconstruction"]["nmse"], rel=rel)
    assert certify_run(out, samples=50).system == "lorenz63"


def test_a_run_is_scored_by_a_metric_of_ones_own_beside_dynreds(tmp_path, capsys, monkeypatch):
    out, mine = tmp_path / "run", tmp_path / "mine.py"
    shutil.copytree(DATA / "0ca31f3/run", out)
    mine.write_text(
        "from dynred.metrics.base import Metric\n\n\nclass Shortest(Metric):\n    higher_is_better = False\n\n"
        "    def __call__(self, forecast):\n        return forecast.truth.lengths.double()\n"
    )
    main(["evaluate", str(out), "--metric", str(mine), "--json"])
    shown = capsys.readouterr().out
    assert json.loads(shown)["metrics"]["shortest"]["mean"] > 1
    assert json.loads(shown)["metrics"] == json.loads((out / "evaluation.json").read_text())["metrics"]
    assert "<th>shortest</th>" in (out / "report.html").read_text()


def test_a_run_that_an_earlier_version_began_is_resumed_from_its_checkpoint(tmp_path, monkeypatch):
    out, began = tmp_path / "run", []
    shutil.copytree(DATA / "ea3c2b1" / "stopped", out)
    _, checkpoint = read_tensors(out / "checkpoints" / "dynamics.safetensors")
    restore = training_state().restore
    monkeypatch.setattr(training_state(), "restore", lambda self, path: [restore(self, path), began.append(self.done)])
    run(stored_spec(out), out, resume=True)
    assert began == [40, checkpoint["done"]]
    assert (out / "model.safetensors").exists()


def training_state():
    from dynred.training import minimise as optimise

    return optimise._Training


def test_a_store_that_an_earlier_version_began_is_gone_on_with(tmp_path):
    path = tmp_path / "part.zarr"
    shutil.copytree(DATA / "ea3c2b1" / "part.zarr", path)
    system, times = find_system("lorenz63"), torch.arange(0, 2, 0.5, dtype=torch.float64)
    stored = simulate_to(path, system, 3, times, rng=generator(0, "s"))
    begun_by = Explicit(atol=1e-8)  # the default then
    fresh = simulate_to(tmp_path / "fresh.zarr", system, 3, times, rng=generator(0, "s"), solver=begun_by)
    assert len(stored) == len(fresh) == 3
    torch.testing.assert_close(load_trajectories(path).states, load_trajectories(fresh.path).states)


@pytest.mark.parametrize("earlier", kinds.EARLIER)
def test_every_name_of_an_earlier_file_means_the_class_that_it_meant(earlier):
    found = kinds.class_of(earlier)
    assert found is not None
    assert found.__qualname__ == earlier.partition(":")[2]
    assert found is kinds.class_of(kinds.EARLIER[earlier])


def test_no_two_classes_have_one_name_in_files():
    defined = [name for file in kinds.HOME.rglob("*.py") for name in kinds.DEFINED.findall(file.read_text("utf-8"))]
    twice = sorted({name for name in defined if defined.count(name) > 1})
    assert not twice
    assert len({kinds.snake_case(name) for name in defined}) == len(defined)


def test_a_class_of_dynred_is_named_without_its_place_and_one_of_a_user_by_it():
    class Mine(Spec):
        pass

    assert kinds.kind_of(kinds.class_of("neural_ode")) == "neural_ode"
    assert kinds.kind_of(Mine) == f"{__name__}:{Mine.__qualname__}"
