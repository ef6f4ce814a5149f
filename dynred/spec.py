"""Settings: frozen dataclasses that round-trip through JSON.

A spec says *what* is computed. It holds everything that decides a result, so its digest names the result.
"""

import dataclasses
import functools
import hashlib
import inspect
import json
import numbers
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from dynred.annotations import fitting, hints
from dynred.checks import literal, one_of, refuse
from dynred.errors import InputError
from dynred.kinds import DEEPEST, class_of, kind_of

# Metadata of a field that a later version added: left out of JSON at its default, so that the settings of earlier runs
# keep their digests.
ADDED: Mapping[str, Any] = {"added": True}
Json = None | bool | int | float | str | list[Any] | dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Spec:
    """Base of all settings. Subclasses are frozen dataclasses whose fields are numbers, strings, booleans, None,
    tuples of these, mappings from strings to these, or other specs.

    Every field is held against its annotation before a subclass's own `__post_init__` runs, whether or not that calls
    the inherited one. So a subclass can rely on the types and checks ranges alone. Integers become floats and lists
    become tuples where the annotation says so, and NumPy's numbers become Python's, so that equal specs have equal
    JSON. A field whose annotation cannot be read stays as it is.

    In JSON a spec is an object with its fields and `kind`, the name of its class. Reading a spec never imports a module
    outside dynred: a class of the user's own must have been imported before.
    """

    _kinds: ClassVar[dict[str, type["Spec"]]] = {}

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        _refuse_overridden(cls)
        Spec._kinds[cls.kind()] = cls
        if "__post_init__" in vars(cls):
            cls.__post_init__ = _after_its_annotations(cls.__post_init__)  # type: ignore[method-assign]

    def __post_init__(self):
        known = hints(type(self))
        for field in dataclasses.fields(self):
            name, value = f"{type(self).__name__}.{field.name}", getattr(self, field.name)
            value = fitting(name, value, known.get(field.name, object))
            if isinstance(value, Mapping) and "kind" in value:  # in JSON it would be taken for a spec
                raise refuse(name, "without the name `kind`", literal(value))
            object.__setattr__(self, field.name, value)

    @classmethod
    def kind(cls) -> str:
        """The name of this class in JSON, see `dynred.kinds`."""
        return kind_of(cls)

    def to_dict(self) -> dict[str, Json]:
        """This spec as plain JSON data; `Spec.from_dict` is the inverse."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if not _unused(f, self)}
        return {"kind": self.kind(), **{name: _plain(value) for name, value in values.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The spec that `data` describes.

        Raises:
            InputError: `data` is no mapping or is nested beyond all reason; its class is unknown or no `cls`; a field
                is unknown or missing, or does not take its value.
        """
        return cls._read(data, 0)

    @classmethod
    def _read(cls, data: object, depth: int) -> Self:
        if not isinstance(data, Mapping):
            raise refuse(f"the settings of a {cls.__name__}", "a mapping of names to values", literal(data))
        spec_class = _find(data.get("kind", cls.kind()))
        if not issubclass(spec_class, cls) or inspect.isabstract(spec_class) or spec_class is Spec:
            raise refuse("kind", f"a {cls.__name__}", literal(data.get("kind")))
        names = {f.name for f in dataclasses.fields(spec_class)}
        for key in data:
            if key != "kind":
                one_of(f"setting of {spec_class.__name__}", key, names)
        try:
            return spec_class(**{key: _revive(value, depth + 1) for key, value in data.items() if key != "kind"})
        except TypeError as error:
            raise InputError(f"{spec_class.__name__}: {error}.") from error

    def to_json(self) -> str:
        """This spec as canonical JSON text: keys sorted, no spaces."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    def digest(self) -> str:
        """Twelve hexadecimal digits that name the content of this spec."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def setting(self, path: str) -> Any:
        """The setting at a dotted path, e.g. `spec.setting("training.steps")`.

        Raises:
            InputError: there is no such setting.
        """
        name, _, rest = path.partition(".")
        one_of(f"setting of {type(self).__name__}", name, {f.name for f in dataclasses.fields(self)})
        value = getattr(self, name)
        if not rest:
            return value
        if isinstance(value, Mapping):
            one_of(f"name in {name}", rest, value)
            return value[rest]
        if not isinstance(value, Spec):
            raise refuse(f"setting {path}", "within a group of settings", f"{name}, which is {literal(value)}")
        return value.setting(rest)

    def updated(self, path: str, value: object) -> Self:
        """A copy with the setting at a dotted path replaced, e.g. `spec.updated("training.steps", 1000)`.

        If the path leads into a group of settings that is None, the copy has that group with its defaults; if it leads
        into a mapping, that name is set there. The kind of a group, such as `neural_ode`, stands for its defaults.

        Raises:
            InputError: there is no such setting, or it refuses the new value.
        """
        return self._updated(path, value, "")

    def _updated(self, path: str, value: object, above: str) -> Self:
        name, _, rest = path.partition(".")
        one_of(f"setting of {type(self).__name__}", name, {f.name for f in dataclasses.fields(self)})
        allowed = self._classes(name)
        group = next((choice for choice in allowed if issubclass(choice, Spec)), None)
        if rest and isinstance(getattr(self, name), tuple):
            value, rest = _updated_among(getattr(self, name), rest, value, f"{above}{name}."), ""
        elif rest:
            inner = getattr(self, name)
            inner = group() if inner is None and group and not inspect.isabstract(group) else inner
            if isinstance(inner, Spec):
                value = inner._updated(rest, value, f"{above}{name}.")
            elif isinstance(inner, Mapping):
                value = {**inner, rest: value}
            else:
                what = f"setting {above}{path}"
                raise refuse(what, "within a group of settings", f"{above}{name}, which is {literal(inner)}")
        value = _revive(value, 0)
        if group and isinstance(value, str) and issubclass(named := _named(value), group):
            value = named()
        if group and not isinstance(value, allowed):
            advice = f"Its settings are {above}{name}.something."
            raise refuse(f"setting {above}{name}", f"a group of settings, {group.__name__}", literal(value), advice)
        return dataclasses.replace(self, **{name: value})

    @classmethod
    def _classes(cls, name: str) -> tuple[type, ...]:
        """The classes in the annotation of a setting; none where the annotation cannot be read."""
        hint = hints(cls).get(name)
        choices = (hint, typing.get_origin(hint), *typing.get_args(hint))
        return tuple(choice for choice in choices if isinstance(choice, type) and choice is not object)


