"""Sources: what a reduction starts from, a system or trajectories without an equation."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.data.grid import Grid
from dynred.data.split import Parts
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Transform, TransformSpec
from dynred.dynamics.base import DynamicsSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.fingerprint import differences
from dynred.experiments.other_test import OtherTest
from dynred.experiments.requirements import Sizes
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System
from dynred.ode.vector_field import Parameters
from dynred.runtime import Runtime

REFINED = "refined"  # attribute of a test that was solved more finely than its settings ask for
TEST_SOLVER = "test_solver"  # what a model remembers of it
_REMEMBERED = (
    *("solver", "solver_reason", "time_dependent", "inputs"),
    *("velocities", "velocity_error", "velocity_noise", "cleaning"),
)


class Source(ABC):
    """What a reduction starts from; `source_of` makes one, `open_source` opens one by its name."""

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
    def has_angles(self) -> bool:
        """Whether variables are declared as angles: their cosines and sines make states wider."""
        return False

    @property
    @abstractmethod
    def simulated(self) -> bool:
        """Whether `parts` simulates the trajectories: each set from a random stream of its own, so that no run trains
        on the test set of another. Otherwise all trajectories exist already, and `parts` splits them."""

    @abstractmethod
    def sizes(self, data: DataSpec) -> Sizes:
        """How many snapshots `parts` will give, computed from the settings alone."""

    @abstractmethod
    def parts(self, data: DataSpec, seed: int, runtime: Runtime) -> Parts:
        """Training, validation and test trajectories, with velocities, and what the test is.

        Args:
            data: how many, how long, how finely sampled, and which of them are the test.
            seed: decides the trajectories, unless `data` has a seed of its own; the same seed gives the same ones.
            runtime: reports progress.

        Raises:
            InputError: the settings or the trajectories do not allow it.
            DivergenceError: the system diverged.
        """

    def trusted(self, parts: Parts, data: DataSpec, seed: int, threshold: float, runtime: Runtime) -> Parts:
        """The parts with the time for which the truth of the test can be trusted, where that can be found out; and with
        a test that was solved more finely, where the trust ended within it and nobody chose the solver.

        Args:
            parts: what `parts(data, seed, runtime)` gave.
            data: see `parts`.
            seed: see `parts`.
            threshold: rollout error that counts as lost.
            runtime: reports progress.
        """
        return parts

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

    @property
    def default_dynamics(self) -> DynamicsSpec:
        """The settings of the dynamics where nobody chooses: a neural ODE."""
        return NeuralODESpec()

    def for_dynamics(self, dynamics: DynamicsSpec) -> "Source":
        """This source with what such dynamics are fitted to: velocities are not estimated for dynamics without.

        Raises:
            InputError: no such dynamics can be fitted to it.
        """
        return self

    @abstractmethod
    def tested_on(self, test: OtherTest) -> Self:
        """This source with another test."""

    @abstractmethod
    def with_parameters(self, parameters: Mapping[str, float]) -> Self:
        """This source with other values of its equation's parameters.

        Raises:
            InputError: there is no such parameter, or no equation.
        """

    def compressing(self, transforms: Sequence[TransformSpec]) -> tuple["Source", Sequence[TransformSpec]]:
        """This source, which does itself what memory asks it to, and the transforms that are left to do.

        Args:
            transforms: what is done to the states before a model is fitted, in order.
        """
        return self, transforms

    def as_before(self, about: Mapping[str, Any], transforms: Sequence[Transform] = ()) -> "Source":
        """This source, as it was when a model was made from it.

        Args:
            about: what the model remembers of it.
            transforms: those of the model.
        """
        return self

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        """Plain JSON data that tell this source from another."""

    def changes(self, before: Mapping[str, Any]) -> list[str]:
        """The entries in which an earlier fingerprint differs from that of this source; none where it is empty."""
        return differences(before, self.fingerprint())

    def about(self, parts: Parts, seed: int) -> dict[str, Any]:
        """The facts that a model remembers of its source, as plain JSON data."""
        train, test = parts.train, parts.test.attributes
        remembered = {key: train.attributes[key] for key in _REMEMBERED if key in train.attributes}
        tested = {TEST_SOLVER: test["solver"]} if test.get(REFINED) else {}
        return {**self._named(train), **remembered, **tested, "seed": seed}

    @abstractmethod
    def _named(self, train: Trajectories) -> dict[str, Any]:
        """Name and units of the source, for `about`."""
