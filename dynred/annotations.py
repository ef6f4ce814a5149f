"""Values are held against type annotations here: for the checks of settings, and for the reading of stored JSON.

    fitting("Spec.steps", 1.5, int)     # Spec.steps must be an integer, got 1.5.

Annotations may be numbers, strings, `bool`, `None`, `Literal`, tuples, lists, mappings from strings, unions of these,
`Any` (plain data of all kinds), and classes.
"""

import functools
import inspect
import numbers
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dynred.checks import is_number, literal, one_of, refuse
from dynred.errors import InputError

DEEPEST = 20  # mappings and lists within each other
LARGEST = 2**63 - 1  # integer that arrays can hold
Leaf = Callable[[str, object, Any], Any]


def _hints(owner: Any) -> dict[str, Any]:
    """The annotations of a class or function by name.

    A name in them that cannot be read stands for `object`, which allows every value. A user's file may import such
    names for type checkers alone.
    """
    unknown: dict[str, Any] = {}
    while True:
        try:
            return typing.get_type_hints(owner, localns=unknown or None, include_extras=True)
        except NameError as error:
            if error.name is None or error.name in unknown:
                return {}
            unknown[error.name] = object
        except Exception:  # one of the annotations is no type: then none of them can be read
            return {}


hints: Callable[[Any], dict[str, Any]] = functools.cache(_hints)


def instance(name: str, value: object, cls: Any) -> Any:
    """The value, held against an annotation that is a class or `Any`.

    Integers become floats where the class is `float`, and NumPy's numbers become Python's.

    Raises:
        InputError: the value is of another class, a number that is not finite, or an integer that arrays cannot hold.
    """
    if cls is typing.Any:
        return plain_data(name, value)
    if cls is int:
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if whole and not -LARGEST - 1 <= value <= LARGEST:  # type: ignore[operator] # an integer then
            raise refuse(name, "an integer of at most 63 bits", literal(value))
        fits, value = whole, int(value) if whole else value  # type: ignore[call-overload]
    elif cls is float:
        fits = is_number(value)
        value = float(value) if fits else value  # type: ignore[arg-type]
    else:
        fits = isinstance(value, cls)
    if not fits:
        raise refuse(name, described(cls), literal(value))
    return value


