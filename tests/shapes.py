"""The shapes in dynred's annotations, held against every array that passes through a function while the tests run.

Imported before dynred, this module has `checked` decorate every function and dataclass of dynred's that says a shape;
with SHAPES=off in the environment, none. jaxtyping's own import hook would do the same with typeguard, but that refuses
`ParamSpec`, does not look into a `Mapping`, and is quicker with a TypeError than a function with the sentence in which
it refuses its arguments; and the hook wraps functions without arrays too, which made tests of solvers take half as long
again.
"""

import ast
import contextlib
import dataclasses
import functools
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import marshal
import numbers
import os
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path

import jaxtyping
import numpy as np
import torch

# -- the check of a call ----------------------------------------------------------------------------------------------


class ShapeError(Exception):
    """An array that is not what the annotation says."""


def checked(thing):
    """A function or dataclass whose arrays are checked after every call: those that it took, and what it returned.

    Other annotations are left to mypy. What a function refuses, it refuses in its own words: a shape is wrong only
    where the function took it. A dataclass is checked by what it holds, since it may convert what it is given.
    """
    if inspect.isclass(thing):
        thing.__init__ = checked_init(thing)
        return thing
    right = set()  # of the calls without fault, all that the check depends on

    @functools.wraps(thing)
    def call(*args, **kwargs):
        returned = thing(*args, **kwargs)
        if torch.compiler.is_exporting():  # sizes are symbols then, and to compare two of them fixes them
            return returned
        if (key := (sizes(args), sizes(kwargs), sizes(returned))) not in right:
            check_call(thing, args, kwargs, returned)
            right.add(key)
        return returned

    return call


def checked_init(cls):
    init, right = cls.__init__, set()

    @functools.wraps(init)
    def make(self, *args, **kwargs):
        init(self, *args, **kwargs)
        if type(self) is cls:
            held = {name: getattr(self, name) for name in array_fields(cls)}
            if (key := sizes(held)) not in right:
                check(cls.__qualname__, typing.get_type_hints(cls), held)
                right.add(key)

    return make


@functools.cache
def array_fields(cls):
    """The names of the fields of a dataclass that hold arrays."""
    hints = typing.get_type_hints(cls)
    return [field.name for field in dataclasses.fields(cls) if holds_array(hints[field.name])]


def sizes(value):
    """All that the check of a value depends on: solvers call a field a million times with states of one shape."""
    kind = type(value)
    form = form_of(kind)
    if form is None:
        return kind
    if form == "array":
        return kind, value.shape, value.dtype
    if form == "mapping":
        return tuple([(name, sizes(each)) for name, each in value.items()])
    return tuple([sizes(each) for each in value])


@functools.cache
def form_of(kind):
    """What `sizes` looks into in values of a class; to ask it of every value would take as long as a small field."""
    if issubclass(kind, torch.Tensor | np.ndarray):
        return "array"
    if issubclass(kind, Mapping):
        return "mapping"
    return "sequence" if issubclass(kind, list | tuple) else None


def check_call(function, args, kwargs, returned):
    """Raises ShapeError for an array of a call that is not what its annotation says."""
    signature = inspect.signature(function)
    hints = {name: hint_of_all(signature, name, hint) for name, hint in typing.get_type_hints(function).items()}
    check(function.__qualname__, hints, signature.bind(*args, **kwargs).arguments | {"return": returned})


def hint_of_all(signature, name, hint):
    """The annotation of an argument as a whole, where it is written for each of several."""
    several = {inspect.Parameter.VAR_POSITIONAL: tuple[hint, ...], inspect.Parameter.VAR_KEYWORD: Mapping[str, hint]}
    return several.get(signature.parameters[name].kind, hint) if name in signature.parameters else hint


def check(what, hints, values):
    """Raises ShapeError for the first value that is not what its annotation says; sizes of one name must agree."""
    with jaxtyping.jaxtyped("context"):
        for name, hint in hints.items():
            if name in values and holds_array(hint) and not fits(values[name], hint):
                raise ShapeError(f"{what}: {name} must be {hint}, got {described(values[name])}")


def is_array(hint):
    return inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray)


def holds_array(hint):
    """Whether an annotation is of an array, or of something that holds arrays; what functions take they check."""
    parts = () if "Callable" in str(typing.get_origin(hint)) else typing.get_args(hint)
    return is_array(hint) or any(holds_array(part) for part in parts)


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


# -- the functions that are checked -----------------------------------------------------------------------------------

OWN = Path(__file__).read_bytes()  # decides what is compiled
DTYPES = ("Bool[", "Complex[", "Float[", "Inexact[", "Int[", "Shaped[")


class Watched(ast.NodeTransformer):
    """The source of a module, with a decorator on everything that says a shape."""

    def visit_FunctionDef(self, node):
        said = f"{ast.unparse(node.args)} -> {ast.unparse(node.returns) if node.returns else None}"
        if any(dtype in said for dtype in DTYPES):  # innermost, so that others see what they decorate
            node.decorator_list.append(decorator(node))
        return self.generic_visit(node)

    def visit_ClassDef(self, node):
        said = " ".join(ast.unparse(each.annotation) for each in node.body if isinstance(each, ast.AnnAssign))
        is_dataclass = any("dataclass" in ast.unparse(each) for each in node.decorator_list)
        if is_dataclass and any(dtype in said for dtype in DTYPES):
            node.decorator_list.insert(0, decorator(node))
        return self.generic_visit(node)


def decorator(node):
    return ast.copy_location(ast.parse("__import__('shapes').checked", mode="eval").body, node)


class Loader(importlib.machinery.SourceFileLoader):
    """Loads a module with its functions checked; what is kept of it, for the next process, has a name of its own."""

    def get_code(self, fullname):
        path = self.get_filename(fullname)
        source = self.get_data(path)
        kept = Path(importlib.util.cache_from_source(path, optimization="shapes"))
        mark = hashlib.sha256(OWN + path.encode() + source).digest()
        with contextlib.suppress(OSError, ValueError, EOFError, TypeError):
            if (data := kept.read_bytes()).startswith(mark):
                return marshal.loads(data[len(mark) :])
        tree = Watched().visit(ast.parse(source, path))
        code = compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)
        if not sys.dont_write_bytecode:
            with contextlib.suppress(OSError):
                kept.parent.mkdir(exist_ok=True)
                temporary = kept.with_suffix(f".{os.getpid()}")
                temporary.write_bytes(mark + marshal.dumps(code))
                temporary.replace(kept)
        return code


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of dynred."""

    def find_spec(self, fullname, path=None, target=None):
        spec = None
        if fullname.partition(".")[0] == "dynred" and not fullname.startswith("dynred.systems"):
            spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
            return spec
        return None


if os.environ.get("SHAPES") != "off":
    sys.meta_path.insert(0, Finder())
