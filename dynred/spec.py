"""Settings: frozen dataclasses that round-trip through JSON.

A spec says *what* is computed; everything that decides a result stands in one, so its digest names the result.
"""

import contextlib
import dataclasses
import hashlib
import importlib
import json
import numbers
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from dynred.checks import one_of, refuse
from dynred.errors import InputError

Json = None | bool | int | float | str | list[Any] | dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Spec:
    """Base of all settings. Subclasses are frozen dataclasses whose fields are numbers, strings, booleans, None,
    tuples of these, mappings from strings to these, or other specs; they check themselves in `__post_init__`.

    In JSON a spec is an object with its fields and `kind`, the qualified name of its class. Reading a spec never
    imports a module outside dynred: a class of the user's own must have been imported before.
    """

    _kinds: ClassVar[dict[str, type["Spec"]]] = {}

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        Spec._kinds[cls.kind()] = cls

    @classmethod
    def kind(cls) -> str:
        """The qualified name of this class, `module:Class`."""
        return f"{cls.__module__}:{cls.__qualname__}"

    def to_dict(self) -> dict[str, Json]:
        """This spec as plain JSON data; `Spec.from_dict` is the inverse."""
        fields = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}
        return {"kind": self.kind(), **fields}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The spec that `data` describes.

        Raises:
            InputError: `data` names an unknown class, one that is not a `cls`, or an unknown or missing field.
        """
        kind = data.get("kind", cls.kind())
        found = _find(str(kind))
        if not issubclass(found, cls):
            raise refuse("kind", f"a {cls.__name__}", kind)
        names = {f.name for f in dataclasses.fields(found)}
        for key in data:
            if key != "kind":
                one_of(f"setting of {found.__name__}", key, names)
        try:
            return found(**{key: _revive(value) for key, value in data.items() if key != "kind"})
        except TypeError as error:
            raise InputError(f"{found.__name__}: {error}.") from error

    def to_json(self) -> str:
        """This spec as canonical JSON text: keys sorted, no spaces."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    def digest(self) -> str:
        """Twelve hexadecimal digits that name the content of this spec."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def updated(self, path: str, value: object) -> Self:
        """A copy with the setting at a dotted path replaced, e.g. `spec.updated("training.steps", 1000)`.

        A group of settings that is left out (None) begins with its defaults.

        Raises:
            InputError: there is no such setting, or the new value is refused.
        """
        name, _, rest = path.partition(".")
        one_of(f"setting of {type(self).__name__}", name, {f.name for f in dataclasses.fields(self)})
        allowed = self._classes(name)
        group = next((one for one in allowed if issubclass(one, Spec)), None)
        if rest:
            inner = getattr(self, name)
            inner = group() if inner is None and group else inner
            if not isinstance(inner, Spec):
                raise refuse(f"setting {path}", f"within a group of settings ({name} is none)", repr(inner))
            value = inner.updated(rest, value)
        value = _revive(value)
        if group and not isinstance(value, allowed):
            advice = f"Its settings are {name}.something."
            raise refuse(f"setting {name}", f"a group of settings, {group.__name__}", repr(value), advice)
        return dataclasses.replace(self, **{name: value})

    @classmethod
    def _classes(cls, name: str) -> tuple[type, ...]:
        """The classes that a setting is declared to be of; none where its annotation cannot be read."""
        try:
            hint = typing.get_type_hints(cls)[name]
        except NameError:  # of a name that a user's file imports for type checkers alone
            return ()
        return tuple(one for one in (hint, *typing.get_args(hint)) if isinstance(one, type))


def _plain(value: object) -> Json:
    if isinstance(value, Spec):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, numbers.Real):  # NumPy's
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    raise refuse("a setting", "a number, string, boolean, None, tuple, mapping or Spec", repr(value))


def _revive(value: object) -> object:
    if isinstance(value, Mapping):
        return Spec.from_dict(value) if "kind" in value else {key: _revive(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_revive(item) for item in value)
    return value


def _find(kind: str) -> type[Spec]:
    module = kind.partition(":")[0]
    if kind not in Spec._kinds and module.split(".")[0] == "dynred":
        with contextlib.suppress(ModuleNotFoundError):  # refused below, with the name that was asked for
            importlib.import_module(module)
    if kind not in Spec._kinds:
        raise refuse("kind", "the name of a known Spec class", repr(kind), "Import the module that defines it first.")
    return Spec._kinds[kind]
