"""What the commands on studies share: values of axes that are given as text, workers, and what they print."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from dynred.cli._options import COMPUTATION, OUTPUT, Whole, flag, option
from dynred.cli._process import stderr
from dynred.cli.base import pairs, show, tell, words

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from dynred.studies.study import Study

WorkerCount = Annotated[
    Whole, option(COMPUTATION, "Processes of this machine that make runs, each in its share of the cores.", "--workers")
]
Dask = Annotated[
    str | None,
    option(COMPUTATION, "Address of a dask scheduler whose workers make the runs, e.g. tcp://host:8786.", "--dask"),
]
Report = Annotated[bool, flag(OUTPUT, "Write the page of the study, study.html in its folder.", "--report")]
MOST_FAILURES = 10  # that are printed


def values_of(texts: list[str]) -> dict[str, list[Any]]:
    """The values of every axis: `name=4:12` whole numbers, `name=4:12:2` every second, `name=.5,1,2` a list.

    Raises:
        InputError: a text has another form.
    """
    return {name: _values(name, value) for name, value in _split(texts)}


def ranges_of(texts: list[str]) -> dict[str, tuple[Any, ...]]:
    """The range of every axis of a search: `name=32:512`, `name=1e-4:1e-1:log`, or `name=a,b,c` to choose from.

    Raises:
        InputError: a text has another form.
    """
    from dynred.checks import refuse

    ranges: dict[str, tuple[Any, ...]] = {}
    for name, text in _split(texts):
        parts = [_value(name, part) for part in text.split(":")]
        if len(parts) == 1:
            ranges[name] = tuple(_listed(name, text))
        elif len(parts) == 2 or (len(parts) == 3 and parts[2] == "log"):
            ranges[name] = tuple(parts)
        else:
            raise refuse(f"the range of {name}", "low:high, low:high:log or a list a,b,c", text)
    return ranges


def _split(texts: list[str]) -> Iterator[tuple[str, str]]:
    from dynred.checks import refuse

    seen = set()
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value.strip() or name.split() != [name]:
            raise refuse("an axis", "of the form name=values", repr(text))
        if name in seen:
            raise refuse(f"axis {name}", "given once", "twice", "List its values: name=1,2,3.")
        seen.add(name)
        yield name, value


def _values(name: str, text: str) -> list[Any]:
    from dynred.checks import refuse

    parts = [_value(name, part) for part in text.split(":")]
    if len(parts) == 1 or not all(isinstance(part, int | float) for part in parts):
        return _listed(name, text)
    if len(parts) > 3 or not all(isinstance(part, int) for part in parts) or 0 in parts[2:]:
        advice = "List other values, with commas between."
        raise refuse(f"the values of {name}", "first:last or first:last:step of whole numbers", text, advice)
    first, last, step = (*parts, 1)[:3]
    return list(range(first, last + (1 if step > 0 else -1), step))


def _listed(name: str, text: str) -> list[Any]:
    return [_value(name, part) for part in text.split(",") if part.strip()]


def _value(name: str, text: str) -> Any:
    text = text.strip()
    return pairs([f"{name}={'0' * text.startswith('.')}{text}"])[name]


@contextmanager
def executor_at(address: str | None) -> "Iterator[Executor | None]":
    """The executor of a dask scheduler for the block; None without an address."""
    if address is None:
        yield None
        return
    from dynred.studies.cluster import connected

    with connected(address) as executor:
        yield executor


def show_study(study: "Study", as_json: bool) -> None:
    """Prints the table of a study, and what failed and why."""
    from dynred.studies.study_tables import cells

    frame = study.table()
    heads, rows = cells(frame, study.axes)
    records = [{key: _plain(value) for key, value in row.items()} for row in frame.to_dict("records")]
    data = {"folder": str(study.folder), "axes": list(study.axes), "counts": study.counts(), "runs": records}
    if not as_json:
        tell(str(study))
    show("", heads, rows, data, as_json)
    failed = [record for record in records if record["error"]]
    for record in failed[:MOST_FAILURES]:
        point = ", ".join(f"{axis}={words(record[axis])}" for axis in study.axes)
        stderr.print(f"{record['status']}: {point}: {record['error']}", markup=False, highlight=False, soft_wrap=True)
    if len(failed) > MOST_FAILURES:
        stderr.print(f"{len(failed) - MOST_FAILURES} more have no result; --report says why.")


def _plain(value: Any) -> Any:
    """A cell as JSON has it; numbers that are missing or not finite are None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def tell_report(study: "Study", wanted: bool) -> None:
    """Writes the page, where it is wanted, and says where it is."""
    if wanted:
        stderr.print(f"The page is {study.report()}", markup=False, highlight=False, soft_wrap=True)
