"""`dynred simulate`: trajectories of a system, into a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dynred.cli._completion import completed, sources
from dynred.cli._options import (
    DATA,
    OUTPUT,
    SOURCE,
    Arguments,
    AsJson,
    Out,
    Overwrite,
    Parameters,
    SolverName,
    TimeLimit,
    Whole,
    option,
)
from dynred.cli._process import going_on
from dynred.cli.base import pairs, show, working

if TYPE_CHECKING:
    from dynred.simulation.into_file import FileSimulation

EXAMPLES = """
dynred simulate lorenz63 --out data.zarr
dynred simulate lorenz63 --n 16 --duration 50 --sampling 0.05 --out data.npz
dynred simulate kuramoto_sivashinsky --with length=44 --out ks44.zarr
"""

System = Annotated[
    str,
    option(
        SOURCE, "Name of a system (see `dynred systems`) or path to a .py file that defines one.", **completed(sources)
    ),
]


def simulate(
    system: System,
    *,
    out: Annotated[Out, option(OUTPUT, "Where to put them: .zarr, .npz or .nc.")],
    with_: Arguments = None,
    set_: Parameters = None,
    n: Annotated[Whole, option(DATA, "Number of trajectories.", "--n", "-n")] = 256,
    duration: Annotated[float | None, option(DATA, "Length of each, in time units; default: the system's.")] = None,
    sampling: Annotated[float | None, option(DATA, "Time between snapshots; default: the system's.")] = None,
    transient: Annotated[float | None, option(DATA, "Time dropped at the start; default: the system's.")] = None,
    seed: Annotated[Whole, option(DATA, "Decides the initial states.")] = 0,
    solver: SolverName = "auto",
    time_limit: TimeLimit = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Simulate trajectories of a system, with their exact velocities, into a file.

    More than half a gigabyte into a .zarr file is written block after block; interrupted, the same command goes on
    where it stopped. Less, or another kind of file, is written at the end; interrupted, the same command begins anew.
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
