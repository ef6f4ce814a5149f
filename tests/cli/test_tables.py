"""Tables fit the page: nothing is wider, no number is broken, nothing is lost."""

import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from dynred.cli._tables import tables

CELL = st.sampled_from(["", "0.12", "4.74e-05 [2.32e-05, 0.000114]", "48.5 [39.9, >= 100]", ">= 53.8", "[y; w]"])
NAME = st.sampled_from(["nmse", "valid time (0.5), median, time units", "joint density distance (by chance 0.183)"])
HEAD = st.sampled_from(["model", "POD 8 + DMD", "linear dynamics", "persistence", "kuramoto_sivashinsky 64 -> 8"])


def printed(heads, rows, width):
    page = io.StringIO()
    console = Console(file=page, width=width)
    for table in tables("a title", heads, rows, width):
        console.print(table)
    return page.getvalue()


@given(
    heads=st.lists(HEAD, min_size=2, max_size=6),
    names=st.lists(NAME, min_size=1, max_size=4),
    cells=st.lists(CELL, min_size=24, max_size=24),
    width=st.sampled_from([80, 100, 132]),
)
@example(
    heads=["model", "model", "kuramoto_sivashinsky 64 -> 8", "model", "model", "linear dynamics"],
    names=["nmse"],
    cells=["", "", "", "4.74e-05 [2.32e-05, 0.000114]", "48.5 [39.9, >= 100]", *19 * [""]],
    width=100,
)
def test_every_number_is_there_whole_and_no_line_is_wider_than_the_page(heads, names, cells, width):
    rows = [[name, *cells[i * len(heads) : (i + 1) * len(heads)]] for i, name in enumerate(names)]
    text = printed(["", *heads], rows, width)
    assert max(map(len, text.splitlines())) <= width
    for row in rows:
        for cell in row[1:]:
            for part in re.split(r" (?=\[)|(?<=;) ", cell):
                assert part in text, f"{part!r} is broken in\n{text}"


@pytest.mark.parametrize("width", [140, 200])
def test_a_table_that_fits_is_one_piece_with_a_line_for_every_row(width):
    rows = [["reconstruction nmse", "4.74e-05 [2.32e-05, 0.000114]", "0.03"], ["valid time", "48.5 [39.9, 100]", "5"]]
    lines = printed(["", "model", "POD"], rows, width).splitlines()
    assert sum("[2.32e-05, 0.000114]" in line and "nmse" in line for line in lines) == 1
    assert len(tables("", ["", "model", "POD"], rows, width)) == 1
