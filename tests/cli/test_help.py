"""Help names every plug-in there is, describes every option, and promises the defaults of the library."""

import importlib
import inspect
import re
import subprocess
import sys

import pytest

from dynred import plugins
from dynred.cli.app import main
from dynred.cli.base import listed

COMMANDS = [name for name in plugins.names("dynred.cli") if name != "app"]
LISTS = [  # of which command, which folder, between which words
    ("reduce", "dynred.reducers", r"--reducer STR", "or a file with a reducer"),
    ("reduce", "dynred.dynamics", r"--dynamics STR", "or a file with latent dynamics"),
    ("simulate", "dynred.solvers", r"--solver STR auto,", "or a file with a solver"),
    ("lyapunov", "dynred.solvers", r"--solver STR auto,", "or a file with a solver"),
    ("systems", "dynred.systems", r"NAME", "or a file with one of your own"),
]
LIBRARY = {  # which function of the library a command calls
    "reduce": "dynred.experiments.choose_experiment:choose_experiment",
    "simulate": "dynred.simulation.into_file:FileSimulation",
    "inspect": "dynred.experiments.inspect_source:inspect_source",
    "lyapunov": "dynred.experiments.find_exponents:find_exponents",
    "evaluate": "dynred.experiments.evaluate_runs:evaluate_runs",
    "certify": "dynred.experiments.certify_run:certify_run",
}


def told(command, capsys):
    """What --help says, in one line, without the frame."""
    main([*command, "--help"])
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out).split())


@pytest.mark.parametrize(("command", "package", "before", "after"), LISTS)
def test_help_lists_exactly_the_plug_ins_of_the_folder(command, package, before, after, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    words = re.search(rf"{before} (.*?), {after}", told([command], capsys)).group(1)
    assert words.split(", ") == plugins.names(package)


def test_a_new_file_in_a_folder_of_plug_ins_is_listed(tmp_path, monkeypatch):
    (tmp_path / "brand_new.py").write_text("raise AssertionError('imported for the asking')\n")
    reducers = importlib.import_module("dynred.reducers")
    monkeypatch.setattr(reducers, "__path__", [*reducers.__path__, str(tmp_path)])
    assert "brand_new" in listed("dynred.reducers").split(", ")


def test_the_commands_are_the_files_of_their_folder(capsys):
    said = told([], capsys)
    assert all(re.search(rf"\b{name} ", said) for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_described(command):
    function = getattr(importlib.import_module(f"dynred.cli.{command}"), command)
    documented = set(re.findall(r"(?m)^ {4}(\w+): ", (inspect.getdoc(function) or "").partition("Args:")[2]))
    for name, one in inspect.signature(function).parameters.items():
        notes = getattr(one.annotation, "__metadata__", ())
        assert name in documented or any(getattr(note, "help", None) for note in notes), name


@pytest.mark.parametrize("command", LIBRARY)
def test_defaults_are_those_of_the_library(command):
    module, _, name = LIBRARY[command].partition(":")
    ours = inspect.signature(getattr(importlib.import_module(f"dynred.cli.{command}"), command)).parameters
    theirs = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    shared = [key for key in theirs if key in ours]
    assert shared
    for key in shared:
        assert ours[key].default == theirs[key].default, key


def test_help_of_every_command_is_answered_without_importing_torch():
    script = (
        "import sys\nfrom dynred.cli.app import main\n"
        f"for name in {COMMANDS}:\n    try:\n        main([name, '--help'])\n    except SystemExit:\n        pass\n"
        "heavy = {'torch', 'numpy', 'scipy', 'matplotlib', 'xarray'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
