"""What a file may import: its own folder and lower ones, absolutely, at its top; one home for every foreign library."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From low to high. "" is the root: what everything else rests on.
FOLDERS = (
    *("", "numerics", "data", "ode", "solvers", "simulation", "training", "geometry", "reducers", "dynamics"),
    *("models", "metrics", "evaluation", "report", "experiments", "studies", "testing", "cli"),
)
PLUGINS = (
    "data/cleaning",
    "data/derivatives",
    "data/readers",
    "data/transforms",
    "solvers",
    "reducers",
    "dynamics",
    "metrics",
    "report/figures",
    "report/inspection",
    "cli",
)
HOMES = {
    "torchdiffeq": "solvers",
    "xarray": "data",
    "zarr": "data",
    "h5py": "data",
    "psutil": "",
    "safetensors": "",
    "filelock": "",
    "platformdirs": "",
    "matplotlib": "report",
    "jinja2": "report",
    "numba": "numerics",
    "skdim": "geometry",
    "ripser": "geometry",
    "pysindy": "dynamics",
    "dask": "studies",
    "distributed": "studies",
    "optuna": "studies",
    "cyclopts": "cli",
    "rich": "cli",
}
SYSTEMS_MAY = {"torch", "math", "dataclasses", "dynred.rng", "dynred.checks", "dynred.data.grid"}  # and ode, solvers
SYSTEMS_MAY |= {"dynred.data.symmetries"}
LONGEST_FILE, LONGEST_FUNCTION = 350, 60  # lines
FILES = sorted((ROOT / "dynred").rglob("*.py"))
SYSTEMS = sorted((ROOT / "systems").glob("*.py"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(relative(path)))


def relative(path):
    return path.relative_to(ROOT / "dynred")


def folder(module):
    """The folder of a module of dynred, as in FOLDERS. `python -m dynred` is the command line."""
    if module == "dynred.__main__":
        return "cli"
    inner = module.split(".")[1:]
    return inner[0] if inner and (ROOT / "dynred" / inner[0]).is_dir() else ""


def module_of(path):
    return ".".join(("dynred", *relative(path).with_suffix("").parts)).removesuffix(".__init__")


@functools.cache
def tree(path):
    return ast.parse(path.read_text())


def statements(path):
    """The statements at the top of a file, those for one platform included and those for type checkers left out."""
    for node in tree(path).body:
        if isinstance(node, ast.If) and ast.unparse(node.test).startswith("sys.platform "):
            yield from node.body
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node


@functools.cache
def imports(path, *, inner=True):
    """The modules that a file imports; with `inner`, those within functions too."""
    modules = []
    for top in statements(path):
        for node in ast.walk(top) if inner else [top]:
            if isinstance(node, ast.Import):
                modules += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path.name} imports relatively"
                modules += [imported(node.module, alias.name) for alias in node.names]
    return tuple(modules)


def imported(module, name):
    place = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if place.is_dir() or place.with_suffix(".py").is_file() else module


def test_the_folders_are_those_that_are_listed():
    assert {relative(path).parts[0] for path in FILES if len(relative(path).parts) > 1} == set(FOLDERS) - {""}


def test_the_page_on_the_architecture_lists_the_folders_in_their_order():
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert re.findall(r"^\| `(\w+)/` \|", text, re.MULTILINE) == list(FOLDERS[1:])


@each_file
def test_imports_go_down(path):
    level = FOLDERS.index(folder(module_of(path)))
    above = {m for m in imports(path) if m.startswith("dynred.") and FOLDERS.index(folder(m)) > level}
    assert not above, f"{relative(path)} imports from above: {sorted(above)}"


def test_no_circle_runs_inside_a_folder():
    left = {module_of(path): {m for m in imports(path) if m.startswith("dynred.")} for path in FILES}
    while free := {module for module, needed in left.items() if not needed & set(left)}:
        left = {module: needed for module, needed in left.items() if module not in free}
    assert not left, f"modules that import each other: {sorted(left)}"


@pytest.mark.parametrize("plugins", PLUGINS)
def test_plugins_do_not_import_each_other(plugins):
    package = f"dynred.{plugins.replace('/', '.')}"
    for path in sorted((ROOT / "dynred" / plugins).glob("*.py")):
        for module in imports(path):
            name = module.removeprefix(f"{package}.")
            if module.startswith(f"{package}.") and path.stem not in ("__init__", "app"):
                assert name == "base" or name.startswith("_"), f"{relative(path)} imports its neighbour {name}"


@each_file
def test_what_serves_a_folder_alone_is_imported_by_that_folder_alone(path):
    for module in imports(path):
        parent, _, name = module.rpartition(".")
        if module.startswith("dynred.") and name.startswith("_"):
            assert module_of(path).startswith(parent), f"{relative(path)} imports {module}"


@each_file
def test_imports_stand_at_the_top(path):
    if relative(path).parts[0] != "cli":  # `--help` must not wait for torch
        assert sorted(imports(path)) == sorted(imports(path, inner=False))


@each_file
def test_foreign_libraries_have_one_home(path):
    for module in imports(path):
        home = HOMES.get(module.split(".")[0])
        assert home is None or folder(module_of(path)) == home, f"{module} belongs in {home or 'the root'}"
        assert not module.startswith(("systems", "dynred.systems")), "systems are found by name"
        assert not any(part.startswith("_") for part in module.split(".") if not module.startswith("dynred")), module


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_a_system_imports_no_other_system_and_little_else(path):
    for module in imports(path):
        assert module in SYSTEMS_MAY or folder(module) in ("ode", "solvers"), module


def test_no_two_classes_share_a_name():
    names = [node.name for path in FILES for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]
    assert {name for name in names if names.count(name) > 1} == set()


def test_no_module_is_named_for_nothing():
    vague = {"utils", "util", "helpers", "common", "misc"}
    assert not vague & {part for path in [*FILES, *SYSTEMS] for part in path.with_suffix("").parts}


@each_file
def test_files_and_functions_are_short_enough_to_be_read(path):
    assert path.read_text().count("\n") <= LONGEST_FILE
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            lines = node.end_lineno - node.body[0].lineno + 1  # after signature and before the docstring
            if ast.get_docstring(node) is not None:
                lines -= node.body[0].end_lineno - node.body[0].lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{node.name} has {lines} lines"


def test_importing_dynred_loads_no_torch_and_its_names_are_those_that_it_promises():
    code = "import sys, dynred; assert 'torch' not in sys.modules; [getattr(dynred, n) for n in dynred.__all__]"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_public_name_of_dynred_is_that_of_a_module_beside_it():
    import dynred

    assert not {path.stem for path in (ROOT / "dynred").iterdir()} & set(dynred.__all__)
