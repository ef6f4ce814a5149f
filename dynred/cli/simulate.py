"""`dynred simulate`: trajectories of a system, into a file."""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dynred.cli._process import going_on
from dynred.cli.base import Arguments, AsJson, Parameters, pairs, show, working
from dynred.errors import InputError

if TYPE_CHECKING:
    from dynred.stored import StoredTrajectories
    from dynred.trajectories import Trajectories

LARGE = 2**29  # bytes of states and velocities from which a .zarr file is written block after block


def simulate(
    system: str,
    *,
    out: Path,
    n: Annotated[int, Parameter(name=["--n", "-n"])] = 256,
    duration: float | None = None,
    sampling: float | None = None,
    transient: float | None = None,
    solver: str = "auto",
    seed: int = 0,
    time_limit: float | None = None,
    with_: Arguments = None,
    set_: Parameters = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate trajectories of a system, with their exact velocities, into a file.

    More than half a gigabyte into a .zarr file is written block after block; interrupted, the same command goes on.

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

    from dynred.rng import generator
    from dynred.simulate import simulate as simulate_system
    from dynred.storage import check_path, save_trajectories
    from dynred.stored import progress_path
    from dynred.system import find_system
    from dynred.trajectories import Trajectories

    check_path(out)
    unfinished = progress_path(out).exists()
    if out.exists() and not overwrite and not unfinished:
        raise InputError(f"out must be a new file, got {out}. Use --overwrite.")
    found = find_system(system, **pairs(with_ or []))
    step, length = sampling or found.sampling, duration or found.duration
    if step <= 0 or length < step:
        raise InputError(f"sampling must be in (0, duration], got {step:g} with duration {length:g}.")
    times = torch.arange(round(length / step) + 1, dtype=torch.float64) * step
    streams = out.suffix == ".zarr" and (unfinished or 16 * n * len(times) * found.dim > LARGE)
    if overwrite and unfinished:
        progress_path(out).unlink()
    if overwrite and streams:
        shutil.rmtree(out, ignore_errors=True)
    if streams:
        going_on(f"What was computed is in {out}: the same command goes on from there.")
    start = time.perf_counter()
    with working() as runtime:
        trajectories = simulate_system(
            found,
            n,
            times,
            rng=generator(seed, "train"),
            parameters=pairs(set_ or []),
            solver=solver,
            transient=transient,
            time_limit=time_limit,
            store=out if streams else None,  # type: ignore[arg-type] # one overload or the other
            progress=runtime.progress,
        )
    seconds = time.perf_counter() - start
    if isinstance(trajectories, Trajectories):
        save_trajectories(trajectories, out)
    facts = {"system": found.name, **_facts(trajectories), "simulate_s": round(seconds, 3), "out": str(out)}
    show("simulated", ("", "value"), [(key, str(value)) for key, value in facts.items()], facts, as_json)


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
