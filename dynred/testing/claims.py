"""Claims: a claim states what a contract promises, and raises an error where an answer breaks it."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dynred.annotations import hints
from dynred.dynamics.base import LatentDynamics
from dynred.errors import InputError
from dynred.reducers.base import Reducer
from dynred.spec import Spec

ROUND_OFF = 1e-9  # what float64 may lose where two routes do the same sums
SINGLE = 1e-4  # what networks in float32 may lose
Claim = Callable[[bool | Bool[Tensor, ""], str], None]
Fitted = TypeVar("Fitted", Reducer, LatentDynamics)


def twice(claim: Claim, fit: Callable[[], Fitted]) -> tuple[Fitted, Fitted]:
    """Two fits of the same settings, for a check that they agree; claims that they leave the global random state
    alone."""
    before = torch.get_rng_state()
    fitted = fit(), fit()
    claim(torch.equal(torch.get_rng_state(), before), "fit must not touch torch's global random state.")
    return fitted


def check_settings(claim: Claim, spec: Spec, base: type[Spec], stored: Spec) -> None:
    """Claims that settings refuse values that their annotations do not allow, and survive JSON, and that what was
    fitted keeps them."""
    for field in fields(spec):
        hint = hints(type(spec)).get(field.name, object)  # `object` where the annotation cannot be read
        wrong = 1.5 if hint is int else object()
        refused = hint is object or is_refused(spec, field.name, wrong)
        claim(refused, f"{field.name} must be held against its annotation.")
    claim(base.from_dict(json.loads(spec.to_json())) == spec, "the settings must survive JSON.")
    chosen = isinstance(stored, base) and not isinstance(spec, type(stored))  # by settings that choose among classes
    claim(stored == spec or chosen, "what was fitted must keep the settings it was fitted with.")


def is_refused(spec: Spec, name: str, value: object) -> bool:
    """Whether settings refuse a value of the field `name`."""
    try:
        replace(spec, **{name: value})
    except InputError:
        return True
    return False


def refilled(claim: Claim, built: Fitted, fitted: Fitted) -> Fitted:
    """The module `built`, filled with the weights of `fitted`; claims that their tensors have the same names, shapes
    and dtypes."""
    shapes, expected = ({k: (v.shape, v.dtype) for k, v in m.state_dict().items()} for m in (built, fitted))
    claim(
        shapes == expected,
        "build(**sizes) must have tensors of the names and shapes of the fitted, and of their dtypes.",
    )
    built.load_state_dict(fitted.state_dict())
    return built


def claims(name: str) -> Claim:
    """The function that raises an AssertionError where a contract does not hold; `name` says what is checked."""

    def claim(holds: bool | Tensor, contract: str) -> None:
        if not holds:
            raise AssertionError(f"{name}: {contract}")

    return claim


def close(a: Float[Tensor, "..."], b: Float[Tensor, "..."], tolerance: float) -> bool:
    """Whether a and b differ by at most `tolerance` times the largest entry of b, or times 1 if that is larger; NaN is
    close to nothing."""
    scale = b.abs().max().clamp_min(1.0)
    return a.shape == b.shape and bool(((a - b).abs() <= tolerance * scale).all())


def check_rows(
    claim: Claim,
    what: str,
    fn: Callable[[Float[Tensor, "*batch D"]], Float[Tensor, "*batch O"]],
    x: Float[Tensor, "M D"],
) -> None:
    """Claims that a function takes a state, a batch and any leading axes, and acts on each row alone."""
    y = fn(x)
    tolerance = ROUND_OFF if x.dtype == y.dtype == torch.float64 else SINGLE
    claim(close(fn(x[0]), y[0], tolerance), f"{what} must take a single state.")
    alone = torch.cat([fn(row[None]) for row in x])
    claim(close(y, alone, tolerance), f"{what} must give each row the same alone as among others.")
    wide = fn(x.reshape(2, len(x) // 2, 1, -1))
    claim(close(wide, y.reshape(2, len(x) // 2, 1, -1), tolerance), f"{what} must take any leading axes.")


def slope(
    fn: Callable[[Float[Tensor, "*batch D"]], Float[Tensor, "*batch O"]],
    x: Float[Tensor, "*batch D"],
    direction: Float[Tensor, "*#batch D"],
    step: float,
) -> Float[Tensor, "*batch O"]:
    """The derivative along a direction, by central differences."""
    return (fn(x + step * direction) - fn(x - step * direction)) / (2 * step)
