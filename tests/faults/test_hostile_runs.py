"""Run folders and models made to do harm run no code, read nothing elsewhere, and are refused within seconds."""

import contextlib
import json
import os
import shutil
import sys

import pytest

from dynred.cli.app import main
from dynred.experiment import certify_run, evaluate_run
from dynred.files import read_json, read_tensors, write_json, write_tensors
from dynred.lyapunov import lyapunov_spectrum
from dynred.model import load_model
from dynred.rng import generator
from faults.children import GIGABYTE, in_child
from faults.material import files, make_run, trained_spec
from faults.watch import watched

EVIL = """
import pathlib
pathlib.Path({marker!r}).write_text("ran")
from dynred.reducers.pod import PODSpec as Spec, POD as Reducer
from dynred.model import ReducedModel as Model
from dynred.solvers.explicit import Explicit as Solver
from dynred.system import find_system
dim = 2
rhs = find_system("stuart_landau").rhs
system = evil = find_system("stuart_landau")
"""


class Trap:
    """A copy of a run, a file `evil.py` beside it and a file that tells whether it was run.

    Attributes:
        run: the run folder.
        home: the working directory, which is also on the module path.
        evil: the file.
        marker: written by whatever should not run.
    """

    def __init__(self, run, home):
        self.home, self.run, self.evil, self.marker = home, home / "run", home / "evil.py", home / "marker"
        home.mkdir(exist_ok=True)
        shutil.copytree(run, self.run)
        for folder in (home, self.run):
            (folder / "evil.py").write_text(EVIL.format(marker=str(self.marker)))

    def settings(self, path, value):
        """Changes an entry of experiment.json at a dotted path, with the right checksum."""
        stored = read_json(self.run / "experiment.json")
        _put(stored, path, self._filled(value))
        write_json(self.run / "experiment.json", stored)

    def model(self, path, value):
        """Changes an entry of the model's metadata."""
        tensors, metadata = read_tensors(self.run / "model.safetensors")
        _put(metadata, path, self._filled(value))
        write_tensors(self.run / "model.safetensors", tensors, metadata)

    def _filled(self, value):
        text = json.dumps(value).replace("EVIL", str(self.evil)).replace("MARKER", str(self.marker))
        return json.loads(text.replace("HOME", str(self.home)))

    def actions(self):
        """Everything that reads a run folder."""
        spectrum = {"rng": generator(0), "n": 1, "duration": 1.0, "interval": 0.1}
        commands = {name: (name, str(self.run)) for name in ("evaluate", "certify", "lyapunov")}
        commands["certify"] += ("--samples", "20")
        commands["lyapunov"] += ("--n", "1", "--duration", "1", "--interval", "0.1")
        return {
            "evaluate_run": lambda: evaluate_run(self.run),
            "certify_run": lambda: certify_run(self.run, samples=20),
            "load_model": lambda: load_model(self.run).predict([[1.0, 0.0]], [0.0, 1.0]),
            "lyapunov_spectrum": lambda: lyapunov_spectrum(load_model(self.run), **spectrum),
            **{f"dynred {name}": lambda tokens=tokens: main(list(tokens)) for name, tokens in commands.items()},
        }

    def sprung(self, seconds=30.0):
        """What went wrong when everything read the run folder."""
        before = files(self.home)
        ended = in_child(self._read, seconds=seconds, memory=2 * GIGABYTE, folder=self.home)
        assert not self.marker.exists(), "code was run"
        assert ended.code == 0, f"ended with {ended.code} after {ended.seconds:.0f} s: {ended.err[-300:]}"
        after = files(self.home)
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        assert not {name for name in changed if not name.startswith("run/")}, "files elsewhere were changed"
        return {**(ended.value or {}), **({"all": ended.trace} if ended.error else {})}, ended

    def _read(self):
        sys.path.insert(0, str(self.home))
        return watched([self.run], self.actions())


def _put(data, path, value):
    *parents, last = path.split(".")
    for name in parents:
        data = data[name] if isinstance(data, dict) else data[int(name)]
    data[last] = value


@pytest.fixture(scope="module")
def small_run(workplace, tmp_path_factory):
    out = tmp_path_factory.mktemp("hostile") / "run"
    in_child(make_run, trained_spec(), out).returned()
    return out


@pytest.fixture
def trap(small_run, tmp_path):
    return Trap(small_run, tmp_path / "home")


def test_a_run_that_was_not_tampered_with_is_read_by_all_of_them(trap):
    wrong, _ = trap.sprung()
    assert not wrong


SOURCES = [
    ("os:system", {"command": "touch MARKER"}),
    ("subprocess:run", {"args": ["touch", "MARKER"]}),
    ("subprocess:check_output", {"args": ["touch", "MARKER"]}),
    ("subprocess:Popen", {"args": ["touch", "MARKER"]}),
    ("runpy:run_path", {"path_name": "EVIL"}),
    ("importlib:import_module", {"name": "evil"}),
    ("shutil:rmtree", {"path": "HOME", "ignore_errors": True}),
    ("shutil:copy", {"src": "EVIL", "dst": "MARKER"}),
    ("pathlib:Path.touch", {"self": "MARKER"}),
    ("webbrowser:open", {"url": "http://127.0.0.1:9"}),
    ("urllib.request:urlopen", {"url": "http://127.0.0.1:9"}),
    ("antigravity:geohash", {}),
    ("evil:system", {}),
    ("evil:evil", {}),
    ("evil", {}),
    ("evil.py", {}),
    ("./evil.py", {}),
    ("run/evil.py", {}),
    ("../home/evil.py", {}),
    ("evil.py:system", {}),
    ("EVIL", {}),
    ("EVIL:system", {}),
    ("dynred.systems.../evil", {}),
    ("dynred.plugins:load", {"package": "dynred.systems", "name": "evil.py"}),
    ("dynred.plugins:load_module", {"package": "dynred.systems", "name": "EVIL"}),
    ("dynred.system:find_system", {"name": "EVIL"}),
]


