import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from dynred.errors import FileFormatError, InputError
from dynred.experiments.evaluate_run import evaluate_run
from dynred.experiments.run import run
from dynred.experiments.stored_run import opened
from dynred.experiments.system_source import SystemSource
from dynred.files import read_json, read_tensors, write_json
from dynred.models.base import Model
from dynred.models.reduced import ReducedSpec
from dynred.reducers.pod import PODSpec
from dynred.report.study_plots import draw
from dynred.studies.design import Design
from dynred.studies.grid import grid, sample
from dynred.studies.perform import Task, perform
from dynred.studies.run_study import run_study
from dynred.studies.study import Study
from dynred.studies.study_folder import Failure, Manifest, StudyFolder

TIMED = ("simulate_s", "reducer_s", "dynamics_s", "evaluate_s", "total_s", "peak_memory_mb", "speedup")


def numbers(table):
    """What the settings decide of a table, as text: bit for bit."""
    return table.drop(columns=[*(c for c in TIMED if c in table), "folder", "reused"]).to_csv(float_format="%.17g")


def scores(folder):
    content = read_json(folder / "evaluation.json")
    return {key: value for key, value in content.items() if key not in ("cost", "speedup")}


@pytest.fixture
def counted(monkeypatch):
    """How often what was computed, by all threads of this process."""
    counts, lock = {"simulated": 0, "fitted": 0}, threading.Lock()
    parts, fit = SystemSource.parts, ReducedSpec.fit_coordinates

    def counting(name, function):
        def call(*args, **kwargs):
            with lock:
                counts[name] += 1
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(SystemSource, "parts", counting("simulated", parts))
    monkeypatch.setattr(ReducedSpec, "fit_coordinates", counting("fitted", fit))
    return counts


def test_a_sweep_simulates_once_and_fits_each_reducer_once(base, tmp_path, counted):
    axes = {"latent_dim": [1, 2], "seed": [0, 1], "dynamics": ["linear", "polynomial"]}
    study = run_study(grid(base, axes), tmp_path / "study")
    assert counted == {"simulated": 1, "fitted": 4}
    table = study.table()
    assert list(table["status"]) == ["done"] * 8
    reused = [text.split(", ") if text else [] for text in table["reused"]]
    assert sum("simulation" in names for names in reused) == 7
    assert sum("reducer" in names for names in reused) == 4


def test_a_run_of_a_study_gives_the_numbers_of_the_run_alone(base, tmp_path):
    design = grid(base, {"seed": [0, 3], "dynamics": ["linear", "polynomial"]})
    study = run_study(design, tmp_path / "study")
    for i, (spec, made) in enumerate(zip(design, study, strict=True)):
        run(spec, tmp_path / f"alone{i}")
        assert scores(made.folder) == scores(tmp_path / f"alone{i}")
        both = (made.folder, tmp_path / f"alone{i}")
        ours, theirs = (read_tensors(folder / "model.safetensors")[0] for folder in both)
        assert all(ours[name].equal(theirs[name]) for name in ours.keys() | theirs.keys())
        assert made.folder.name == spec.digest()


def test_running_again_makes_only_what_is_missing(base, tmp_path, counted):
    folder = tmp_path / "study"
    run_study(grid(base, {"seed": [0, 1]}), folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("report.html")}
    study = run_study(grid(base, {"seed": [0, 1, 2]}), folder)
    assert len(study) == 3
    assert counted == {"simulated": 1, "fitted": 3}
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_changed_system_is_run_again(base, tmp_path, counted, system_file):
    folder, design = tmp_path / "study", grid(base, {"seed": [0, 1]})
    first = run_study(design, folder).table()
    system_file.write_text(system_file.read_text().replace("0.1 * x", "0.7 * x"))
    second = run_study(design, folder).table()
    assert counted["simulated"] == 2
    assert (first["nmse"] != second["nmse"]).all()
    assert numbers(run_study(design, folder).table()) == numbers(second)
    assert counted["simulated"] == 2


