"""`dynred systems`: the catalogue."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from dynred.cli.base import Arguments, AsJson, pairs, show, words

HEADS = ("name", "dim", "solver", "dim K", "parts", "time scale")


def systems(name: str | None = None, /, *, with_: Arguments = None, as_json: AsJson = False) -> None:
    """List the catalogue of systems, or show one.

    The list gives the dimension of the state, the solver, the dimension of the set K on which long-time states lie and
    how many parts it has (where known), the time scale, and under each system its equation.

    Parameters
    ----------
    name: A system's name or file; without it, all are listed.
    """
    from dynred.catalogue import describe, list_systems

    if name is None:
        entries = list_systems()
        if as_json:
            show("systems", (), (), entries, as_json)
        for line in () if as_json else _listed(entries):
            Console().print(line)
        return
    facts = describe(name, **pairs(with_ or []))
    show(facts["name"], ("", "value"), list(_rows(facts)), facts, as_json)
    if not as_json:
        Console().print(Text(facts["description"]))


def _listed(entries: list[dict[str, Any]]) -> Iterator[Text | Padding]:
    """A line of facts for every system, and its equation below, which is too long for a column."""
    table = [HEADS, *(_facts(entry) for entry in entries)]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEADS))]
    for row, entry in zip(table, [None, *entries], strict=True):
        cells = [
            cell.ljust(w) if i in (0, 2) else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        yield Text("  ".join(cells), style="bold")
        if entry is not None:
            yield Padding(Text(entry["equation"]), (0, 0, 0, 4), expand=False)


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
    """The facts of one system, one for each line; what is unknown is left out."""
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
    known = {key: value for key, value in facts["K"].items() if value is not None and value is not False}
    yield "K", ", ".join(key if value is True else f"{key} {words(value)}" for key, value in known.items())
    for name, value in facts["constants"].items():
        yield f"constant {name}", words(value)
    yield "reference", facts["reference"]
