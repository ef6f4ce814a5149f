"""Systems by name: from the catalogue, a module, or a file of the user's own."""

import dataclasses
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from dynred import plugins
from dynred.arguments import public
from dynred.checks import one_of, refuse
from dynred.errors import InputError
from dynred.memory import bounded, check_memory
from dynred.ode.system import System
from dynred.user_code import user_code

TRIED = 30  # arrays of the size of a state that it takes to recognise a right-hand side


@public
def find_system(name: str | System, **arguments: Any) -> System:
    """A system by its name in the catalogue, by `module:name`, or from a file of the user's own.

    Args:
        name: `kuramoto_sivashinsky`, `package.module:name`, `path/to/my_system.py`, or a System, returned as it is.
        arguments: structural choices for the function that builds the system, e.g. `length=44.0`.

    Returns:
        The system. A file gives its `system`, or a System made of its function `rhs(t, x)` and its number `dim`;
        other attributes of `System` that it defines (`sample_initial`, `parameters`, `transient` ...) are used.

    Raises:
        InputError: nothing of that name, a file that fails to import or defines no system, unknown arguments.
    """
    if isinstance(name, System):
        return name
    if name.split(":")[0].endswith(".py") and ":" not in name:
        return _from_file(plugins.load_module("dynred.systems", name), name, arguments)
    found = plugins.load("dynred.systems", name)
    return _build(found, name, arguments)


def _build(found: object, name: str, arguments: Mapping[str, Any]) -> System:
    if callable(found) and not isinstance(found, System):
        with user_code(name), bounded():
            accepted = inspect.signature(found).parameters
            for key in arguments:
                one_of(f"argument of {name}", key, accepted)
            found = found(**arguments)
        if isinstance(found, System):
            found = dataclasses.replace(found, arguments=dict(arguments))
    elif arguments:
        raise refuse(f"arguments of {name}", "none, since it is no function", sorted(arguments))
    if not isinstance(found, System):
        raise refuse(name, "a dynred.System or a function that returns one", type(found).__name__)
    check_memory(f"{name}, with {found.dim} values in a state,", TRIED * 8 * found.dim)
    return found


def _from_file(module: ModuleType, path: str, arguments: Mapping[str, Any]) -> System:
    if hasattr(module, "system"):
        return _build(module.system, path, arguments)
    if not (hasattr(module, "rhs") and hasattr(module, "dim")):
        defined = [n for n in vars(module) if not n.startswith("_")]
        raise InputError(
            f"{path} defines no system: it must define `system` (a dynred.System), or `rhs(t, x)` and `dim`; "
            f"it defines {', '.join(defined) or 'nothing'}."
        )
    fields = {f.name for f in dataclasses.fields(System) if f.init} - {"name", "arguments"}
    given = {name: getattr(module, name) for name in fields if hasattr(module, name)}
    stem = module.__name__.removeprefix("user_file_")
    with user_code(path):
        system = System(name=stem, **given)
    return _build(system, path, arguments)
