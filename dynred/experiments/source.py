"""What a reduction starts from: a system, or trajectories without an equation. Whoever reduces, asks the source."""

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
from dynred.ode.find import find_system
from dynred.ode.grid import Grid
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System
from dynred.ode.vector_field import Parameters
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate

PARTS = ("train", "validation", "test")
FEWEST = 10  # trajectories of data, of which a tenth can still be set apart
_COMPARED = ("dim", "transient", "duration", "sampling", "time_scale")  # numbers by which a system is recognised
_REMEMBERED = ("solver", "solver_reason", "velocities", "velocity_error")  # attributes of the training trajectories


class Source(ABC):
    """What a reduction starts from. `Source.of` makes one, `open_source` finds one by its name."""

    @staticmethod
    @public
    def of(given: Union["Source", System, Trajectories, str]) -> "Source":
        """The source that a system, trajectories, or a name as for `open_source`, are; a source is returned as it is.

        Raises:
            InputError: nothing of that name, something unusable, or of another class.
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
        """The full model, for what an equation alone can give, such as a speed-up; None where there is none."""

    @property
    @abstractmethod
    def known(self) -> KnownSet:
        """What is known of the set K of the states that `parts` gives."""

    @property
    @abstractmethod
    def grid(self) -> Grid | None:
        """The grid on which states are fields; None where they are none."""

    @property
    @abstractmethod
    def simulated(self) -> bool:
        """Whether trajectories are computed when they are asked for, each set from a random stream of its own, so that
        the test of one run is none of another's training. Otherwise all are there, and are split."""

    @abstractmethod
    def sizes(self, data: DataSpec) -> Sizes:
        """How much `parts` will give, computed from the settings alone."""

    @abstractmethod
    def parts(self, data: DataSpec, seed: int, runtime: Runtime) -> tuple[Trajectories, Trajectories, Trajectories]:
        """Training, validation and test trajectories, with velocities.

        Args:
            data: how many, how long, how finely sampled.
            seed: decides them: the same seed gives the same.
            runtime: progress.

        Raises:
            InputError: settings or trajectories that do not allow it.
            DivergenceError: the system diverged.
        """

    @abstractmethod
    def unseen(self, data: DataSpec, seed: int, samples: int, *, sample_seed: int, runtime: Runtime) -> Trajectories:
        """Trajectories for a certificate, which training on `parts(data, seed, runtime)` has not seen.

        Args:
            data, seed: of the run.
            samples: snapshots at least, where they can be had and `known` has no sampler.
            sample_seed: decides trajectories that are new.
            runtime: progress.
        """

    @abstractmethod
    def states(self, n: int, *, rng: torch.Generator, parameters: Parameters | None = None) -> Float[Tensor, "n D"]:
        """Some states on K.

        Args:
            n: how many.
            rng: draws them.
            parameters: of the equation, replace its defaults.
        """

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        """What tells this source from another, as plain JSON data."""

    def changes(self, before: Mapping[str, Any]) -> list[str]:
        """The names of what differs from a fingerprint of before; none where it is of this source, or empty."""
        return differences(before, self.fingerprint())

    def about(self, train: Trajectories, seed: int) -> dict[str, Any]:
        """What a model remembers of where it comes from, as plain JSON data."""
        remembered = {key: train.attributes[key] for key in _REMEMBERED if key in train.attributes}
        return {**self._named(train), **remembered, "seed": seed}

    @abstractmethod
    def _named(self, train: Trajectories) -> dict[str, Any]:
        """Name and units, for `about`."""


