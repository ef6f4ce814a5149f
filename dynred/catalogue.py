"""The catalogue of systems, as data: what `dynred systems` shows."""

import inspect
from typing import Any

from dynred import plugins
from dynred.errors import DynredError
from dynred.system import System, find_system

PACKAGE = "dynred.systems"


def list_systems() -> list[dict[str, Any]]:
    """Name, dimension, kind of solver and equation of every system in the catalogue, with its default arguments."""
    return [_entry(name) for name in plugins.names(PACKAGE)]


def describe(name: str, **arguments: Any) -> dict[str, Any]:
    """Everything known about one system, as plain data.

    Args:
        name: as for `find_system`.
        arguments: structural choices.
    """
    system = find_system(name, **arguments)
    known = system.known
    return {
        "name": system.name,
        "equation": _equation(name),
        "dim": system.dim,
        "solver": solver_kind(system),
        "parameters": {key: float(value) for key, value in system.parameters.items()},
        "arguments": _arguments(name),
        "transient": system.transient,
        "duration": system.duration,
        "sampling": system.sampling,
        "time_scale": system.time_scale,
        "time_scale_name": system.time_scale_name,
        "time_unit": system.time_unit,
        "grid": list(system.grid.shape) if system.grid else None,
        "K": {
            "dimension": known.dimension,
            "components": known.components,
            "betti": list(known.betti) if known.betti else None,
            "reach": known.reach,
            "closed": known.closed,
            "sampler": known.sample is not None,
            "distance": known.distance is not None,
        },
        "constants": dict(known.constants),
        "reference": system.reference,
    }


def solver_kind(system: System) -> str:
    """The family of solvers that `auto` takes, as far as the system says it."""
    system = system.underlying
    if system.semilinear is not None:
        return "etdrk4"
    return "auto" if system.stiff is None else "stiff" if system.stiff else "explicit"


def _entry(name: str) -> dict[str, Any]:
    try:
        system = find_system(name)
    except DynredError as error:
        return {"name": name, "dim": None, "solver": None, "equation": f"cannot be built: {error}"}
    return {"name": name, "dim": system.dim, "solver": solver_kind(system), "equation": _equation(name)}


def _builder(name: str) -> Any:
    return plugins.load(PACKAGE, name) if not name.endswith(".py") else None


def _equation(name: str) -> str:
    return (inspect.getdoc(_builder(name)) or "").partition("\n")[0] if _builder(name) is not None else ""


def _arguments(name: str) -> dict[str, Any]:
    builder = _builder(name)
    if not inspect.isfunction(builder):
        return {}
    return {key: str(value.default) for key, value in inspect.signature(builder).parameters.items()}
