"""A function of torch for one row as a list of elementary operations on numbers: what a compiled loop can evaluate.

The function is called once, and every operation that depends on its arguments is noted. Numbers live in one memory.
What moves numbers without changing them (views, slices, gathers) costs nothing later: it is a list of places. Products
with a constant matrix keep the matrix together.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.errors import InputError

# Operations by the names that torch gives them; their numbers are what `dynred.numerics.compiled` knows.
UNARY = (
    *("neg", "abs", "reciprocal", "sqrt", "exp", "log", "sin", "cos", "tanh", "sigmoid", "erf", "gelu", "relu"),
    *("silu", "expm1", "log1p", "sign", "square", "gelu_single", "softplus", "elu"),
)
BINARY = (
    *("add", "sub", "mul", "div", "pow", "maximum", "minimum", "atan2", "gt", "ge", "lt", "le", "eq", "ne"),
    *("logical_and", "logical_or"),
)
REDUCTIONS = ("sum", "amax", "amin")
OTHERS = ("where", "product", "product_single")
NUMBER = {name: i for i, name in enumerate((*UNARY, *BINARY, *REDUCTIONS, *OTHERS))}
MOVES = {
    *("permute", "t", "transpose", "expand", "squeeze", "slice"),
    *("select", "split", "split_with_sizes", "unbind", "index", "index_select", "cat", "stack", "flip", "gather"),
    *("movedim", "unfold", "unsqueeze", "diagonal"),
}
STILL = {
    *("view", "_unsafe_view", "reshape", "clone", "alias", "detach", "_to_copy", "lift_fresh", "lift_fresh_copy"),
    "contiguous",
}
SHAPED = {"ones_like", "zeros_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"}
USUAL = {"elu": (1, 1, 1), "softplus": (1, 20)}  # further arguments, which are known with these values only
SAME_AS = {
    **{"special_expit": "sigmoid", "clamp_min": "maximum", "clamp_max": "minimum", "absolute": "abs"},
    **{"bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_not": "logical_not"},
    **{"__and__": "logical_and", "__or__": "logical_or"},
}

DispatchMode: Any = importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode  # its documented name
Function = Callable[[Float[Tensor, ""], Float[Tensor, "1 R"]], Float[Tensor, "1 S"]]


@dataclass(frozen=True, eq=False)
class Tape:
    """A function of numbers and of a vector, as operations on a memory of float64.

    Attributes:
        code: operations [I, 7]: number, place of the result, its length n, length of a sum k, and where in `places`
            the places of up to three operands begin; for products with a matrix the second is its place in `weights`.
        places: places of operands.
        weights: matrices, row by row, in float64.
        weights_single: those that the function holds in float32.
        memory: constants, and room for results.
        time: the place of the number.
        state: the place of the first of the values of the vector.
        value: the places [S] of what the function gives.
    """

    code: Int[np.ndarray, "I 7"]
    places: Int[np.ndarray, " P"]
    weights: Float[np.ndarray, " W"]
    weights_single: Float[np.ndarray, " V"]
    memory: Float[np.ndarray, " M"]
    time: int
    state: int
    value: Int[np.ndarray, " S"]

    @classmethod
    def of(cls, function: Function, dim: int) -> "Tape":
        """The operations of a function of a number t and a vector y [1, R].

        Raises:
            InputError: the function does something that is not known here, or chooses its way by the values.
        """
        recorder = _Recorder()
        t, y = torch.zeros((), dtype=torch.float64), torch.zeros(1, dim, dtype=torch.float64)
        recorder.track(t, recorder.reserve(1).reshape(()))
        recorder.track(y, recorder.reserve(dim).reshape(1, dim))
        with torch.no_grad(), recorder:
            value = function(t, y)
        return recorder.tape(recorder.places_of(value).reshape(-1))


class _Recorder(DispatchMode):
    """Notes what is done with tensors that depend on the arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.tracked: dict[int, np.ndarray] = {}
        self.alive: list[Any] = []  # tensors are known by their identity
        self.values: list[np.ndarray] = []
        self.size = 0
        self.code: list[tuple[int, ...]] = []
        self.places: list[np.ndarray] = []
        self.placed = 0
        self.matrices: dict[str, list[np.ndarray]] = {"product": [], "product_single": []}

    # -- memory ------------------------------------------------------------------------------------------------------

    def reserve(self, count: int, values: np.ndarray | None = None) -> np.ndarray:
        """New places, which hold `values`, or zeros."""
        self.values.append(np.zeros(count) if values is None else values)
        self.size += count
        return np.arange(self.size - count, self.size)

    def track(self, tensor: Tensor, places: np.ndarray) -> None:
        """Says where the numbers of a tensor are."""
        self.tracked[id(tensor)] = places.reshape(tuple(tensor.shape))
        self.alive.append(tensor)

    def depends(self, argument: Any) -> bool:
        """Whether something depends on the arguments of the function."""
        if isinstance(argument, list | tuple):
            return any(map(self.depends, argument))
        return isinstance(argument, Tensor) and id(argument) in self.tracked

    def places_of(self, argument: Any) -> np.ndarray:
        """Where the numbers of a tensor, or a number, are; constants are put into memory."""
        if isinstance(argument, Tensor):
            if id(argument) not in self.tracked:
                numbers = argument.detach().cpu().double().numpy().reshape(-1)
                self.track(argument, self.reserve(numbers.size, numbers))
            return self.tracked[id(argument)]
        return self.reserve(1, np.array([float(argument)])).reshape(())

    def operand(self, places: np.ndarray) -> int:
        """Where in the list of places these begin."""
        flat = np.ascontiguousarray(places, np.int64).reshape(-1)
        self.places.append(flat)
        self.placed += flat.size
        return self.placed - flat.size

    def emit(self, name: str, shape: Sequence[int], *operands: np.ndarray, k: int = 1) -> np.ndarray:
        """Notes an operation, and gives the places of its result."""
        result = self.reserve(int(np.prod(shape, dtype=np.int64)))
        begin = [self.operand(np.broadcast_to(places, (*shape, k) if k > 1 else shape)) for places in operands]
        self.code.append((NUMBER[name], int(result[0]) if len(result) else 0, len(result), k, *begin, *[0] * 3)[:7])
        return result.reshape(tuple(shape))

    def tape(self, value: np.ndarray) -> Tape:
        """All that was noted, with the places of the value."""
        joined = {
            name: np.concatenate([np.zeros(0), *parts]).astype(np.float32 if name == "product_single" else np.float64)
            for name, parts in self.matrices.items()
        }
        code = np.array(self.code, np.int64).reshape(-1, 7)
        places = np.concatenate([np.zeros(0, np.int64), *self.places])
        memory = np.concatenate(self.values)
        return Tape(code, places, joined["product"], joined["product_single"], memory, 0, 1, value.astype(np.int64))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # torch would import its compiler first, which takes a second, only to keep it away from here.
        return False

    # -- operations --------------------------------------------------------------------------------------------------

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if (self.depends(args) or self.depends(list(kwargs.values()))) and name not in SHAPED:
            if func._schema.is_mutable or not isinstance(result, Tensor | list | tuple):
                raise InputError(f"The field must consist of known operations, got {name}.")
            self._note(name, func, args, kwargs, result)
        return result

    def _note(self, name: str, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        name = SAME_AS.get(name, name)
        if name in MOVES or name in STILL:
            self._move(name, func, args, kwargs, result)
            return
        shape = tuple(result.shape)
        if name == "pow" and isinstance(args[1], int | float) and args[1] == 2:
            places = self.emit("square", shape, self.places_of(args[0]))
        elif name in BINARY:
            first, second = self.places_of(args[0]), self.places_of(args[1])
            if kwargs.get("alpha", 1) != 1:
                second = self.emit("mul", second.shape, second, self.places_of(kwargs["alpha"]))
            places = self.emit(name, shape, first, second)
        elif name in UNARY and tuple(args[1:]) == USUAL.get(name, ())[: len(args) - 1] and not kwargs:
            single = name == "gelu" and result.dtype == torch.float32
            places = self.emit("gelu_single" if single else name, shape, self.places_of(args[0]))
        elif hasattr(self, f"_{name}"):
            places = getattr(self, f"_{name}")(result, *args, **kwargs)
        else:
            raise InputError(f"The field must consist of known operations, got {name}.")
        self.track(result, places)

    def _move(self, name: str, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        data, *others = args
        several = isinstance(data, list | tuple)
        moved = [torch.from_numpy(np.array(self.places_of(each))) for each in (data if several else [data])]
        if name in STILL:  # the order of the numbers is the same, whatever else is not
            self.track(result, moved[0].numpy())
            return
        out = func(moved if several else moved[0], *others, **kwargs)
        pairs = zip(result, out, strict=True) if isinstance(result, list | tuple) else [(result, out)]
        for tensor, places in pairs:
            self.track(tensor, places.numpy())

    def _clamp(self, result: Tensor, x: Any, low: Any = None, high: Any = None, **limits: Any) -> np.ndarray:
        low, high = limits.get("min", low), limits.get("max", high)
        places, shape = self.places_of(x), tuple(result.shape)
        if low is not None:
            places = self.emit("maximum", shape, places, self.places_of(low))
        return places if high is None else self.emit("minimum", shape, places, self.places_of(high))

    def _logical_not(self, result: Tensor, x: Any) -> np.ndarray:
        return self.emit("eq", tuple(result.shape), self.places_of(x), self.places_of(0.0))

    def _where(self, result: Tensor, condition: Any, x: Any, y: Any) -> np.ndarray:
        return self.emit("where", tuple(result.shape), *(self.places_of(each) for each in (condition, x, y)))

    def _rsqrt(self, result: Tensor, x: Any) -> np.ndarray:
        return self.emit("reciprocal", result.shape, self.emit("sqrt", result.shape, self.places_of(x)))

    def _hypot(self, result: Tensor, x: Any, y: Any) -> np.ndarray:
        parts = [self.emit("square", result.shape, np.broadcast_to(self.places_of(v), result.shape)) for v in (x, y)]
        return self.emit("sqrt", result.shape, self.emit("add", result.shape, *parts))

    def _reduced(self, name: str, result: Tensor, x: np.ndarray, dim: Any) -> tuple[np.ndarray, int]:
        axes = [d % x.ndim for d in ([dim] if isinstance(dim, int) else dim or range(x.ndim))]
        rest = [d for d in range(x.ndim) if d not in axes]
        columns = x.transpose(*rest, *axes).reshape(result.numel(), -1)
        k = columns.shape[1]
        places = columns[:, 0] if k == 1 else self.emit(name, (result.numel(),), columns, k=k)
        return places.reshape(tuple(result.shape)), k

    def _sum(self, result: Tensor, x: Any, dim: Any = None, *_: Any, **__: Any) -> np.ndarray:
        return self._reduced("sum", result, self.places_of(x), dim)[0]

    def _mean(self, result: Tensor, x: Any, dim: Any = None, *_: Any, **__: Any) -> np.ndarray:
        total, k = self._reduced("sum", result, self.places_of(x), dim)
        return self.emit("mul", result.shape, total, self.places_of(1.0 / k))

    def _amax(self, result: Tensor, x: Any, dim: Any = (), *_: Any, **__: Any) -> np.ndarray:
        return self._reduced("amax", result, self.places_of(x), dim)[0]

    def _amin(self, result: Tensor, x: Any, dim: Any = (), *_: Any, **__: Any) -> np.ndarray:
        return self._reduced("amin", result, self.places_of(x), dim)[0]

    def _linalg_vector_norm(self, result: Tensor, x: Any, power: Any = 2, dim: Any = None, *_: Any) -> np.ndarray:
        if power != 2:
            raise InputError(f"The field must consist of known operations, got the norm of order {power}.")
        squares = self.emit("square", tuple(x.shape), self.places_of(x))
        return self.emit("sqrt", tuple(result.shape), self._reduced("sum", result, squares, dim)[0])

    def _addmm(self, result: Tensor, bias: Any, a: Tensor, b: Tensor, **scales: Any) -> np.ndarray:
        if any(value != 1 for value in scales.values()):
            raise InputError("The field must consist of known operations, got addmm with factors.")
        return self.emit("add", tuple(result.shape), self._mm(result, a, b), self.places_of(bias))

    def _mv(self, result: Tensor, a: Tensor, x: Tensor) -> np.ndarray:
        column = x[:, None]
        if self.depends(x):
            self.track(column, self.places_of(x)[:, None])
        return self._product(a, column, self.depends(a), self.depends(x)).reshape(-1)

    def _mm(self, result: Tensor, a: Tensor, b: Tensor) -> np.ndarray:
        return self._product(a, b, self.depends(a), self.depends(b))

    def _bmm(self, result: Tensor, a: Tensor, b: Tensor) -> np.ndarray:
        known = (self.depends(a), self.depends(b))
        left, right = list(a), list(b)  # slices are tensors of their own
        parts = []
        for i in range(len(a)):
            for each, tensor, depends in ((left[i], a, known[0]), (right[i], b, known[1])):
                if depends:
                    self.track(each, self.places_of(tensor)[i])
            parts.append(self._product(left[i], right[i], *known))
        return np.stack(parts)

    def _product(self, a: Tensor, b: Tensor, left: bool, right: bool) -> np.ndarray:
        """The places of a @ b, of which `left` and `right` say whether they depend on the arguments."""
        if left and right:
            first, second = self.places_of(a), self.places_of(b)
            shape = (first.shape[0], second.shape[1], first.shape[1])
            products = self.emit("mul", shape, first[:, None, :], second.T[None])
            return self.emit("sum", shape[:2], products, k=shape[2]) if shape[2] > 1 else products[..., 0]
        return self._times(a, self.places_of(b)) if right else self._times(b.T, self.places_of(a).T).T

    def _times(self, matrix: Tensor, columns: np.ndarray) -> np.ndarray:
        """The places of matrix @ columns with a constant matrix, which is kept together."""
        n, k = matrix.shape
        name = "product_single" if matrix.dtype == torch.float32 else "product"
        at = sum(part.size for part in self.matrices[name])
        self.matrices[name].append(matrix.detach().cpu().double().numpy().reshape(-1))
        results = []
        for column in columns.T:
            result = self.reserve(n)
            self.code.append((NUMBER[name], int(result[0]), n, k, self.operand(column), at, 0))
            results.append(result)
        return np.stack(results, 1)
