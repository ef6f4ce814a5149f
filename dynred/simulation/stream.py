"""Simulates ensembles larger than memory, block after block, into a store; an interrupted simulation can go on.

A block is a group of trajectories that are solved together. Where even a few trajectories are large, a block is solved
one span of time after the other. Every trajectory has a random stream of its own, so that its initial state depends
neither on how many there are nor on where a run was interrupted.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dynred.checks import refuse
from dynred.data.screening import screen
from dynred.data.signals import KEY, Sampled
from dynred.data.store import StoredTrajectories
from dynred.data.store_layout import identity_of, lock_path, open_store
from dynred.data.store_writer import StoreWriter, check_same, is_complete
from dynred.data.trajectories import Trajectories
from dynred.errors import DynredError, FileFormatError, InputError
from dynred.files import check_target
from dynred.locks import locked
from dynred.rng import generator
from dynred.runtime import Progress
from dynred.simulation.driven import courses_of_inputs
from dynred.simulation.integrate import OUT_OF_TIME, integrate
from dynred.simulation.request import Request
from dynred.solvers.base import Deadline, Solver

VALUES = 2**22  # numbers in the states of one block and span: 32 MB; a solver needs a few times as much
ROWS = 64  # trajectories that are solved together even where each is large: batches make solvers fast
BATCH = 2**15  # numbers in the states of a batch from which more trajectories bring no speed
SPAN = 16  # least number of snapshots in a span of such trajectories


def identity(request: Request) -> dict[str, Any]:
    """Plain JSON data that two requests share only if they give the same content."""
    system = request.system
    x = system.initial(2, generator(0, "identity"))
    speed = system.at()(torch.tensor(0.3, dtype=torch.float64), x)
    sampled = [value for value in request.signals.values() if isinstance(value, Sampled)]
    return {
        "system": system.name,
        "arguments": {k: str(v) for k, v in system.arguments.items()},
        "equation": _digest(x, speed),
        "parameters": {name: float(value) for name, value in system.parameters.items()},
        "parameters given": {name: _digest(value) for name, value in request.parameters.items()},
        "initial": None if request.initial is None else _digest(request.initial),
        "trajectories": request.count,
        "times": _digest(request.grids[0]),
        "transient": request.dropped,
        "solver": replace(request.method, time_limit=None).to_dict(),
        "seed": request.key,
        "events": [[event.name, event.direction] for event in request.events],
        **({"inputs": [_digest(value.t, value.values) for value in sampled]} if request.signals else {}),
    }


def stream(request: Request, path: str | Path, progress: Progress) -> StoredTrajectories:
    """Writes what is missing of a store, until it is complete or the time is over.

    Raises:
        InputError: a store cannot take the request; or the path holds something else, or a store of another request.
        DivergenceError: a trajectory diverged; what was written before stays.
        FileFormatError: writing failed, as on a full disk; what was written before stays readable.
    """
    _check_streamable(request, path)
    path = Path(path)
    request = _as_begun(request, path)
    content = identity(request)
    if os.path.lexists(path):
        check_same(path, content)
    if is_complete(path):
        return StoredTrajectories(path)
    check_target("path", path, lambda _: True)  # the writer decides what it takes for its own
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked("path", path, lock_path(path)):
            _fill(request, path, content, progress)
    except DynredError:
        raise
    except OSError as error:
        advice = "What was written of it stays readable. Make room, then the same call goes on."
        raise FileFormatError(f"{path} could not be written: {error.strerror or error}. {advice}") from error
    return StoredTrajectories(path)


def _as_begun(request: Request, path: Path) -> Request:
    """The request, with the solver by which the store at the path was begun where only its default settings differ,
    or the choice that `auto` makes.

    Both may have changed since then.
    """
    if not path.is_dir():
        return request
    try:
        screen(path)
        begun = Solver.from_dict((identity_of(open_store(path)[1]) or {})["solver"])
    except (FileFormatError, InputError, KeyError):
        return request
    own = replace(request.method, time_limit=None)
    by_default = own == type(own)() and (type(begun) is type(own) or request.reason != "asked for")
    return replace(request, method=replace(begun, time_limit=request.method.time_limit)) if by_default else request


def _check_streamable(request: Request, path: str | Path) -> None:
    if Path(path).suffix != ".zarr":
        raise refuse("path", "one ending in .zarr", repr(str(path)))
    if request.system.discrete:
        advice = "`simulate` it, and save the trajectories."
        raise refuse("system", "an ODE for a store that is written in blocks", "a map", advice)
    if len(request.grids) > 1:
        raise refuse("times", "one vector for all trajectories of a store", f"{len(request.grids)} of them")
    for event in request.events:
        if not event.terminal:
            advice = "A store keeps snapshots, no crossings."
            raise refuse(f"event {event.name}", "terminal in a store", "one that is not", advice)
    # Memory holds only the index of a store.
    request.check_room(2 * request.count * (1 + len(request.system.parameters)))


def _fill(request: Request, path: Path, content: Mapping[str, Any], progress: Progress) -> None:
    sizes = {"count": request.count, "longest": len(request.grids[0]), "dim": request.system.dim}
    names, system = sorted(request.system.parameters), request.system
    inputs, attributes = [*system.underlying.inputs, *system.clocks], request.attributes
    attributes |= {KEY: courses_of_inputs(request.signals, system.clocks)} if inputs else {}
    writer = StoreWriter(path, content, attributes, parameters=names, inputs=inputs, **sizes)
    deadline = Deadline(request.time_limit)
    rows, columns = layout(request)
    while not writer.finished and not deadline.passed():
        progress("simulate", writer.mark.done, request.count)
        if not _next(request, writer, rows, columns, deadline):
            break
    if writer.finished:
        writer.finish()
    progress("simulate", writer.mark.done, request.count)


def layout(request: Request) -> tuple[int, int]:
    """The number of trajectories in a block, and of snapshots of each in a span."""
    width, length = max(request.system.dim, request.system.underlying.dim), len(request.grids[0])
    rows = max(1, min(VALUES // (width * length), max(ROWS, BATCH // width)))
    if request.events:  # a trajectory may end at any time, and only then the place of the next one is known
        return min(rows, request.count), length
    rows = min(request.count, max(rows, min(ROWS, max(1, VALUES // (width * SPAN)))))
    return rows, min(length, max(1, VALUES // (width * rows)))


def _next(request: Request, writer: StoreWriter, rows: int, columns: int, deadline: Deadline) -> bool:
    """Simulates and writes the next span of the next block; False if the time was over before its end."""
    mark, system, times = writer.mark, request.system, request.grids[0]
    size = min(rows, request.count - mark.done)
    values, x0 = request.block(mark.done, size)
    start, end = mark.columns, min(mark.columns + columns, len(times))
    dropped = request.dropped
    if start > 0:
        assert mark.last is not None
        x0, dropped = mark.last.to(x0.device), float(times[start] - times[start - 1])
    field, method, events = system.at(values), request.method_until(deadline), request.events
    numbers = mark.done + torch.arange(size)
    solved = integrate(system, field, x0, times[start:end], method, dropped=dropped, events=events, first=numbers)
    if OUT_OF_TIME in solved.status:
        return False
    filled = {name: field.parameters[name].expand(size) for name in system.parameters}  # type: ignore[union-attr] # numbers
    assert isinstance(solved.trajectories, Trajectories)
    writer.write(request.completed(solved.trajectories, field.parameters), solved.last, filled, ends=end == len(times))
    return True


def _digest(*tensors: Tensor) -> str:
    content = hashlib.sha256()
    for tensor in tensors:
        content.update(repr(tuple(tensor.shape)).encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return content.hexdigest()[:16]
