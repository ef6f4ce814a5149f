"""From a system to trajectories on its attracting set, with exact velocities."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.arguments import public
from dynred.checks import finite, generator_given, increasing, integer, positive, real, refuse
from dynred.data.parameters import as_tensors, cut
from dynred.data.store import StoredTrajectories
from dynred.data.trajectories import Trajectories
from dynred.memory import check_memory
from dynred.ode.system import System, SystemField
from dynred.ode.vector_field import Parameters
from dynred.runtime import Progress, silent
from dynred.simulation.choose_solver import choose_solver
from dynred.simulation.draws import draw
from dynred.simulation.events import Crossings, Event, check_events
from dynred.simulation.integrate import FINISHED, Solved, integrate
from dynred.simulation.stream import Plan, check_streamable, stream
from dynred.solvers.base import Deadline, Solver

COPIES = 3.0  # memory that simulating takes, times the states and velocities that come of it


@overload
def simulate(
    system: System,
    n: int | None = ...,
    times: Float[Tensor, " T"] | Sequence[Float[Tensor, " _T"]] | None = ...,
    *,
    rng: torch.Generator,
    initial: Float[Tensor, "N D"] | None = ...,
    parameters: Parameters | None = ...,
    solver: str | Solver = ...,
    transient: float | None = ...,
    events: Sequence[Event] = ...,
    time_limit: float | None = ...,
    store: None = ...,
    progress: Progress = ...,
) -> Trajectories: ...
@overload
def simulate(
    system: System,
    n: int | None = ...,
    times: Float[Tensor, " T"] | None = ...,
    *,
    rng: torch.Generator,
    initial: Float[Tensor, "N D"] | None = ...,
    parameters: Parameters | None = ...,
    solver: str | Solver = ...,
    transient: float | None = ...,
    events: Sequence[Event] = ...,
    time_limit: float | None = ...,
    store: str | Path,
    progress: Progress = ...,
) -> StoredTrajectories: ...
@public
def simulate(
    system: System,
    n: int | None = None,
    times: Float[Tensor, " T"] | Sequence[Float[Tensor, " _T"]] | None = None,
    *,
    rng: torch.Generator,
    initial: Float[Tensor, "N D"] | None = None,
    parameters: Parameters | None = None,
    solver: str | Solver = "auto",
    transient: float | None = None,
    events: Sequence[Event] = (),
    time_limit: float | None = None,
    store: str | Path | None = None,
    progress: Progress = silent,
) -> Trajectories | StoredTrajectories:
    """Trajectories of a system, with their exact velocities, in float64.

    Args:
        system: the ODE.
        n: number of trajectories, >= 1; may be left out where `initial` or several `times` say it.
        times: when to keep a snapshot, increasing [T], or one such vector per trajectory. Default: the system's
            `duration` in steps of its `sampling`.
        rng: draws the initial states. Every trajectory has a stream of its own: the first of many start where
            those of few do, and differ from there by the tolerance of solvers that choose one step for all.
        initial: states [N, D] of the ODE from which to start instead; then no transient is dropped unless asked for.
        parameters: replaces defaults; a number, or one value per trajectory [N]. Those left out are drawn where the
            system draws them and `initial` is not given.
        solver: `auto`, `explicit`, `stiff`, `exponential_adams` or another solver's name, or a Solver with settings.
        transient: time simulated and dropped before times[0]; default: the system's.
        events: functions of time and state whose zeros are reported, or end a trajectory. What they found stands in
            the attribute `events`: of each by name, the lists `trajectory`, `t` and `state`.
        time_limit: seconds after which the work stops. What was computed is kept: trajectories end where they were.
            The attribute `status` says of each `finished`, `time limit`, or `event` and its name; those that did not
            get past their transient are left out, the attribute `not_started` has their numbers.
        store: a path ending in .zarr. The trajectories are written there block after block and never held all at
            once. Interrupted by anything, the same call goes on where it stopped and ends with the same store, bit
            for bit; a time limit is such an interruption. Every block draws from a stream of its own, so that the
            initial states are others than without a store. Of `events`, terminal ones are allowed.
        progress: receives reports.

    Returns:
        Trajectories whose attributes name the system, its arguments and the solver, with the reason for it. Where the
        system is seen through an observation, their states and velocities are those that are seen. With `store`, a
        view of the store, which gives its trajectories part by part.

    Raises:
        InputError: a wrong width of `initial`, times that do not increase, unknown parameters, a bad right-hand side,
            a `store` of another system, settings or seed or that another process writes, more data than memory holds.
        DivergenceError: a trajectory left every bound, or its right-hand side is not finite; names it, its time, and
            what to try.
        FileFormatError: `store` could not be written; what was written before stays readable.
    """
    generator_given(rng)
    initial = None if initial is None else real("initial", initial)
    grids = _grids(system, times)
    count = _count(n, initial, times, grids)
    asked, found_events = _per_trajectory(parameters, count), check_events(tuple(events))
    if time_limit is not None:
        positive("time_limit", time_limit)
    dropped = transient if transient is not None else (system.transient if initial is None else 0.0)
    if not 0 <= dropped < math.inf:
        raise refuse("transient", "a finite number >= 0", dropped)
    if store is not None:
        check_streamable(store, grids, found_events)
    _check_room(system, count, grids, store)
    key = int(torch.randint(2**62, (1,), generator=rng)) if initial is None or store is not None else 0
    if initial is not None:
        given, x0 = asked, _checked_initial(system, initial, count)
    else:  # with a store, what it takes to choose a solver; every block draws its own
        numbers = range(count if store is None else 1)
        given, x0 = draw(system, key, numbers, cut(asked, slice(len(numbers))))
    field = system.bind(given)
    method, reason = choose_solver(field, x0, grids[0], solver)
    attributes = {
        "system": system.name,
        "arguments": dict(system.arguments),
        "solver": method.to_dict(),
        "solver_reason": reason,
        "transient": float(dropped),
    }
    if store is not None:
        start = None if initial is None else x0
        plan = Plan(system, method, count, grids[0], float(dropped), asked, start, key, found_events, attributes)
        return stream(plan, store, time_limit, progress)
    members = [torch.arange(count)]
    if len(grids) > 1:
        grids, members = _merge_equal(grids)
    deadline, parts = Deadline(time_limit), []
    for done, (grid, rows) in enumerate(zip(grids, members, strict=True)):
        progress("simulate", done, len(grids))
        limited = method if time_limit is None else replace(method, time_limit=deadline.left())
        here = field.rows(rows)
        parts.append(integrate(system, here, x0[rows], grid, limited, dropped=dropped, events=found_events, first=rows))
    progress("simulate", len(grids), len(grids))
    return _gathered(parts, members, field, attributes, found_events)


def _check_room(system: System, count: int, grids: list[Tensor], store: str | Path | None) -> None:
    """Raises InputError where memory does not hold the trajectories, or with a store what it keeps of each."""
    snapshots = sum(len(grid) for grid in grids) * (count if len(grids) == 1 else 1)
    values = snapshots * (2 * system.dim + 1) if store is None else 2 * count * (1 + len(system.parameters))
    advice = "Simulate into a store: store='data.zarr', or --out data.zarr." if store is None else ""
    check_memory(f"{count} trajectories of {snapshots // count} snapshots", int(8 * COPIES * values), advice)


def _checked_initial(system: System, initial: Tensor, count: int) -> Float[Tensor, "N D"]:
    x0, width = finite("initial", initial.double()), system.underlying.dim
    if x0.shape != (count, width):
        advice = "Start from states of the ODE, not from what is seen of them." if system.observation else ""
        raise refuse("initial", f"of shape [{count}, {width}]", f"{list(x0.shape)}", advice)
    return x0


def _gathered(
    parts: list[Solved],
    members: list[Int[Tensor, " n"]],
    field: SystemField,
    attributes: dict[str, Any],
    events: tuple[Event, ...],
) -> Trajectories:
    """The trajectories in order of their rows; what happened to them in their attributes."""
    kept = torch.cat([rows[part.kept] for part, rows in zip(parts, members, strict=True)])
    if len(kept) == 0:
        raise refuse("time_limit", "long enough for the transient of one trajectory", "a shorter one")
    order = torch.argsort(kept)
    solved = [part.trajectories for part in parts if part.trajectories is not None]
    found = solved[0] if len(solved) == 1 else Trajectories.concatenate(solved)[order]
    rows = torch.cat(members)
    status = [word for part in parts for word in part.status]
    status = [status[i] for i in torch.argsort(rows).tolist()]
    if events or set(status) != {FINISHED}:
        attributes["status"] = [status[i] for i in kept[order].tolist()]
    if len(kept) < len(rows):
        attributes["not_started"] = sorted(set(range(len(rows))) - set(kept.tolist()))
    if events:
        place = {row: i for i, row in enumerate(kept[order].tolist())}
        attributes["events"] = {event.name: _crossings(parts, members, event.name, place) for event in events}
    values = {name: value.expand(len(rows))[kept[order]].clone() for name, value in field.parameters.items()}
    return replace(found, parameters=values, attributes=attributes)


def _crossings(parts: list[Solved], members: list[Tensor], name: str, place: dict[int, int]) -> dict[str, list[Any]]:
    """Trajectory, time and state of every crossing, as plain data, in order."""
    found: list[tuple[int, float, list[float]]] = []
    for part, rows in zip(parts, members, strict=True):
        one: Crossings = part.crossings[name]
        numbers = [place[i] for i in rows[one.row].tolist()]
        found += zip(numbers, one.t.tolist(), one.x.tolist(), strict=True)
    found.sort(key=lambda crossing: crossing[:2])
    return {key: [crossing[i] for crossing in found] for i, key in enumerate(("trajectory", "t", "state"))}


def _grids(system: System, times: object) -> list[Tensor]:
    if times is None:
        steps = max(1, round(system.duration / system.sampling))
        return [torch.arange(steps + 1, dtype=torch.float64) * system.sampling]
    if isinstance(times, Sequence) and _one_each(times):
        return [increasing(f"times[{i}]", t) for i, t in enumerate(times)]
    return [increasing("times", times)]


def _one_each(times: object) -> bool:
    return isinstance(times, Sequence) and not all(isinstance(t, int | float) for t in times)


def _count(n: int | None, initial: Tensor | None, times: object, grids: list[Tensor]) -> int:
    several = len(grids) if _one_each(times) else None
    said = {"n": n, "initial": None if initial is None or initial.ndim == 0 else len(initial), "times": several}
    values = {name: value for name, value in said.items() if value is not None}
    if not values:
        raise refuse("n", "the number of trajectories", "None", "Give `n`, `initial`, or one vector of times for each.")
    if len(set(values.values())) > 1:
        raise refuse("the number of trajectories", "the same in n, initial and times", values)
    return integer("n", next(iter(values.values())), 1)


def _per_trajectory(parameters: Parameters | None, count: int) -> dict[str, Tensor]:
    values = as_tensors(parameters)
    for name, value in values.items():
        finite(f"parameter {name}", value)
        if value.ndim and value.shape != (count,):
            raise refuse(f"parameter {name}", f"a number or one value per trajectory [{count}]", list(value.shape))
    return values


def _merge_equal(grids: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    groups: dict[bytes, tuple[Tensor, list[int]]] = {}
    for i, grid in enumerate(grids):
        groups.setdefault(grid.numpy().tobytes(), (grid, []))[1].append(i)
    return [grid for grid, _ in groups.values()], [torch.tensor(rows) for _, rows in groups.values()]