@pytest.mark.few(5)
@pytest.mark.parametrize(("source", "arguments"), SOURCES, ids=lambda value: value if isinstance(value, str) else "")
def test_the_source_of_a_run_runs_nothing(trap, source, arguments):
    trap.settings("spec.source", source)
    trap.settings("spec.arguments", arguments)
    wrong, _ = trap.sprung()
    assert not wrong


NAMES = ("os:system", "evil:Spec", "evil:Solver", "evil:Model", "evil.py", "EVIL", "EVIL:Solver", "evil.py:Spec")
PLACES = [
    ("settings", "spec.data.solver"),
    ("settings", "spec.kind"),
    ("settings", "spec.reducer.kind"),
    ("settings", "spec.dynamics.kind"),
    ("settings", "spec.reducer.training.kind"),
    ("settings", "spec.data.kind"),
    ("settings", "spec.partition.kind"),
    ("settings", "spec.joint"),
    ("model", "kind"),
    ("model", "reducer.spec.kind"),
    ("model", "dynamics.spec.kind"),
    ("model", "reducer.spec.training.kind"),
    ("model", "about.system"),
    ("model", "about.solver.kind"),
]


@pytest.mark.few(6)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("where", "path"), PLACES)
def test_a_name_in_settings_or_metadata_imports_nothing(trap, where, path, name):
    value = {"kind": name} if path == "spec.joint" else name
    getattr(trap, where)(path, value)
    wrong, _ = trap.sprung()
    assert not wrong


SIZES = [
    ("settings", "spec.reducer.width", 20_000_000),
    ("settings", "spec.data.test", 10**12),
    ("settings", "spec.data.train", 10**12),
    ("settings", "spec.data.duration", 1e15),
    ("settings", "spec.data.sampling", 1e-15),
    ("settings", "spec.source", "graph_lift"),
    ("model", "reducer.spec.width", 20_000),
    ("model", "reducer.spec.width", 10**9),
    ("model", "reducer.spec.depth", 3_000_000),
    ("model", "reducer.spec.latent_dim", 10**9),
    ("model", "reducer.sizes.state_dim", 10**10),
    ("model", "reducer.sizes.modes", 10**10),
    ("model", "dynamics.spec.width", 20_000),
    ("model", "dynamics.spec.depth", 3_000_000),
    ("model", "latent_space.lines", 10**10),
]


@pytest.mark.few(3)
@pytest.mark.parametrize(("where", "path", "value"), SIZES)
def test_a_size_that_is_only_claimed_costs_neither_memory_nor_time(trap, where, path, value):
    if value == "graph_lift":
        trap.settings("spec.arguments", {"dim": 10**10})
    getattr(trap, where)(path, value)
    wrong, ended = trap.sprung(seconds=20.0)
    assert not wrong
    assert ended.seconds < 10


@pytest.mark.parametrize("place", ["model.safetensors", "experiment.json", "evaluation.json"])
@pytest.mark.parametrize("kind", ["fifo", "/dev/zero", "/dev/full", "folder", "pickle", "large", "nested", "gone"])
@pytest.mark.few(5)
def test_what_is_no_plain_file_is_refused_at_once(trap, kind, place):
    path = trap.run / place
    path.unlink()
    with contextlib.suppress(KeyError):
        {
            "fifo": lambda: os.mkfifo(path),
            "/dev/zero": lambda: path.symlink_to("/dev/zero"),
            "/dev/full": lambda: path.symlink_to("/dev/full"),
            "folder": path.mkdir,
            "pickle": lambda: path.write_bytes(b"cos\nsystem\n(S'touch " + bytes(trap.marker) + b"'\ntR."),
            "large": lambda: path.open("wb").truncate(2**28),
            "nested": lambda: path.write_text('{"a":' * 1_000_000),
        }[kind]()
    wrong, ended = trap.sprung(seconds=20.0)
    assert not wrong
    assert ended.seconds < 10


TEXTS = {"<script>alert(1)</script>": "<script>alert", "<img src=x onerror=alert(1)>": "<img src=x"}


@pytest.mark.few(1)
@pytest.mark.parametrize("text", TEXTS)
def test_a_name_is_text_in_the_report(trap, text):
    trap.model("about.system", text)
    trap.settings("spec.arguments", {})
    wrong, _ = trap.sprung()
    assert not wrong
    assert TEXTS[text] not in (trap.run / "report.html").read_text()


@pytest.mark.few(2)
@pytest.mark.parametrize("text", ["\x1b[2J\x1b[31mred", "\x1b]0;title\x07", "a\rb", "\u202egnp.exe", "\x9b2J"])
def test_a_name_gives_no_orders_to_the_terminal(trap, text):
    trap.model("about.system", text)
    wrong, ended = trap.sprung()
    assert not wrong
    assert not any(sign in ended.out + ended.err for sign in ("\x1b", "\x07", "\r", "\u202e", "\x9b"))
