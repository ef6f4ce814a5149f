"""`dynred simulate`: trajectories of a system, into a file."""

import contextlib
import functools
import math
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dynred.cli._process import going_on
from dynred.cli.base import Arguments, AsJson, Out, Parameters, Whole, pairs, show, working
from dynred.errors import InputError

if TYPE_CHECKING:
    from dynred.data.store import StoredTrajectories
    from dynred.data.trajectories import Trajectories

LARGE = 2**29  # bytes of states and velocities from which a .zarr file is written block after block


def simulate(
    system: str,
    *,
    out: Out,
    n: Annotated[Whole, Parameter(name=["--n", "-n"])] = 256,
    duration: float | None = None,
    sampling: float | None = None,
    transient: float | None = None,
    solver: str = "auto",
    seed: Whole = 0,
    time_limit: float | None = None,
    with_: Arguments = None,
    set_: Parameters = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate trajectories of a system, with their exact velocities, into a file.

    More than half a gigabyte into a .zarr file is written block after block; interrupted, the same command goes on
    where it stopped. Less, or another kind of file, is written at the end; interrupted, the same command begins anew.

    Parameters
    ----------
    system: Name of a system or path to a .py file that defines one.
    out: Where to put them: .zarr, .npz or .nc.
    n: Number of trajectories.
    duration: Length of each, in time units; default: the system's.
    sampling: Time between snapshots; default: the system's.
    transient: Time dropped at the start; default: the system's.
    solver: auto, explicit, stiff, exponential_adams, etdrk4 or backward_euler.
    seed: Decides the initial states.
    time_limit: Seconds after which the work stops and what was computed is kept; a .zarr file can be gone on with.
    overwrite: Replace a file that is there.
    """
    import torch

    from dynred.data.storage import save_trajectories
    from dynred.data.store_writer import set_aside
    from dynred.data.trajectories import Trajectories
    from dynred.ode.find import find_system
    from dynred.rng import generator
    from dynred.simulation.simulate import simulate as simulate_in_memory
    from dynred.simulation.simulate import simulate_to

    unfinished = _check_out(out, overwrite)
    _check_numbers(n, duration, sampling, transient, seed, time_limit)
    found = find_system(system, **pairs(with_ or []))
    step = found.sampling if sampling is None else sampling
    steps = _steps(step, found.duration if duration is None else duration)
    size = 16 * n * (steps + 1) * found.dim
    streams = out.suffix == ".zarr" and (unfinished or size > LARGE)
    if streams:
        going_on(f"What was computed is in {out}: the same command goes on from there.")
    else:
        _check_disk(out, size)
    start = time.perf_counter()
    with working() as runtime, set_aside(out) if overwrite and streams else contextlib.nullcontext():
        work = functools.partial(simulate_to, out) if streams else simulate_in_memory
        trajectories = work(
            found,
            n,
            torch.arange(steps + 1, dtype=torch.float64) * step,
            rng=generator(seed, "train"),
            parameters=pairs(set_ or []),
            solver=solver,
            transient=transient,
            time_limit=time_limit,
            progress=runtime.progress,
        )
    seconds = time.perf_counter() - start
    if isinstance(trajectories, Trajectories):
        save_trajectories(trajectories, out)
    facts = {"system": found.name, **_facts(trajectories), "simulate_s": round(seconds, 3), "out": str(out)}
    show("simulated", ("", "value"), [(key, str(value)) for key, value in facts.items()], facts, as_json)


def _check_out(out: Path, overwrite: bool) -> bool:
    """Whether an unfinished store is there; raises InputError where nothing may be written."""
    from dynred.data.screening import need_netcdf
    from dynred.data.storage import check_path, is_ours
    from dynred.data.store_writer import is_unfinished
    from dynred.files import check_target

    if check_path(out) == ".nc":
        need_netcdf()
    unfinished = out.suffix == ".zarr" and is_unfinished(out)
    if os.path.lexists(out) and not overwrite and not unfinished and is_ours(out):
        raise InputError(f"out must be a new file, got {out}. Use --overwrite.")
    check_target("out", out, is_ours if overwrite or unfinished else None)
    return unfinished


def _check_numbers(
    n: int, duration: float | None, sampling: float | None, transient: float | None, seed: int, limit: float | None
) -> None:
    from dynred.checks import integer, positive, refuse

    integer("n", n, 1)
    integer("seed", seed, 0)
    for name, value in (("duration", duration), ("sampling", sampling), ("time_limit", limit)):
        if value is not None:
            positive(name, value)
    if transient is not None and not 0 <= transient < math.inf:
        raise refuse("transient", "a finite number >= 0", transient)


def _steps(step: float, length: float) -> int:
    from dynred.memory import check_memory

    if length < step:
        raise InputError(f"sampling must be in (0, duration], got {step:g} with duration {length:g}.")
    ratio = length / step
    check_memory(f"{ratio:.3g} snapshots of a trajectory", int(16 * min(ratio, 1e18)))
    return round(ratio)


def _check_disk(out: Path, size: int) -> None:
    parent = next(one for one in out.absolute().parents if one.is_dir())
    free = shutil.disk_usage(parent).free
    if size > free:
        raise InputError(f"out must be on a disk with {size} bytes for states and velocities, got {free} in {parent}.")


def _facts(trajectories: "Trajectories | StoredTrajectories") -> dict[str, Any]:
    about, status = trajectories.attributes, trajectories.attributes.get("status", [])
    stopped = len(trajectories) - status.count("finished") if status else 0
    return {
        "trajectories": len(trajectories),
        "snapshots": int(trajectories.lengths.sum()),
        "state_dim": trajectories.dim,
        "complete": getattr(trajectories, "complete", not (stopped or "not_started" in about)),
        "solver": about["solver"]["kind"].rpartition(":")[2],
        "solver_reason": about["solver_reason"],
    }
