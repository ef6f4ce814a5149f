"""Fitted models as programs of `torch.export`, and those as plain NumPy functions."""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, fx, nn

from dynred.checks import refuse
from dynred.files import is_json, moved_into_place, read_json, write_json
from dynred.late import Late
from dynred.models.numpy_model import NumpyFunction

export = Late("torch.export")
Program = Any  # of `torch.export`, which takes half a second to import

SCHEMA = 1  # of the list of files
EXPORTED = "manifest.json"  # lists the files in a folder of exported programs


def exported(
    name: str,
    call: Callable[..., Shaped[Tensor, "rows ..."]],
    modules: Sequence[nn.Module],
    arguments: Mapping[str, Float[Tensor, "..."]],
) -> Program:
    """The `torch.export` program of a function, for any number of rows.

    Args:
        name: name of the function, for messages.
        call: the function, of `arguments`.
        modules: the modules whose weights the function uses.
        arguments: example values by name; the first axis of a value, if it has one, is that of the rows.

    Raises:
        InputError: torch cannot trace the function.
    """
    rows = export.Dim("rows")
    shapes = tuple({0: rows} if value.ndim else {} for value in arguments.values())
    values = tuple(value.clone() for value in arguments.values())
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch warns about its own parts
        try:
            wrapped = _Function(call, modules)
            return export.export(wrapped, values, dynamic_shapes=(shapes,), strict=False)
        except Exception as error:
            raise refuse(name, "traceable by torch.export", f"{type(error).__name__}: {error}") from error


def write_programs(path: str | Path, programs: Mapping[str, Program]) -> None:
    """Writes programs into a folder, which is moved into place, with a list of its files."""
    with moved_into_place(path, is_export) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about its own parts
        folder.mkdir()
        for name, program in programs.items():
            # Not into a file: on a full disk torch's writer ends the process.
            content = io.BytesIO()
            export.save(program, content)
            (folder / f"{name}.pt2").write_bytes(content.getbuffer())
        write_json(folder / EXPORTED, {"schema": SCHEMA, "files": [f"{name}.pt2" for name in programs]})


def as_numpy(program: Program) -> NumpyFunction:
    """The NumPy function of a program.

    Raises:
        InputError: the program has an operation that `numpy_model` lacks.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = program.run_decompositions()
    constants, inputs = {}, []
    held = {**dict(program.state_dict), **program.constants}
    for spec in program.graph_signature.input_specs:
        if spec.target is None:
            inputs.append(spec.arg.name)
        else:
            constants[spec.arg.name] = held[spec.target].detach().cpu().numpy().copy()
    nodes = [node for node in program.graph.nodes if node.op == "call_function" and node.users]
    steps = [
        {"op": _name(node), "args": _plain(node.args), "kwargs": _plain(node.kwargs), "out": node.name}
        for node in nodes
    ]
    used = {node.name for node in program.graph.nodes if node.op == "placeholder" and node.users}
    output = program.graph_signature.user_outputs[0]
    return NumpyFunction(inputs, steps, str(output), {key: a for key, a in constants.items() if key in used})


class _Function(nn.Module):
    """A function as a module, which is what torch exports."""

    def __init__(self, call: Callable[..., Shaped[Tensor, "rows ..."]], modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.call, self.parts = call, nn.ModuleList(modules)

    def forward(self, *arguments: Tensor) -> Tensor:
        """The value of the function."""
        return self.call(*arguments)


def _name(node: fx.Node) -> str:
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        return str(target).removeprefix("aten.")
    return getattr(target, "__name__", str(target))


def _plain(argument: Any) -> Any:
    if isinstance(argument, fx.Node):
        return {"ref": argument.name}
    if isinstance(argument, Mapping):
        return {
            key: _plain(value) for key, value in argument.items() if key not in ("device", "layout", "memory_format")
        }
    if isinstance(argument, list | tuple):
        return [_plain(item) for item in argument]
    return str(argument).removeprefix("torch.") if isinstance(argument, torch.dtype) else argument


def is_export(path: Path) -> bool:
    """Whether a folder is empty, or holds only what was exported there."""
    if not path.is_dir():
        return False
    names = {entry.name for entry in path.iterdir()}
    return not names or (is_json(path / EXPORTED) and names <= {EXPORTED, *read_json(path / EXPORTED)["files"]})
