"""The variables of a state: components that belong together, by name, such as a column of a table or a field."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dynred.data.grid import remembered_grid

KEY = "variables"  # of the attributes of trajectories


class Variable(NamedTuple):
    """Components of a state that lie side by side and have one unit.

    Attributes:
        name: its name, e.g. that of a column.
        width: number of its components.
    """

    name: str
    width: int


Variables = tuple[Variable, ...]


def variables_attribute(variables: Iterable[Variable]) -> dict[str, Any]:
    """The entry `variables` of the attributes of trajectories, as plain JSON data."""
    return {KEY: [[variable.name, variable.width] for variable in variables]}


def named_variables(attributes: Mapping[str, Any], dim: int) -> Variables:
    """The variables in the attributes of trajectories of `dim` components; none where nothing names them.

    Attributes come from files, so nothing in them is taken on trust.
    """
    try:
        variables = tuple(Variable(str(name), int(width)) for name, width in attributes[KEY])
    except (KeyError, TypeError, ValueError):
        variables = _of_grid(attributes, dim)
    fits = all(variable.width > 0 for variable in variables) and sum(v.width for v in variables) == dim
    return variables if fits else ()


def variables_of(attributes: Mapping[str, Any], dim: int) -> Variables:
    """As `named_variables`; where nothing names them, every component is one: x1, x2, ..."""
    return named_variables(attributes, dim) or tuple(Variable(f"x{i + 1}", 1) for i in range(dim))


def _of_grid(attributes: Mapping[str, Any], dim: int) -> Variables:
    grid = remembered_grid(attributes, dim)
    if grid is None:
        return ()
    return tuple(Variable(name, dim // len(grid.components)) for name in grid.components)
