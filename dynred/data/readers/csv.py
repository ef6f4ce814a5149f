"""Tables as text: columns separated by commas, semicolons, tabs or blanks."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas

from dynred.data.content import Content
from dynred.data.frames import INDEX, table_content
from dynred.data.readers.base import Reader
from dynred.errors import FileFormatError
from dynred.memory import check_memory

GROWTH = 4  # memory that reading takes, in units of the size of the text: measured 1.1 for numbers, 3.6 for texts
LONGEST = 2**24  # characters of a line
LOOKED_AT = 50  # lines from which separators are found out
SEPARATORS = ("\t", ";", ",")
REMARK = "#"


class CsvReader(Reader):
    """.csv and .tsv, as spreadsheets, pandas, NumPy and most instruments write them.

    Lines at the start that begin with # are remarks; the last of them has the names of the columns where the table has
    none, as `numpy.savetxt` writes them.
    """

    suffixes = (".csv", ".tsv")

    @contextmanager
    def content(self, path: Path) -> Iterator[Content]:
        """See `Reader.content`."""
        check_memory(f"Reading {path}", GROWTH * path.stat().st_size)
        encoding = _encoding(path)
        with path.open(encoding=encoding, newline=None) as opened:
            lines = [line for line in itertools.islice(iter(lambda: opened.readline(LONGEST), ""), LOOKED_AT)]
        remarks = list(itertools.takewhile(lambda line: line.startswith(REMARK) or not line.strip(), lines))
        rows = [line.rstrip("\n") for line in lines[len(remarks) :] if line.strip()]
        if not rows or "\0" in rows[0]:
            raise FileFormatError(f"{path} is empty, truncated or no {path.suffix} file: it has no line of text.")
        separator = _separator(rows)
        named = not all(_is_number(cell) for cell in rows[0].split(separator))
        points = separator != ";" or any("." in row for row in rows[1:])
        frame = pandas.read_csv(
            path,
            sep=separator or r"\s+",
            header=0 if named else None,
            skiprows=len(remarks),
            decimal="." if points else ",",
            skipinitialspace=True,
            index_col=False,
            encoding=encoding,
        )
        if not named:
            frame.columns = pandas.Index(_names(remarks, separator, len(frame.columns)))
        yield table_content(_without_counts(frame))


def _separator(rows: list[str]) -> str | None:
    """What stands between the columns; None for blanks, where they make the same number of columns in every row."""
    separator = max(SEPARATORS, key=rows[0].count)
    counts = {len(row.split()) for row in rows}
    return None if separator not in rows[0] and len(counts) == 1 and counts != {1} else separator


def _encoding(path: Path) -> str:
    """UTF-8, or that of older programs in Europe where the text is none."""
    with path.open("rb") as opened:
        try:
            for piece in iter(lambda: opened.read(LONGEST), b""):
                (piece + opened.readline(LONGEST)).decode("utf-8")
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8-sig"


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _names(remarks: list[str], separator: str | None, count: int) -> list[str]:
    last = [cell.strip() for cell in remarks[-1].lstrip(REMARK).split(separator)] if remarks else []
    return last if len(last) == count and all(last) else [f"column {i}" for i in range(count)]


def _without_counts(frame: pandas.DataFrame) -> pandas.DataFrame:
    """The table without columns that have no name: empty ones, and the number of the row that pandas writes; another
    index that pandas wrote without its name is the time."""
    unnamed = [name for name in frame.columns if str(name).startswith("Unnamed: ")]
    empty = [name for name in unnamed if frame[name].isna().all()]
    if unnamed and unnamed[0] == frame.columns[0]:
        first = frame[unnamed[0]].to_numpy()
        if first.dtype.kind == "i" and np.array_equal(first, np.arange(len(first))):
            empty.append(unnamed[0])
        elif INDEX not in frame.columns:
            frame = frame.rename(columns={unnamed[0]: INDEX})
    return frame.drop(columns=[name for name in empty if name in frame.columns])
