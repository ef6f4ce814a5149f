"""Simulates ensembles that memory holds: all trajectories at once, or one time grid after the other."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from dynred.checks import refuse
from dynred.data.parameters import cut
from dynred.data.trajectories import Trajectories
from dynred.runtime import Progress
from dynred.simulation.integrate import FINISHED, Solved, integrate
from dynred.simulation.request import Request
from dynred.solvers.base import Deadline


def collect(request: Request, progress: Progress) -> Trajectories:
    """Simulates the trajectories of a request.

    Raises:
        InputError: memory does not hold them, or the time limit ended the work before the first snapshot of any.
        DivergenceError: a trajectory diverged.
    """
    advice = "Simulate into a store: simulate_to('data.zarr', ...), or --out data.zarr."
    request.check_room(request.snapshots * (2 * request.system.dim + 1), advice)
    values, x0 = request.block(0, request.count)
    system, field = request.system, request.system.at(values)
    settings: dict[str, Any] = {"dropped": request.dropped, "events": request.events}
    grids, members = _distinct_grids(request)
    deadline, parts = Deadline(request.time_limit), []
    for done, (grid, rows) in enumerate(zip(grids, members, strict=True)):
        progress("simulate", done, len(grids))
        method = request.method_until(deadline)
        parts.append(integrate(system, field.rows(rows), x0[rows], grid, method, first=rows, **settings))
    progress("simulate", len(grids), len(grids))
    return _gathered(request, parts, members, field.parameters)


def _distinct_grids(request: Request) -> tuple[list[Tensor], list[Int[Tensor, " _n"]]]:
    """The time grids that differ, and for each the trajectories that have it."""
    if len(request.grids) == 1:
        return list(request.grids), [torch.arange(request.count)]
    groups: dict[bytes, tuple[Tensor, list[int]]] = {}
    for i, grid in enumerate(request.grids):
        groups.setdefault(grid.numpy().tobytes(), (grid, []))[1].append(i)
    return [grid for grid, _ in groups.values()], [torch.tensor(rows) for _, rows in groups.values()]


def _gathered(
    request: Request, parts: list[Solved], members: list[Int[Tensor, " _n"]], parameters: Mapping[str, Any]
) -> Trajectories:
    """The trajectories in the order of their rows; their attributes say what happened to them."""
    rows = torch.cat(members)
    started = torch.cat([rows[part.kept] for part, rows in zip(parts, members, strict=True)])
    if len(started) == 0:
        raise refuse("time_limit", "long enough for the transient of one trajectory", "a shorter one")
    order = torch.argsort(started)
    solved = [part.trajectories for part in parts if part.trajectories is not None]
    trajectories = solved[0] if len(solved) == 1 else Trajectories.concatenate(solved)[order]
    started, attributes = started[order], request.attributes
    words = [word for part in parts for word in part.status]
    status = [words[i] for i in torch.argsort(rows).tolist()]
    if request.events or set(status) != {FINISHED}:
        attributes["status"] = [status[i] for i in started.tolist()]
    if len(started) < len(rows):
        attributes["not_started"] = sorted(set(range(len(rows))) - set(started.tolist()))
    if request.events:
        place = {row: i for i, row in enumerate(started.tolist())}
        attributes["events"] = {event.name: _crossings(parts, members, event.name, place) for event in request.events}
    values = {name: value for name, value in parameters.items() if name in request.system.parameters}
    values = {name: value.expand(len(rows))[started].clone() for name, value in values.items()}
    whole = replace(trajectories, parameters=values, attributes=attributes)
    return request.completed(whole, cut(parameters, started))


def _crossings(parts: list[Solved], members: list[Tensor], name: str, place: dict[int, int]) -> dict[str, list[Any]]:
    """Trajectory, time and state of every crossing of an event, as plain data, in order."""
    crossings: list[tuple[int, float, list[float]]] = []
    for part, rows in zip(parts, members, strict=True):
        located = part.crossings[name]
        numbers = [place[i] for i in rows[located.row].tolist()]
        crossings += zip(numbers, located.t.tolist(), located.x.tolist(), strict=True)
    crossings.sort(key=lambda crossing: crossing[:2])
    return {key: [crossing[i] for crossing in crossings] for i, key in enumerate(("trajectory", "t", "state"))}
