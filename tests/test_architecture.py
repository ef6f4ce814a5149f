"""What a module may import: lower layers only, absolutely, at its top; one home for every foreign library."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = (
    "errors rng checks annotations arguments kinds memory files locks seal trust screening user_code",
    "modes numpy_model export spec records plugins bootstrap parameters righthand jacobian spectral nets optimise "
    "latent_space polynomials",
    "system trajectories fits phases direct projection derivatives",
    "draws run_folder storage store_layout store_writer stored velocities catalogue solvers exponential",
    "events source observe obstruction",
    "integrate shooting",
    "stream",
    "simulate geometry reducers dynamics domain",
    "stored_parts model forecast landmarks charts atlas bands joint requirements",
    "metrics scores lyapunov certificate certify",
    "agreement evaluation",
    "evaluate long_time compare pipeline",
    "report experiment automatic testing",
    "runs study cli",
)
LAYER = {name: level for level, names in enumerate(LAYERS) for name in names.split()}
WITHIN = {  # who may import whom of the same layer
    ("checks", "errors"),
    ("rng", "checks"),
    ("annotations", "checks"),
    ("annotations", "errors"),
    ("export", "checks"),
    ("export", "numpy_model"),
    ("numpy_model", "errors"),
    ("arguments", "annotations"),
    ("arguments", "checks"),
    ("files", "checks"),
    ("files", "errors"),
    ("locks", "checks"),
    ("trust", "errors"),
    ("user_code", "errors"),
    ("user_code", "memory"),
    ("fits", "trajectories"),
    ("latent_space", "spec"),
    ("records", "spec"),
    ("optimise", "nets"),
    ("optimise", "records"),
    ("optimise", "spec"),
    ("polynomials", "spec"),
    ("memory", "errors"),
    ("screening", "errors"),
    ("screening", "files"),
    ("screening", "memory"),
    ("screening", "seal"),
    ("seal", "errors"),
    ("storage", "store_layout"),
    ("storage", "store_writer"),
    ("storage", "stored"),
    ("store_writer", "store_layout"),
    ("stored", "store_layout"),
    ("exponential", "solvers"),
    ("solvers", "exponential"),
    ("model", "stored_parts"),
    ("atlas", "stored_parts"),
    ("forecast", "model"),
    ("bands", "model"),
    ("joint", "forecast"),
    ("joint", "model"),
    ("charts", "landmarks"),
    ("atlas", "charts"),
    ("atlas", "model"),
    ("compare", "evaluate"),
    ("pipeline", "evaluate"),
    ("experiment", "report"),
    ("cli", "runs"),
    ("certify", "certificate"),
    ("automatic", "experiment"),
}
PLUGINS = {"derivatives", "solvers", "reducers", "dynamics", "metrics"}
HOMES = {
    "torchdiffeq": {"solvers/explicit.py"},
    "xarray": {"storage.py"},
    "psutil": {"files.py", "memory.py"},
    "zarr": {"storage.py", "store_layout.py", "store_writer.py", "stored.py"},
    "safetensors": {"files.py"},
    "filelock": {"locks.py"},
    "platformdirs": {"trust.py"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
    "skdim": {"geometry"},
    "ripser": {"geometry"},
    "cyclopts": {"cli"},
    "rich": {"cli"},
}
SYSTEMS_MAY = {"torch", "math", "dataclasses", "dynred.system", "dynred.solvers.base", "dynred.rng", "dynred.checks"}
SYSTEMS_MAY |= {"dynred.observe", "dynred.spectral"}
FILES = sorted((ROOT / "dynred").rglob("*.py"))
SYSTEMS = sorted((ROOT / "systems").glob("*.py"))


def imports(path, *, inner=True):
    """The modules that a file imports, `a.b` for `from a import b` where b is a module; not those for type checkers."""
    tree = ast.parse(path.read_text())
    typing = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    hidden = {id(n) for block in typing for n in ast.walk(block)}
    platforms = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test).startswith("sys.platform ")]
    top = [*tree.body, *(n for block in platforms for n in block.body)]
    for node in ast.walk(tree) if inner else top:
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively: from {'.' * node.level}{node.module or ''}"
            yield from (f"dynred.{a.name}" for a in node.names) if node.module == "dynred" else [node.module]


def relative(path):
    return path.relative_to(ROOT / "dynred")


def test_every_module_has_a_layer():
    names = {relative(path).parts[0].removesuffix(".py") for path in FILES} - {"__init__"}
    assert names <= set(LAYER), f"no layer for {sorted(names - set(LAYER))}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(relative(path)))
def test_a_module_imports_lower_layers_only(path):
    own = relative(path).parts
    for module in imports(path):
        if not module.startswith("dynred."):
            continue
        me, other, parts = own[0].removesuffix(".py"), module.split(".")[1], module.split(".")
        if other == me and me in PLUGINS:
            assert parts[2:] == ["base"], f"{me} imports its neighbour {module}"
        elif other != me:
            lower = LAYER[other] < LAYER[me] or (me, other) in WITHIN
            assert lower, f"{me} (layer {LAYER[me]}) imports {module} (layer {LAYER[other]})"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(relative(path)))
def test_imports_stand_at_the_top_and_foreign_libraries_have_one_home(path):
    if relative(path).parts[0] != "cli":
        assert sorted(imports(path)) == sorted(imports(path, inner=False)), "an import below the top of the module"
    for module in imports(path):
        assert module.split(".")[0] != "systems"
        assert not module.startswith("dynred.systems"), "systems are found by name"
        home = HOMES.get(module.split(".")[0])
        assert not home or {str(relative(path)), relative(path).parts[0]} & home, f"{module} belongs in {home}"


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_a_system_imports_no_other_system_and_little_else(path):
    assert set(imports(path)) <= SYSTEMS_MAY


def test_no_module_is_named_for_nothing():
    vague = {"utils", "util", "helpers", "common", "misc"}
    assert not vague & {path.stem for path in [*FILES, *SYSTEMS]}


def test_importing_dynred_loads_no_torch_and_its_names_are_those_that_it_promises():
    code = "import sys, dynred; assert 'torch' not in sys.modules; [getattr(dynred, n) for n in dynred.__all__]"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