def test_a_run_that_fails_is_a_row_and_runs_again(base, tmp_path, monkeypatch):
    def broken(self, *args, **kwargs):
        if self.latent_dim == 1:
            raise InputError("no one-dimensional ones today")
        return fit(self, *args, **kwargs)

    folder, design, fit = tmp_path / "study", grid(base, {"latent_dim": [1, 2]}), PODSpec._fit
    with monkeypatch.context() as patch:
        patch.setattr(PODSpec, "_fit", broken)
        study = run_study(design, folder)
        assert study.counts() == {"done": 1, "failed": 1}
        row = study.table().iloc[0]
        assert (row["status"], row["error"]) == ("failed", "no one-dimensional ones today")
        assert np.isnan(row["nmse"])
        study.report()
        assert "no one-dimensional ones today" in (folder / "study.html").read_text()
    assert run_study(design, folder).counts() == {"done": 2}
    assert list((folder / "failures").iterdir()) == []


def test_workers_side_by_side_give_the_table_of_one(base, tmp_path, counted):
    axes = {"latent_dim": [1, 2], "seed": [0, 1], "dynamics": ["linear", "polynomial"]}
    alone = run_study(grid(base, axes), tmp_path / "alone").table()
    with ThreadPoolExecutor(3) as executor:
        beside = run_study(grid(base, axes), tmp_path / "beside", executor=executor).table()
    assert numbers(beside) == numbers(alone)
    assert counted == {"simulated": 2, "fitted": 8}


def test_two_that_start_the_same_study_share_the_work(base, tmp_path, counted):
    design, tables = grid(base, {"seed": range(4)}), []
    threads = [
        threading.Thread(target=lambda: tables.append(run_study(design, tmp_path / "study").table())) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counted == {"simulated": 1, "fitted": 4}
    assert numbers(tables[0]) == numbers(tables[1])
    assert not list(tmp_path.rglob(".dynred-*"))


def test_a_stage_that_another_computes_is_waited_for_elsewhere(base, tmp_path):
    folder = StudyFolder(tmp_path / "study")
    folder.begin(Manifest.of(Design.of([base])))
    task = Task.of(base, folder, "cpu")
    assert perform(task) == "done"
    simulation = next(folder.stages.glob("simulation-*.safetensors"))
    content = simulation.read_bytes()
    simulation.unlink()
    other = base.updated("threshold", 0.4)
    with FileLock(folder.run(base.digest()).path / ".lock"):
        assert perform(task) == "busy"
    with FileLock(simulation.with_suffix(".lock")):
        folder.run(base.digest()).clear()
        assert perform(task) == "busy"
    simulation.write_bytes(content[:-8])  # damaged: computed again
    assert perform(task) == "done"
    assert simulation.read_bytes() == content
    assert perform(Task.of(other, folder, "cpu")) == "done"


def test_a_failure_of_another_process_in_the_meantime_is_taken_over(base, tmp_path, counted):
    folder = StudyFolder(tmp_path / "study")
    folder.begin(Manifest.of(Design.of([base])))
    task = Task.of(base, folder, "cpu")
    folder.fail(base.digest(), Failure("no luck"))
    assert perform(task) == "failed"
    assert counted["simulated"] == 0
    assert perform(Task.of(base, folder, "cpu")) == "done"


def test_a_study_is_a_table_an_array_and_a_best_model(base, tmp_path):
    axes = {"latent_dim": [1, 2], "seed": [0, 1], "dynamics": ["linear"]}
    study = run_study(grid(base, axes), tmp_path / "study")
    array = study.to_xarray()
    assert array["nmse"].dims == ("latent_dim", "seed", "dynamics")
    assert array["nmse"].median("seed").shape == (2, 1)
    best = study.best("nmse", mode="min")
    assert best.point["latent_dim"] == 2
    assert isinstance(best.model(), Model)
    assert best.evaluation.reconstruction.nmse == study.table()["nmse"].min()
    assert "4 done" in str(study)
    assert "<table>" in study._repr_html_()
    axes = study.plot("latent_dim", "nmse", by="seed")
    assert (axes.get_xlabel(), axes.get_ylabel(), len(axes.lines)) == ("latent_dim", "nmse", 2)
    with pytest.raises(InputError, match="y must be the name of a score, .*, got 'nmze'. Did you mean nmse"):
        study.plot("latent_dim", "nmze")
    with pytest.raises(InputError, match="metric must be the name of a score, .*, got 'nmze'. Did you mean nmse"):
        study.best("nmze", mode="min")


def test_the_median_and_the_band_are_over_what_is_not_named(base, tmp_path):
    frame = pd.DataFrame({"d": [1, 1, 1, 2, 2, 2], "s": [0, 1, 2] * 2, "y": [1.0, 2.0, 6.0, 4.0, np.nan, 5.0]})
    axes = draw(frame, "d", "y")
    assert axes.lines[0].get_ydata().tolist() == [2.0, 4.5]
    low, high = axes.collections[0].get_datalim(axes.transData).intervaly
    assert (low, high) == pytest.approx((1.2, 5.2))


def test_samples_lie_along_one_dimension(base, tmp_path):
    design = sample(base, {"threshold": (0.1, 1.0), "data.sampling": (0.05, 0.2)}, 3)
    assert run_study(design, tmp_path / "study").to_xarray()["nmse"].dims == ("run",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda base: grid(base, {"latent_dim": [1, 2]}), "whose study varies seed instead of latent_dim"),
        (
            lambda base: grid(base.updated("data.train", 7), {"seed": [0]}),
            "whose study has data.train = 6 instead of 7",
        ),
    ],
)
def test_a_folder_of_another_study_is_refused(base, tmp_path, change, message):
    folder = tmp_path / "study"
    StudyFolder(folder).begin(Manifest.of(grid(base, {"seed": [0, 1]})))
    before = (folder / "study.json").read_bytes()
    with pytest.raises(InputError, match=message):
        run_study(change(base), folder)
    assert (folder / "study.json").read_bytes() == before


