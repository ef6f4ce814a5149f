"""Until when simulated trajectories can be trusted: two solvers of different accuracy agree.

Simulated truth is not exact: in a chaotic system the solver's error grows until it is as large as the attractor. A
solver ten times as fine makes a tenth of that error, so the difference of the two is the error of the coarser one, to
ten per cent: on eight trajectories of Lorenz's system the two part within .1 time units of where the coarser one leaves
a solution at tolerance 1e-13. A solver ten times coarser is cheaper but no second opinion: there it parts .2 to 3.7
time units too early, and once 2.2 too late. A tenfold step of an exponential method is not stable
(Kuramoto-Sivashinsky), and a step that is longer than the time between snapshots is not taken at all.
"""

import functools

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.arguments import public
from dynred.checks import finite, instance_of, positive, refuse
from dynred.data.parameters import cut
from dynred.data.signals import Signal
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.numerics.size import size_of
from dynred.ode.system import System
from dynred.simulation.divergence import bound
from dynred.simulation.pieces import solve_between_jumps
from dynred.solvers.base import Solver

FACTOR = 10.0  # how many times finer the second solver is
AGREED = 0.1  # of the threshold: the difference up to which the two agree
SAME = 1e-6  # of the size of a state: how exactly given states of the ODE must look like the first snapshots


@public
def trusted_times(
    system: System,
    truth: Trajectories,
    *,
    initial: Float[Tensor, "N D"] | None = None,
    solver: Solver | None = None,
    threshold: float = 0.5,
    factor: float = FACTOR,
    time_limit: float | None = None,
) -> Float[Tensor, " N"] | None:
    """The time for which each simulated trajectory agrees with a finer solution from its first state.

    Every trajectory is solved again at its own times, events or no events, by the solver that made it, with tolerances
    or steps `factor` times smaller. The two agree as long as their distance is at most a tenth of `threshold` times the
    root mean square distance of the true states from their mean.

    Args:
        system: the ODE that `truth` was simulated from.
        truth: what `simulate` gave, all of it or a part, in any order.
        initial: states of the ODE at the first snapshots. A system that is seen through an observation needs them:
            snapshots do not hold them. `simulate(system.underlying, ...)` with the other arguments that gave `truth`,
            and a generator of the same seed, gives them as its `initial`.
        solver: the solver that made `truth`; default: the one that its attributes name.
        threshold: rollout error above which a prediction is lost, as for `evaluate`.
        factor: how many times finer the second solver is, > 1.
        time_limit: seconds after which the work stops; nothing is trusted beyond what was solved by then.

    Returns:
        Time from the first snapshot to the last up to which the two agree, in time units: the duration of a trajectory
        where they always do. None where that is unknown: the solver does not say how it is refined (`Solver.refined`),
        it is not named or its class is not there, or the states of the ODE are not known.

    Raises:
        InputError: `truth` does not fit the system, or `initial` does not look like its first snapshots.
    """
    instance_of("truth", truth, Trajectories)
    if truth.dim != system.dim:
        raise refuse("truth", f"states of {system.dim} values, like those of the system", truth.dim)
    if not positive("factor", factor) > 1:
        raise refuse("factor", "> 1", factor)
    largest = AGREED * positive("threshold", threshold) * _spread(truth)
    start = _first_states(system, truth, initial)
    method = _named(truth) if solver is None else solver
    if start is None or method is None:
        return None
    known = {**system.parameters, **system.underlying.inputs}
    values = {name: value for name, value in truth.given.items() if name in known}
    trusted = torch.zeros(len(truth), dtype=torch.float64)
    for times, rows in _grids(truth):
        begun = {name: each.later(float(times[0])) for name, each in values.items() if isinstance(each, Signal)}
        field = system.at(cut({**values, **begun}, rows))
        finer = method.refined(factor, field, times)
        if finer is None:
            return None
        finer = finer if time_limit is None else finer.updated("time_limit", time_limit)
        solve = functools.partial(solve_between_jumps, finer) if field.signals else finer.solve
        x = solve(field, start[rows], times, bound(start))
        seen = x if system.observation is None else system.observation.map(x)
        distance = (seen - truth[rows].states.double().reshape(seen.shape)).norm(dim=-1)
        agree = torch.cumprod((distance <= largest).int(), 1).sum(1)  # not where a state is NaN
        trusted[rows] = (times - times[0])[(agree - 1).clamp_min(0)]
    return trusted


def _spread(truth: Trajectories) -> float:
    """The root mean square distance of states from their mean, or their round-off where they are all the same."""
    x = truth.states.double()
    least = SAME * float(size_of(x.flatten()))
    return max(float((x - x.mean(0)).pow(2).sum(1).mean().sqrt()), least)


def _first_states(system: System, truth: Trajectories, initial: Tensor | None) -> Float[Tensor, "N D"] | None:
    if initial is None:
        return truth.initial.double() if system.observation is None else None
    x = finite("initial", initial).double()
    expected = [len(truth), system.underlying.dim]
    if list(x.shape) != expected:
        raise refuse("initial", f"states of the ODE {expected}", list(x.shape))
    seen = x if system.observation is None else system.observation.map(x)
    off = (seen - truth.initial).abs().amax(-1) > SAME * float(size_of(truth.initial.flatten()))
    if off.any():
        where = f"other ones in trajectory {int(torch.nonzero(off)[0])}"
        raise refuse("initial", "the states that are seen at the first snapshots", where, "Use the seed of `truth`.")
    return x


def _named(truth: Trajectories) -> Solver | None:
    """The solver that the attributes name, without its time limit; None where they name none that is there."""
    try:
        return Solver.from_dict({**truth.attributes["solver"], "time_limit": None})
    except (KeyError, TypeError, InputError):
        return None


def _grids(truth: Trajectories) -> list[tuple[Float[Tensor, " _T"], Int[Tensor, " _n"]]]:
    """Times, and the trajectories that have them; a right-hand side may depend on when a trajectory starts."""
    grids = []
    for elapsed, members in truth.shared_grids():
        first, which = torch.unique(truth.t[truth.starts[members]].double(), return_inverse=True)
        grids += [(start + elapsed.double(), members[which == i]) for i, start in enumerate(first)]
    return grids
