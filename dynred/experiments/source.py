"""What a reduction starts from, a system or data: opened by its name, and recognised again by its content."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from dynred.checks import at_least, count, positive, refuse
from dynred.data.screening import is_data
from dynred.data.storage import load_trajectories
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities
from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate
from dynred.spec import Spec

Source = System | Trajectories

TOLERANCE = 1e-6  # of the values of an equation, relative: other machines round otherwise
_NUMBERS = ("dim", "transient", "duration", "sampling", "time_scale")


def open_source(name: str, arguments: Mapping[str, Any]) -> Source:
    """A system, checked, or data.

    Args:
        name: of a system or its file, or a data file (.npz, .zarr, .nc).
        arguments: structural choices of the system.

    Raises:
        InputError: unknown or unusable.
    """
    if is_data(name):
        if arguments:
            raise InputError(f"arguments (--with) must be none for data, got {', '.join(arguments)} for {name}.")
        found = load_trajectories(name)
        title = str(found.attributes.get("system", Path(name).stem))
        return replace(found, attributes={**found.attributes, "system": title})
    system = find_system(name, **arguments)
    _ = system.right_hand_side  # recognised, and refused if unusable, before anything is written
    return system


def fingerprint(source: Source) -> dict[str, Any]:
    """What tells a source from another, as plain JSON data: the digest of data, values of an equation at two states."""
    if isinstance(source, Trajectories):
        return {"kind": "data", "digest": source.digest()}
    x = source.initial(2, generator(0, "fingerprint"))
    t = torch.tensor(0.3, dtype=torch.float64)
    velocity = source.bind()(t, x)
    seen = [] if source.observation is None else [source.observation.map(x)]
    return {
        "kind": "system",
        **{name: float(getattr(source, name)) for name in _NUMBERS},
        "parameters": {name: float(value) for name, value in source.parameters.items()},
        "solver": source.solver,
        "initial states": _projections(x),
        "equation": [value for part in (velocity, *seen) for value in _projections(part)],
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names of what differs between two fingerprints; none where they are of the same source, or where nothing is
    known of the one before."""
    if before and before.get("kind") != now["kind"]:
        return ["kind"]
    return [name for name in now if name in before and not _agree(before[name], now[name])]


def _projections(x: Tensor) -> list[float]:
    # Four numbers of each state, in which every component has a part.
    component = torch.arange(x.shape[-1], dtype=torch.float64)
    directions = torch.stack([torch.cos((k + 1) * (component + 0.5)) for k in range(4)], -1)
    return (x.double() @ directions).flatten().tolist()


def _numbers(values: object) -> TypeGuard[Sequence[float]]:
    return isinstance(values, list | tuple) and all(isinstance(value, int | float) for value in values)


def _agree(a: object, b: object) -> bool:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_agree(a[key], b[key]) for key in a)
    if _numbers(a) and _numbers(b):
        size = max((abs(value) for value in (*a, *b)), default=0.0)
        return len(a) == len(b) and all(abs(p - q) <= TOLERANCE * size for p, q in zip(a, b, strict=True))
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=TOLERANCE)
    return a == b


MOST = 1e12  # snapshots of one trajectory; so many fit into no memory


@dataclass(frozen=True)
class DataSpec(Spec):
    """Which trajectories are simulated and scored.

    Attributes:
        train, validation, test: numbers of trajectories, each from initial states of its own. Data without an equation
            are split in these proportions.
        duration: length of each, in time units; None takes the system's.
        sampling: time between snapshots; None takes the system's.
        horizon: how far test trajectories are predicted; None takes ten time scales, or all there is.
        transient: time dropped at the start; None takes the system's.
        solver: `auto` or a solver's name.
    """

    train: int = 256
    validation: int = 32
    test: int = 256
    duration: float | None = None
    sampling: float | None = None
    horizon: float | None = None
    transient: float | None = None
    solver: str = "auto"

    def __post_init__(self):
        for name in ("train", "validation", "test"):
            count(name, getattr(self, name), 1, 10**9)
        for name in ("duration", "sampling", "horizon"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        if self.transient is not None:
            at_least("transient", self.transient, 0)
        if not self.solver:
            raise refuse("solver", "`auto` or a solver's name", repr(self.solver))


def simulate_parts(system: System, data: DataSpec, seed: int, runtime: Runtime) -> tuple[Trajectories, ...]:
    """Training, validation and test trajectories of a system, each set from a random stream of its own."""
    sampling = data.sampling or system.sampling
    return tuple(
        simulate(
            system,
            getattr(data, part),
            torch.arange(steps + 1, dtype=torch.float64) * sampling,
            rng=generator(seed, part),
            solver=data.solver,
            transient=data.transient,
            progress=runtime.progress,
        )
        for part, steps in steps_of(system, data).items()
    )


def steps_of(system: System, data: DataSpec) -> dict[str, int]:
    """Times between snapshots in a trajectory of each set, by its name."""
    sampling, duration = data.sampling or system.sampling, data.duration or system.duration
    horizon = data.horizon or min(10 * system.time_scale, duration)
    lengths = {"train": duration, "validation": duration, "test": horizon}
    for length in lengths.values():
        if sampling > length * (1 + 1e-9):
            raise refuse("sampling", f"at most the length of a trajectory, {length:g}", sampling)
        if length / sampling >= MOST:
            raise refuse("sampling", f"at least {length / MOST:g} for a length of {length:g}", sampling)
    return {part: round(length / sampling) for part, length in lengths.items()}


def split_data(source: Trajectories, data: DataSpec, rng: torch.Generator) -> tuple[Trajectories, ...]:
    """Training, validation and test trajectories of data without an equation, in the proportions .8, .1, .1.

    Fewer than ten trajectories are first cut into pieces, so that there are at least ten in all; velocities that the
    data lack are estimated before. Test trajectories are cut at `data.horizon`.

    Raises:
        InputError: trajectories too short to be cut or to give velocities.
    """
    source = source.checked_finite()
    if source.velocities is None:
        source = estimate_velocities(source)
    if len(source) < 10:
        length = int(source.lengths.sum()) // 10
        while length > 1 and int((source.lengths // length).sum()) < 10:
            length -= 1
        if length < 2:
            raise refuse("data", "at least 20 snapshots, to be cut into ten pieces", len(source.states))
        source = source.windows(length)
    train, validation, test = source.split(0.8, 0.1, 0.1, rng=rng)
    if data.horizon is not None:
        test = Trajectories.concatenate([_until(one, data.horizon) for one in test])
    return train, validation, test


def _until(one: Trajectories, horizon: float) -> Trajectories:
    count = max(2, int((one.t - one.t[0] <= horizon * (1 + 1e-9)).sum()))
    return one.windows(min(count, len(one.t)))[0]
