"""A system as the source of a reduction: it is simulated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import one_of, refuse
from dynred.data.grid import Grid
from dynred.data.split import HeldOut, Parts
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Transform
from dynred.dynamics.base import DynamicsSpec
from dynred.dynamics.map import MapSpec
from dynred.errors import InputError
from dynred.evaluation.certify import FOLLOWED
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.fingerprint import projections
from dynred.experiments.other_test import OtherTest
from dynred.experiments.requirements import Sizes
from dynred.experiments.source import REFINED, TEST_SOLVER, Source
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System
from dynred.ode.vector_field import Parameters
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate
from dynred.simulation.trusted import trusted_times
from dynred.solvers.base import Solver

# So many times shorter than those of training are the steps of the test, where nobody chose them. With the steps of
# training, the truth of Kuramoto-Sivashinsky, complex Ginzburg-Landau and Kolmogorov flow is lost within ten Lyapunov
# times.
FINER = 3.0
# So many times is a test that can be trusted in part alone solved again, with steps three times or tolerances a hundred
# times smaller: an error of e^-x of what it was gains x Lyapunov times (Lorenz's system, tolerances: 5 time units).
# Round-off ends the trust after some 36 Lyapunov times, whatever the solver.
REFINEMENTS = 2
TIGHTER = 100.0
CHECKED = 8  # test trajectories that are solved again, ten times as finely: as costly as eighty
_COMPARED = ("dim", "transient", "duration", "sampling", "time_scale")  # numbers by which a system is recognised


@dataclass(frozen=True, eq=False)
class SystemSource(Source):
    """A system, which is simulated.

    Attributes:
        full: the system.
        tests: a test that replaces the simulated one; None simulates it.
        solver: that of a run made before, whose defaults may have been others; None takes that of the settings.
        test_solver: that of the test of a run made before, where it had to be finer; None takes what `solver` gives.
    """

    full: System
    tests: OtherTest | None = None
    solver: Solver | None = None
    test_solver: Solver | None = None

    @property
    def dim(self) -> int:
        """See `Source.dim`; the dimension of the observed states where the system has an observation."""
        return self.full.dim

    @property
    def system(self) -> System:
        """See `Source.system`."""
        return self.full

    @property
    def known(self) -> KnownSet:
        """See `Source.known`; facts hold at the default parameters: there are none where the system draws others."""
        return self.full.known if self.full.sample_parameters is None else KnownSet()

    @property
    def grid(self) -> Grid | None:
        """See `Source.grid`."""
        return self.full.grid

    @property
    def simulated(self) -> bool:
        """See `Source.simulated`."""
        return True

    def sizes(self, data: DataSpec) -> Sizes:
        """See `Source.sizes`."""
        steps, counts = data.steps(self.full), data.counts
        snapshots = {part: counts[part] * (steps[part] + 1) for part in counts}
        if self.tests is not None:
            counts, snapshots["test"] = {**counts, "test": 0}, len(self.tests.trajectories.states)
        return Sizes(max(self.dim, self.full.underlying.dim), **snapshots, trajectories=max(counts.values()))

    def parts(self, data: DataSpec, seed: int, runtime: Runtime) -> Parts:
        """See `Source.parts`: each set is simulated from a random stream of its own."""
        if data.split not in ("auto", "pieces") or data.test_fraction is not None or data.test_trajectories:
            advice = "Those of a system are simulated: data.test says how many."
            raise refuse("split, test_fraction and test_trajectories", "left out for a system", "given", advice)
        seed = data.seed_of(seed)
        train = self._simulated("train", data, seed, runtime)
        # Whatever the solver of fewer or shorter trajectories would be.
        same = replace(self.as_before(train.attributes), test_solver=self.test_solver)
        validation = same._simulated("validation", data, seed, runtime)
        if self.tests is None:
            test, held_out = same._finer(data)._simulated("test", data, seed, runtime), HeldOut("simulated")
        else:
            test, held_out = self.tests.beside(train, data.horizon), self.tests.held_out
        return Parts(train, validation, test, held_out)

    def _simulated(self, part: str, data: DataSpec, seed: int, runtime: Runtime) -> Trajectories:
        steps, sampling = data.steps(self.full)[part], data.sampling or self.full.sampling
        return simulate(
            self.full,
            data.counts[part],
            torch.arange(steps + 1, dtype=torch.float64) * sampling,
            rng=generator(seed, part),
            solver=self.solver or data.solver,
            transient=data.transient,
            progress=runtime.progress,
        )

    def _finer(self, data: DataSpec) -> "SystemSource":
        """The same with shorter steps, where the solver takes a step that the user did not choose."""
        solver = self.solver
        if self.test_solver is not None:
            return replace(self, solver=self.test_solver)
        if solver is None or solver.adaptive or data.solver != "auto" or self.full.solver is not None:
            return self
        times = torch.tensor([0.0, data.sampling or self.full.sampling], dtype=torch.float64)
        return replace(self, solver=solver.refined(FINER, self.full.at(), times))

    def trusted(self, parts: Parts, data: DataSpec, seed: int, threshold: float, runtime: Runtime) -> Parts:
        """See `Source.trusted`."""
        if parts.held_out.how != "simulated":
            return parts
        test, times = parts.test, self._trusted(parts.test, data, seed, threshold)
        chosen = data.solver != "auto" or self.full.solver is not None or self.test_solver is not None
        for _ in range(0 if chosen else REFINEMENTS):
            if times is None or float(times.min()) >= float(test.times(0)[-1]) * (1 - 1e-9):
                break
            solver = Solver.from_dict(test.attributes["solver"])
            finer = solver.refined(TIGHTER if solver.adaptive else FINER, self.full.at(), test.times(0))
            again = replace(self, solver=finer)._simulated("test", data, data.seed_of(seed), runtime)
            longer = self._trusted(again, data, seed, threshold)
            if longer is None or float(longer.min()) <= float(times.min()):
                break
            test, times = replace(again, attributes={**again.attributes, REFINED: True}), longer
        if times is None:
            return parts
        return replace(parts, test=test, held_out=replace(parts.held_out, trusted=tuple(times.tolist())))

    def _trusted(self, test: Trajectories, data: DataSpec, seed: int, threshold: float) -> Float[Tensor, " n"] | None:
        """The time for which each of the first test trajectories can be trusted."""
        initial = self._hidden(test, data, seed)
        return trusted_times(self.full, test[:CHECKED], initial=initial, threshold=threshold)

    def _hidden(self, test: Trajectories, data: DataSpec, seed: int) -> Float[Tensor, "n D"] | None:
        """The states of the ODE at the first snapshots of the first test trajectories; None where those are it."""
        if self.full.observation is None:
            return None
        start = simulate(
            self.full.underlying,
            len(test),
            test.times(0)[:1],
            rng=generator(data.seed_of(seed), "test"),
            solver=Solver.from_dict(test.attributes["solver"]),
            transient=data.transient,
        )
        return start.initial[:CHECKED]

    def unseen(self, data: DataSpec, seed: int, samples: int, *, sample_seed: int, runtime: Runtime) -> Trajectories:
        """See `Source.unseen`: newly simulated ones; where K has a sampler, only those that a certificate follows."""
        test = self._simulated("test", replace(data, test=FOLLOWED), sample_seed, runtime)
        if self.known.sample is None:
            more = -(-samples // int(test.lengths[0]))
            test = self._simulated("test", replace(data, test=more), sample_seed, runtime)
        return test

    def states(self, n: int, *, rng: torch.Generator, parameters: Parameters | None = None) -> Float[Tensor, "n D"]:
        """See `Source.states`: newly simulated states."""
        return simulate(self.full, n, torch.zeros(1, dtype=torch.float64), rng=rng, parameters=parameters).states

    @property
    def default_dynamics(self) -> DynamicsSpec:
        """See `Source.default_dynamics`: a map for a map."""
        return MapSpec() if self.full.discrete else super().default_dynamics

    def for_dynamics(self, dynamics: DynamicsSpec) -> Self:
        """See `Source.for_dynamics`: a map has no velocities."""
        if self.full.discrete and dynamics.needs_velocities:
            raise refuse(
                "dynamics", f"a map for {self.full.name}, which is one", dynamics.kind(), "Take `--dynamics map`."
            )
        return self

    def tested_on(self, test: OtherTest) -> Self:
        """See `Source.tested_on`."""
        return replace(self, tests=test)

    def with_parameters(self, parameters: Mapping[str, float]) -> Self:
        """See `Source.with_parameters`. What is known of K holds at the system's own values alone, and is left out."""
        if not parameters:
            return self
        for name in parameters:
            one_of(f"parameter of {self.full.name}", name, self.full.parameters)
        if self.full.sample_parameters is not None:
            raise refuse("parameters", f"left to {self.full.name}, which draws its own", ", ".join(parameters))
        return replace(self, full=_at(self.full, {**self.full.parameters, **parameters}))

    def as_before(self, about: Mapping[str, Any], transforms: Sequence[Transform] = ()) -> "SystemSource":
        """See `Source.as_before`: simulated by the solver that the model remembers."""
        try:
            tested = Solver.from_dict(about[TEST_SOLVER]) if TEST_SOLVER in about else None
            return replace(self, solver=Solver.from_dict(about["solver"]), test_solver=tested)
        except (KeyError, InputError):  # not remembered, or of one's own and not loaded: the settings name it
            return self

    def fingerprint(self) -> dict[str, Any]:
        """See `Source.fingerprint`: numbers of the system, and values of its equation at two states."""
        x = self.full.initial(2, generator(0, "fingerprint"))
        t = torch.tensor(0.3, dtype=torch.float64)
        velocity = self.full.at()(t, x)
        observed = [] if self.full.observation is None else [self.full.observation.map(x)]
        return {
            "kind": "system",
            **{name: float(getattr(self.full, name)) for name in _COMPARED},
            "parameters": {name: float(value) for name, value in self.full.parameters.items()},
            "solver": self.full.solver,
            "initial states": projections(x),
            "equation": [value for part in (velocity, *observed) for value in projections(part)],
            **({} if self.tests is None else {"test": self.tests.trajectories.digest()}),
        }

    def _named(self, train: Trajectories) -> dict[str, Any]:
        return {
            "system": self.full.name,
            "arguments": dict(self.full.arguments),
            "time_scale": self.full.time_scale,
            "time_scale_name": self.full.time_scale_name,
            "time_unit": self.full.time_unit,
        }


def _at(system: System, values: Mapping[str, float]) -> System:
    """The system with such parameters, of whose K nothing is known."""
    seen = system.observation
    inner = None if seen is None else replace(seen, system=_at(seen.system, values))
    return replace(system, parameters=values, known=KnownSet(), observation=inner)
