"""A fitted model as plain NumPy functions: for programs without torch. This module, NumPy and SciPy are all they need.

A function is a list of elementary operations, as `dynred.models.export` reads them from torch's own graph of the model,
so that no reducer or dynamics need a second implementation. Operations carry torch's names (core ATen) and meaning.
"""

import contextlib
import json
import math
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import erf, expit

from dynred.errors import FileFormatError, InputError

SCHEMA = 1
FUNCTIONS = ("encode", "decode", "rhs")


@dataclass(frozen=True, eq=False)
class NumpyFunction:
    """A function of arrays.

    Attributes:
        inputs: names of its arguments.
        steps: operations in order: `{"op": name, "args": [...], "kwargs": {...}, "out": name}`, where an argument
            `{"ref": name}` is an input, a constant, or what an earlier step gave. Plain JSON data.
        output: name of what is returned.
        constants: arrays by name.
    """

    inputs: Sequence[str]
    steps: Sequence[Mapping[str, Any]]
    output: str
    constants: Mapping[str, Shaped[np.ndarray, "..."]]

    def __post_init__(self):
        known = {*self.inputs, *self.constants}
        for step in self.steps:
            if not isinstance(step["kwargs"], Mapping) or not isinstance(step["args"], list | tuple):
                raise InputError("The arguments of an operation must be a list and a mapping, got others.")
            if unknown := _references([step["args"], list(step["kwargs"].values())]) - known:
                raise InputError(f"An operation must refer to what is known before it, got {min(unknown)!r}.")
            known.add(step["out"])
        if self.output not in known:
            raise InputError(f"The output must be what an operation gives, got {self.output!r}.")
        missing = sorted({step["op"] for step in self.steps} - set(OPERATIONS))
        if missing:
            raise InputError(
                f"The model must consist of operations that are known in NumPy, got {', '.join(missing)}. "
                "`export` writes it for torch."
            )

    def __call__(self, *arguments: Any) -> Shaped[np.ndarray, "..."]:
        """The value for arguments of the shapes that the function was made for, a batch [N, ...]."""
        values: dict[str, Any] = dict(self.constants) | dict(zip(self.inputs, arguments, strict=True))
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # as torch: inf and nan, no warning
            for step in self.steps:
                kwargs = {key: _filled(value, values) for key, value in step["kwargs"].items()}
                values[step["out"]] = OPERATIONS[step["op"]](*_filled(step["args"], values), **kwargs)
        return values[self.output]


@dataclass(frozen=True, eq=False)
class NumpyModel:
    """The functions of a reduced model on NumPy arrays, of any leading axes; they agree with torch's to round-off.

    Attributes:
        functions: by name, `encode`, `decode` and, where the dynamics are a vector field, `rhs`.
        past: number of snapshots that make a state; see `Model.past`.
    """

    functions: Mapping[str, NumpyFunction]
    past: int = 1

    def encode(self, x: Float[np.ndarray, "*states D"]) -> Float[np.ndarray, "*batch R"]:
        """Latents [..., R] of states [..., D], or of states with their past, [..., past, D]."""
        return _batched(self.functions["encode"], x, self.past)

    def decode(self, z: Float[np.ndarray, "*batch R"]) -> Float[np.ndarray, "*batch D"]:
        """States [..., D] of latents [..., R]."""
        return _batched(self.functions["decode"], z)

    def rhs(
        self, t: float, z: Float[np.ndarray, "*batch R"], u: Float[np.ndarray, "*batch U"] | None = None
    ) -> Float[np.ndarray, "*batch R"]:
        """The latent velocity [..., R], per time unit, at latents [..., R]: SciPy's `solve_ivp` takes it as it is.
        A model with inputs takes their values u at time t.

        Raises:
            InputError: the dynamics are not given by a vector field; u is missing, or of another width.
        """
        if "rhs" not in self.functions:
            raise InputError("dynamics must be given by a vector field to have a right-hand side, got others.")
        time = np.asarray(t, dtype=np.float64)
        function = self.functions["rhs"]
        if (len(function.inputs) == 3) != (u is not None):
            expected = "the values of the inputs" if u is None else "left out for a model without inputs"
            raise InputError(f"u must be {expected}, got {'none' if u is None else 'some'}.")
        if u is None:
            return _batched(lambda rows: function(time, rows), z)
        wide = np.broadcast_to(np.asarray(u, np.float64), (*np.shape(z)[:-1], np.shape(u)[-1]))
        both, r = np.concatenate([np.asarray(z, np.float64), wide], -1), np.shape(z)[-1]
        return _batched(lambda rows: function(time, rows[:, :r], rows[:, r:]), both)

    def save(self, path: str | Path) -> None:
        """Writes one .npz file, moved into place: arrays, and the operations as JSON; nothing is pickled.

        Raises:
            InputError: the path holds something that is no such file.
            FileFormatError: writing failed, as on a full disk; what was there before is unchanged.
        """
        arrays = {
            f"{name}.{key}": a for name, function in self.functions.items() for key, a in function.constants.items()
        }
        graphs = {
            n: {"inputs": function.inputs, "steps": function.steps, "output": function.output}
            for n, function in self.functions.items()
        }
        arrays["graphs"] = np.array(json.dumps({"schema": SCHEMA, "functions": graphs, "past": self.past}))
        path = Path(path)
        if os.path.lexists(path) and not _is_ours(path):
            raise InputError(f"path must be a new path, got {path}, which dynred did not write. Nothing was changed.")
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            with temporary.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type] # names to arrays
            os.replace(temporary, path)
        except OSError as error:
            raise FileFormatError(f"{path} could not be written: {error.strerror or error}.") from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "graphs.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def load_numpy_model(path: str | Path) -> NumpyModel:
    """The model that `NumpyModel.save` wrote.

    Raises:
        FileFormatError: missing, truncated, of another kind, or of a newer schema.
    """
    if not isinstance(path, str | os.PathLike) or not os.path.isfile(path):
        raise FileFormatError(f"{path} is no file." if _exists(path) else f"{path} does not exist.")
    try:
        arrays = _arrays(path)
        stored = json.loads(str(arrays.pop("graphs")))
        if type(stored["schema"]) is not int or not 1 <= stored["schema"] <= SCHEMA:
            raise FileFormatError(f"{path} must be of schema {SCHEMA} or older, got {str(stored['schema'])[:80]}.")
        functions = {}
        for name, graph in stored["functions"].items():
            start = f"{name}."
            constants = {k.removeprefix(start): a for k, a in arrays.items() if k.startswith(start)}
            functions[name] = NumpyFunction(**graph, constants=constants)
        if not {"encode", "decode"} <= set(functions) <= set(FUNCTIONS):
            raise ValueError(f"its functions are {', '.join(functions)}")
        return NumpyModel(functions, int(stored.get("past", 1)))
    except FileFormatError:
        raise
    except Exception as error:
        raise FileFormatError(f"{path} holds no NumPy model: {str(error)[:200] or type(error).__name__}.") from error


