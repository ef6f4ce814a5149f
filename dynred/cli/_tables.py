"""Tables of text that fit the page: in one piece where it is wide enough, else in parts below each other."""

import textwrap
from collections.abc import Sequence
from typing import Literal

from rich import box
from rich.markup import escape
from rich.table import Table

from dynred.cli._process import visible

FIRST = 36  # columns of the page that names of rows may take before they are wrapped
GAP = 3  # columns between two columns of a table, with its border

Rows = Sequence[Sequence[str]]


def tables(title: str, heads: Sequence[str], rows: Rows, width: int) -> list[Table]:
    """The table, or its parts, each with as many columns as fit.

    Args:
        title: above the first part.
        heads: a name for every column.
        rows: the cells.
        width: of the page, in columns of a terminal.
    """
    if len(heads) < 3 or natural_width(heads, rows) <= width:
        return [_table(title, heads, rows)]
    rows = [[row[0], *(cell.replace(" [", "\n[").replace("; ", ";\n") for cell in row[1:])] for row in rows]
    heads_in_words = ["\n".join(head.split()) for head in heads]  # as far as they can be wrapped
    widths = [max(map(_longest, column)) for column in zip(heads_in_words, *rows, strict=True)]
    parts: list[list[int]] = []
    left = 0
    for i in range(1, len(heads)):
        if i > 1 and widths[i] + GAP <= left:
            parts[-1].append(i)
            left -= widths[i] + GAP
        else:
            parts.append([i])
            left = width - min(widths[0], FIRST) - widths[i] - 2 * GAP
    heads = [heads[0], *(_wrapped(head, most) for head, most in zip(heads[1:], widths[1:], strict=True))]
    return [_part(title if i == 0 else "", heads, rows, part) for i, part in enumerate(parts)]


def natural_width(heads: Sequence[str], rows: Rows) -> int:
    """The width of a table of which nothing is wrapped."""
    columns = zip(heads, *rows, strict=True)
    return sum(max(map(_longest, column)) + GAP for column in columns) + 1


def _part(title: str, heads: Sequence[str], rows: Rows, columns: Sequence[int]) -> Table:
    """A table of some columns beside the first, without the rows that are empty in them."""
    shown = [[row[0], *(row[i] for i in columns)] for row in rows if any(row[i] for i in columns)]
    return _table(title, [heads[0], *(heads[i] for i in columns)], shown, narrow=True)


def _table(title: str, heads: Sequence[str], rows: Rows, *, narrow: bool = False) -> Table:
    style = box.SIMPLE_HEAD if narrow else box.HEAVY_HEAD
    table = Table(title=escape(visible(title)) or None, title_justify="left", box=style, pad_edge=not narrow)
    for i, head in enumerate(heads):
        most = FIRST if narrow and i == 0 else None
        whole = narrow and i > 0  # rich would break numbers to give the names of rows more room
        side: Literal["left", "right"] = "left" if i == 0 or len(heads) < 3 else "right"
        table.add_column(escape(visible(head)), justify=side, overflow="fold", max_width=most, no_wrap=whole)
    for row in rows:
        table.add_row(*(escape(visible(cell)) for cell in row))  # `[y; w]` is an equation, not markup
    return table


def _wrapped(text: str, width: int) -> str:
    """The text in lines of whole words, no longer than `width` where words allow it."""
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def _longest(text: str) -> int:
    return max((len(line) for line in text.split("\n")), default=0)