@dataclass(frozen=True, eq=False)
class SystemSource(Source):
    """A system, which is simulated.

    Attributes:
        full: the system.
    """

    full: System

    @property
    def dim(self) -> int:
        """See `Source.dim`; of what is seen of the system."""
        return self.full.dim

    @property
    def system(self) -> System:
        """See `Source.system`."""
        return self.full

    @property
    def known(self) -> KnownSet:
        """See `Source.known`: it holds at the default parameters, so nothing is known where the system draws others."""
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
                solver=data.solver,
                transient=data.transient,
                progress=runtime.progress,
            )
            for part in PARTS
        )
        return train, validation, test

    def unseen(self, data: DataSpec, seed: int, samples: int, *, sample_seed: int, runtime: Runtime) -> Trajectories:
        """See `Source.unseen`: fresh ones; no more than are followed where K has a sampler."""
        few = replace(data, train=1, validation=1, test=FOLLOWED)
        _, _, test = self.parts(few, sample_seed, runtime)
        if self.known.sample is None:
            more = -(-samples // int(test.lengths[0]))
            _, _, test = self.parts(replace(few, test=more), sample_seed, runtime)
        return test

    def states(self, n: int, *, rng: torch.Generator, parameters: Parameters | None = None) -> Float[Tensor, "n D"]:
        """See `Source.states`: fresh ones."""
        return simulate(self.full, n, torch.zeros(1, dtype=torch.float64), rng=rng, parameters=parameters).states

    def fingerprint(self) -> dict[str, Any]:
        """See `Source.fingerprint`: numbers of the system, and values of its equation at two states."""
        x = self.full.initial(2, generator(0, "fingerprint"))
        t = torch.tensor(0.3, dtype=torch.float64)
        velocity = self.full.bind()(t, x)
        seen = [] if self.full.observation is None else [self.full.observation.map(x)]
        return {
            "kind": "system",
            **{name: float(getattr(self.full, name)) for name in _COMPARED},
            "parameters": {name: float(value) for name, value in self.full.parameters.items()},
            "solver": self.full.solver,
            "initial states": projections(x),
            "equation": [value for part in (velocity, *seen) for value in projections(part)],
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
        trajectories: all there are.
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
        """See `Source.known`: nothing."""
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
        """See `Source.parts`: in the proportions .8, .1, .1; test trajectories are cut at `data.horizon`.

        Fewer than ten trajectories are first cut into pieces, so that there are at least ten in all; velocities that
        the data lack are estimated before.

        Raises:
            InputError: trajectories too short to be cut or to give velocities.
        """
        whole = self.trajectories.checked_finite()
        if whole.velocities is None:
            whole = estimate_velocities(whole)
        train, validation, test = _in_pieces(whole).split(0.8, 0.1, 0.1, rng=generator(seed, "split"))
        if data.horizon is not None:
            test = Trajectories.concatenate([_until(one, data.horizon) for one in test])
        return train, validation, test

    def unseen(self, data: DataSpec, seed: int, samples: int, *, sample_seed: int, runtime: Runtime) -> Trajectories:
        """See `Source.unseen`: the test trajectories of the run, which are all there are."""
        return self.parts(data, seed, runtime)[2]

    def states(self, n: int, *, rng: torch.Generator, parameters: Parameters | None = None) -> Float[Tensor, "n D"]:
        """See `Source.states`: some of the snapshots."""
        return self.trajectories.states[torch.randint(len(self.trajectories.states), (n,), generator=rng)]

    def fingerprint(self) -> dict[str, Any]:
        """See `Source.fingerprint`: the digest of the content."""
        return {"kind": "data", "digest": self.trajectories.digest()}

    def _named(self, train: Trajectories) -> dict[str, Any]:
        name = str(train.attributes.get("system", "data"))
        return {"system": name, "time_scale": 1.0, "time_unit": "time units"}


def open_source(name: str, arguments: Mapping[str, Any]) -> Source:
    """A system, checked, or data, by name.

    Args:
        name: of a system or its file, or a data file (.npz, .zarr, .nc).
        arguments: structural choices of the system.

    Raises:
        InputError: unknown or unusable.
    """
    if is_data(name):
        if arguments:
            raise InputError(f"arguments (--with) must be none for data, got {', '.join(arguments)} for {name}.")
        found = load_trajectories(name)
        title = str(found.attributes.get("system", Path(name).stem))
        return DataSource(replace(found, attributes={**found.attributes, "system": title}))
    system = find_system(name, **arguments)
    _ = system.right_hand_side  # recognised, and refused if unusable, before anything is written
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


def _until(one: Trajectories, horizon: float) -> Trajectories:
    count = max(2, int((one.t - one.t[0] <= horizon * (1 + 1e-9)).sum()))
    return one.windows(min(count, len(one.t)))[0]
