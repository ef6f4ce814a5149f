"""`dynred simulate`: trajectories of a system, into a file."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dynred.cli.base import Arguments, AsJson, Parameters, pairs, show, working
from dynred.errors import InputError


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
    with_: Arguments = None,
    set_: Parameters = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate trajectories of a system, with their exact velocities, into a file.

    Parameters
    ----------
    system: Name of a system or path to a .py file that defines one.
    out: Where to put them: .zarr, .npz or .nc.
    n: Number of trajectories.
    duration: Length of each, in time units; default: the system's.
    sampling: Time between snapshots; default: the system's.
    transient: Time dropped at the start; default: the system's.
    solver: auto, explicit, stiff or etdrk4.
    seed: Decides the initial states.
    overwrite: Replace a file that is there.
    """
    import torch

    from dynred.rng import generator
    from dynred.simulate import simulate as simulate_system
    from dynred.storage import check_path, save_trajectories
    from dynred.system import find_system

    check_path(out)
    if out.exists() and not overwrite:
        raise InputError(f"out must be a new file, got {out}. Use --overwrite.")
    found = find_system(system, **pairs(with_ or []))
    step, length = sampling or found.sampling, duration or found.duration
    if step <= 0 or length < step:
        raise InputError(f"sampling must be in (0, duration], got {step:g} with duration {length:g}.")
    times = torch.arange(round(length / step) + 1, dtype=torch.float64) * step
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
            progress=runtime.progress,
        )
    seconds = time.perf_counter() - start
    save_trajectories(trajectories, out)
    facts = {
        "system": found.name,
        "trajectories": len(trajectories),
        "snapshots": len(trajectories.states),
        "state_dim": trajectories.dim,
        "solver": trajectories.attributes["solver"]["kind"].rpartition(":")[2],
        "solver_reason": trajectories.attributes["solver_reason"],
        "simulate_s": round(seconds, 3),
        "out": str(out),
    }
    show("simulated", ("", "value"), [(key, str(value)) for key, value in facts.items()], facts, as_json)
