"""Arguments of public functions, held against their annotations where they come in."""

import functools
import inspect
import numbers
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from dynred.annotations import described, hints
from dynred.checks import kind_of, nearest, refuse

P = ParamSpec("P")
T = TypeVar("T")

ALIKE = (
    0.6  # how much alike, of 1, a keyword and the argument that is meant by it: short words are half alike by chance
)


def public(function: Callable[P, T]) -> Callable[P, T]:
    """A function that refuses, by their names, arguments that it has not or whose class their annotations do not allow.

    Arrays, integers and what cannot be told by its class are left to the function, which knows shapes and ranges.

    Raises:
        InputError: when it is called, a keyword that is no argument of it; the advice is the nearest one, or what the
            function is for, as its docstring begins. An argument that its annotation does not allow.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        _check_keywords(function, signature, kwargs)
        check_arguments(function, signature.bind(*args, **kwargs).arguments)
        return function(*args, **kwargs)

    return checked


def _check_keywords(function: Callable[..., Any], signature: inspect.Signature, given: Iterable[str]) -> None:
    accepted = [name for name in signature.parameters if name != "self"]
    if any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values()):
        return
    for name in given:
        if name not in accepted:
            purpose = (inspect.getdoc(function) or "").partition("\n")[0]
            advice = nearest(name, accepted, ALIKE) or f"{function.__name__}: {purpose}"
            raise refuse(f"an argument of {function.__name__}", f"one of {', '.join(accepted)}", repr(name), advice)


def check_arguments(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raises InputError for an argument of another class than the annotations of a function say."""
    known = _known(function)
    for name, value in given.items():
        hint, classes = known[name]
        # A boolean is an integer to Python alone.
        wrong = isinstance(value, bool) and bool not in classes and object not in classes
        if wrong or not isinstance(value, classes):
            raise refuse(name, described(hint), kind_of(value))


@functools.cache
def _known(function: Callable[..., Any]) -> dict[str, tuple[Any, tuple[type, ...]]]:
    """Annotation and classes of every argument."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    known = {}
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints(function).get(name, object)
        known[name] = hint, (object,) if parameter.kind in several else _classes(hint)
    return known


def _classes(hint: Any) -> tuple[type, ...]:
    """The classes whose instances an annotation allows; `object` where that does not say all."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(cls for argument in typing.get_args(hint) for cls in _classes(argument))
    kind = typing.get_origin(hint) or hint
    if kind is float:
        return (numbers.Real,)
    own = kind in (int, Any, torch.Generator) or getattr(kind, "_is_protocol", False)  # the function says more
    is_array = kind is Tensor or getattr(kind, "__module__", "").startswith("jaxtyping")
    if own or is_array or not isinstance(kind, type):
        return (object,)
    return (kind,)
