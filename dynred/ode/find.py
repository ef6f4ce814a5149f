"""Systems by name: from the catalogue, a module, or a file of the user's own, of which each is built alike."""

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

PACKAGE = "dynred.systems"  # the catalogue, one file per system
TRIED = 30  # arrays of the size of a state that it takes to recognise a right-hand side


@public
def find_system(name: str | System, **arguments: Any) -> System:
    """A system by its name in the catalogue, by `module:name`, or from a file of the user's own.

    Args:
        name: `kuramoto_sivashinsky`, `package.module:name`, `path/to/my_system.py`, or a System, returned as it is.
        arguments: structural choices for the function that builds the system, e.g. `length=44.0`.

    Returns:
        The system that a module or file defines: its `system`; or what has the module's own name, as in
        `lorenz63.py`; or a System made of its function `rhs(t, x)` and its number `dim`, for which other attributes
        of `System` that it defines (`sample_initial`, `parameters`, `transient` ...) are used.

    Raises:
        InputError: nothing of that name, a file that fails to import or defines no system, unknown arguments.
    """
    if isinstance(name, System):
        return name
    found = meaning(name)
    return _build(_assembled(found, name) if _is_equation(found) else found, name, arguments)


def meaning(name: str) -> object:
    """What a name means: a System, a function that builds one, or a module that defines `rhs` and `dim`.

    Raises:
        InputError: nothing of that name, a file that fails to import or defines none of these.
    """
    if name.partition(":")[2]:
        return plugins.load(PACKAGE, name)
    module = plugins.load_module(PACKAGE, name)
    system, own = (_defined(module, attribute) for attribute in ("system", plugins.own_name(module)))
    if system is not None:
        return system
    if _is_equation(module) and not _builds(own):  # the `lorenz(t, x)` of a `lorenz.py` may be what `rhs` calls
        return module
    if own is not None:
        return own
    defined = [key for key, value in vars(module).items() if key[0] != "_" and not isinstance(value, ModuleType)]
    raise InputError(
        f"{name} defines no system: it must define `system` (a dynred.System), or `rhs(t, x)` and `dim`, or a function "
        f"of its own name that returns a dynred.System; it defines {', '.join(defined) or 'nothing'}."
    )


def _defined(module: ModuleType, attribute: str) -> object:
    value = getattr(module, attribute, None)
    return None if isinstance(value, ModuleType) else value  # a library, or a part of the package, of that name


def _is_equation(found: object) -> bool:
    return isinstance(found, ModuleType) and hasattr(found, "rhs") and hasattr(found, "dim")


def _builds(found: object) -> bool:
    """Whether it is a system, or a function that can be called without arguments, as those that build systems can."""
    if not inspect.isfunction(found):
        return isinstance(found, System)
    accepted = inspect.signature(found).parameters.values()
    return all(one.default is not one.empty or one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in accepted)


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


def _assembled(module: Any, name: str) -> System:
    fields = {field.name for field in dataclasses.fields(System) if field.init} - {"name", "arguments"}
    given = {field: getattr(module, field) for field in fields if hasattr(module, field)}
    with user_code(name):
        return System(name=plugins.own_name(module), **given)
