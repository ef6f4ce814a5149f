import sys

import pytest

from dynred import plugins
from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.reducers.base import ReducerSpec
from dynred.reducers.pod import PODSpec
from dynred.solvers.base import Solver
from dynred.solvers.explicit import Explicit


def write(path, text):
    path.write_text(text)
    return str(path)


def test_names_are_the_public_modules_of_the_folder():
    found = plugins.names("dynred.solvers")
    assert {"etdrk4", "explicit", "exponential_adams", "stiff"} <= set(found)
    assert "base" not in found
    assert found == sorted(found)


def test_looking_for_names_imports_none_of_them():
    before = set(sys.modules)
    plugins.names("dynred.systems")
    assert not {name for name in set(sys.modules) - before if name.startswith("dynred.systems.")}


def test_a_name_a_dotted_name_and_a_class_mean_the_same():
    assert plugins.load_class("dynred.solvers", "explicit", Solver) is Explicit
    assert plugins.load_class("dynred.solvers", "dynred.solvers.explicit:Explicit", Solver) is Explicit
    assert plugins.load_class("dynred.reducers", "pod", ReducerSpec) is PODSpec
    assert plugins.load("dynred.systems", "lorenz63") is plugins.load(
        "dynred.systems", "dynred.systems.lorenz63:lorenz63"
    )


def test_a_class_in_a_users_file_is_found(tmp_path):
    text = "from dataclasses import dataclass\nfrom dynred.reducers.pod import PODSpec\n"
    text += "@dataclass(frozen=True)\nclass MineSpec(PODSpec):\n    weight: float = 1.0\n"
    path = write(tmp_path / "mine.py", text)
    assert plugins.load_class("dynred.reducers", path, ReducerSpec)(latent_dim=3).weight == 1.0
    assert plugins.load_class("dynred.reducers", f"{path}:MineSpec", ReducerSpec).__name__ == "MineSpec"


def test_a_users_random_py_does_not_stand_in_for_the_library(tmp_path):
    find_system(write(tmp_path / "random.py", "dim = 2\ndef rhs(t, x):\n    return -x\n"))
    import random

    assert hasattr(random, "shuffle")


