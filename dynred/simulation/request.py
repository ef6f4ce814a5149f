"""What a simulation is asked to do, checked and completed once; its trajectories go to memory or to a store."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import finite, increasing, integer, positive, real, refuse
from dynred.data.grid import grid_attribute
from dynred.data.parameters import as_tensors, cut
from dynred.data.trajectories import Trajectories
from dynred.memory import check_memory
from dynred.ode.symmetries import symmetry_violations
from dynred.ode.system import System
from dynred.ode.vector_field import Parameters
from dynred.simulation.choose_solver import choose_solver
from dynred.simulation.draws import starts
from dynred.simulation.driven import signals_for, with_inputs
from dynred.simulation.events import Event, check_events
from dynred.solvers.base import Deadline, Solver

COPIES = 3.0  # memory that a simulation takes, in units of the numbers that it keeps


@dataclass(frozen=True, eq=False)
class Request:
    """Everything that decides the trajectories of a simulation.

    Attributes:
        system: the ODE.
        count: number of trajectories N.
        grids: times of the snapshots, one vector [T] for all trajectories or one for each.
        parameters: parameters that were asked for, one value or one per trajectory [N].
        initial: states of the ODE [N, D] to start from; None draws them.
        key: names the random streams, see `dynred.simulation.draws`.
        dropped: transient before the first snapshot, in time units.
        events: events that are reported, or end a trajectory.
        method: the solver.
        reason: why the solver was chosen, in words.
        signals: the inputs of every trajectory by name, signals or numbers.
        time_limit: seconds after which the work stops; it decides how far the work comes, never what it computes.
    """

    system: System
    count: int
    grids: tuple[Float[Tensor, " _"], ...]
    parameters: Mapping[str, Float[Tensor, "*#N"]]
    initial: Float[Tensor, "N D"] | None
    key: int
    dropped: float
    events: tuple[Event, ...]
    method: Solver
    reason: str
    time_limit: float | None
    signals: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        system: System,
        n: int | None,
        times: Float[Tensor, " T"] | Sequence[Float[Tensor, " _"]] | None,
        rng: torch.Generator | None,
        initial: Float[Tensor, "N D"] | None,
        parameters: Parameters | None,
        solver: str | Solver,
        transient: float | None,
        events: Sequence[Event],
        time_limit: float | None,
        inputs: Any = None,
    ) -> "Request":
        """The request that the arguments of `simulate` make; `rng`, if there is one, draws the key.

        Raises:
            InputError: an argument does not fit the system or the other arguments.
        """
        given = None if initial is None else real("initial", initial)
        grids = _grids(system, times)
        count = _count(n, given, times, grids)
        values, checked_events = _per_trajectory(parameters, count), check_events(tuple(events))
        limit = None if time_limit is None else positive("time_limit", time_limit)
        if system.discrete and checked_events:
            raise refuse("events", "left out for a map", checked_events[0].name, "There is nothing between its steps.")
        dropped = transient if transient is not None else (system.transient if given is None else 0.0)
        if not 0 <= dropped < math.inf:
            raise refuse("transient", "a finite number >= 0", dropped)
        x0 = None if given is None else _checked_initial(system, given, count)
        key = 0 if rng is None else int(torch.randint(2**62, (1,), generator=rng))
        signals = signals_for(system, inputs, count, tuple(grids), float(dropped), key)
        first, x = starts(system, range(1), values, x0, key)  # the choice of a solver looks at one trajectory
        first |= cut(signals, slice(0, 1))
        method, reason = choose_solver(system.at(first), x, grids[0], solver, count=count)
        return cls(
            system, count, tuple(grids), values, x0, key, float(dropped), checked_events, method, reason, limit, signals
        )

    @property
    def snapshots(self) -> int:
        """Number of snapshots of all trajectories together."""
        return sum(len(grid) for grid in self.grids) * (self.count if len(self.grids) == 1 else 1)

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the trajectories, which say where they come from, as plain data."""
        return {
            "system": self.system.name,
            "arguments": dict(self.system.arguments),
            "solver": self.method.to_dict(),
            "solver_reason": self.reason,
            "transient": self.dropped,
            **({"time_unit": self.system.time_unit} if self.system.discrete else {}),
            **({"time_dependent": self.system.time_dependence} if self.system.time_dependence else {}),
            **self._symmetries,
        }

    @property
    def _symmetries(self) -> dict[str, Any]:
        """The declared symmetries, with the grid to which they refer and how far the equation contradicts each."""
        declared = self.system.symmetries
        if not declared:
            return {}
        entries = [symmetry.to_dict() for symmetry in declared]
        violations = symmetry_violations(self.system)
        return {**grid_attribute([self.system.grid]), "symmetries": entries, "symmetry_violations": violations}

    def block(self, first: int, size: int) -> tuple[dict[str, Any], Float[Tensor, "size D"]]:
        """Parameters, with signals among them, and initial states of the `size` trajectories from number `first` on."""
        values, x0 = starts(self.system, range(first, first + size), self.parameters, self.initial, self.key)
        return {**values, **cut(self.signals, slice(first, first + size))}, x0

    def completed(self, trajectories: Trajectories, values: Mapping[str, Any]) -> Trajectories:
        """Trajectories with the inputs among `values`, which have a row for each, and those that tell the time."""
        signals = {name: value for name, value in values.items() if name in self.system.underlying.inputs}
        return with_inputs(trajectories, signals, self.system.clocks)

    def method_until(self, deadline: Deadline) -> Solver:
        """The solver, set to stop when the time is over."""
        return self.method if self.time_limit is None else replace(self.method, time_limit=deadline.left())

    def check_room(self, numbers: int, advice: str = "") -> None:
        """Raises InputError where memory is too small for a simulation that keeps so many `numbers`."""
        what = f"{self.count} trajectories of {self.snapshots // self.count} snapshots"
        check_memory(what, int(8 * COPIES * numbers), advice)


