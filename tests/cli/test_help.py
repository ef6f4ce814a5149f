"""Help names every plug-in there is, describes every option, and promises the defaults of the library."""

import importlib
import importlib.metadata
import inspect
import re
import shlex
import subprocess
import sys

import pytest

from dynred import plugins
from dynred.cli._options import CLEANING, COMPUTATION, DATA, LATENT, OUTPUT, OWN, SOURCE, TRAINING, TRANSFORMS, listed
from dynred.cli.app import build, main

COMMANDS = [name for name in plugins.names("dynred.cli") if name != "app"]
GROUPS = {group.name for group in (SOURCE, LATENT, DATA, OWN, CLEANING, TRANSFORMS, TRAINING, COMPUTATION, OUTPUT)}
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
def test_every_option_is_described_in_one_of_the_groups(command):
    arguments = build()[command].assemble_argument_collection(parse_docstring=False)
    assert len(arguments) > 0
    for argument in arguments:
        assert len(argument.parameter.help or "") > 10, argument.name
        assert argument.parameter.help.endswith("."), argument.name
        assert argument.parameter.group[0].name in GROUPS, argument.name


@pytest.mark.parametrize("command", COMMANDS)
def test_descriptions_survive_an_interpreter_without_docstrings(command, capsys, monkeypatch):
    function = getattr(importlib.import_module(f"dynred.cli.{command}"), command)
    monkeypatch.setattr(function, "__doc__", None)
    said = told([command], capsys)
    for argument in build()[command].assemble_argument_collection(parse_docstring=False):
        plain = argument.parameter.help.replace("`", "")
        assert " ".join(plain.split()[:2]) in said, argument.name


def examples():
    for command in COMMANDS:
        for line in importlib.import_module(f"dynred.cli.{command}").EXAMPLES.strip().splitlines():
            yield pytest.param(command, line, id=line.partition("  #")[0])


@pytest.mark.parametrize(("command", "line"), list(examples()))
def test_every_example_is_a_call_of_its_command_that_parses(command, line):
    assert len(line) <= 78  # it fits a terminal of 80 columns
    words = shlex.split(line, comments=True)
    assert words[:2] == ["dynred", command]
    build().parse_args(words[1:], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_eighty_columns(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    main([*command.split(), "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_the_package_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "dynred", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == importlib.metadata.version("dynred")


def test_completion_is_installed_beside_the_shells_files_and_changes_none_of_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".bashrc").write_text("# mine\n")
    main(["--install-completion", "--shell", "bash"])
    script = tmp_path / ".local/share/bash-completion/completions/dynred"
    assert "dynred" in capsys.readouterr().out
    assert "--latent-dim" in script.read_text()
    assert (tmp_path / ".bashrc").read_text() == "# mine\n"


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