def fitting(name: str, value: object, hint: Any, leaf: Leaf = instance) -> Any:
    """The value, converted to the type that its annotation names: lists to tuples, integers to floats.

    Args:
        name: the name of the value in messages.
        value: the value.
        hint: the annotation.
        leaf: converts values whose annotation is a class.

    Raises:
        InputError: the annotation does not allow the value.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return leaf(name, value, hint)
    if hint is None or hint is types.NoneType:
        return value if value is None else _refused(name, value, hint)
    if origin is typing.Annotated:
        return fitting(name, value, arguments[0], leaf)
    if origin in (typing.Union, types.UnionType):
        return _one_of_several(name, value, hint, arguments, leaf)
    if origin is typing.Literal:
        return value if value in arguments and not isinstance(value, bool) else _refused(name, value, hint)
    kind = origin or hint
    if not isinstance(kind, type):
        return value  # a type variable, say, which says nothing of values
    if kind is tuple or kind is list or kind is Sequence:
        return _sequence(name, value, hint, kind, arguments, leaf)
    if issubclass(kind, Mapping):
        return _mapping(name, value, hint, arguments, leaf)
    return leaf(name, value, kind)


def fitting_arguments(
    name: str, data: object, function: Callable[..., Any], besides: Sequence[str] = ()
) -> dict[str, Any]:
    """Stored arguments by name, held against the signature of the function that takes them.

    Args:
        name: the name of all arguments together in messages.
        data: the stored arguments.
        function: the function; where it takes any keyword, the arguments are returned as they are.
        besides: names of arguments that the function gets by other means.

    Raises:
        InputError: the data are no mapping, an argument is unknown or missing, or its annotation does not allow it.
    """
    given = _mapping(name, data, Mapping, (), lambda entry, value, hint: plain_data(entry, value, list))
    signature = inspect.signature(function).parameters
    wanted = {key: parameter for key, parameter in signature.items() if key not in besides}
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in wanted.values()):
        return given
    for key in given:
        one_of(f"an entry of {name}", key, wanted)
    missing = [key for key, parameter in wanted.items() if parameter.default is parameter.empty and key not in given]
    if missing:
        raise refuse(name, f"complete, with {', '.join(wanted)}", f"no {missing[0]}")
    known = hints(getattr(function, "__func__", function))
    return {key: fitting(f"{name}.{key}", value, known.get(key, object)) for key, value in given.items()}


def plain_data(name: str, value: object, sequence: type = tuple, depth: int = 0) -> Any:
    """Data that JSON can hold: None, booleans, strings, finite numbers, and mappings and lists of these. Lists and
    tuples become a `sequence`.

    Raises:
        InputError: the value is anything else, or nested beyond all reason.
    """
    if depth > DEEPEST:
        raise refuse(name, f"nested at most {DEEPEST} deep", "more")
    if isinstance(value, Mapping):
        items = ((fitting(f"a name in {name}", key, str), item) for key, item in value.items())
        return {key: plain_data(f"{name}.{key}", item, sequence, depth + 1) for key, item in items}
    if isinstance(value, tuple | list):
        return sequence(plain_data(f"{name}[{i}]", item, sequence, depth + 1) for i, item in enumerate(value))
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return fitting(name, value, int)
    if isinstance(value, numbers.Real):
        return fitting(name, value, float)
    if hasattr(value, "to_dict"):  # settings, which check themselves
        return value
    raise refuse(name, "a number, string, boolean, None, tuple, mapping or Spec", literal(value))


_WORDS: dict[Any, str] = {
    int: "an integer",
    float: "a finite number",
    bool: "true or false",
    str: "a string",
    Any: "plain data",
    None: "None",
    types.NoneType: "None",
}


def described(hint: Any) -> str:
    """An annotation in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(described(argument) for argument in arguments)
    if origin is typing.Literal:
        return f"one of {', '.join(str(argument) for argument in arguments)}"
    kind, entries = origin or hint, [described(argument) for argument in arguments if argument is not ...]
    if kind is tuple and arguments and arguments[-1] is not ...:
        return f"a tuple of {len(arguments)} ({', '.join(entries)})"
    if kind in (tuple, list, Sequence):
        return f"a list of which each is {entries[0]}" if entries else "a list"
    if kind is Callable:
        return "a function"
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return f"a mapping of names to {entries[1]}" if len(entries) == 2 else "a mapping"
    return _WORDS.get(hint) or f"of class {getattr(hint, '__name__', hint)}"


def _refused(name: str, value: object, hint: Any) -> Any:
    raise refuse(name, described(hint), literal(value))


def _one_of_several(name: str, value: object, hint: Any, choices: Sequence[Any], leaf: Leaf) -> Any:
    if value is None and types.NoneType in choices:
        return None
    choices = [choice for choice in choices if choice is not types.NoneType]
    for choice in choices:
        try:
            return fitting(name, value, choice, leaf)
        except InputError as error:
            if len(choices) == 1 and not str(error).startswith(f"{name} must be "):
                raise  # it says what is wrong within the value
    return _refused(name, value, hint)


def _sequence(name: str, value: object, hint: Any, kind: Any, arguments: Sequence[Any], leaf: Leaf) -> Any:
    if not isinstance(value, tuple | list):
        return _refused(name, value, hint)
    fixed = kind is tuple and bool(arguments) and arguments[-1] is not ...
    if fixed and len(value) != len(arguments):
        return _refused(name, value, hint)
    each = list(arguments) if fixed else [arguments[0] if arguments else Any] * len(value)
    entries = [
        fitting(f"{name}[{i}]", entry, want, leaf) for i, (entry, want) in enumerate(zip(value, each, strict=True))
    ]
    return entries if kind is list else tuple(entries)


def _mapping(name: str, value: object, hint: Any, arguments: Sequence[Any], leaf: Leaf) -> Any:
    if not isinstance(value, Mapping):
        return _refused(name, value, hint)
    want = arguments[1] if len(arguments) == 2 else Any
    items = ((fitting(f"a name in {name}", key, str), item) for key, item in value.items())
    return {key: fitting(f"{name}.{key}", item, want, leaf) for key, item in items}
