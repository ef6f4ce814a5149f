"""The page of an inspection: the verdict and its evidence."""

import math
from pathlib import Path

from dynred.errors import InputError
from dynred.files import check_target, is_page, write_text
from dynred.geometry.piece import Piece
from dynred.geometry.verdict import NAMES, Verdict, numbers
from dynred.report import page

FOLDER = "dynred.report.inspection"
MOST = 20  # largest number of components in the table
_WORDS = {True: ("yes", "possible"), False: ("no", "obstructed"), None: ("unknown", "cannot be known")}


def check_page(out: str | Path) -> None:
    """Refuses, before anything is computed, a path where no page of an inspection may be written.

    Raises:
        InputError: the name does not end in .html, or something is there that dynred did not write.
    """
    if Path(out).suffix != ".html":
        raise InputError(f"out must be a file ending in .html, got {out}.")
    check_target("out", out, is_page)


def write_inspection(path: str | Path, verdict: Verdict, name: str) -> None:
    """Writes the page of a verdict.

    The page is written under a temporary name and moved into place.

    Args:
        path: path of the page.
        verdict: what `inspect` returned.
        name: name of the system or the data.
    """
    write_text(path, render(verdict, name), is_page)


def render(verdict: Verdict, name: str) -> str:
    """The page as text; the same verdict gives the same text."""
    return page.render(
        "inspection.html",
        page.find_figures(FOLDER),
        verdict,
        title=f"{name}: which latent space?",
        what=verdict.what(),
        advice=verdict.advice(),
        sure=verdict.sure(),
        answers=[(numbers(ks), *_words(verdict, ks[0]), _bound(verdict, ks[0])) for ks in verdict.rows],
        components=[_row(piece) for piece in verdict.pieces[:MOST]],
    )


def _words(verdict: Verdict, k: int) -> tuple[str, str]:
    return ("no", "no autonomous ODE") if verdict.two_valued.verdict else _WORDS[verdict.possible(k)]


def _bound(verdict: Verdict, k: int) -> str:
    bound = verdict.lower_bound(k)
    return f"{bound:.3g}" if verdict.possible(k) is False and bound > 0 else ""


def _row(piece: Piece) -> tuple[str, ...]:
    holes = ", ".join("?" if b is None else str(b) for b in piece.betti[1:])
    boundary = {True: "none", False: "yes", None: "not clear"}[piece.closed]
    reach = "" if piece.reach is None else f"{piece.reach:.3g}" if math.isfinite(piece.reach) else "infinite"
    return NAMES[piece.kind], str(piece.points), f"{piece.dimension:.3g}", holes, boundary, reach
