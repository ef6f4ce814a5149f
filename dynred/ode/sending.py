"""Sending systems to processes of one's own: functions go by reference, to their module or to the user's file.

Pickle serves between processes that one user started, and never for files. A reference to a file has its digest, so
that a file that was changed meanwhile is not taken for the one that was sent.
"""

import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, Self

from dynred.checks import refuse
from dynred.plugins import PREFIX, code_of, code_of_module, load_file
from dynred.user_code import guarded


class Sendable:
    """What can be sent to another process: as `found`, or attribute by attribute with its functions by reference.

    Attributes:
        found: makes the same thing again; None where it was not found by a name.
    """

    found: Callable[[], Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if self.found is not None:
            return self.found, ()
        fields = [each.name for each in dataclasses.fields(self) if each.init]  # type: ignore[arg-type] # see System
        return _received, (type(self), {name: _sent(getattr(self, name), name) for name in fields})

    def __copy__(self) -> Self:
        return self  # it never changes

    def __deepcopy__(self, memo: Mapping[int, Any]) -> Self:
        return self


def check_unchanged(name: str, digest: str | None) -> None:
    """Refuses a user's file that is another than the one that was sent.

    Raises:
        InputError: the file was changed, or is gone.
    """
    if digest is not None and code_of(name).digest != digest:
        raise refuse(f"{name}, which was sent to this process,", "as it was", "one that was changed or is gone")


@dataclass(frozen=True)
class _Parts:
    """A dataclass, attribute by attribute."""

    kind: type
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class _Reference:
    """A function at the top of a module, or of a user's file.

    Attributes:
        module: the name of the module; for a file, its path.
        name: the name of the function there.
        digest: of the file; None for a module.
        what: what errors call the function, where it is guarded; else empty.
    """

    module: str
    name: str
    digest: str | None
    what: str

    def resolved(self) -> Callable[..., Any]:
        if self.digest is None:
            __import__(self.module)
            module = sys.modules[self.module]
        else:
            check_unchanged(self.module, self.digest)
            module = load_file("system", Path(self.module))
        function = functools.reduce(getattr, self.name.split("."), module)
        return guarded(self.what, function) if self.what else function  # type: ignore[arg-type, return-value]


def _sent(value: Any, name: str) -> Any:
    """A value that can be pickled; `_received_value` is the inverse."""
    if isinstance(value, FunctionType):
        return _reference(value, name)
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Sendable):
        fields = [each.name for each in dataclasses.fields(value) if each.init]
        return _Parts(type(value), {each: _sent(getattr(value, each), f"{name}.{each}") for each in fields})
    return value


def _reference(function: FunctionType, name: str) -> _Reference:
    inner: FunctionType = getattr(function, "__wrapped__", function)
    home = sys.modules.get(inner.__module__)
    try:
        there: object = functools.reduce(getattr, inner.__qualname__.split("."), home)
    except AttributeError:
        there = None
    if there is not inner:
        kind = "a lambda" if inner.__name__ == "<lambda>" else f"`{inner.__qualname__}`, which is local to a function"
        advice = "Give it a name at the top of its file."
        raise refuse(
            f"{name} of a system that is sent to another process", "a function of a module or file", kind, advice
        )
    guard = "" if inner is function else name.rpartition(".")[2]
    code = code_of_module(inner.__module__) if inner.__module__.startswith(PREFIX) else None
    if code is None:
        return _Reference(inner.__module__, inner.__qualname__, None, guard)
    return _Reference(str(code.path), inner.__qualname__, code.digest, guard)


def _received_value(value: Any) -> Any:
    if isinstance(value, _Reference):
        return value.resolved()
    if isinstance(value, _Parts):
        return _received(value.kind, value.fields)
    return value


def _received(kind: type, fields: Mapping[str, Any]) -> Any:
    return kind(**{name: _received_value(value) for name, value in fields.items()})
