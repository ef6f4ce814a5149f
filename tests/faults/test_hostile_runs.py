"""Run folders and models made to do harm run no code, read nothing elsewhere, and are refused within seconds."""

import contextlib
import os

import pytest

from faults.children import in_child
from faults.material import make_run, trained_spec
from faults.trap import Trap


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
    ("dynred.ode.find:find_system", {"name": "EVIL"}),
]


@pytest.mark.few(3)
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


@pytest.mark.few(3)
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


@pytest.mark.few(2)
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
@pytest.mark.few(2)
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


@pytest.mark.few(1)
@pytest.mark.parametrize("text", ["\x1b[2J\x1b[31mred", "\x1b]0;title\x07", "a\rb", "\u202egnp.exe", "\x9b2J"])
def test_a_name_gives_no_orders_to_the_terminal(trap, text):
    trap.model("about.system", text)
    wrong, ended = trap.sprung()
    assert not wrong
    assert not any(sign in ended.out + ended.err for sign in ("\x1b", "\x07", "\r", "\u202e", "\x9b"))
