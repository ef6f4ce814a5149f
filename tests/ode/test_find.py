"""What a module defines decides which system it means, wherever the module is."""

import pytest
import torch

from dynred.errors import InputError
from dynred.ode.catalogue import describe, list_systems
from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate

EQUATION = 'dim = 2\n\n\ndef rhs(t, x):\n    """x\' = -x"""\n    return -x\n'
BUILDER = "\n\ndef FILE(dim=3):\n    return System('built', dim, rhs=lambda t, x: -x)\n"
IMPORT = "from dynred.ode.system import System\n"
FILES = {  # what a file defines, and the name and dimension of the system that it means
    "an equation": (EQUATION, "FILE", 2),
    "an equation and more": (f"{EQUATION}transient = 3.0\nname = 'no'\n", "FILE", 2),
    "a function of its name": (IMPORT + BUILDER, "built", 3),
    "a system of its name": (f"{IMPORT}FILE = System('own', 4, rhs=lambda t, x: -x)\n", "own", 4),
    "`system`": (f"{IMPORT}system = System('mine', 5, rhs=lambda t, x: -x)\n", "mine", 5),
    "`system`, made by a function of its name": (f"{IMPORT}{BUILDER}system = FILE(6)\n", "built", 6),
    "a function of its name, and parts of what it builds": (IMPORT + EQUATION + BUILDER, "built", 3),
    "an equation that calls a function of its name": (
        "dim = 2\ndef FILE(t, x, rate=1.0):\n    return -rate * x\ndef rhs(t, x):\n    return FILE(t, x)\n",
        "FILE",
        2,
    ),
    "an equation and a library of its name": (f"import json as FILE\n{EQUATION}", "FILE", 2),
}


@pytest.fixture(params=["catalogue", "file", "package"])
def named(request, catalogue, monkeypatch):
    """Puts a text into a module of that name; gives what `find_system` knows it by."""

    def write(stem, text):
        path = catalogue / f"{stem}.py"
        path.write_text(text.replace("FILE", stem))
        if request.param != "package":
            return stem if request.param == "catalogue" else str(path)
        package = f"package_of_{stem}"
        (catalogue / package).mkdir()
        path.rename(catalogue / package / path.name)
        monkeypatch.syspath_prepend(str(catalogue))
        return f"{package}.{stem}"

    return write


@pytest.mark.parametrize("case", FILES)
def test_what_a_module_defines_decides_in_the_catalogue_in_a_file_and_in_a_package(named, case):
    text, name, dim = FILES[case]
    stem = f"found{list(FILES).index(case)}"
    system = find_system(named(stem, text))
    assert (system.name, system.dim) == (name.replace("FILE", stem), dim)


def test_arguments_reach_a_function_of_the_modules_own_name(named):
    assert find_system(named("arguments", IMPORT + BUILDER), dim=7).dim == 7
    with pytest.raises(InputError, match="argument of .* must be one of dim, got 'length'"):
        find_system(named("others", IMPORT + BUILDER), length=7)


def test_a_module_that_defines_no_system_is_refused_with_what_it_must_define(named):
    with pytest.raises(InputError, match=r"defines no system: it must define `system` .* it defines rhs\."):
        find_system(named("half", "def rhs(t, x):\n    return -x\n"))


def test_a_file_called_rhs_is_an_equation_as_any_other(named):
    assert find_system(named("rhs", EQUATION)).dim == 2


def test_an_equation_in_the_catalogue_is_listed_described_and_simulated(catalogue):
    (catalogue / "shrinks.py").write_text(EQUATION)
    entry = next(entry for entry in list_systems() if entry["name"] == "shrinks")
    assert (entry["dim"], entry["equation"]) == (2, "x' = -x")
    facts = describe("shrinks")
    assert (facts["name"], facts["equation"], facts["arguments"]) == ("shrinks", "x' = -x", {})
    truth = simulate(find_system("shrinks"), 3, rng=generator(0))
    assert torch.allclose(truth.velocities, -truth.states)


def test_a_function_in_a_file_of_ones_own_is_described_as_one_of_the_catalogue(named):
    text = f'{IMPORT}\n\ndef FILE(dim=3):\n    """x\' = -x\n\n    Args:\n        dim: size.\n    """\n'
    facts = describe(named("told", f"{text}    return System('told', dim, rhs=lambda t, x: -x)\n"), dim=4)
    assert facts["equation"] == "x' = -x"
    assert facts["arguments"] == {"dim": {"value": "4", "default": "3", "meaning": "size."}}
