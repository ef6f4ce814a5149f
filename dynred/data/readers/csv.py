"""Tables as text: columns separated by commas, semicolons or tabs."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas

from dynred.data.content import Content
from dynred.data.readers.base import Reader
from dynred.data.tables import table_content
from dynred.errors import FileFormatError
from dynred.memory import check_memory

GROWTH = 4  # memory that reading takes, in units of the size of the text: measured 1.1 for numbers, 3.6 for texts
LONGEST = 2**24  # characters of the first line
SEPARATORS = ("\t", ";", ",")


class CsvReader(Reader):
    """.csv and .tsv, as spreadsheets, pandas and most instruments write them; lines that begin with # are remarks."""

    suffixes = (".csv", ".tsv")

    @contextmanager
    def content(self, path: Path) -> Iterator[Content]:
        """See `Reader.content`."""
        check_memory(f"Reading {path}", GROWTH * path.stat().st_size)
        with path.open(encoding="utf-8-sig", newline=None) as opened:
            lines = (line for line in iter(lambda: opened.readline(LONGEST), "") if line.strip())
            head = next(itertools.dropwhile(lambda line: line.startswith("#"), lines), "").rstrip("\n")
        if not head or "\0" in head:
            raise FileFormatError(f"{path} is empty, truncated or no {path.suffix} file: it has no line of text.")
        separator = max(SEPARATORS, key=head.count)
        cells = head.split(separator)
        named = not all(_is_number(cell) for cell in cells)
        frame = pandas.read_csv(
            path,
            sep=separator,
            header=0 if named else None,
            decimal="," if separator == ";" and not _has_points(path) else ".",
            comment="#",
            skipinitialspace=True,
            encoding="utf-8-sig",
        )
        if not named:
            frame.columns = [f"column {i}" for i in range(len(frame.columns))]
        count = [name for name in frame.columns[:1] if str(name).startswith("Unnamed")]  # rows that pandas numbered
        yield table_content(frame.drop(columns=count))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _has_points(path: Path) -> bool:
    """Whether numbers have points: looked up in the first lines below the heads."""
    with path.open(encoding="utf-8-sig") as opened:
        return any("." in line for line in itertools.islice(opened, 1, 20) if not line.startswith("#"))
