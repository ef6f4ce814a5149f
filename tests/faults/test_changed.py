"""A source or plug-in that changed since a run is refused, and foreign code runs only for those who allowed it."""

import os
import shutil

import pytest

from dynred.cli.app import main
from dynred.data.storage import save_trajectories
from dynred.experiments.certify_run import certify_run
from dynred.experiments.evaluate_run import evaluate_run
from dynred.experiments.run import run
from dynred.ode.find import find_system
from faults.children import in_child
from faults.material import OFTEN, files, plain_spec, result, small_data, trained_spec
from faults.operations import at_operation, die
from faults.sentences import check_sentence

SYSTEM = """import torch
dim = 2
transient = 5.0


def rhs(t, x):
    turned = torch.stack([-x[..., 1], x[..., 0]], -1)
    return x + {omega} * turned - (x**2).sum(-1, keepdim=True) * x
"""
REDUCER = """from dataclasses import dataclass
from dynred.reducers.pod import PODSpec


@dataclass(frozen=True)
class MineSpec(PODSpec):
    note: str = "{note}"
"""
SMALL = ["--latent-dim", "1", "--reducer", "pod", "--dynamics", "linear", "--out", "run"]
SMALL += ["--set", "data.train=8", "--set", "data.validation=2", "--set", "data.test=4", "--set", "data.duration=2"]


class Source:
    """A source of a run in a folder, and how it is changed."""

    def __init__(self, folder, name):
        self.folder, self.name, self.path, self.out = folder, name, folder / name, folder / "run"
        folder.mkdir(exist_ok=True)

    def write(self, version):
        """Version 1 or 2 of the file."""
        if self.path.suffix == ".py":
            self.path.write_text(SYSTEM.format(omega=version))
            return
        shutil.rmtree(self.path) if self.path.is_dir() else self.path.unlink(missing_ok=True)
        save_trajectories(small_data(seed=version), self.path)

    def run(self, **options):
        """A run from this source, in Python."""
        os.chdir(self.folder)
        run(plain_spec(self.name), self.out, runtime=OFTEN, **options)

    def half_run(self):
        """A run that is killed when its first checkpoint lies there."""
        os.chdir(self.folder)
        at_operation(self.folder, 45, die)
        run(trained_spec().updated("source", self.name), self.out, runtime=OFTEN)


@pytest.fixture(params=["mine.py", "mine.npz", "mine.zarr", "mine.nc"])
def source(request, tmp_path):
    found = Source(tmp_path / "home", request.param)
    found.write(1)
    return found


def refused_as_changed(call, *arguments):
    ended = in_child(call, *arguments)
    assert ended.refused, ended.trace or f"it was accepted, {ended.code}"
    check_sentence(ended.error, ("changed",))


def in_folder(folder, call, *arguments, **options):
    os.chdir(folder)
    return call(*arguments, **options)


@pytest.mark.few(2)
@pytest.mark.parametrize("what", ["resume", "evaluate", "certify"])
def test_a_source_that_changed_is_refused(source, what):
    in_child(source.run).returned()
    calls = {
        "resume": lambda: source.run(resume=True),
        "evaluate": lambda: in_folder(source.folder, evaluate_run, source.out),
        "certify": lambda: in_folder(source.folder, certify_run, source.out, samples=50),
    }
    before = result(source.out)
    in_child(calls[what]).returned()
    source.write(2)
    refused_as_changed(calls[what])
    assert result(source.out)["scores"] == before["scores"]
    source.write(1)
    in_child(calls[what]).returned()


@pytest.mark.few(1)
def test_half_a_run_goes_on_with_no_other_source(source):
    in_child(source.half_run)
    spec = trained_spec().updated("source", source.name)
    go_on = lambda: in_folder(source.folder, run, spec, source.out, resume=True)  # noqa: E731
    source.write(2)
    refused_as_changed(go_on)
    source.write(1)
    in_child(lambda: go_on() and None).returned()


