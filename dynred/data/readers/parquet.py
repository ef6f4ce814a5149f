"""Tables in columns: Apache Parquet, with the `parquet` extra."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dynred.data.content import Content
from dynred.data.frames import table_content
from dynred.data.readers.base import Reader
from dynred.data.screening import check_size
from dynred.errors import MissingExtraError


class ParquetReader(Reader):
    """.parquet, as pandas and most data bases write it."""

    suffixes = (".parquet",)

    @contextmanager
    def content(self, path: Path) -> Iterator[Content]:
        """See `Reader.content`."""
        with path.open("rb") as opened:
            file = _need_pyarrow().ParquetFile(opened)
            groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
            values = 8 * file.metadata.num_rows * file.metadata.num_columns
            check_size(path, max(values, sum(group.total_byte_size for group in groups)))
            yield table_content(file.read().to_pandas())


def _need_pyarrow() -> Any:
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise MissingExtraError(
            "Parquet needs an extra that is not installed: pip install 'dynred[parquet]'."
        ) from error
