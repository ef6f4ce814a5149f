"""Ensembles larger than memory: simulated block after block into a store, and on from there after an interruption.

A block is a group of trajectories, followed together; where even a few trajectories are large, it is followed from one
span of time to the next. Every trajectory has a random stream of its own, so that its initial state depends neither on
how many there are nor on where a run was interrupted.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.parameters import cut
from dynred.data.store import StoredTrajectories
from dynred.data.store_layout import lock_path
from dynred.data.store_writer import StoreWriter, check_same, is_complete
from dynred.data.trajectories import Trajectories
from dynred.errors import DynredError, FileFormatError
from dynred.files import check_target
from dynred.locks import locked
from dynred.ode.system import System
from dynred.rng import generator
from dynred.runtime import Progress
from dynred.simulation.draws import draw
from dynred.simulation.events import Event
from dynred.simulation.integrate import OUT_OF_TIME, integrate
from dynred.solvers.base import Deadline, Solver

VALUES = 2**22  # numbers in the states of one block and span: 32 MB; a solver needs a few times as much
ROWS = 64  # trajectories that are followed together even where each is large: batches make solvers fast
BATCH = 2**15  # numbers in the states of a batch from which more trajectories make it no faster, only later done
SPAN = 16  # snapshots at least in a span of these


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that decides the content of a store.

    Attributes:
        system, method: the ODE and the solver.
        count: number of trajectories N.
        times: of their snapshots [T].
        dropped: transient before the first.
        given: parameters that were asked for, one value or one per trajectory.
        initial: states of the ODE [N, D] to start from; None draws them.
        key: names the random streams, see `dynred.simulation.draws`.
        events: terminal ones.
        attributes: of the trajectories.
    """

    system: System
    method: Solver
    count: int
    times: Float[Tensor, " T"]
    dropped: float
    given: Mapping[str, Float[Tensor, "*#N"]]
    initial: Float[Tensor, "N D"] | None
    key: int
    events: tuple[Event, ...]
    attributes: Mapping[str, Any]

    def block(self, first: int, size: int) -> tuple[dict[str, Float[Tensor, "*#n"]], Float[Tensor, "n D"]]:
        """Parameters and initial states of the block that begins with trajectory `first`."""
        here = cut(self.given, slice(first, first + size))
        if self.initial is not None:
            return here, self.initial[first : first + size]
        return draw(self.system, self.key, range(first, first + size), here)

    def identity(self) -> dict[str, Any]:
        """Plain JSON data that two plans share only if they give the same content."""
        x = self.system.initial(2, generator(0, "identity"))
        speed = self.system.bind()(torch.tensor(0.3, dtype=torch.float64), x)
        return {
            "system": self.system.name,
            "arguments": {k: str(v) for k, v in self.system.arguments.items()},
            "equation": _digest(x, speed),
            "parameters": {name: float(value) for name, value in self.system.parameters.items()},
            "parameters given": {name: _digest(value) for name, value in self.given.items()},
            "initial": None if self.initial is None else _digest(self.initial),
            "trajectories": self.count,
            "times": _digest(self.times),
            "transient": self.dropped,
            "solver": replace(self.method, time_limit=None).to_dict(),
            "seed": self.key,
            "events": [[event.name, event.direction] for event in self.events],
        }


def stream(plan: Plan, path: str | Path, time_limit: float | None, progress: Progress) -> StoredTrajectories:
    """Writes what is missing of a store, until it is complete or the time is over.

    Raises:
        InputError: the path holds something else, or a store of another plan.
        DivergenceError: a trajectory diverged; what was written before stays.
        FileFormatError: writing failed, as on a full disk; what was written before stays readable.
    """
    path, identity = Path(path), plan.identity()
    if os.path.lexists(path):
        check_same(path, identity)
    if is_complete(path):
        return StoredTrajectories(path)
    check_target("store", path, lambda there: True)  # the writer says what it takes for its own
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked("store", path, lock_path(path)):
            _fill(plan, path, identity, time_limit, progress)
    except DynredError:
        raise
    except OSError as error:
        advice = "What was written of it stays readable. Make room, then the same call goes on."
        raise FileFormatError(f"{path} could not be written: {error.strerror or error}. {advice}") from error
    return StoredTrajectories(path)


def _fill(plan: Plan, path: Path, identity: Mapping[str, Any], time_limit: float | None, progress: Progress) -> None:
    sizes = {"count": plan.count, "longest": len(plan.times), "dim": plan.system.dim}
    writer = StoreWriter(path, identity, plan.attributes, parameters=sorted(plan.system.parameters), **sizes)
    deadline = Deadline(time_limit)
    rows, columns = layout(plan)
    while not writer.finished and not deadline.passed():
        progress("simulate", writer.mark.done, plan.count)
        if not _next(plan, writer, rows, columns, deadline):
            break
    if writer.finished:
        writer.finish()
    progress("simulate", writer.mark.done, plan.count)


def layout(plan: Plan) -> tuple[int, int]:
    """Trajectories in a block, and snapshots of each in a span."""
    width, length = max(plan.system.dim, plan.system.underlying.dim), len(plan.times)
    rows = max(1, min(VALUES // (width * length), max(ROWS, BATCH // width)))
    if plan.events:  # a trajectory may end anywhere, so that the next one's place is known only when it has
        return min(rows, plan.count), length
    rows = min(plan.count, max(rows, min(ROWS, max(1, VALUES // (width * SPAN)))))
    return rows, min(length, max(1, VALUES // (width * rows)))


def _next(plan: Plan, writer: StoreWriter, rows: int, columns: int, deadline: Deadline) -> bool:
    """Simulates and writes the next span of the next block; False where the time was over before."""
    mark, system = writer.mark, plan.system
    size = min(rows, plan.count - mark.done)
    values, x0 = plan.block(mark.done, size)
    start, end = mark.columns, min(mark.columns + columns, len(plan.times))
    dropped = plan.dropped
    if start > 0:
        assert mark.last is not None
        x0, dropped = mark.last.to(x0.device), float(plan.times[start] - plan.times[start - 1])
    field = system.bind(values)
    method = plan.method if deadline.left() is None else replace(plan.method, time_limit=deadline.left())
    numbers = mark.done + torch.arange(size)
    times = plan.times[start:end]
    solved = integrate(system, field, x0, times, method, dropped=dropped, events=plan.events, first=numbers)
    if OUT_OF_TIME in solved.status:
        return False
    filled = {name: value.expand(size) for name, value in field.parameters.items()}
    assert isinstance(solved.trajectories, Trajectories)
    writer.write(solved.trajectories, solved.last, filled, ends=end == len(plan.times))
    return True


def check_streamable(path: str | Path, grids: list[Float[Tensor, " _T"]], events: tuple[Event, ...]) -> None:
    """Raises InputError for what a store cannot take."""
    if Path(path).suffix != ".zarr":
        raise refuse("store", "a path ending in .zarr", repr(str(path)))
    if len(grids) > 1:
        raise refuse("times", "one vector for all trajectories with `store`", f"{len(grids)} of them")
    for event in events:
        if not event.terminal:
            advice = "A store keeps snapshots, no crossings."
            raise refuse(f"event {event.name}", "terminal with `store`", "one that is not", advice)


def _digest(*tensors: Tensor) -> str:
    content = hashlib.sha256()
    for tensor in tensors:
        content.update(repr(tuple(tensor.shape)).encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return content.hexdigest()[:16]
