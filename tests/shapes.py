"""The shapes in dynred's annotations, held against every array that passes through a function while the tests run.

typeguard, which jaxtyping recommends, does not fit: it refuses `ParamSpec`, does not look into a `Mapping`, and is
quicker with a TypeError than a function with the sentence in which it refuses its arguments.
"""

import dataclasses
import functools
import inspect
import numbers
import types
import typing
from collections.abc import Mapping, Sequence

import jaxtyping
import numpy as np
import torch

RETURNED = "ret0"  # jaxtyping's name for what a function returned, where that is checked along with its arguments


def checked(function):
    """What jaxtyping's import hook checks a call by: the arrays alone, and after the call.

    Other annotations are left to mypy. What a function refuses, it refuses in its own words: a shape is wrong only
    where the function took it.

    Args:
        function: of jaxtyping's making, with the arguments and annotations of one of dynred's. It is called before
            that one, and after it with what it returned besides.
    """
    signature = inspect.signature(function)
    hints = {name: hint_of_all(signature, name, hint) for name, hint in function.__annotations__.items()}
    hints = {name: hint for name, hint in hints.items() if holds_array(hint)}
    if not hints or RETURNED not in signature.parameters:
        return function
    is_init, right = function.__name__ == "__init__", set()  # right: the sizes and types of calls without fault

    @functools.wraps(function)
    def after_call(*args, **kwargs):
        if torch.compiler.is_exporting():  # sizes are symbols then, and to compare two of them fixes them
            return
        key = sizes(args), sizes(kwargs)
        if key in right and not is_init:
            return
        given = signature.bind(*args, **kwargs).arguments
        if is_init:
            given = as_taken(given)
        given["return"] = given.pop(RETURNED)
        for name, hint in hints.items():
            if name in given and not fits(given[name], hint):
                raise TypeError(f"{name} must be {hint}, got {described(given[name])}")
        right.add(key)

    return after_call


def hint_of_all(signature, name, hint):
    """The annotation of an argument as a whole, where it is written for each of several."""
    several = {inspect.Parameter.VAR_POSITIONAL: tuple[hint, ...], inspect.Parameter.VAR_KEYWORD: Mapping[str, hint]}
    return several.get(signature.parameters[name].kind, hint) if name in signature.parameters else hint


def is_array(hint):
    return inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray)


def holds_array(hint):
    """Whether an annotation is of an array, or of something that holds arrays; what functions take they check."""
    parts = () if "Callable" in str(typing.get_origin(hint)) else typing.get_args(hint)
    return is_array(hint) or any(holds_array(part) for part in parts)


def as_taken(arguments):
    """The arguments from which a dataclass was made, as its fields hold them: it may have converted them."""
    made = arguments["self"]
    if not dataclasses.is_dataclass(made):
        return arguments
    return {name: getattr(made, name, value) for name, value in arguments.items()}


def sizes(value):
    """All that the check of a value depends on: solvers call a field a million times with states of one shape."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return type(value), value.shape, value.dtype
    if isinstance(value, Mapping):
        return tuple((name, sizes(each)) for name, each in value.items())
    return tuple(map(sizes, value)) if isinstance(value, list | tuple) else type(value)


def fits(value, hint):
    """Whether a value is what its annotation says; sizes of the same name are those that jaxtyping has met before."""
    if is_array(hint):
        return isinstance(as_array(value, hint), hint)
    kind, parts = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in (typing.Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if kind is float:
        return isinstance(value, numbers.Real)
    if not inspect.isclass(kind) or kind is typing.Any or getattr(kind, "_is_protocol", False):
        return True
    if not isinstance(value, kind):
        return False
    if kind is tuple and parts[-1:] != (...,):
        return len(value) == len(parts) and all(map(fits, value, parts))
    if issubclass(kind, Mapping) and parts:
        return all(fits(each, parts[1]) for each in value.values())
    if issubclass(kind, Sequence) and parts:
        return all(fits(each, parts[0]) for each in value)
    return True


def as_array(value, hint):
    """What stands for an array as one: NumPy's number without axes; and what functions that take tensors convert."""
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, list | np.ndarray) or hint.array_type is not torch.Tensor:
        return value
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        return value
    return tensor.double() if hint.dtype is jaxtyping.Float and not tensor.is_complex() else tensor


def described(value):
    """A value in few words: of arrays the shape and what they are made of."""
    if hasattr(value, "shape"):
        return f"{value.dtype} {list(value.shape)}"
    if isinstance(value, Mapping):
        return {name: described(each) for name, each in value.items()}
    return [described(each) for each in value] if isinstance(value, list | tuple) else type(value).__name__
