"""Checks of the parts of trajectories."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.checks import instance_of, literal, real, refuse, whole
from dynred.errors import InputError

GAPS = (
    "`--gaps interpolate` fills gaps, `--gaps split` ends trajectories at them (`GapsSpec` in `ReadingSpec.cleaning`)."
)


def plain_arrays(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of trajectories as tensors: NumPy arrays and lists become tensors, tensors stay as they are."""
    named = instance_of("parameters", given["parameters"], Mapping, "Give them by name.")
    parameters = {name: real(f"parameter {name}", value) for name, value in named.items()}
    instance_of("attributes", given["attributes"], Mapping, "Give them by name.")
    arrays: dict[str, Any] = {name: real(name, given[name]) for name in ("states", "t")}
    arrays["lengths"] = whole("lengths", given["lengths"])
    for name in ("velocities", "inputs"):
        if given[name] is not None:
            arrays[name] = real(name, given[name])
    arrays["input_names"] = tuple(given["input_names"])
    return {**arrays, "parameters": parameters}


def check_shapes(
    states: Float[Tensor, "..."],
    t: Float[Tensor, "..."],
    lengths: Int[Tensor, "..."],
    velocities: Float[Tensor, "..."] | None,
) -> None:
    """Refuses states, times, lengths and velocities that do not fit together."""
    if states.ndim != 2:
        raise refuse("states", "real numbers [M, D]", f"{states.dtype} {list(states.shape)}")
    m = len(states)
    if t.shape != (m,):
        raise refuse("t", f"one time per snapshot [{m}]", f"shape {list(t.shape)}")
    if lengths.ndim != 1 or int(lengths.sum()) != m or (len(lengths) and lengths.min() < 1):
        raise refuse("lengths", f"positive and of sum {m}", f"{len(lengths)} of sum {int(lengths.sum())}")
    if velocities is not None and velocities.shape != states.shape:
        raise refuse("velocities", f"of shape {list(states.shape)}", f"{list(velocities.shape)}")


def check_parameters(parameters: Mapping[str, Float[Tensor, " N"]], lengths: Int[Tensor, " N"]) -> None:
    """Refuses names that no file can hold, and parameters of another number of values than there are trajectories."""
    for name, value in parameters.items():
        _check_name("a parameter's name", name)
        if value.shape != lengths.shape:
            raise refuse(f"parameter {name}", f"one value per trajectory [{len(lengths)}]", f"{list(value.shape)}")


def check_inputs(
    inputs: Float[Tensor, "M U"] | None, names: tuple[str, ...], rows: int, others: Mapping[str, object]
) -> None:
    """Refuses inputs of another number than their names or of other rows, values that are not finite, and names that
    no file can hold, that are used twice, or that are those of parameters, `others`."""
    if inputs is None:
        if names:
            raise refuse("inputs", f"given for {', '.join(names)}", "none")
        return
    if inputs.shape != (rows, len(names)):
        expected = f"values [{rows}, {len(names)}] of {', '.join(names) or 'no input'}"
        raise refuse("inputs", expected, f"shape {list(inputs.shape)}", "`input_names` names each.")
    for name in names:
        _check_name("an input's name", name)
        if names.count(name) > 1 or name in others:
            raise refuse("an input's name", "one that no other input or parameter has", literal(name))
    if not torch.isfinite(inputs).all():
        row, column = torch.nonzero(~torch.isfinite(inputs))[0].tolist()
        actual = f"{inputs[row, column].item()} in row {row}"
        raise refuse(f"input {names[column]}", "finite", actual, "Cut or interpolate the gap.")


def _check_name(what: str, name: str) -> None:
    if not name or set(name) & set("/\\\0") or name in (".", ".."):  # files use it as the name of an array
        raise refuse(what, "a word without / or \\", literal(name))


def check_times(t: Float[Tensor, " M"], lengths: Int[Tensor, " N"]) -> None:
    """Refuses times that are not finite, or that do not increase within each trajectory."""
    if not torch.isfinite(t).all():
        raise refuse("t", "finite", "a time that is not")
    inner = torch.ones(max(len(t) - 1, 0), dtype=torch.bool)
    inner[torch.cumsum(lengths, 0)[:-1] - 1] = False
    bad = (torch.diff(t) <= 0) & inner.to(t.device)
    if bad.any():
        row = int(torch.nonzero(bad)[0])
        i = int(torch.searchsorted(torch.cumsum(lengths, 0), row, right=True))
        actual = f"{t[row]:g} then {t[row + 1]:g} in trajectory {i}"
        raise refuse("t", "strictly increasing in every trajectory", actual)


def check_finite(name: str, values: Float[Tensor, "M D"], t: Float[Tensor, " M"], owner: Int[Tensor, " M"]) -> None:
    """Refuses values that are not finite; the message names the first, and counts the snapshots that hold some.

    Where values are missing (NaN) it names what fills gaps.
    """
    if torch.isfinite(values).all():
        return
    row, component = torch.nonzero(~torch.isfinite(values))[0].tolist()
    bad = int((~torch.isfinite(values)).any(1).sum())
    several = f", the first of {bad} such snapshots of {len(values)}" if bad > 1 else ""
    advice = GAPS if torch.isnan(values).any() else "Leave such snapshots out."
    raise InputError(
        f"{name} must be finite, got {values[row, component].item()} in trajectory {int(owner[row])} "
        f"at time {t[row]:g}, component {component}{several}. {advice}"
    )
