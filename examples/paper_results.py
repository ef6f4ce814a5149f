"""What the examples leave behind: figures, and rows of published and measured numbers."""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from dynred.files import check_target, moved_into_place, write_text

# Colours that every common kind of colour vision tells apart (Okabe and Ito).
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
}


@dataclass(frozen=True)
class Row:
    """One line of the table of results.

    Attributes:
        case: what was measured, with its unit.
        published: what the paper has; None where it has no number.
        ours: what was measured here.
        minutes: time of simulating, fitting and scoring, in minutes.
    """

    case: str
    published: str | None
    ours: float | str
    minutes: float


class Watch:
    """Minutes since it was made."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    @property
    def minutes(self) -> float:
        """Minutes until now."""
        return (time.perf_counter() - self.start) / 60


def blank(width: float, height: float) -> Figure:
    """An empty figure in the common style, without a window; width and height in inches."""
    matplotlib.rcParams.update(STYLE)
    return Figure(figsize=(width, height), layout="constrained")


def check_results(out: Path) -> Path:
    """The file of the rows, before anything is computed; only one that such a script wrote is replaced.

    Raises:
        InputError: it is another's, or nothing can be written there.
    """
    return check_target("out", out / "results.json", _is_rows)


def _is_rows(path: Path) -> bool:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    wanted = {field.name for field in fields(Row)}
    return isinstance(rows, list) and all(isinstance(row, dict) and set(row) == wanted for row in rows)


def write_rows(out: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows, each with the entries of `Row`, to OUT/results.json, moved into place."""
    write_text(check_results(out), json.dumps(rows, indent=2, allow_nan=False) + "\n", _is_rows)


def write_results(out: Path, title: str, rows: Sequence[Row], figures: Mapping[str, Figure]) -> None:
    """Prints the rows, and writes them to OUT/results.json and the figures to OUT/NAME.png, each moved into place.

    Figures are replaced where the rows of an earlier run stand beside them.
    """
    again = check_results(out).exists()
    for name, figure in figures.items():
        with moved_into_place(out / f"{name}.png", lambda _: again) as temporary:
            figure.savefig(temporary, dpi=150, format="png")
    write_rows(out, [asdict(row) for row in rows])
    table = Table("", "published", "here", title=title)
    for row in rows:
        table.add_row(row.case, row.published or "", row.ours if isinstance(row.ours, str) else f"{row.ours:.3g}")
    Console().print(table)


def arguments(description: str | None, out: str) -> argparse.ArgumentParser:
    """The arguments that all of these scripts have: `--out` and `--small`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(out), help="folder of the figures and of results.json")
    parser.add_argument("--small", action="store_true", help="a trial that takes seconds")
    return parser
