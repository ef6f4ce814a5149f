"""
Why should autoencoders work?
=============================

M. Kvalheim, E. D. Sontag, Transactions on Machine Learning Research (2024), measured and taken further. ::

    python examples/why_autoencoders_work.py --parts 1 --out runs/why
    python examples/why_autoencoders_work.py --parts 2 --out runs/why
    python examples/why_autoencoders_work.py --parts 3 --out runs/why
    python examples/why_autoencoders_work.py --parts 4 --out runs/why
    python examples/why_autoencoders_work.py --parts 5 --out runs/why
    python examples/why_autoencoders_work.py --parts 6 --out runs/why

Without `--parts` all are done; `--small` is a trial of minutes.

Their theorem: k coordinates can carry a finite union K of compact manifolds of dimension k, except for a subset K0 that
is as small as one likes. Its reverse: on a closed manifold K0 is never empty, and the largest error on it is never less
than the reach.

1. The paper's computation: two interlaced unit circles, one coordinate. How much of K is wrong, where, and how much.
2. K0 shrinks with width and training; the largest error does not.
3. Dynamics on the two circles, in 50 dimensions: encoded once or every step, on a line, an angle, an atlas.
4. Spheres and tori: which lines and angles can carry them.
5. The sets of D. Floryan, M. D. Graham, Nature Machine Intelligence 4, 1113 (2022): charts, coordinates, errors over a
   training length, and whether rollouts ten times as long stay on K.
6. Zero training error means nothing: a network of width 2 that returns its samples exactly.

After every part its table is printed and added to OUT/parts.json, with the figures beside it. A part whose claims do
not hold ends the run.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from autoencoders_of_dynamics import CASES, candyman, turns
from autoencoders_on_sets import Findings, memorised, paper, shrinking, spheres
from paper_results import write_rows
from rich.console import Console
from rich.table import Table

from dynred.files import moved_into_place, read_json, write_json
from dynred.records import plain

PARTS: dict[str, Callable[[bool], Findings]] = {
    "1": paper,
    "2": shrinking,
    "3": turns,
    "4": spheres,
    **{f"5.{name}": partial(candyman, name) for name in CASES},
    "6": memorised,
}
# What of a part's table stands in results.json: the columns that name a row, that of the result, and what is proven or
# published.
SHOWN: dict[str, tuple[tuple[str, ...], str, str | None]] = {
    "1": (("seed",), "maximum, circle 1", "at least 1 on each circle"),
    "2": (("width", "steps"), "maximum, better circle", "at least 1"),
    "3": (("model", "turns"), "largest error, last turn", None),
    "4": (("case", "seed"), "maximum", "proven bound"),
    "5": (("case", "coordinates"), "largest reconstruction error", "published"),
    "6": (("samples", "hidden layers"), "maximum, better circle", "at least 1"),
}


def kept(findings: Findings, name: str, out: Path) -> None:
    """Adds the results and figures of a part to those in `out`."""
    path = out / "parts.json"
    results = read_json(path) if path.exists() else {}
    again = name in results  # figures of an earlier run of the same part are replaced, others' files are not
    for stem, figure in findings.figures.items():
        with moved_into_place(out / f"{stem}.png", lambda _: again) as temporary:
            figure.savefig(temporary, dpi=150, format="png")
    results[name] = {"rows": findings.rows, "claims": findings.claims}
    write_json(path, plain({key: results[key] for key in sorted(results)}))


def shown(findings: Findings, title: str) -> Table:
    """The table of a part."""
    table = Table(*findings.rows[0], title=title)
    for row in findings.rows:
        table.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()))
    return table


def results(findings: Findings, name: str, minutes: float) -> list[dict[str, float | str | None]]:
    """The rows of a part as all examples give them."""
    named, column, known = SHOWN[name.partition(".")[0]]
    return [
        {
            "case": ", ".join([f"part {name}", *(f"{key} {row[key]}" for key in named)]) + f": {column}",
            "published": None if known is None else str(row.get(known, known)),
            "ours": row[column],
            "minutes": minutes,
        }
        for row in findings.rows
    ]


def main(out: Path = Path("runs/why"), parts: Sequence[str] = (), small: bool = True) -> dict[str, Findings]:
    """Runs the parts, by default all; `5` stands for all cases of part 5, `5.circle` for one.

    Raises:
        AssertionError: a claim does not hold; the measurements were stored and printed before.
    """
    chosen = [name for name in PARTS if not parts or name in parts or name.partition(".")[0] in parts]
    findings, gathered, console = {}, [], Console(width=None if sys.stdout.isatty() else 140)
    for name in chosen:
        start = time.process_time()
        findings[name] = PARTS[name](not small)
        kept(findings[name], name, out)
        minutes = (time.process_time() - start) / 60
        console.print(shown(findings[name], f"Part {name}"))
        for claim, holds in findings[name].claims.items():
            console.print(f"  {'holds' if holds else 'DOES NOT HOLD'}: {claim}")
        assert all(findings[name].claims.values()), f"part {name}: a claim does not hold"
        gathered += results(findings[name], name, minutes)
    write_rows(out, plain(gathered))
    return findings


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/why"))
    parser.add_argument("--parts", nargs="+", default=(), help="numbers; 5.circle is one case of part 5")
    parser.add_argument("--small", action="store_true", help="a trial of minutes")
    main(**vars(parser.parse_args()))
