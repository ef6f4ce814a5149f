"""Records: frozen dataclasses of numbers, strings and other records, and their way to stored JSON and back.

Reading holds every entry of a record against its annotation. A file that was changed by hand is refused in a sentence
that names the entry, and later code can rely on the types.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any, TypeVar

from dynred.annotations import fitting, hints, instance, plain_data
from dynred.checks import refuse
from dynred.errors import FileFormatError, InputError
from dynred.spec import Spec

T = TypeVar("T")


def plain(record: Any) -> Any:
    """A record, or a mapping or list of records, as JSON data; numbers that are not finite become None."""
    if is_dataclass(record) and not isinstance(record, type):
        return plain(asdict(record))
    if isinstance(record, Mapping):
        return {key: plain(value) for key, value in record.items()}
    if isinstance(record, list | tuple):
        return [plain(value) for value in record]
    return None if isinstance(record, float) and not math.isfinite(record) else record


def revive(kind: type[T], data: Any, file: str, entry: str = "") -> T:
    """The inverse of `plain` for an annotated type.

    A number that is null in the file becomes infinite, an optional one None. Entries that the type does not have are
    ignored; they come from later versions of the same schema.

    Args:
        kind: the record's class, or an annotation such as `list[Record]`.
        data: the stored data.
        file: the name of the file in messages.
        entry: the name of the entry that `data` is, for messages; empty for the whole content.

    Raises:
        FileFormatError: an entry is missing or of another type, or the lists of one record differ in length.
    """
    try:
        return fitting(entry, data, kind, _leaf)
    except InputError as error:
        raise FileFormatError(f"{file}: {error}") from error


def _leaf(entry: str, value: object, kind: Any) -> Any:
    if kind is Any:
        return plain_data(entry, value, list)
    if kind is float and value is None:
        return math.inf
    if not isinstance(kind, type) or not is_dataclass(kind):
        return instance(entry, value, kind)
    if not issubclass(kind, Spec):
        return _record(entry, value, kind)
    try:
        return kind.from_dict(value)  # type: ignore[union-attr, arg-type] # a class of settings
    except InputError as error:
        raise InputError(f"{entry}: {error}") from error


def _record(entry: str, data: object, kind: type[Any]) -> Any:
    if not isinstance(data, Mapping):
        raise refuse(entry or "the content", "a mapping of names to values", f"a {type(data).__name__}")
    known, values = hints(kind), {}
    for field in fields(kind):
        name = f"{entry}.{field.name}" if entry else field.name
        if field.name in data:
            values[field.name] = fitting(name, data[field.name], known[field.name], _leaf)
        elif field.default is MISSING is field.default_factory:
            raise InputError(f"incomplete, without {name}.")
    lengths = {name: len(value) for name, value in values.items() if isinstance(value, list)}
    if len(set(lengths.values())) > 1:
        raise refuse(f"the lists of {entry or 'the content'}", "of one length", lengths)
    return kind(**values)