def _exists(path: object) -> bool:
    return isinstance(path, str | os.PathLike) and os.path.lexists(path)


def _arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    # `save` compresses nothing, so a file holds no more than its size. A file that claims to hold more is not read.
    with zipfile.ZipFile(path) as file:
        for entry in file.infolist():
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > os.path.getsize(path):
                raise ValueError(f"{entry.filename} is compressed")
            with file.open(entry) as member:
                version = np.lib.format.read_magic(member)
                read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[
                    version
                ]
                shape, _, dtype = read(member)
                if math.prod(shape) * dtype.itemsize > entry.file_size:
                    raise ValueError(f"{entry.filename} is shorter than it says")
    with np.load(path, allow_pickle=False) as loaded:
        return {name: loaded[name] for name in loaded.files}


def _batched(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, past: int = 1) -> np.ndarray:
    rows = np.asarray(x, dtype=np.float64)
    own = rows.shape[-1:] if past == 1 else (past, rows.shape[-1])
    result = function(rows.reshape(-1, *own))
    return result.reshape(*rows.shape[: rows.ndim - len(own)], result.shape[-1])


def _references(argument: Any) -> set[str]:
    if isinstance(argument, Mapping):
        return {argument["ref"]}
    return set().union(*map(_references, argument)) if isinstance(argument, list | tuple) else set()


