"""Finds systems by name: in the catalogue, in a module, or in a file of the user's own. All are built alike."""

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from dynred import plugins
from dynred.arguments import public
from dynred.checks import one_of, refuse
from dynred.errors import InputError
from dynred.memory import bounded, check_memory
from dynred.ode.sending import check_unchanged
from dynred.ode.system import System
from dynred.user_code import user_code

PACKAGE = "dynred.systems"  # the catalogue, one file per system
TRIED = 30  # arrays of the size of a state that memory must hold while a right-hand side is recognised


@public
def find_system(name: str | System, **arguments: Any) -> System:
    """A system by its name in the catalogue, by `module:name`, or from a file of the user's own.

    Args:
        name: `kuramoto_sivashinsky`, `package.module:name`, `path/to/my_system.py`, or a System, returned as it is.
        arguments: structural choices for the function that builds the system, e.g. `length=44.0`.

    Returns:
        The system that a module or file defines: as `system`; or under the module's own name, as in `lorenz63.py`; or
        by a function `rhs(t, x)` and a number `dim`. In the last case these become a System, together with the other
        attributes of `System` that the module defines (`sample_initial`, `parameters`, `transient` ...).

    Raises:
        InputError: nothing has that name, a file fails to import or defines no system, or an argument is unknown.
    """
    if isinstance(name, System):
        return name
    definition = meaning(name)
    system = _build(_assembled(definition, name) if _is_equation(definition) else definition, name, arguments)
    system = dataclasses.replace(system)  # the module keeps its own
    object.__setattr__(system, "found", _Found.of(name, arguments))
    return system


@dataclass(frozen=True)
class _Found:
    """Finds a system again, in another process: by its name, its arguments, and the digest of a user's file."""

    name: str
    arguments: Mapping[str, Any]
    digest: str | None

    @classmethod
    def of(cls, name: str, arguments: Mapping[str, Any]) -> "_Found":
        code = plugins.code_of(name) if name.partition(":")[0].endswith(".py") else None
        if code is None or code.path is None:
            return cls(name, arguments, None)
        return cls(code.path + name[len(name.partition(":")[0]) :], arguments, code.digest)

    def __call__(self) -> System:
        check_unchanged(self.name, self.digest)
        return find_system(self.name, **self.arguments)


def meaning(name: str) -> object:
    """What a name means: a System, a function that builds one, or a module that defines `rhs` and `dim`.

    Raises:
        InputError: nothing has that name, or a file fails to import or defines none of these.
    """
    if (plugins.foreign_place(PACKAGE, name) or "").partition(":")[2]:
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
    return None if isinstance(value, ModuleType) else value  # a library, or a part of the package, may have that name


def _is_equation(definition: object) -> bool:
    return isinstance(definition, ModuleType) and hasattr(definition, "rhs") and hasattr(definition, "dim")


def _builds(definition: object) -> bool:
    """Whether it is a system, or a function that can be called without arguments, as every builder can."""
    if not inspect.isfunction(definition):
        return isinstance(definition, System)
    accepted = inspect.signature(definition).parameters.values()
    return all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in accepted)


def _build(definition: object, name: str, arguments: Mapping[str, Any]) -> System:
    system = definition
    if callable(definition) and not isinstance(definition, System):
        with user_code(name), bounded():
            accepted = inspect.signature(definition).parameters
            for key in arguments:
                one_of(f"argument of {name}", key, accepted)
            system = definition(**arguments)
        if isinstance(system, System):
            system = dataclasses.replace(system, arguments=dict(arguments))
    elif arguments:
        raise refuse(f"arguments of {name}", "none, since it is no function", sorted(arguments))
    if not isinstance(system, System):
        raise refuse(name, "a dynred.System or a function that returns one", type(system).__name__)
    check_memory(f"{name}, with {system.dim} values in a state,", TRIED * 8 * system.dim)
    return system


def _assembled(module: Any, name: str) -> System:
    fields = {field.name for field in dataclasses.fields(System) if field.init} - {"name", "arguments"}
    given = {field: getattr(module, field) for field in fields if hasattr(module, field)}
    with user_code(name):
        return System(name=plugins.own_name(module), **given)
