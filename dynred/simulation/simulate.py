"""From a system to trajectories on its attracting set, with exact velocities: in memory, or in a store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.arguments import public
from dynred.checks import generator_given
from dynred.data.store import StoredTrajectories
from dynred.data.trajectories import Trajectories
from dynred.ode.system import System
from dynred.ode.vector_field import Parameters
from dynred.runtime import Progress, silent
from dynred.simulation.collect import collect
from dynred.simulation.events import Event
from dynred.simulation.request import Request
from dynred.simulation.stream import stream
from dynred.solvers.base import Solver


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
    inputs: Any = None,
    time_limit: float | None = None,
    progress: Progress = silent,
) -> Trajectories:
    """Trajectories of a system, with their exact velocities, in float64; `simulate_to(path, ...)` stores them instead.

    Args:
        system: the ODE.
        n: number of trajectories, >= 1; may be left out where `initial` or several `times` say it.
        times: when to keep a snapshot, increasing [T], or one such vector per trajectory. Default: the system's
            `duration` in steps of its `sampling`.
        rng: draws the initial states. Every trajectory has a stream of its own: the first of many start where
            those of few do, and differ from there by the tolerance of solvers that choose one step for all.
        initial: states [N, D] of the ODE to start from; then none are drawn, and no transient is dropped by default.
        parameters: replaces defaults; a number, or one value per trajectory [N]. Those left out are drawn where the
            system draws them and `initial` is not given.
        solver: `auto`, `explicit`, `stiff`, `exponential_adams` or another solver's name, or a Solver with settings.
        transient: time that is simulated before times[0] and dropped; default: the system's.
        inputs: of a system with inputs: settings of random ones, e.g. `Steps()`; or an array [T, U] or [N, T, U] of
            values at `times`, or by name values [T] or [N, T], numbers, or signals (`dynred.data.signals.Sampled`),
            which last from the start of the transient on. Default: drawn as the system says. What an array is between
            the times, held or linear, follows the system's own signals.
        events: functions of time and state whose zeros are reported, or end a trajectory. The attribute `events` has
            their crossings: for each event, by name, the lists `trajectory`, `t` and `state`.
        time_limit: seconds after which the work stops. What was computed is kept: trajectories end where they were.
            The attribute `status` says of each `finished`, `time limit`, or `event` and its name. Trajectories that did
            not get past their transient are left out; the attribute `not_started` has their numbers.
        progress: receives reports.

    Returns:
        Trajectories whose attributes name the system, its arguments and the solver, with the reason for it; where the
        right-hand side depends on time, `time_dependent` says how much, as a fraction of its size, and the phase of its
        period, or time itself, is among the inputs. Where the
        system is seen through an observation, their states and velocities are those that are seen.

    Raises:
        InputError: `initial` has a wrong width, times do not increase, a parameter is unknown, the right-hand side is
            bad, or memory does not hold the data.
        DivergenceError: a trajectory left every bound, or its right-hand side is not finite; the message names the
            trajectory, its time, and what to try.
    """
    generator_given(rng)
    draws = rng if initial is None else None
    request = Request.of(system, n, times, draws, initial, parameters, solver, transient, events, time_limit, inputs)
    return collect(request, progress)


@public
def simulate_to(
    path: str | Path,
    system: System,
    n: int | None = None,
    times: Float[Tensor, " T"] | None = None,
    *,
    rng: torch.Generator,
    initial: Float[Tensor, "N D"] | None = None,
    parameters: Parameters | None = None,
    solver: str | Solver = "auto",
    transient: float | None = None,
    events: Sequence[Event] = (),
    inputs: Any = None,
    time_limit: float | None = None,
    progress: Progress = silent,
) -> StoredTrajectories:
    """Trajectories of a system, as `simulate` gives them, in a store: for ensembles larger than memory.

    They are written block after block and never held all at once. Interrupted by anything, the same call goes on where
    it stopped and ends with the same store, bit for bit; a complete store is returned as it is.

    Args:
        path: of the store, ending in .zarr.
        system: the ODE.
        n: number of trajectories, see `simulate`.
        times: when to keep a snapshot, increasing [T], the same for all trajectories. Default: as for `simulate`.
        rng: draws the initial states, the same as for `simulate`, and a number that names the store even where
            `initial` is given.
        initial: states [N, D] of the ODE to start from, see `simulate`.
        parameters: replaces defaults, see `simulate`.
        solver: name of a solver, or a Solver with settings, see `simulate`.
        transient: time that is simulated before times[0] and dropped; default: as for `simulate`.
        events: events that end a trajectory; all must be terminal.
        inputs: as for `simulate`.
        time_limit: seconds after which the work stops; the same call then goes on with it.
        progress: receives reports.

    Returns:
        A view of the store, which gives its trajectories part by part.

    Raises:
        InputError: as for `simulate`; there are several vectors of times, or events that are not terminal; `path` holds
            something else, or a store of another system, settings or seed, or one that another process writes.
        DivergenceError: as for `simulate`; what was written before stays.
        FileFormatError: the store could not be written; what was written before stays readable.
    """
    generator_given(rng)
    request = Request.of(system, n, times, rng, initial, parameters, solver, transient, events, time_limit, inputs)
    return stream(request, path, progress)