def _checked_initial(system: System, initial: Tensor, count: int) -> Float[Tensor, "N D"]:
    x0, width = finite("initial", initial.double()), system.underlying.dim
    if x0.shape != (count, width):
        advice = "Start from states of the ODE, not from what is seen of them." if system.observation else ""
        raise refuse("initial", f"of shape [{count}, {width}]", f"{list(x0.shape)}", advice)
    return x0


def _grids(system: System, times: object) -> list[Tensor]:
    if times is None:
        steps = max(1, round(system.duration / system.sampling))
        return [torch.arange(steps + 1, dtype=torch.float64) * system.sampling]
    if isinstance(times, Sequence) and _one_each(times):
        return [increasing(f"times[{i}]", t) for i, t in enumerate(times)]
    return [increasing("times", times)]


def _one_each(times: object) -> bool:
    return isinstance(times, Sequence) and not all(isinstance(t, int | float) for t in times)


def _count(n: int | None, initial: Tensor | None, times: object, grids: list[Tensor]) -> int:
    several = len(grids) if _one_each(times) else None
    said = {"n": n, "initial": None if initial is None or initial.ndim == 0 else len(initial), "times": several}
    values = {name: value for name, value in said.items() if value is not None}
    if not values:
        raise refuse("n", "the number of trajectories", "None", "Give `n`, `initial`, or one vector of times for each.")
    if len(set(values.values())) > 1:
        raise refuse("the number of trajectories", "the same in n, initial and times", values)
    return integer("n", next(iter(values.values())), 1)


def _per_trajectory(parameters: Parameters | None, count: int) -> dict[str, Tensor]:
    values = as_tensors(parameters)
    for name, value in values.items():
        finite(f"parameter {name}", value)
        if value.ndim and value.shape != (count,):
            raise refuse(f"parameter {name}", f"a number or one value per trajectory [{count}]", list(value.shape))
    return values