def test_what_is_unusable_is_told_before_anything_runs(base, tmp_path):
    folder = tmp_path / "study"
    with pytest.raises(InputError, match="row 2 of the study: latent_dim must be an integer in .1, 2., got 3"):
        run_study(grid(base, {"latent_dim": [2, 3]}), folder)
    with pytest.raises(InputError, match="row 1 of the study: parameter of rotation must be one of speed, got 'sped'"):
        run_study(grid(base, {"parameters.sped": [1.0]}), folder)
    with pytest.raises(InputError, match="row 1 of the study must be of class ExperimentSpec, got 3"):
        run_study([3], folder)
    with pytest.raises(InputError, match="specs must be at least one experiment, got none"):
        run_study([], folder)
    assert not folder.exists()
    (folder / "mine").mkdir(parents=True)
    with pytest.raises(InputError, match="folder must be a new one, or that of a study, got .*holds other files"):
        run_study([base], folder)
    with pytest.raises(FileFormatError, match="holds no study"):
        Study(folder)
    assert os.listdir(folder) == ["mine"]


def test_a_parameter_of_an_own_system_is_an_axis(base, tmp_path):
    study = run_study(grid(base, {"parameters.speed": [0.5, 2.0]}), tmp_path / "study")
    table = study.table()
    assert list(table["parameters.speed"]) == [0.5, 2.0]
    assert table["status"].tolist() == ["done", "done"]
    for made, speed in zip(study, (0.5, 2.0), strict=True):
        with opened(made.folder) as stored:
            assert stored.source.system.parameters == {"speed": speed}
            assert evaluate_run(made.folder).reconstruction == made.evaluation.reconstruction


def test_the_manifest_is_readable_by_anybody(base, tmp_path):
    folder = StudyFolder(tmp_path / "study")
    folder.begin(Manifest.of(grid(base, {"seed": [0, 1]})))
    stored = json.loads((folder.path / "study.json").read_text())
    assert stored["axes"] == ["seed"]
    assert [entry["point"] for entry in stored["runs"]] == [{"seed": 0}, {"seed": 1}]
    write_json(folder.path / "study.json", {**{k: v for k, v in stored.items() if k != "sha256"}, "schema": 99})
    with pytest.raises(FileFormatError, match="must be of schema 1 or older, got 99"):
        folder.manifest()
