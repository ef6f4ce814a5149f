"""Plug-ins that installed packages announce: found by name, imported when asked for, never because a file asks."""

import importlib
import json
import subprocess
import sys

import pytest

from dynred import plugin_names, plugins
from dynred.cli._options import listed
from dynred.cli.app import main
from dynred.errors import InputError
from dynred.experiments.choose_experiment import choose_experiment
from dynred.experiments.evaluate_run import evaluate_run
from dynred.ode.find import find_system
from dynred.reducers.base import ReducerSpec
from dynred.reducers.pod import PODSpec

PACKAGE = {
    "acme_rom/__init__.py": "",
    "acme_rom/reducers.py": (
        "from dataclasses import dataclass\nfrom dynred.reducers.pod import PODSpec\n\n\n"
        "@dataclass(frozen=True)\nclass AcmeSpec(PODSpec):\n    pass\n"
    ),
    "acme_rom/decay.py": "dim = 2\nduration = 4.0\n\n\ndef rhs(t, x):\n    return -x + 0.1 * x[::-1]\n",
    "acme_rom/broken.py": "import no_such_library\n",
    "acme_rom-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme-rom\nVersion: 1.0\n",
    "acme_rom-1.0.dist-info/entry_points.txt": (
        "[dynred.reducers]\nacme = acme_rom.reducers:AcmeSpec\nbroken = acme_rom.broken:BrokenSpec\n"
        "pod = acme_rom.broken:ShadowSpec\n\n[dynred.systems]\nacme_decay = acme_rom.decay\n"
    ),
}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed packages with one that announces plug-ins."""
    folder = tmp_path / "site"
    for name, content in PACKAGE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] in ("acme_rom", "other_rom")]:
        del sys.modules[name]


def imported():
    return {name for name in sys.modules if name.startswith("acme_rom")}


def test_announced_names_are_listed_and_nothing_is_imported(site):
    assert listed("dynred.reducers").split(", ")[-2:] == ["acme", "broken"]
    assert "acme_decay" in listed("dynred.systems")
    assert not imported()
    with pytest.raises(InputError, match="one of auto, autoencoder.*acme, broken, or a path"):
        plugins.load_module("dynred.reducers", "acne")
    assert not imported()


def test_an_announced_plug_in_is_what_its_place_means(site):
    assert plugins.load_class("dynred.reducers", "acme", ReducerSpec).__name__ == "AcmeSpec"
    assert find_system("acme_decay").dim == 2
    spec = choose_experiment("acme_decay", 1, reducer="acme", dynamics="linear")
    assert type(spec.reducer).__module__ == "acme_rom.reducers"


def test_nothing_installed_replaces_a_plug_in_of_dynreds_own(site):
    assert plugins.load_class("dynred.reducers", "pod", ReducerSpec) is PODSpec
    assert listed("dynred.reducers").split(", ").count("pod") == 1


def test_a_package_that_fails_to_import_is_told_when_it_is_asked_for(site, capsys):
    assert plugins.load_class("dynred.reducers", "acme", ReducerSpec)
    with pytest.raises(SystemExit):
        main(["reduce", "stuart_landau", "--latent-dim", "1", "--reducer", "broken"])
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "reducer broken, announced by an installed package as acme_rom.broken" in said
    assert "no_such_library" in said


def test_a_name_that_two_packages_announce_is_asked_about(site):
    folder = site / "other_rom-2.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: other-rom\nVersion: 2.0\n")
    (folder / "entry_points.txt").write_text("[dynred.reducers]\nacme = other_rom.mine:Spec\n")
    importlib.invalidate_caches()
    plugin_names._entries.cache_clear()
    with pytest.raises(InputError, match="announced by one installed package, got .* of acme-rom and .* of other-rom"):
        plugins.load_class("dynred.reducers", "acme", ReducerSpec)


READ = """
import sys
sys.path.insert(0, {site!r})
from dynred.errors import InputError
from dynred.experiments.evaluate_run import evaluate_run
try:
    evaluate_run({run!r})
except InputError as error:
    print(error)
assert not [name for name in sys.modules if name.startswith("acme_rom")]
"""


def test_reading_a_run_imports_a_package_for_those_alone_who_ran_it_before(site, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    small = ("--set", "data.train=4", "--set", "data.validation=2", "--set", "data.test=2")
    words = ("--latent-dim", "1", "--reducer", "acme", "--dynamics", "linear", *small, "--out", str(run))
    main(["reduce", "acme_decay", *words])
    stored = json.loads((run / "experiment.json").read_text())
    assert {code["name"] for code in stored["code"]} == {"acme_rom.decay", "acme_rom.reducers"}
    assert evaluate_run(run).latent_dim == 1  # this user ran it
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "stranger"))
    script = READ.format(site=str(site), run=str(run))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "must be code that you ran before" in done.stdout
    assert "--trust" in done.stdout
    assert evaluate_run(run, trust=True).latent_dim == 1
