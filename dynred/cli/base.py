"""What commands share: values that are given as text, progress, tables, JSON."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dynred.cli._process import printer, results, stderr
from dynred.cli._tables import natural_width, tables

if TYPE_CHECKING:
    from dynred.evaluation.compare import Comparison
    from dynred.evaluation.evaluation import Evaluation
    from dynred.runtime import Progress as Reports
    from dynred.runtime import Runtime

WIDTH = 132  # columns of a table that goes to no terminal
NO_NUMBERS = {"nan", "inf", "infinity"}


def pairs(texts: list[str]) -> dict[str, Any]:
    """`name=value` texts as a dict. A value that is valid JSON is read as such, any other as text.

    Raises:
        InputError: a text has another form, a name comes twice, a number is not finite, a list or mapping is
            incomplete, or values are nested beyond all reason.
    """
    from dynred.annotations import plain_data
    from dynred.checks import refuse

    values: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value.strip() or name.split() != [name]:
            raise refuse("a setting", "of the form name=value", repr(text))
        if name in values:
            raise refuse(f"setting {name}", "given once", f"{values[name]!r} and {value!r}")
        values[name] = _value(f"setting {name}", value)
        plain_data(f"setting {name}", values[name])
    return values


def _value(name: str, text: str) -> Any:
    from dynred.checks import refuse

    if text.strip().lstrip("+-").lower() in NO_NUMBERS:
        raise refuse(name, "finite where it is a number", repr(text))
    try:
        return json.loads(text)
    except RecursionError as error:
        raise refuse(name, "nested less deeply", repr(text)) from error
    except ValueError as error:
        if text.strip()[0] in "[{":
            raise refuse(name, "JSON where it begins as a list or mapping", repr(text)) from error
        return text


@contextmanager
def bar() -> "Iterator[Reports]":
    """Shows the progress that it is told of as a bar on standard error, or below the cell of a notebook."""
    if stderr.is_jupyter:
        with _notebook_bar() as progress:
            yield progress
        return
    with _terminal_bar() as progress:
        yield progress


@contextmanager
def _notebook_bar() -> "Iterator[Reports]":
    # rich's own bars need ipywidgets there; every notebook shows HTML.
    from IPython.display import HTML, display

    shown, bars = display(HTML(""), display_id=True), {}

    def progress(stage: str, done: int, total: int, **figures: float) -> None:
        note = " ".join(f"{name} {value:.3g}" for name, value in figures.items())
        words = escape(f"{done}/{total} {note}")
        bars[stage] = f'{escape(stage)} <progress value="{int(done)}" max="{int(total)}"></progress> {words}'
        shown.update(HTML("<br>".join(bars.values())))

    try:
        yield progress
    finally:
        shown.update(HTML(""))


@contextmanager
def _terminal_bar() -> "Iterator[Reports]":
    columns = (
        TextColumn("{task.description:10s}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    drawn = Progress(*columns, console=stderr, transient=True)
    tasks: dict[str, Any] = {}

    def progress(stage: str, done: int, total: int, **figures: float) -> None:
        note = f"{done}/{total} " + " ".join(f"{name} {value:.3g}" for name, value in figures.items())
        if stage not in tasks:
            drawn.start()
            tasks[stage] = drawn.add_task(stage, total=total, note=note)
        drawn.update(tasks[stage], completed=done, total=total, note=note)

    try:
        yield progress
    finally:
        if tasks:  # a bar that never showed leaves no empty line
            drawn.stop()


@contextmanager
def working(device: str = "auto", *, announced: bool = False) -> "Iterator[Runtime]":
    """A `Runtime` that shows progress as a bar on standard error; where `announced`, also how long it will take."""
    from dynred.runtime import Runtime

    with bar() as progress:
        yield Runtime(device=device, progress=progress, expecting=_announce if announced else None)


def _announce(seconds: "Mapping[str, float]") -> None:
    from dynred.experiments.expected_time import in_words

    stderr.print(in_words(seconds), markup=False, highlight=False, soft_wrap=True)


def show_evaluation(evaluation: "Evaluation", as_json: bool) -> None:
    """Prints the table of one evaluation."""
    title = f"{evaluation.system}: {evaluation.state_dim} -> {evaluation.latent_dim}\nTest: {evaluation.test_words}."
    if not as_json:
        for finding in evaluation.findings:
            tell(f"! {finding.text}")
    show(title, evaluation.heads(), evaluation.rows(), evaluation.to_dict(), as_json)
    if evaluation.closing and not as_json:
        tell(evaluation.closing)


def show_comparison(comparison: "Comparison | None", evaluations: "Sequence[Evaluation]", as_json: bool) -> None:
    """Prints models side by side: the comparison where there is one, else the evaluation of each."""
    data = {"comparison": comparison and comparison.to_dict(), "evaluations": [each.to_dict() for each in evaluations]}
    if comparison is not None:
        title = f"{comparison.trajectories} test trajectories; differences from {comparison.models[0]}"
        show(title, comparison.heads(), comparison.rows(), data, as_json)
        return
    names = list(dict.fromkeys(row[0] for evaluation in evaluations for row in evaluation.rows()))
    tables = [{row[0]: row[1] for row in evaluation.rows()} for evaluation in evaluations]
    rows = [(name, *(table.get(name, "") for table in tables)) for name in names]
    heads = ("", *(f"{each.system} {each.state_dim} -> {each.latent_dim}" for each in evaluations))
    show("models side by side", heads, rows, data, as_json)


def show(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], data: object, as_json: bool) -> None:
    """Prints a table, or `data` as JSON, on standard output."""
    if as_json:
        results().write(json.dumps(data, indent=2, allow_nan=False) + "\n")
        return
    console = printer()
    # A file or a pipe has no width: rows need not be folded to 80 columns.
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = max(console.width, WIDTH, natural_width(heads, rows) if len(heads) > 2 else 0)
    for table in tables(title, heads, rows, console.width):
        console.print(table)


def tell(text: str) -> None:
    """Prints sentences on standard output, wrapped between words where it is a terminal."""
    console = printer()
    console.print(text, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def words(value: object) -> str:
    """A value as a cell of a table."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {words(item)}" for key, item in value.items())
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
