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
    arrays = {name: real(name, given[name]) for name in ("states", "t")}
    arrays["lengths"] = whole("lengths", given["lengths"])
    if given["velocities"] is not None:
        arrays["velocities"] = real("velocities", given["velocities"])
    return {**arrays, "parameters": parameters}


def check_parameters(parameters: Mapping[str, Float[Tensor, " N"]], lengths: Int[Tensor, " N"]) -> None:
    """Refuses names that no file can hold, and parameters of another number of values than there are trajectories."""
    for name, value in parameters.items():
        if not name or set(name) & set("/\\\0") or name in (".", ".."):  # files use it as the name of an array
            raise refuse("a parameter's name", "a word without / or \\", literal(name))
        if value.shape != lengths.shape:
            raise refuse(f"parameter {name}", f"one value per trajectory [{len(lengths)}]", f"{list(value.shape)}")


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
