"""Every array that a public function takes or gives has a shape in its annotation, and wrong ones are caught."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int
from shapes import ShapeError, checked
from torch import Tensor

from dynred.errors import InputError
from dynred.numerics.modes import Modes

ROOT = Path(__file__).parent.parent
ARRAYS = {"Tensor", "torch.Tensor", "np.ndarray"}
SHAPED = {"Bool", "Complex", "Float", "Inexact", "Int", "Shaped"}
FILES = sorted((ROOT / "dynred").rglob("*.py"))


def bare_arrays(annotation):
    """The arrays in an annotation of which no shape is said."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) in SHAPED:
        return
    if ast.unparse(annotation) in ARRAYS:
        yield annotation
        return
    for part in ast.iter_child_nodes(annotation):
        yield from bare_arrays(part)


def public(name):
    return not name.startswith("_") or name.startswith("__")


def annotations(body):
    """The annotations of public functions, attributes and names for types, also within public classes."""
    for node in body:
        if isinstance(node, ast.ClassDef) and public(node.name):
            yield from annotations(node.body)
        elif isinstance(node, ast.FunctionDef) and public(node.name):
            arguments = [node.args.vararg, node.args.kwarg, *node.args.posonlyargs, *node.args.args]
            arguments += node.args.kwonlyargs
            yield from (argument.annotation for argument in arguments if argument and argument.annotation)
            yield from [node.returns] if node.returns else []
        elif isinstance(node, ast.AnnAssign) and public(ast.unparse(node.target)):
            yield node.annotation
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):
            yield node.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "dynred")))
def test_every_public_array_has_a_shape(path):
    found = [bare for one in annotations(ast.parse(path.read_text()).body) for bare in bare_arrays(one)]
    assert not found, f"{path.name}: no shape in lines {sorted({bare.lineno for bare in found})}"


# -- the check itself -------------------------------------------------------------------------------------------------


def test_dynred_is_checked():
    modes = Modes.empty(3, 2)
    with pytest.raises(ShapeError, match="coefficients"):
        modes.coefficients(torch.zeros(4, 3, dtype=torch.int64))


def test_sizes_of_one_name_must_agree_among_arguments_and_what_is_returned():
    @checked
    def product(a: Float[Tensor, "N D"], b: Float[Tensor, "D R"]) -> Float[Tensor, "N R"]:
        return torch.zeros(2, b.shape[1])

    assert product(torch.zeros(2, 3), torch.zeros(3, 4)).shape == (2, 4)
    with pytest.raises(ShapeError, match="product"):
        product(torch.zeros(2, 3), torch.zeros(4, 4))
    with pytest.raises(ShapeError, match="product"):
        product(torch.zeros(5, 3), torch.zeros(3, 4))


def test_what_a_function_refuses_it_refuses_in_its_own_words():
    @checked
    def refuse(x: Float[Tensor, "N D"]) -> None:
        raise InputError("x must be short.")

    with pytest.raises(InputError, match="x must be short"):
        refuse(torch.zeros(3))


def test_other_annotations_are_left_to_mypy():
    @checked
    def count(x: Float[Tensor, " N"], words: str) -> int:
        return "three"

    assert count(torch.zeros(3), 5) == "three"


def test_arrays_in_mappings_and_of_several_arguments_are_checked():
    @checked
    def named(
        given: Mapping[str, Float[Tensor, " N"]], *more: Int[Tensor, " N"], **others: Float[Tensor, " N"]
    ) -> None:
        pass

    a, i = torch.zeros(3), torch.zeros(3, dtype=torch.int64)
    named({"a": a}, i, b=a)
    for wrong in (lambda: named({"a": a}, a), lambda: named({"a": a}, b=i), lambda: named({"a": a, "b": a[:2]})):
        with pytest.raises(ShapeError, match="named"):
            wrong()


def test_a_dataclass_is_checked_by_what_it_holds():
    @checked
    @dataclass
    class Points:
        x: Float[Tensor, "N D"]

        def __post_init__(self):
            self.x = torch.as_tensor(self.x)

    assert Points([[0.5, 1.0]]).x.shape == (1, 2)
    with pytest.raises(ShapeError, match="Points"):
        Points([0.5, 1.0])


def test_numbers_of_numpy_are_arrays_without_axes():
    @checked
    def mean(x: Float[np.ndarray, "*batch N"]) -> Float[np.ndarray, "*batch"]:
        return x.mean(-1)

    assert mean(np.ones(3)) == 1
    with pytest.raises(ShapeError, match="mean"):
        mean(np.ones(3, int))


def test_shapes_hold_under_transforms_of_torch():
    @checked
    def square(x: Float[Tensor, " D"]) -> Float[Tensor, ""]:
        return x.pow(2).sum()

    x = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(torch.func.vmap(torch.func.grad(square))(x), 2 * x)
    assert torch.func.jvp(square, (x[0],), (x[0],))[1] == 10


def test_a_program_that_torch_exports_keeps_its_free_sizes():
    class Square(torch.nn.Module):
        @checked
        def forward(self, x: Float[Tensor, "M D"]) -> Float[Tensor, "M D"]:
            return x * x

    program = torch.export.export(Square(), (torch.ones(4, 3),), dynamic_shapes=({0: torch.export.Dim("rows")},))
    assert program.module()(torch.ones(7, 3)).shape == (7, 3)
