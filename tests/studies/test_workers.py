"""Runs made by other processes, some of which are killed."""

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from test_run_study import numbers

from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.studies.design import Design
from dynred.studies.grid import grid
from dynred.studies.perform import Task
from dynred.studies.run_study import run_study
from dynred.studies.schedule import KILLS, Schedule
from dynred.studies.study import Study
from dynred.studies.study_folder import Manifest, StudyFolder
from dynred.studies.workers import Workers
from dynred.training.minimise import TrainingSpec

SCRIPT = """
import sys
import dynred
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.training.minimise import TrainingSpec

base = dynred.ExperimentSpec.from_dict(__import__("json").loads(sys.argv[1]))
dynred.run_study(dynred.grid(base, {"seed": range(4)}), sys.argv[2], workers=int(sys.argv[3]))
"""


@pytest.fixture
def lasting(base):
    """An experiment that trains for a while."""
    training = TrainingSpec(steps=150, batch_size=32, validations=3)
    return base.updated("dynamics", NeuralODESpec(width=8, depth=1, training=training))


def children(pid):
    return [child for child in psutil.Process(pid).children() if "spawn_main" in " ".join(child.cmdline())]


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_worker_harms_no_other_and_its_run_goes_on(lasting, tmp_path):
    folder, result = tmp_path / "study", []
    design = grid(lasting, {"seed": range(4)})
    making = threading.Thread(target=lambda: result.append(run_study(design, folder, workers=2)))
    making.start()
    wait_for(lambda: list(folder.glob("runs/*/.lock")))
    victim, other = children(os.getpid())[:2]
    victim.kill()
    making.join(240)
    assert result[0].counts() == {"done": 4}
    assert not psutil.pid_exists(other.pid)  # it ended with the study
    assert numbers(result[0].table()) == numbers(run_study(design, tmp_path / "alone").table())


@pytest.mark.slow
def test_a_run_that_kills_its_workers_is_a_row(base, tmp_path, monkeypatch):
    monkeypatch.setattr("dynred.studies.schedule.perform", deadly)
    folder, reports = StudyFolder(tmp_path / "study"), []
    folder.begin(Manifest.of(Design.of([base])))
    with Workers(1, 1) as pool:
        Schedule(folder, pool, 1, 1, lambda *numbers, **figures: reports.append((numbers, figures))).make(
            [Task.of(base, folder, "cpu")]
        )
    status, error = folder.status(base.digest())
    assert status == "failed"
    assert f"killed {KILLS} times" in error
    assert reports[-1] == (("study", 1, 1), {"running": 0, "failed": 1})


def deadly(task):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_study_that_is_killed_again_and_again_ends_with_the_same_table(lasting, tmp_path):
    folder = tmp_path / "study"
    command = [sys.executable, "-c", SCRIPT, lasting.to_json(), str(folder), "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for i in range(20):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        try:
            assert process.wait(4 + 0.37 * i) == 0
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()
    subprocess.run(command, env=environment, check=True)
    table = Study(folder).table()
    assert list(table["status"]) == ["done"] * 4
    assert numbers(table) == numbers(run_study(grid(lasting, {"seed": range(4)}), tmp_path / "alone").table())


@pytest.mark.slow
def test_two_processes_that_start_the_same_study_both_end_and_no_run_is_made_twice(lasting, tmp_path):
    folder = tmp_path / "study"
    command = [sys.executable, "-c", SCRIPT, lasting.to_json(), str(folder), "1"]
    processes = [subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}) for _ in range(2)]
    assert [process.wait(300) for process in processes] == [0, 0]
    assert numbers(Study(folder).table()) == numbers(
        run_study(grid(lasting, {"seed": range(4)}), tmp_path / "alone").table()
    )
    assert not list(folder.rglob(".dynred-*"))
    assert not list(folder.glob("runs/*/.lock"))
    assert not list(folder.glob("stages/*.lock"))
    assert len(list(folder.glob("stages/simulation-*.safetensors"))) == 1


def kill_one(pid, folder):
    wait_for(lambda: list(folder.glob("runs/*/.lock")))
    os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_dask_cluster_of_which_a_process_is_killed_gives_the_serial_table(lasting, tmp_path):
    distributed = pytest.importorskip("distributed")
    design = grid(lasting, {"seed": range(6)})
    with (
        distributed.LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())
        kill = threading.Thread(target=kill_one, args=(pids[0], tmp_path / "study"))
        kill.start()
        study = run_study(design, tmp_path / "study", executor=client.get_executor())
        kill.join()
    assert study.counts() == {"done": 6}
    assert numbers(study.table()) == numbers(run_study(design, tmp_path / "alone").table())
