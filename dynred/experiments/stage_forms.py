"""How the stages of a reduction are written, for runs that share them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Shaped
from torch import Tensor

from dynred.data.courses import columns
from dynred.data.split import HeldOut, Parts
from dynred.data.store_layout import INPUT
from dynred.data.trajectories import Trajectories
from dynred.models.stored_parts import StoredReducer, described, filled, histories
from dynred.records import plain, revive
from dynred.reducers.base import Reducer
from dynred.shared_stages import Form, Packed
from dynred.training.minimise import History

SETS = ("train", "validation", "test")
PARAMETER = "parameter_"

Tensors = Mapping[str, Shaped[Tensor, "..."]]


@dataclass(frozen=True)
class _Rest:
    """What is written of divided data beside their tensors."""

    held_out: HeldOut
    notes: tuple[str, ...]
    attributes: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Fitted:
    """What is written of a fitted reducer beside its tensors."""

    reducer: StoredReducer
    histories: list[History] = field(default_factory=list)


def _pack_parts(parts: Parts) -> Packed:
    tensors: dict[str, Tensor] = {}
    for name, each in zip(SETS, parts, strict=True):
        tensors |= {f"{name}.{key}": values for key, values in each.arrays().items()}
    attributes = {name: dict(each.attributes) for name, each in zip(SETS, parts, strict=True)}
    return tensors, {"held_out": plain(parts.held_out), "notes": list(parts.notes), "attributes": attributes}


def _unpack_parts(tensors: Tensors, rest: Mapping[str, Any]) -> Parts:
    stored = revive(_Rest, rest, "a simulation")
    train, validation, test = (_trajectories(tensors, name, stored.attributes[name]) for name in SETS)
    return Parts(train, validation, test, stored.held_out, stored.notes)


def _trajectories(tensors: Tensors, name: str, attributes: Mapping[str, Any]) -> Trajectories:
    own = {key.removeprefix(f"{name}."): values for key, values in tensors.items() if key.startswith(f"{name}.")}
    parameters = {key.removeprefix(PARAMETER): own.pop(key) for key in list(own) if key.startswith(PARAMETER)}
    by_name = {key.removeprefix(INPUT): own.pop(key) for key in list(own) if key.startswith(INPUT)}
    inputs, names = columns(by_name, attributes)
    return Trajectories(**own, parameters=parameters, attributes=attributes, inputs=inputs, input_names=names)


def _pack_reducer(reducer: Reducer) -> Packed:
    return reducer.state_dict(), {"reducer": described(reducer), "histories": histories(reducer)}


def _unpack_reducer(tensors: Tensors, rest: Mapping[str, Any]) -> Reducer:
    stored = revive(_Fitted, rest, "a reducer")
    reducer = filled(stored.reducer.build, {f"reducer.{key}": value for key, value in tensors.items()}, "reducer")
    reducer.histories = tuple(stored.histories)  # type: ignore[assignment] # nn.Module guesses
    return reducer


SIMULATION = Form(_pack_parts, _unpack_parts)
REDUCER = Form(_pack_reducer, _unpack_reducer)
