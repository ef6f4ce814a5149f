"""Shell completion: names of systems, run folders, and files, found where the shell is."""

import pytest

from dynred.cli.app import build

engine = pytest.importorskip("cyclopts.completion._engine", reason="this cyclopts completes options alone")


def offered(*words):
    found = [each.value for each in engine.compute_completions(build(), list(words))]
    return [value for value in found if value.startswith(words[-1])]


@pytest.mark.parametrize("command", ["reduce", "simulate", "inspect", "study", "search", "systems", "lyapunov"])
def test_names_of_systems_are_completed(command):
    assert offered(command, "lor") == ["lorenz63", "lorenz96", "lorenz_legendre"]


def test_files_and_folders_are_offered_beside_systems(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lorentz.py").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "wake.npz").touch()
    assert "lorentz.py" in offered("reduce", "lor")
    assert offered("reduce", "data") == ["data/"]
    assert offered("reduce", "data/w") == ["data/wake.npz"]
    assert offered("reduce", "nowhere/") == []


@pytest.mark.parametrize("command", ["evaluate", "certify", "predict", "figures"])
def test_run_folders_are_completed(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "other"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "runs" / name / "experiment.json").touch()
    assert offered(command, "")[:2] == ["runs/a", "runs/b"]
    assert offered(command, "runs/") == ["runs/a/", "runs/b/", "runs/other/"]
