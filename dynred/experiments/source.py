"""Sources: what a reduction starts from, a system or trajectories without an equation."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Union

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.arguments import public
from dynred.checks import refuse
from dynred.data.screening import is_data
from dynred.data.storage import load_trajectories
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities
from dynred.errors import InputError
from dynred.evaluation.certify import FOLLOWED
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.fingerprint import differences, projections
from dynred.experiments.requirements import Sizes
from dynred.numerics.time_grids import count_until
from dynred.ode.find import find_system
from dynred.ode.grid import Grid
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System
from dynred.ode.vector_field import Parameters
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate
from dynred.solvers.base import Solver

PARTS = ("train", "validation", "test")
FEWEST = 10  # trajectories of data: the fewest of which a tenth can be set apart
_COMPARED = ("dim", "transient", "duration", "sampling", "time_scale")  # numbers by which a system is recognised
_REMEMBERED = ("solver", "solver_reason", "time_dependent", "velocities", "velocity_error")  # attributes of the data


class Source(ABC):
    """What a reduction starts from. `Source.of` makes a source, `open_source` opens one by its name."""

    @staticmethod
    @public
    def of(given: Union["Source", System, Trajectories, str]) -> "Source":
        """The source that a system, trajectories or a name (see `open_source`) stand for; a source is its own.

        Raises:
            InputError: nothing has that name, or what is given is unusable or of another class.
        """
        if isinstance(given, Source):
            return given
        if isinstance(given, System):
            return SystemSource(given)
        return DataSource(given) if isinstance(given, Trajectories) else open_source(given, {})

    @property
    @abstractmethod
    def dim(self) -> int:
        """Dimension D of a state."""

    @property
    @abstractmethod
    def system(self) -> System | None:
        """The full model, from which scores such as the speed-up are computed; None for data without an equation."""

    @property
    @abstractmethod
    def known(self) -> KnownSet:
        """The facts that are known of the set K on which the states of `parts` lie."""

    @property
    @abstractmethod
    def grid(self) -> Grid | None:
        """The grid on which states are fields; None where states are no fields."""

    @property
    @abstractmethod
    def simulated(self) -> bool:
        """Whether `parts` simulates the trajectories: each set from a random stream of its own, so that no run trains
        on the test set of another. Otherwise all trajectories exist already, and `parts` splits them."""

    @abstractmethod
    def sizes(self, data: DataSpec) -> Sizes:
        """How many snapshots `parts` will give, computed from the settings alone."""

    @abstractmethod
    def parts(self, data: DataSpec, seed: int, runtime: Runtime) -> tuple[Trajectories, Trajectories, Trajectories]:
        """Training, validation and test trajectories, with velocities.

        Args:
            data: how many, how long, how finely sampled.
            seed: decides the trajectories; the same seed gives the same ones.
            runtime: reports progress.

        Raises:
            InputError: the settings or the trajectories do not allow it.
            DivergenceError: the system diverged.
        """

    @abstractmethod
    def unseen(self, data: DataSpec, seed: int, samples: int, *, sample_seed: int, runtime: Runtime) -> Trajectories:
        """Trajectories for a certificate, which training on `parts(data, seed, runtime)` has not seen.

        Args:
            data: which trajectories the run took.
            seed: the seed of the run.
            samples: least number of snapshots, where the source can give so many and `known` has no sampler.
            sample_seed: decides newly simulated trajectories.
            runtime: reports progress.
        """

    @abstractmethod
    def states(self, n: int, *, rng: torch.Generator, parameters: Parameters | None = None) -> Float[Tensor, "n D"]:
        """Some states on K.

        Args:
            n: how many.
            rng: draws them.
            parameters: values of the equation's parameters that replace its defaults.
        """

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        """Plain JSON data that tell this source from another."""

    def changes(self, before: Mapping[str, Any]) -> list[str]:
        """The entries in which an earlier fingerprint differs from that of this source; none where it is empty."""
        return differences(before, self.fingerprint())

    def about(self, train: Trajectories, seed: int) -> dict[str, Any]:
        """The facts that a model remembers of its source, as plain JSON data."""
        remembered = {key: train.attributes[key] for key in _REMEMBERED if key in train.attributes}
        return {**self._named(train), **remembered, "seed": seed}

    @abstractmethod
    def _named(self, train: Trajectories) -> dict[str, Any]:
        """Name and units of the source, for `about`."""


@dataclass(frozen=True, eq=False)
class SystemSource(Source):
    """A system, which is simulated.

    Attributes:
        full: the system.
        solver: that of a run made before, whose defaults may have been others; None takes that of the settings.
    """

    full: System
    solver: Solver | None = None

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
        steps, counts = data.steps(self.full), {part: getattr(data, part) for part in PARTS}
        snapshots = {part: counts[part] * (steps[part] + 1) for part in PARTS}
        return Sizes(max(self.dim, self.full.underlying.dim), **snapshots, trajectories=max(counts.values()))

    def parts(self, data: DataSpec, seed: int, runtime: Runtime) -> tuple[Trajectories, Trajectories, Trajectories]:
        """See `Source.parts`: each set is simulated from a random stream of its own."""
        steps, sampling = data.steps(self.full), data.sampling or self.full.sampling
        train, validation, test = (
            simulate(
                self.full,
                getattr(data, part),
                torch.arange(steps[part] + 1, dtype=torch.float64) * sampling,
                rng=generator(seed, part),
                solver=self.solver or data.solver,
                transient=data.transient,
                progress=runtime.progress,
            )
            for part in PARTS
        )
        return train, validation, test

    def unseen(self, data: DataSpec, seed: int, samples: int, *, sample_seed: int, runtime: Runtime) -> Trajectories:
        """See `Source.unseen`: newly simulated ones; where K has a sampler, only those that a certificate follows."""
        few = replace(data, train=1, validation=1, test=FOLLOWED)
        _, _, test = self.parts(few, sample_seed, runtime)
        if self.known.sample is None:
            more = -(-samples // int(test.lengths[0]))
            _, _, test = self.parts(replace(few, test=more), sample_seed, runtime)
        return test

    def states(self, n: int, *, rng: torch.Generator, parameters: Parameters | None = None) -> Float[Tensor, "n D"]:
        """See `Source.states`: newly simulated states."""
        return simulate(self.full, n, torch.zeros(1, dtype=torch.float64), rng=rng, parameters=parameters).states

    def fingerprint(self) -> dict[str, Any]:
        """See `Source.fingerprint`: numbers of the system, and values of its equation at two states."""
        x = self.full.initial(2, generator(0, "fingerprint"))
        t = torch.tensor(0.3, dtype=torch.float64)
        velocity = self.full.bind()(t, x)
        observed = [] if self.full.observation is None else [self.full.observation.map(x)]
        return {
            "kind": "system",
            **{name: float(getattr(self.full, name)) for name in _COMPARED},
            "parameters": {name: float(value) for name, value in self.full.parameters.items()},
            "solver": self.full.solver,
            "initial states": projections(x),
            "equation": [value for part in (velocity, *observed) for value in projections(part)],
        }

    def _named(self, train: Trajectories) -> dict[str, Any]:
        return {
            "system": self.full.name,
            "arguments": dict(self.full.arguments),
            "time_scale": self.full.time_scale,
            "time_scale_name": self.full.time_scale_name,
            "time_unit": self.full.time_unit,
        }


@dataclass(frozen=True, eq=False)
class DataSource(Source):
    """Trajectories without an equation, which are split.

    Attributes:
        trajectories: all trajectories of the data.
    """

    trajectories: Trajectories

    @property
    def dim(self) -> int:
        """See `Source.dim`."""
        return self.trajectories.dim

    @property
    def system(self) -> None:
        """See `Source.system`."""
        return None

    @property
    def known(self) -> KnownSet:
        """See `Source.known`: there are no known facts."""
        return KnownSet()

    @property
    def grid(self) -> None:
        """See `Source.grid`: data do not tell it."""
        return None

    @property
    def simulated(self) -> bool:
        """See `Source.simulated`."""
        return False

    def sizes(self, data: DataSpec) -> Sizes:
        """See `Source.sizes`."""
        tenth = len(self.trajectories.states) // 10 + 1
        return Sizes(self.dim, 8 * tenth, tenth, tenth, max(FEWEST, len(self.trajectories)))

    def parts(self, data: DataSpec, seed: int, runtime: Runtime) -> tuple[Trajectories, Trajectories, Trajectories]:
        """See `Source.parts`: the proportions are .8, .1, .1; test trajectories end at `data.horizon`.

        Velocities that the data lack are estimated first. Fewer than ten trajectories are then cut into pieces, so that
        there are at least ten in all.

        Raises:
            InputError: trajectories are too short to be cut or to give velocities.
        """
        whole = self.trajectories.checked_finite()
        if whole.velocities is None:
            whole = estimate_velocities(whole)
        train, validation, test = _in_pieces(whole).split(0.8, 0.1, 0.1, rng=generator(seed, "split"))
        if data.horizon is not None:
            test = Trajectories.concatenate([_until(trajectory, data.horizon) for trajectory in test])
        return train, validation, test

    def unseen(self, data: DataSpec, seed: int, samples: int, *, sample_seed: int, runtime: Runtime) -> Trajectories:
        """See `Source.unseen`: the test trajectories of the run; the data have no other."""
        return self.parts(data, seed, runtime)[2]

    def states(self, n: int, *, rng: torch.Generator, parameters: Parameters | None = None) -> Float[Tensor, "n D"]:
        """See `Source.states`: snapshots, drawn with replacement."""
        return self.trajectories.states[torch.randint(len(self.trajectories.states), (n,), generator=rng)]

    def fingerprint(self) -> dict[str, Any]:
        """See `Source.fingerprint`: the digest of the content."""
        return {"kind": "data", "digest": self.trajectories.digest()}

    def _named(self, train: Trajectories) -> dict[str, Any]:
        name = str(train.attributes.get("system", "data"))
        return {"system": name, "time_scale": 1.0, "time_unit": "time units"}


def open_source(name: str, arguments: Mapping[str, Any]) -> Source:
    """The system, checked, or the data that a name stands for.

    Args:
        name: the name of a system or its file, or a data file (.npz, .zarr, .nc).
        arguments: structural choices of the system.

    Raises:
        InputError: the name is unknown, or the source unusable.
    """
    if is_data(name):
        if arguments:
            raise InputError(f"arguments (--with) must be none for data, got {', '.join(arguments)} for {name}.")
        trajectories = load_trajectories(name)
        title = str(trajectories.attributes.get("system", Path(name).stem))
        return DataSource(replace(trajectories, attributes={**trajectories.attributes, "system": title}))
    system = find_system(name, **arguments)
    _ = system.right_hand_side  # an unusable one is refused here, before anything is written
    return SystemSource(system)


def _in_pieces(whole: Trajectories) -> Trajectories:
    """The same snapshots in at least ten trajectories."""
    if len(whole) >= FEWEST:
        return whole
    length = int(whole.lengths.sum()) // FEWEST
    while length > 1 and int((whole.lengths // length).sum()) < FEWEST:
        length -= 1
    if length < 2:
        raise refuse("data", "at least 20 snapshots, to be cut into ten pieces", len(whole.states))
    return whole.windows(length)


def _until(trajectory: Trajectories, horizon: float) -> Trajectories:
    """The beginning of a trajectory, as long as the horizon, of at least two snapshots."""
    count = max(2, count_until(trajectory.t, horizon))
    return trajectory.windows(min(count, len(trajectory.t)))[0]
