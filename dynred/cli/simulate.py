"""`dynred simulate`: trajectories of a system, into a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dynred.cli._process import going_on
from dynred.cli.base import Arguments, AsJson, Out, Parameters, SolverName, Whole, pairs, show, working

if TYPE_CHECKING:
    from dynred.simulation.into_file import FileSimulation


def simulate(
    system: str,
    *,
    out: Out,
    n: Annotated[Whole, Parameter(name=["--n", "-n"])] = 256,
    duration: float | None = None,
    sampling: float | None = None,
    transient: float | None = None,
    solver: SolverName = "auto",
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

    Args:
        system: Name of a system (see `dynred systems`) or path to a .py file that defines one.
        out: Where to put them: .zarr, .npz or .nc.
        n: Number of trajectories.
        duration: Length of each, in time units; default: the system's.
        sampling: Time between snapshots; default: the system's.
        transient: Time dropped at the start; default: the system's.
        seed: Decides the initial states.
        time_limit: Seconds after which the work stops and what was computed is kept; a .zarr file can be gone on with.
        overwrite: Replace a file that is there.
    """
    from dynred.ode.find import find_system
    from dynred.simulation.into_file import FileSimulation

    simulation = FileSimulation(
        find_system(system, **pairs(with_ or [])),
        out,
        n,
        duration=duration,
        sampling=sampling,
        transient=transient,
        solver=solver,
        seed=seed,
        parameters=pairs(set_ or []),
        time_limit=time_limit,
        overwrite=overwrite,
    )
    _run(simulation, out, as_json)


def _run(simulation: "FileSimulation", out: Path, as_json: bool) -> None:
    """Runs the simulation and prints what was written."""
    if simulation.streams:
        going_on(f"What was computed is in {out}: the same command goes on from there.")
    with working() as runtime:
        written = simulation.run(runtime.progress)
    facts = {"system": simulation.system.name, **written.to_dict(), "out": str(out)}
    show("simulated", ("", "value"), [(key, str(value)) for key, value in facts.items()], facts, as_json)
