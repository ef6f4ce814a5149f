"""What every latent dynamics offers: rollouts from latent initial states."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dynred import plugins
from dynred.arguments import public
from dynred.checks import generator_given, positive, refuse
from dynred.data.parts import check_parts
from dynred.data.signals import Course
from dynred.data.trajectories import Trajectories
from dynred.dynamics._compiled import CompiledField, CompiledRollouts
from dynred.dynamics._latent_data import LatentData
from dynred.dynamics._units import Budget, LimitedField, Report, StandardField, Standardisation
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.vector_field import Parameters, VectorField
from dynred.runtime import Progress, Runtime, silent
from dynred.solvers.adams import Adams
from dynred.solvers.base import Solver
from dynred.spec import Spec
from dynred.training.minimise import History

LONG = 500  # times of a rollout from which on a compiled loop is worth the second in which it gets ready
FEW = 16  # rows that count as one then: so many cost a batch hardly more


class LatentDynamics(nn.Module, ABC):
    """Fitted dynamics of latent states.

    Attributes:
        spec: the settings it was fitted with.
        latent_space: what the R latent coordinates are.
        courses: what each input that it sees is between samples, by name.
        histories: the course of its training, if any, stage by stage.
        choice: why these dynamics were taken, in a sentence, where they were chosen among others; not stored with them.
        time_step: the time of one step of a map, in time units; None where time is continuous.
    """

    spec: "DynamicsSpec"
    latent_space: LatentSpace
    courses: Mapping[str, Course] = MappingProxyType({})
    histories: tuple[History, ...] = ()
    choice = ""
    time_step: float | None = None

    @abstractmethod
    def rollout(
        self,
        z0: Float[Tensor, "N R"],
        t: Float[Tensor, " T"],
        parameters: Parameters | None = None,
        *,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "N T R"]:
        """Latent states at times t, starting with z0 at t[0], in float64; NaN from the time on at which a row diverges,
        and at times that it did not reach within the time limit, in seconds.

        Angles go on past pi, so that a rollout is continuous. Dynamics that are always quick may leave out the
        arguments `time_limit` and `progress`: callers pass them only where a user asked for them.
        """

    @abstractmethod
    def sizes(self) -> Mapping[str, Any]:
        """What `DynamicsSpec.build` needs beside the settings to make the same module, weights apart: plain JSON data,
        such as numbers of coordinates, or the sizes of a part."""

    def at(self, parameters: Parameters | None = None) -> VectorField:
        """The vector field with its parameters filled in, like `System.at`.

        Args:
            parameters: by name, a number or one value per row of the batch. Names that the field does not know are
                ignored: trajectories carry every parameter of their system.

        Raises:
            InputError: the dynamics are not given by a vector field.
        """
        raise refuse("dynamics", "given by a vector field", type(self).__name__)

    def sized(self, latent_space: LatentSpace) -> "LatentDynamics":
        """The same dynamics for latents on another lattice.

        Raises:
            InputError: the dynamics are those of one lattice.
        """
        raise refuse("dynamics", "the same everywhere, as `local` are", type(self).__name__)

    def evolution(self, parameters: Parameters | None = None) -> VectorField:
        """What exponents are computed of: the vector field, or a map, see `dynred.ode.vector_field.time_step`."""
        return self.at(parameters)

    def averaged(self) -> Sequence["LatentDynamics"]:
        """The dynamics whose velocities are averaged: only these themselves, where they are no ensemble."""
        return (self,)

    def notes(self) -> list[str]:
        """What a user should know of the fitted dynamics, line by line, such as equations that can be read."""
        return []


class VectorFieldDynamics(LatentDynamics):
    """Latent dynamics given by an ODE z' = field(t, z), integrated in standard units.

    It is itself a `dynred.ode.vector_field.VectorField`, so solvers and Lyapunov spectra take it.

    Attributes:
        units: the standard units.
        solver: the solver of rollouts. On Kuramoto-Sivashinsky (8 coordinates) it takes 4.5 evaluations per time unit,
            where dopri5 at 1e-5 takes 11.3 for as small an error. Valid times are the same, 116 in the median; at 1e-5
            they still are, at 3.4 evaluations, at 1e-4 they are 107.
        max_evaluations: evaluations of the field in one rollout of a batch, after which its rows are NaN.
        time_limit: seconds of one rollout, after which its rows are NaN, so that none hangs; only a rollout that
            reaches it depends on the speed of the machine.
        compiled_rows: rows up to which a compiled loop is faster than a batch: it takes 12 us a step and row for the
            demo's model.
    """

    units: Standardisation
    solver: Solver = Adams(rtol=1e-6, atol=1e-6, order=4)
    differentiable = True
    limit = 100.0  # standard units; data have standard deviation 1, so beyond this a rollout has left for good
    max_evaluations = 2_000_000
    time_limit = 3600.0
    compiled_rows = 16

    @abstractmethod
    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """The latent velocity, per time unit, in the dtype of z."""

    @property
    def dim(self) -> int:
        """Dimension R of the latent state."""
        return self.latent_space.dim

    def forward(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """The same as `field`, so that the module is a vector field."""
        return self.field(t, z)

    def rows(self, index: Int[Tensor, " n"] | slice) -> "VectorFieldDynamics":
        """The field is the same for every row."""
        return self

    def at(self, parameters: Parameters | None = None) -> VectorField:
        """See `LatentDynamics.at`: the field itself, which sees no parameters."""
        return self

    def rollout(
        self,
        z0: Float[Tensor, "N R"],
        t: Float[Tensor, " T"],
        parameters: Parameters | None = None,
        *,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "N T R"]:
        """See `LatentDynamics.rollout`."""
        deadline = time.monotonic() + min(self.time_limit, math.inf if time_limit is None else time_limit)
        budget, report = Budget(self.max_evaluations, deadline), Report(progress, float(t[0]), float(t[-1]))
        field = LimitedField(self.at(parameters), self.units, budget, report)
        states = self._solved(field, self.units.standard(z0.double()), t.double())
        states[:, t.to(states.device) >= budget.end] = torch.nan  # rows at their own pace may have been further
        return self.units.latent(states)

    def _solved(self, field: LimitedField, y0: Float[Tensor, "N R"], t: Float[Tensor, " T"]) -> Float[Tensor, "N T R"]:
        """The states of a rollout in standard units, by the solver of rollouts."""
        return self.solver.solve(field, y0, t, self._limit)

    def compiled_pays(self, rows: int, t: Float[Tensor, " T"]) -> bool:
        """Whether a compiled loop gains more than the second in which it gets ready. It depends on the rollout alone,
        so that a prediction does not depend on those before it."""
        return rows <= self.compiled_rows and len(t) * max(1, rows // FEW) >= LONG

    @property
    def _limit(self) -> float:
        return math.inf if self.latent_space.angles else self.limit

    def compiled(self, parameters: Parameters | None = None) -> CompiledRollouts:
        """The field as a compiled loop, for `rollout_compiled`.

        Args:
            parameters: see `at`; numbers, or values of a single row.

        Raises:
            InputError: the field does what cannot be compiled, or its solver is another than `Adams`.
            MissingExtraError: Numba is not installed.
        """
        if not isinstance(self.solver, Adams):
            raise refuse("the solver of rollouts", "Adams", type(self.solver).__name__)
        return CompiledField(StandardField(self.at(parameters), self.units), self.solver)

    def rollout_compiled(
        self, field: CompiledRollouts, z0: Float[Tensor, "N R"], t: Float[Tensor, " T"]
    ) -> Float[Tensor, "N T R"]:
        """What `rollout` gives, to its tolerance, from the compiled field: row by row, without its limits in time."""
        return self.units.latent(field.rollout(self.units.standard(z0.double()), t.double(), self._limit))


@dataclass(frozen=True)
class DynamicsSpec(Spec, ABC):
    """Settings of latent dynamics.

    Attributes:
        needs_velocities: whether they are fitted to velocities; else to states alone, each and the next.
        takes_inputs: whether they fit inputs themselves; `dynred.dynamics.driven` does it for all others.
    """

    needs_velocities: ClassVar[bool] = True
    takes_inputs: ClassVar[bool] = False

    @final
    @public
    def fit(
        self,
        latents: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        latent_space: LatentSpace | None = None,
        runtime: Runtime | None = None,
    ) -> LatentDynamics:
        """The dynamics fitted to latent trajectories; `validation` chooses between weights.

        Where the trajectories have inputs u(t), the dynamics see them beside the latents.

        Args:
            latents: latent states and velocities, as `trajectories.map(reducer.encode)` gives them.
            validation: latent states and velocities of other trajectories.
            rng: stream of initial weights and batches.
            latent_space: which coordinates are angles; default: none.
            runtime: device, progress, checkpoints.

        Returns:
            The dynamics, on the CPU, without gradients.

        Raises:
            InputError: arguments of another class, values that are not finite, parts of different dimension, or
                settings that do not fit the data.
        """
        check_parts("latents", latents, validation)
        space = latent_space or LatentSpace(lines=latents.dim)
        data = LatentData(latents, validation, space, generator_given(rng), runtime or Runtime())
        if latents.inputs is None or self.takes_inputs:
            return self.fitted(data)
        driven = plugins.load_class("dynred.dynamics", "driven", DynamicsSpec)
        return driven(member=self).fitted(data)  # type: ignore[call-arg] # see there

    @final
    def fitted(self, data: LatentData) -> LatentDynamics:
        """What `fit` returns, for data that were checked; inputs are among the latents, or not looked at."""
        return self._fit(data).cpu().requires_grad_(False)

    def check(self, trajectories: Trajectories) -> None:
        """Refuses (InputError) trajectories whose times do not suit the dynamics, before anything is fitted."""

    @abstractmethod
    def _fit(self, data: LatentData) -> LatentDynamics:
        """What `fit` returns, on any device; `fit` has checked the arguments."""

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """About how many bytes `fit` takes beside the latents: not fewer than it does, nor more than a few times as
        many.

        What would not fit into memory is refused before anything is computed. The default is right for a linear least
        squares problem, six copies of the latents; dynamics that need more override it.

        Args:
            latent_space: what the latent coordinates are.
            train: number of training snapshots.
            validation: number of validation snapshots.
        """
        return 6 * 8 * (train + validation) * (latent_space.feature_dim + latent_space.dim)

    @abstractmethod
    def build(self, latent_space: LatentSpace, **sizes: Any) -> LatentDynamics:
        """A module with the right shapes and arbitrary weights, for loading.

        Sizes from a file are checked against the annotations of this method first. Loading may build the module without
        memory (on torch's meta device), to see whether the file has tensors of these shapes.
        """


def rollout_limits(time_limit: float | None, progress: Progress) -> dict[str, Any]:
    """The arguments of `rollout` that the user asked for, by name: the user's own dynamics may know neither of the two.

    Raises:
        InputError: a time limit that is not positive.
    """
    limits: dict[str, Any] = {} if progress is silent else {"progress": progress}
    return limits if time_limit is None else {**limits, "time_limit": positive("time_limit", time_limit)}