def _filled(argument: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(argument, Mapping):
        return values[argument["ref"]]
    return [_filled(item, values) for item in argument] if isinstance(argument, list | tuple) else argument


# -- the operations --------------------------------------------------------------------------------------------------


def _axes(dim: Any) -> Any:
    return tuple(dim) if isinstance(dim, list) and dim else None if isinstance(dim, list) else dim


def _slice(x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    index = [slice(None)] * x.ndim
    index[dim] = slice(start, None if end is None or end >= 2**62 else end, step)
    return x[tuple(index)]


def _pad(x: Any, pad: Sequence[int], value: float = 0.0) -> Any:
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    return np.pad(x, pairs, constant_values=value)


def _clamp(x: Any, low: Any = None, high: Any = None) -> Any:
    x = x if low is None else np.maximum(x, np.asarray(low, x.dtype))
    return x if high is None else np.minimum(x, np.asarray(high, x.dtype))


def _index(x: Any, indices: Sequence[Any]) -> Any:
    return x[tuple(slice(None) if i is None else i for i in indices)]


def _norm(x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:  # noqa: A002 # torch's name
    power = np.abs(x) if ord == 1 else np.square(x)
    total = power.sum(_axes(dim), keepdims=keepdim)
    return total if ord == 1 else np.sqrt(total)


def _expand(x: Any, size: Sequence[int], **_: Any) -> Any:
    lead = len(size) - x.ndim
    return np.broadcast_to(x, [x.shape[i - lead] if n == -1 else n for i, n in enumerate(size)])


def _converted(x: Any, dtype: str | None = None, **_: Any) -> Any:
    return np.array(x, dtype=dtype)


def _elu(x: Any, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Any:
    return np.where(x > 0, x * scale, np.expm1(np.minimum(x, 0) * input_scale) * (alpha * scale))


def _gelu(x: Any, approximate: str = "none") -> Any:
    if approximate == "none":
        return x * (0.5 * (1 + erf(x * 0.5**0.5)))
    return x * (0.5 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))))


def _scaled(operation: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda a, b, alpha=1: operation(a, b if alpha == 1 else b * alpha)


def _by_kind(names: str, function: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    base, _, kinds = names.partition(" ")
    return {f"{base}.{kind}": function for kind in kinds.split()}


OPERATIONS: dict[str, Callable[..., Any]] = {
    **_by_kind("add Tensor Scalar", _scaled(np.add)),
    **_by_kind("sub Tensor Scalar", _scaled(np.subtract)),
    **_by_kind("mul Tensor Scalar", np.multiply),
    **_by_kind("div Tensor Scalar", np.true_divide),
    **_by_kind("pow Tensor_Scalar Tensor_Tensor Scalar", np.power),
    **_by_kind("remainder Tensor Scalar", np.mod),
    **_by_kind("gt Tensor Scalar", np.greater),
    **_by_kind("ge Tensor Scalar", np.greater_equal),
    **_by_kind("lt Tensor Scalar", np.less),
    **_by_kind("le Tensor Scalar", np.less_equal),
    **_by_kind("eq Tensor Scalar", np.equal),
    **_by_kind("ne Tensor Scalar", np.not_equal),
    **_by_kind("clamp default Tensor", _clamp),
    "clone.default": lambda x, **_: x,
    "alias.default": lambda x: x,
    "neg.default": np.negative,
    "abs.default": np.abs,
    "reciprocal.default": lambda x: 1 / x,
    "sqrt.default": np.sqrt,
    "rsqrt.default": lambda x: 1 / np.sqrt(x),
    "exp.default": np.exp,
    "expm1.default": np.expm1,
    "log.default": np.log,
    "log1p.default": np.log1p,
    "sin.default": np.sin,
    "cos.default": np.cos,
    "tanh.default": np.tanh,
    "atan2.default": np.arctan2,
    "hypot.default": np.hypot,
    "sigmoid.default": expit,
    "erf.default": erf,
    "gelu.default": _gelu,
    "relu.default": lambda x: np.maximum(x, 0),
    "elu.default": _elu,
    "maximum.default": np.maximum,
    "minimum.default": np.minimum,
    "logical_and.default": np.logical_and,
    "logical_not.default": np.logical_not,
    "where.self": np.where,
    "mm.default": np.matmul,
    "bmm.default": np.matmul,
    "addmm.default": lambda bias, a, b: np.matmul(a, b) + bias,
    "sum.dim_IntList": lambda x, dim, keepdim=False, **_: x.sum(_axes(dim), keepdims=keepdim),
    "mean.dim": lambda x, dim, keepdim=False, **_: x.mean(_axes(dim), keepdims=keepdim),
    "amax.default": lambda x, dim=(), keepdim=False: x.max(_axes(dim), keepdims=keepdim),
    "amin.default": lambda x, dim=(), keepdim=False: x.min(_axes(dim), keepdims=keepdim),
    "linalg_vector_norm.default": _norm,
    "permute.default": np.transpose,
    "view.default": np.reshape,
    "expand.default": _expand,
    "unsqueeze.default": np.expand_dims,
    "squeeze.dims": lambda x, dim: np.squeeze(x, tuple(d for d in dim if x.shape[d] == 1)),
    "cat.default": np.concatenate,
    "slice.Tensor": _slice,
    "select.int": lambda x, dim, index: np.take(x, index, axis=dim),
    "index.Tensor": _index,
    "index_select.default": lambda x, dim, index: np.take(x, index, axis=dim),
    "constant_pad_nd.default": _pad,
    "full.default": lambda size, value, dtype=None, **_: np.full(size, value, dtype=dtype),
    "full_like.default": lambda x, value, dtype=None, **_: np.full_like(x, value, dtype=dtype),
    "scalar_tensor.default": lambda value, dtype=None, **_: np.asarray(value, dtype=dtype),
    "_to_copy.default": _converted,
    "sym_size.int": lambda x, dim: x.shape[dim],
    "mul": lambda a, b: a * b,
    "add": lambda a, b: a + b,
}
