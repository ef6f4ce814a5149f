"""`dynred systems`: the catalogue."""

from collections.abc import Iterator
from typing import Annotated, Any

from rich.padding import Padding
from rich.text import Text

from dynred.cli._completion import completed, sources
from dynred.cli._options import SOURCE, Arguments, AsJson, listed, option
from dynred.cli._process import printer
from dynred.cli.base import pairs, show, words

EXAMPLES = """
dynred systems
dynred systems kuramoto_sivashinsky --with length=44
dynred systems my_system.py
"""

HEADS = ("name", "dim", "solver", "dim K", "parts", "time scale")
SIDES = "<><>>>"  # words to the left, numbers to the right
Name = Annotated[
    str | None,
    option(
        SOURCE,
        f"{listed('dynred.systems')}, or a file with one of your own; default: all, in a list.",
        **completed(sources),
    ),
]


def systems(name: Name = None, /, *, with_: Arguments = None, as_json: AsJson = False) -> None:
    """List the catalogue of systems, or show one.

    The list gives the dimension of the state, the solver, the dimension of the set K on which long-time states lie and
    how many parts it has (where known), the time scale, and under each system its equation.
    """
    from dynred.ode.catalogue import describe, list_systems

    if name is not None:
        facts = describe(name, **pairs(with_ or []))
        show(facts["name"], ("", "value"), list(_rows(facts)), facts, as_json)
        if not as_json:
            printer().print(Text(facts["description"]))
    elif as_json:
        show("systems", (), (), list_systems(), as_json)
    else:
        for line in _listed(list_systems()):
            printer().print(line)


def _listed(entries: list[dict[str, Any]]) -> Iterator[Text | Padding]:
    """A line of facts for every system, and below it the equation, which is too long for a column."""
    table = [HEADS, *(_facts(entry) for entry in entries)]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEADS))]
    for i, row in enumerate(table):
        cells = (f"{cell:{side}{width}}" for cell, side, width in zip(row, SIDES, widths, strict=True))
        yield Text("  ".join(cells), style="bold")
        if i > 0:
            yield Padding(Text(entries[i - 1]["equation"]), (0, 0, 0, 4), expand=False)


def _facts(entry: dict[str, Any]) -> tuple[str, ...]:
    known, scale = entry["K"] or {}, entry["time_scale"]
    dimension = known.get("dimension")
    return (
        entry["name"],
        words(entry["dim"]),
        words(entry["solver"]),
        "" if dimension is None else f"{dimension:.3g}",
        words(known.get("components")),
        "" if scale is None else f"{scale:.3g}",
    )


def _rows(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The facts of one system as rows of name and value, without those that are unknown."""
    unit = facts["time_unit"]
    for key in ("equation", "dim", "solver"):
        yield key, words(facts[key])
    for name, value in facts["parameters"].items():
        yield f"parameter {name}", words(value) + (" (drawn unless given)" if name in facts["drawn"] else "")
    for name, about in facts["arguments"].items():
        default = "" if about["value"] == about["default"] else f" (default {about['default']})"
        yield f"argument {name}", f"{about['value']}{default}: {about['meaning']}"
    for key in ("transient", "duration", "sampling"):
        yield key, f"{words(facts[key])} {unit}"
    yield "time scale", f"{words(facts['time_scale'])} {unit} ({facts['time_scale_name']})"
    if facts["grid"]:
        yield "grid", f"{facts['grid'][0]} x {' x '.join(map(str, facts['grid'][1:]))} (components x points)"
    if facts["symmetries"]:
        yield "symmetries", "; ".join(facts["symmetries"])
    known = {key: value for key, value in facts["K"].items() if value is not None and value is not False}
    yield "K", ", ".join(key if value is True else f"{key} {words(value)}" for key, value in known.items())
    for name, value in facts["constants"].items():
        yield f"constant {name}", words(value)
    yield "reference", facts["reference"]
