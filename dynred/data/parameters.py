"""Parameters by name: each is one number for all rows of a batch, or has one value per row.

Inputs travel among them, as signals, which are functions of time: of one course for all rows, or one per row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred.checks import finite, instance_of, real, refuse
from dynred.data.signals import Signal

Value = float | Float[Tensor, "..."] | Signal  # of a parameter or an input


def as_tensors(parameters: Mapping[str, Value] | None) -> dict[str, Any]:
    """The parameters as tensors, in float64; signals stay."""
    return {
        name: value if isinstance(value, Signal) else real(f"parameter {name}", value).double()
        for name, value in (parameters or {}).items()
    }


def constants(parameters: Mapping[str, Value] | None) -> dict[str, Float[Tensor, "..."]]:
    """Those that are no signals, as tensors in float64."""
    return {name: value for name, value in as_tensors(parameters).items() if not isinstance(value, Signal)}


def at_time(parameters: Mapping[str, Value], t: Float[Tensor, "..."]) -> dict[str, Float[Tensor, "..."]]:
    """The parameters with signals replaced by their values at t."""
    return {name: value.value(t) if isinstance(value, Signal) else value for name, value in parameters.items()}  # type: ignore[misc] # tensors


def by_name(parameters: object) -> dict[str, Any]:
    """Parameters that a caller gives, as finite numbers or arrays of them, or signals; an array [1] is a number like
    any other.

    Raises:
        InputError: a parameter is anything else.
    """
    given = instance_of("parameters", parameters, Mapping, "Give them by name.")
    return {
        name: value
        if isinstance(value, Signal)
        else finite(f"parameter {name}", value.reshape(()) if value.shape == (1,) else value)
        for name, value in as_tensors(given).items()
    }


def checked(parameters: Mapping[str, Any], rows: int) -> Mapping[str, Any]:
    """The same parameters, if each is a number or has one value for each of `rows` trajectories.

    Raises:
        InputError: a parameter is anything else.
    """
    for name, value in parameters.items():
        if value.shape not in ((), (rows,)):
            raise refuse(f"parameter {name}", f"a number or {rows} of them", f"shape {list(value.shape)}")
    return parameters


def cut(parameters: Mapping[str, Any], index: Int[Tensor, "..."] | Bool[Tensor, " N"] | slice | int) -> dict[str, Any]:
    """The parameters of some rows: values that differ between rows are cut down to those rows."""
    return {name: value[index] if value.ndim else value for name, value in parameters.items()}


def along_time(
    parameters: Mapping[str, Value] | None,
) -> dict[str, Float[Tensor, ""] | Float[Tensor, "#N 1"]]:
    """Values of N trajectories as columns [N, 1], for states at T times [N, T, D]; numbers stay as they are, and
    signals, which states are not coded with, are left out."""
    return {name: value[:, None] if value.ndim else value for name, value in constants(parameters).items()}


def per_row(parameters: Mapping[str, Value] | None, batch: Sequence[int]) -> dict[str, Float[Tensor, " M"]]:
    """One value for each of the M rows of a batch, in their order; signals are left out.

    Raises:
        InputError: the shape of a parameter does not fit the batch.
    """
    return {name: _fitted(name, value, batch).reshape(-1) for name, value in constants(parameters).items()}


def stacked(
    parameters: Mapping[str, Any] | None, names: Sequence[str], batch: Sequence[int]
) -> Float[Tensor, "*batch P"]:
    """The parameters of every row of a batch, in the order of `names`.

    Raises:
        InputError: a parameter is missing, or does not fit the batch.
    """
    given = parameters or {}
    missing = [name for name in names if name not in given]
    if missing:
        advice = "A model is given them by `model.at(parameters)`; trajectories carry them."
        raise refuse("parameters", f"given for {', '.join(names)}", f"none for {', '.join(missing)}", advice)
    values = as_tensors({name: given[name] for name in names})
    columns = [_fitted(name, value, batch) for name, value in values.items()]
    return torch.stack(columns, -1) if columns else torch.zeros(*batch, 0, dtype=torch.float64)


def _fitted(name: str, value: Tensor, batch: Sequence[int]) -> Float[Tensor, "*batch"]:
    try:
        return torch.broadcast_to(value, tuple(batch))
    except RuntimeError as error:
        expected = f"a number or values of shape {list(batch)}"
        raise refuse(f"parameter {name}", expected, f"shape {list(value.shape)}") from error
