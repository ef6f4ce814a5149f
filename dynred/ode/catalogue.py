"""The catalogue of systems, as data: what `dynred systems` shows."""

import inspect
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from dynred import plugins
from dynred.errors import DynredError
from dynred.ode.find import PACKAGE, find_system, meaning
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System
from dynred.rng import generator


def list_systems() -> list[dict[str, Any]]:
    """Every system with its default arguments: name, dimension, kind of solver, K, time scale, equation.

    The `dimension` of K is that of the set, or the Kaplan-Yorke dimension of the attractor where no other is known.
    """
    return [_entry(name) for name in plugins.names(PACKAGE)]


def describe(name: str, **arguments: Any) -> dict[str, Any]:
    """Everything known about one system, as plain data.

    Args:
        name: name of the system, see `find_system`.
        arguments: structural choices, see `find_system`.
    """
    system = find_system(name, **arguments)
    known = system.known
    return {
        "name": system.name,
        "equation": _equation(name),
        "dim": system.dim,
        "solver": solver_kind(system),
        "parameters": {key: float(value) for key, value in system.parameters.items()},
        "drawn": _drawn(system),
        "arguments": _arguments(name, arguments),
        "transient": system.transient,
        "duration": system.duration,
        "sampling": system.sampling,
        "time_scale": system.time_scale,
        "time_scale_name": system.time_scale_name,
        "time_unit": system.time_unit,
        "grid": list(system.grid.shape) if system.grid else None,
        "symmetries": [str(symmetry) for symmetry in system.symmetries],
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
        "description": _description(name),
    }


def solver_kind(system: System) -> str:
    """The solver, or the family of solvers, that `auto` takes, as far as the system itself decides it."""
    system = system.underlying
    if system.discrete:
        return "iteration"
    if system.solver is not None:
        return system.solver
    if system.semilinear is not None:
        return "exponential_adams"
    return "auto" if system.stiff is None else "stiff" if system.stiff else "explicit"


def _entry(name: str) -> dict[str, Any]:
    try:
        system = find_system(name)
    except DynredError as error:
        blank = dict.fromkeys(("dim", "solver", "K", "time_scale"))
        return {"name": name, **blank, "equation": f"cannot be built: {error}"}
    return {
        "name": name,
        "dim": system.dim,
        "solver": solver_kind(system),
        "K": {"dimension": _dimension(system.known), "components": system.known.components},
        "time_scale": system.time_scale,
        "equation": _equation(name),
    }


def _drawn(system: System) -> list[str]:
    """The parameters that differ between trajectories unless they are given."""
    return [] if system.sample_parameters is None else sorted(system.sample_parameters(1, generator(0, "catalogue")))


def _dimension(known: KnownSet) -> float | None:
    return known.constants.get("kaplan_yorke_dimension") if known.dimension is None else known.dimension


# -- what the docstring of a system's function says ------------------------------------------------------------------


def _documentation(name: str) -> str:
    """The docstring of the function that builds the system, or of its right-hand side."""
    definition = meaning(name)
    function = definition.rhs if isinstance(definition, ModuleType) else definition
    return (inspect.getdoc(function) or "") if inspect.isfunction(function) else ""


def _equation(name: str) -> str:
    return _documentation(name).partition("\n")[0]


def _description(name: str) -> str:
    """The paragraphs between the equation and the sections, each on one line; lists and formulas keep their lines."""
    body = re.split(r"(?m)^\w+:$", _documentation(name).partition("\n")[2])[0].strip("\n")
    paragraphs = [part if re.search(r"(?m)^( |- )", part) else part.replace("\n", " ") for part in body.split("\n\n")]
    return "\n\n".join(paragraphs)


def _arguments(name: str, given: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Value, default and meaning of every argument, by name."""
    builder = meaning(name)
    if not inspect.isfunction(builder):
        return {}
    meanings = _meanings(_documentation(name))
    accepted = inspect.signature(builder).parameters
    return {
        key: {
            "value": str(given.get(key, entry.default)),
            "default": str(entry.default),
            "meaning": meanings.get(key, ""),
        }
        for key, entry in accepted.items()
    }


def _meanings(documentation: str) -> dict[str, str]:
    """What a docstring says of each argument, by name; `a, b: ...` speaks of both a and b."""
    section = documentation.partition("\nArgs:\n")[2].partition("\n\n")[0]
    meanings: dict[str, str] = {}
    for entry in re.split(r"(?m)^ {4}(?! )", section)[1:]:
        names, _, text = entry.partition(":")
        meanings |= {key.strip(): " ".join(text.split()) for key in names.split(",")}
    return meanings