def test_a_file_is_loaded_once_and_another_of_the_same_name_is_another(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    paths = [write(tmp_path / d / "mine.py", f"value = '{d}'\n") for d in "ab"]
    modules = [plugins.load_module("dynred.systems", path) for path in paths]
    assert [module.value for module in modules] == ["a", "b"]
    assert plugins.load_module("dynred.systems", paths[1]) is modules[1]


# -- systems ---------------------------------------------------------------------------------------------------------


def test_a_system_is_itself_and_a_name_is_built_with_its_arguments():
    system = find_system("stuart_landau", mu=4.0)
    assert find_system(system) is system
    assert system.parameters["mu"] == 4.0
    assert system.arguments == {"mu": 4.0}


def test_a_file_with_rhs_and_dim_is_a_system_with_what_else_it_defines(tmp_path):
    text = "import numpy as np\ndim = 2\nparameters = {'a': 2.0}\ntransient = 3.0\n"
    text += "def rhs(t, x, a):\n    return np.array([a * x[1], -x[0]])\n"
    system = find_system(write(tmp_path / "swing.py", text))
    assert (system.name, system.dim, system.transient, dict(system.parameters)) == ("swing", 2, 3.0, {"a": 2.0})
    assert system.right_hand_side.form.startswith("numpy")


def test_a_file_with_a_system_or_a_function_that_builds_one_gives_it(tmp_path):
    text = "from dynred import System\nsystem = System('mine', 3, rhs=lambda t, x: -x)\n"
    assert find_system(write(tmp_path / "one.py", text)).name == "mine"
    text = "from dynred import System\ndef system(dim=3):\n    return System('mine', dim, rhs=lambda t, x: -x)\n"
    assert find_system(write(tmp_path / "two.py", text), dim=5).dim == 5
    text = "from dynred import System\ndef build(dim=3):\n    return System('mine', dim, rhs=lambda t, x: -x)\n"
    assert find_system(write(tmp_path / "three.py", text) + ":build", dim=5).dim == 5


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "lorenz_63",
            {},
            "one of the .. that `dynred systems` lists, or a path .*, got 'lorenz_63'. Did you mean lorenz63?",
        ),
        ("zzz", {}, "A file of your own is named by its path, ending in .py"),
        ("nothing/there.py", {}, "system must be a path to an existing .py file, got 'nothing/there.py'"),
        ("no.such.module:thing", {}, "system no.such.module could not be imported: ModuleNotFoundError"),
        ("dynred.rng:generator2", {}, "must be a module that defines `generator2`"),
        ("dynred.rng:spawn", {"lenght": 1}, "argument of dynred.rng:spawn must be one of label, rng, got 'lenght'"),
        (
            "dynred.checks:math",
            {},
            "dynred.checks:math must be a dynred.System or a function that returns one, got module",
        ),
        (
            "kuramoto_sivashinsky",
            {"lenght": 44},
            "must be one of length, points, viscosity, got 'lenght'. Did you mean length?",
        ),
        ("kuramoto_sivashinsky", {"points": 63}, "points must be even, got 63"),
    ],
)
def test_a_name_that_means_no_system_is_refused_with_advice(name, arguments, message):
    with pytest.raises(InputError, match=message):
        find_system(name, **arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "defines no system: it must define `system` .* it defines nothing"),
        ("rhs = print", "it defines rhs"),
        ("1 / 0", 'could not be imported: File .*mine.py", line 1, in <module>: ZeroDivisionError: division by zero'),
        ("def (", "could not be imported: SyntaxError"),
        ("system = 3", "must be a dynred.System or a function that returns one, got int"),
        ("rhs = 3\ndim = 2", r"rhs must be a function f\(t, x\), got int"),
        ("def rhs(t, x): return -x\ndim = 0", "dim must be an integer >= 1, got 0"),
        ("def rhs(t, x): return -x\ndim = 2\ntransient = -1", "transient must be >= 0, got -1"),
        ("def rhs(t, x): return -x\ndim = 2\nsampling = 0", "sampling must be a finite number > 0, got 0"),
    ],
)
def test_a_file_that_defines_no_system_is_refused_with_the_reason(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        find_system(write(tmp_path / "mine.py", text))


def test_arguments_for_what_takes_none_are_refused(tmp_path):
    text = "from dynred import System\nsystem = System('mine', 3, rhs=lambda t, x: -x)\n"
    with pytest.raises(InputError, match=r"must be none, since it is no function, got \['dim'\]"):
        find_system(write(tmp_path / "mine.py", text), dim=3)


def test_a_module_with_no_or_two_classes_asks_for_a_name(tmp_path):
    head = "from dynred.reducers.pod import PODSpec\n"
    path = write(tmp_path / "none.py", head)
    with pytest.raises(
        InputError, match="must be a module with one ReducerSpec, got none. Name one with `module:Class`"
    ):
        plugins.load_class("dynred.reducers", path, ReducerSpec)
    path = write(tmp_path / "both.py", head + "class A(PODSpec): ...\nclass B(PODSpec): ...\n")
    with pytest.raises(InputError, match="must be a module with one ReducerSpec, got A, B"):
        plugins.load_class("dynred.reducers", path, ReducerSpec)
    assert plugins.load_class("dynred.reducers", f"{path}:B", ReducerSpec).__name__ == "B"


def test_an_unknown_parameter_of_a_system_is_refused_with_the_nearest():
    system = System("s", 2, rhs=lambda t, x, rate: -rate * x, parameters={"rate": 1.0})
    with pytest.raises(InputError, match=r"parameters must be among \['rate'\], got 'rat'. Did you mean rate?"):
        system.at({"rat": 2.0})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rhs": None}, r"rhs must be a function f\(t, x\), got None. Give `rhs` or `semilinear`"),
        (
            {"sample_initial": lambda n, rng: __import__("torch").zeros(n, 3)},
            r"sample_initial must be .* got shape \[3, 3\]",
        ),
        ({"time_scale": float("inf")}, "time_scale must be a finite number > 0, got inf"),
    ],
)
def test_attributes_of_a_system_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        System(**{"name": "s", "dim": 2, "rhs": lambda t, x: -x, **changes}).right_hand_side  # noqa: B018
