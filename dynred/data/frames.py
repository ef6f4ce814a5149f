"""Tables as arrays by name: the columns of a pandas DataFrame, and its index where that says something."""

import numpy as np
import pandas

from dynred.data.content import ROW, Content, NamedArray
from dynred.data.roles import is_group, is_time

INDEX = "time"  # what an index without a name is called where it holds times


def table_content(frame: pandas.DataFrame) -> Content:
    """The columns of a table; those of an index come first.

    A plain count of rows says nothing. An index of dates, time spans or uneven numbers without a name is the time.
    """
    index = frame.index
    if isinstance(index, pandas.MultiIndex):
        names = [name if name is not None else f"level_{i}" for i, name in enumerate(index.names)]
        levels = {str(name): index.get_level_values(i) for i, name in enumerate(names)}
    elif _says_something(index):
        levels = {str(index.name) if index.name is not None else INDEX: index}
    else:
        levels = {}
    columns = {_text(name): frame.iloc[:, i] for i, name in enumerate(frame.columns)}
    levels = {name: level for name, level in levels.items() if name not in columns}
    return Content({name: _column(values) for name, values in {**levels, **columns}.items()})


def _says_something(index: pandas.Index) -> bool:
    if index.name is not None and (is_time(str(index.name)) or is_group(str(index.name))):
        return True
    dated = isinstance(index, pandas.DatetimeIndex | pandas.TimedeltaIndex)
    return dated or (index.name is None and index.dtype.kind == "f")


def _text(name: object) -> str:
    return " ".join(map(str, name)) if isinstance(name, tuple) else str(name)  # several rows of heads


def _column(values: pandas.Series | pandas.Index) -> NamedArray:
    kind = values.dtype
    if isinstance(kind, pandas.DatetimeTZDtype):
        values = pandas.Series(values).dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(kind, np.dtype):
        return NamedArray.of(values.to_numpy(), (ROW,))
    if pandas.api.types.is_bool_dtype(kind) or not pandas.api.types.is_numeric_dtype(kind):  # texts, categories
        plain = values.to_numpy()
        return NamedArray.of(plain if plain.dtype.kind in "mM" else plain.astype(object), (ROW,))
    return NamedArray.of(values.to_numpy(np.float64, na_value=np.nan), (ROW,))
