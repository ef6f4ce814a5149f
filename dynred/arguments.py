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

# Similarity, between 0 and 1, from which on an unknown keyword is taken for a misspelt argument: short words reach 0.5
# by chance.
ALIKE = 0.6


def public(function: Callable[P, T]) -> Callable[P, T]:
    """The function, made to refuse unknown keywords, and arguments of a class that their annotations do not allow.

    The function itself checks arrays, integers and other values whose class does not say enough: it knows shapes and
    ranges.

    Raises:
        InputError: the function is called with a keyword that it does not have; the advice names the nearest argument,
            or else quotes the first line of the docstring. Or its annotation does not allow an argument.
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
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()):
        return
    for name in given:
        if name not in accepted:
            purpose = (inspect.getdoc(function) or "").partition("\n")[0]
            advice = nearest(name, accepted, ALIKE) or f"{function.__name__}: {purpose}"
            raise refuse(f"an argument of {function.__name__}", f"one of {', '.join(accepted)}", repr(name), advice)


def check_arguments(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raises InputError for an argument whose class the annotations of the function do not allow."""
    known = _known(function)
    for name, value in given.items():
        hint, classes = known[name]
        # Python takes a boolean for an integer; dynred does not.
        wrong = isinstance(value, bool) and bool not in classes and object not in classes
        if wrong or not isinstance(value, classes):
            raise refuse(name, described(hint), kind_of(value))


@functools.cache
def _known(function: Callable[..., Any]) -> dict[str, tuple[Any, tuple[type, ...]]]:
    """The annotation of every argument, and the classes that it allows."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    known = {}
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints(function).get(name, object)
        known[name] = hint, (object,) if parameter.kind in several else _classes(hint)
    return known


def _classes(hint: Any) -> tuple[type, ...]:
    """The classes whose instances an annotation allows; `object` where classes alone cannot decide."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(cls for argument in typing.get_args(hint) for cls in _classes(argument))
    kind = typing.get_origin(hint) or hint
    if kind is float:
        return (numbers.Real,)
    # The function checks these itself, and its message says more.
    checked_later = kind in (int, Any, torch.Generator) or getattr(kind, "_is_protocol", False)
    is_array = kind is Tensor or getattr(kind, "__module__", "").startswith("jaxtyping")
    if checked_later or is_array or not isinstance(kind, type):
        return (object,)
    return (kind,)
