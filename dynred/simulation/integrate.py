"""From initial states to trajectories with exact velocities: transient, events, time limit, divergence, observation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dynred.data.parameters import along_time
from dynred.data.trajectories import Trajectories
from dynred.ode.system import System
from dynred.ode.system_field import SystemField
from dynred.simulation.divergence import bound, check_velocities, raise_divergence
from dynred.simulation.events import Crossings, Event, find_crossings
from dynred.simulation.pieces import solve_between_jumps
from dynred.solvers.base import Solver

CHUNK = 2**22  # values of one batch of velocities
FINISHED, OUT_OF_TIME, DIVERGED = "finished", "time limit", "diverged"


@dataclass(frozen=True, eq=False)
class Solved:
    """What became of a batch of initial states.

    Attributes:
        trajectories: trajectories of the rows in `kept`; None if there are none.
        kept: rows [n] that reached their first time.
        status: for every row `finished`, `time limit`, or `event` and the name of the event that ended it.
        crossings: crossings of every event, by its name; their states are those that are seen.
        last: last state of the ODE of every row [N, D], at the last of the times where it is `finished`.
    """

    trajectories: Trajectories | None
    kept: Int[Tensor, " n"]
    status: list[str]
    crossings: Mapping[str, Crossings]
    last: Float[Tensor, "N D"]


def integrate(
    system: System,
    vector_field: SystemField,
    x0: Float[Tensor, "N D"],
    times: Float[Tensor, " T"],
    method: Solver,
    *,
    dropped: float = 0.0,
    events: tuple[Event, ...] = (),
    first: Int[Tensor, " N"] | None = None,
) -> Solved:
    """Trajectories on one time grid.

    Args:
        system: says how states are seen.
        vector_field: the velocity, its parameters filled in.
        x0: states of the ODE at the time `dropped` before times[0].
        times: when to keep a snapshot.
        method: the solver; its `time_limit` holds.
        dropped: time before times[0], >= 0.
        events: events to look for; of two terminal ones at the same time, the first ends the trajectory.
        first: the number by which an error names each trajectory; default: its row.

    Raises:
        DivergenceError: a trajectory left every bound, or the right-hand side is not finite.
    """
    names = torch.arange(len(x0)) if first is None else first
    start = torch.cat([times[:1] - dropped, times]) if dropped > 0 else times
    if vector_field.signals:
        states, velocities = solve_between_jumps(method, vector_field, x0, start, bound(x0)), None
    else:
        states, velocities = method.solve_with_velocities(vector_field, x0, start, bound(x0))
    solved = states
    if dropped > 0:
        states, velocities = states[:, 1:], None if velocities is None else velocities[:, 1:]
    lengths, status = _reached(states)
    t = times.expand(len(x0), -1)
    crossings: dict[str, Crossings] = {}
    if events:
        states, t, lengths, crossings = _with_events(vector_field, states, times, lengths, method, events, status)
        velocities = None
    if DIVERGED in status:
        raise_divergence(solved, start, vector_field, method, names, torch.tensor([s == DIVERGED for s in status]))
    kept, last = torch.nonzero(lengths)[:, 0], states[torch.arange(len(x0)), (lengths - 1).clamp_min(0)]
    if system.discrete:
        owner, column = torch.nonzero(torch.arange(len(times)) < lengths[:, None], as_tuple=True)
        solution = Trajectories(states[owner, column], t[owner, column], lengths[kept])
    elif int(lengths.sum()) == t.numel() and not events:
        velocities = _on_a_grid(vector_field, times, states) if velocities is None else velocities
        solution = Trajectories.from_stacked(states, times, velocities)
    else:
        owner, column = torch.nonzero(torch.arange(len(times)) < lengths[:, None], as_tuple=True)
        flat, moments = states[owner, column], t[owner, column]
        speed = velocities[owner, column] if velocities is not None else _singly(vector_field, moments, flat, owner)
        solution = Trajectories(flat, moments, lengths[kept], speed)
    check_velocities(solution, names[kept])
    seen = _seen(system, solution) if len(kept) else None
    return Solved(seen, kept, status, {k: _seen_at(system, v) for k, v in crossings.items()}, last)


def _seen(system: System, solved: Trajectories) -> Trajectories:
    return solved if system.observation is None else solved.map(system.observation.map)


def _seen_at(system: System, crossings: Crossings) -> Crossings:
    if system.observation is None or len(crossings.t) == 0:
        return crossings
    return replace(crossings, x=system.observation.map(crossings.x))


def _on_a_grid(vector_field: SystemField, times: Float[Tensor, " T"], states: Tensor) -> Float[Tensor, "N T D"]:
    velocities = torch.empty_like(states)
    wide = along_time(vector_field.parameters)
    # All times at once would take many times the memory of the states.
    size = max(1, CHUNK // max(1, states[:, 0].numel()))
    for start in range(0, len(times), size):
        part = states[:, start : start + size]
        shape = part.shape[:-1]
        expanded = {name: value.expand(shape) if value.ndim else value for name, value in wide.items()}
        time = times[start : start + size].expand(shape)
        given: dict[str, Any] = {**expanded, **vector_field.signals}
        velocities[:, start : start + size] = replace(vector_field, parameters=given)(time, part)
    return velocities


def _singly(vector_field: SystemField, t: Tensor, x: Tensor, owner: Tensor) -> Float[Tensor, "M D"]:
    # Each state has its own time, and the parameters of its trajectory: an event is at no time of the grid.
    size = max(1, CHUNK // x.shape[1])
    parts = zip(t.split(size), x.split(size), owner.split(size), strict=True)
    return torch.cat([vector_field.rows(rows)(time, part) for time, part, rows in parts])


def _reached(states: Float[Tensor, "N T D"]) -> tuple[Int[Tensor, " N"], list[str]]:
    """Snapshots before the first that is not finite, and the status: NaN is divergence, infinity the time limit."""
    finite = states.isfinite().all(-1)
    lengths = torch.cumprod(finite.int(), 1).sum(1).cpu()  # states may be on a GPU, times and lengths stay here
    diverged = states.isnan().any(-1).any(-1)
    reasons = zip(lengths.tolist(), diverged.tolist(), strict=True)
    return lengths, [DIVERGED if bad else FINISHED if n == states.shape[1] else OUT_OF_TIME for n, bad in reasons]


# -- events ----------------------------------------------------------------------------------------------------------


def _with_events(
    vector_field: SystemField,
    states: Float[Tensor, "N T D"],
    times: Float[Tensor, " T"],
    lengths: Int[Tensor, " N"],
    method: Solver,
    events: tuple[Event, ...],
    status: list[str],
) -> tuple[Tensor, Tensor, Tensor, dict[str, Crossings]]:
    """States, times [N, T] and lengths, cut at terminal events, which replace the next snapshot; then all crossings."""
    count, solver = len(times), replace(method, time_limit=None)
    inside = torch.arange(count - 1) < (lengths - 1)[:, None]
    crossings: dict[str, Crossings] = {}
    ends = torch.full((len(states),), torch.inf, dtype=torch.float64)
    t, cut, lengths = times.repeat(len(states), 1), states.clone(), lengths.clone()
    for event in events:
        where = inside & (torch.cumsum(_rough(event, states, times) & inside, 1) <= 1) if event.terminal else inside
        crossing = find_crossings(event, solver, vector_field, states, times, where)
        crossings[event.name] = crossing
        if not event.terminal:
            continue
        for row, i, moment, x in zip(
            crossing.row.tolist(), crossing.interval.tolist(), crossing.t.tolist(), crossing.x, strict=True
        ):
            if moment < ends[row]:
                ends[row], lengths[row], status[row] = moment, i + 2, f"event {event.name}"
                t[row, i + 1], cut[row, i + 1] = moment, x
    return cut, t, lengths, {name: _until(crossing, ends) for name, crossing in crossings.items()}


def _rough(event: Event, states: Tensor, times: Tensor) -> Bool[Tensor, "N S"]:
    return event.crossed(event.values(times.expand(states.shape[:-1]), states))


def _until(crossings: Crossings, ends: Float[Tensor, " N"]) -> Crossings:
    before = crossings.t <= ends[crossings.row]
    return Crossings(crossings.row[before], crossings.interval[before], crossings.t[before], crossings.x[before])