@pytest.mark.few(1)
def test_another_file_of_the_same_name_elsewhere_is_not_mistaken_for_the_source(source, tmp_path):
    in_child(source.run).returned()
    other, before = Source(tmp_path / "elsewhere", source.name), result(source.out)
    other.write(2)
    for call in (evaluate_run, lambda out: certify_run(out, samples=50)):
        ended = in_child(in_folder, other.folder, call, source.out)
        assert ended.fine, ended.trace
    assert result(source.out)["scores"] == before["scores"]


@pytest.mark.few(1)
def test_a_file_that_was_only_touched_or_a_run_that_was_moved_is_as_before(source, tmp_path):
    in_child(source.run).returned()
    before = result(source.out)
    for path in [source.path, *source.path.rglob("*")]:
        os.utime(path, (1e9, 1e9))
    moved = shutil.move(source.out, tmp_path / "moved")
    in_child(in_folder, source.folder, evaluate_run, moved).returned()
    assert result(tmp_path / "moved")["scores"] == before["scores"]


def test_an_edited_file_gives_the_new_system_in_one_interpreter(tmp_path):
    path = tmp_path / "mine.py"
    for omega in (1, 2, 3, 1):
        path.write_text(SYSTEM.format(omega=omega))
        os.utime(path, (1e9, 1e9))  # the same second, and the same size
        system = find_system(str(path))
        assert float(system.rhs(0.0, small_data().states[:1] * 0 + 1.0)[0, 1]) == pytest.approx(omega - 1.0)


OPEN = {
    "evaluate": ["evaluate", "run"],
    "certify": ["certify", "run", "--samples", "20"],
    "lyapunov": ["lyapunov", "run", "--n", "1", "--duration", "1", "--interval", ".1"],
}


@pytest.mark.few(1)
@pytest.mark.parametrize("what", OPEN)
def test_code_of_others_runs_only_for_those_who_allow_it(tmp_path, monkeypatch, what):
    own = Source(tmp_path / "home", "mine.py")
    own.write(1)
    command = lambda *tokens: in_child(main, list(tokens), folder=own.folder)  # noqa: E731
    assert command("reduce", "mine.py", *SMALL).code == 0
    assert command(*OPEN[what]).code == 0, "one's own run needs no flag"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another user"))
    refused = command(*OPEN[what])
    assert refused.code == 2, refused.trace or refused.err
    check_sentence(refused.err, ("mine.py",))
    assert "--trust" in refused.err or "--plugin" in refused.err
    trusted = command(*OPEN[what], "--trust")
    assert trusted.code == 0, trusted.trace or trusted.err


def test_a_plug_in_that_changed_is_refused_and_foreign_ones_do_not_run(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / "mine.py").write_text(REDUCER.format(note="first"))
    small = [token if token != "pod" else "mine.py" for token in SMALL]
    command = lambda *tokens: in_child(main, list(tokens), folder=home)  # noqa: E731
    made = command("reduce", "stuart_landau", *small)
    assert made.code == 0, made.trace or made.err
    assert command("evaluate", "run").code == 0, "one's own run needs no flag"
    before = files(home / "run")
    (home / "mine.py").write_text(REDUCER.format(note="other"))
    for tokens in (["evaluate", "run"], ["reduce", "stuart_landau", *small, "--resume"]):
        ended = command(*tokens)
        assert ended.code == 2, ended.trace or ended.err
        check_sentence(ended.err, ("changed", "mine") if tokens[0] == "evaluate" else ())
    assert files(home / "run") == before
    (home / "mine.py").write_text(REDUCER.format(note="first"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another user"))
    ended = command("evaluate", "run")
    assert ended.code == 2, ended.trace or ended.err
    assert "--trust" in ended.err or "--plugin" in ended.err
    assert command("evaluate", "run", "--plugin", "mine.py").code == 0