def _named(kind: str) -> type:
    """The class of a kind of settings; `object` where there is none."""
    return Spec._kinds.get(kind) or class_of(kind) or object


def _updated_among(groups: tuple[Any, ...], path: str, value: object, above: str) -> tuple[Any, ...]:
    """Groups of settings with one setting of one of them replaced, which its place or its kind tells, e.g.
    `delays.count` or `0.count`."""
    which, _, rest = path.partition(".")
    names = {str(i): i for i in range(len(groups))}
    names |= {group.kind(): i for i, group in reversed(list(enumerate(groups))) if isinstance(group, Spec)}
    if not names:
        raise refuse(f"setting {above}{path}", "of one of several groups of settings", "none of them")
    i = names[one_of(f"setting of {above.removesuffix('.')}", which, names)]
    changed = groups[i]._updated(rest, value, f"{above}{which}.")
    return (*groups[:i], changed, *groups[i + 1 :])


def _unused(field: dataclasses.Field[Any], spec: Spec) -> bool:
    if field.metadata.get("added") is not True:
        return False
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return bool(getattr(spec, field.name) == default)


def _refuse_overridden(cls: type[Spec]) -> None:
    """Refuses a class that overrides a method marked `typing.final`.

    A final method such as `fit` calls the method with an underscore before its name, `_fit`, which classes define.
    """
    for base in cls.__mro__:
        for name, method in vars(base).items():
            if getattr(method, "__final__", False) and getattr(cls, name) is not method:
                advice = f"`{name}` checks its arguments and calls `_{name}`; see `{base.__name__}._{name}`."
                raise InputError(f"{cls.__name__} must define `_{name}`, got `{name}`, which is final. {advice}")


def _after_its_annotations(own: Callable[[Spec], None]) -> Callable[[Spec], None]:
    @functools.wraps(own)
    def checked(self: Spec) -> None:
        Spec.__post_init__(self)
        own(self)

    return checked


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


def _revive(value: object, depth: int) -> object:
    if depth > DEEPEST:
        raise refuse("settings", f"nested at most {DEEPEST} deep", "more")
    if isinstance(value, Mapping):
        if "kind" in value:
            return Spec._read(value, depth)
        return {key: _revive(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_revive(item, depth + 1) for item in value)
    return value


def _find(kind: object) -> type[Spec]:
    spec_class = Spec._kinds.get(kind) or class_of(kind) if isinstance(kind, str) else None
    if spec_class is None or not issubclass(spec_class, Spec):
        advice = "Import the module that defines it first."
        raise refuse("kind", "the name of a known Spec class", literal(kind), advice)
    return spec_class
