"""`dynred systems`: the catalogue."""

from dynred.cli.base import Arguments, AsJson, pairs, show, words


def systems(name: str | None = None, /, *, with_: Arguments = None, as_json: AsJson = False) -> None:
    """List the catalogue of systems, or show one.

    Parameters
    ----------
    name: A system's name or file; without it, all are listed.
    """
    from dynred.catalogue import describe, list_systems

    if name is None:
        rows = list_systems()
        table = [tuple(str(v) for v in (r["name"], r["dim"], r["solver"], r["equation"])) for r in rows]
        show("systems", ("name", "dim", "solver", "equation"), table, rows, as_json)
    else:
        facts = describe(name, **pairs(with_ or []))
        show(name, ("", "value"), [(key, words(value)) for key, value in facts.items()], facts, as_json)
