"""The plain reduced model: one reducer and latent dynamics."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from dynred.arguments import public
from dynred.checks import instance_of, real, refuse
from dynred.data.parameters import constants
from dynred.data.signals import Course
from dynred.data.trajectories import Trajectories
from dynred.dynamics.auto import AutoDynamicsSpec
from dynred.dynamics.base import CompiledRollouts, DynamicsSpec, LatentDynamics, VectorFieldDynamics, rollout_limits
from dynred.errors import InputError, MissingExtraError
from dynred.models.base import Model
from dynred.models.domain import sized_about
from dynred.models.plain_states import width_of
from dynred.models.spec import JointRefinement, ModelSpec
from dynred.models.stored_parts import StoredDynamics, StoredReducer, described, filled, histories
from dynred.numerics.latent_space import LatentSpace
from dynred.numpy_out import as_given
from dynred.ode.vector_field import Parameters, VectorField
from dynred.records import revive
from dynred.reducers.base import Reducer, ReducerSpec
from dynred.runtime import Progress, Runtime, silent
from dynred.training.minimise import History
from dynred.training.nets import parameter_count


@dataclass(frozen=True, eq=False)
class ReducedModel(Model):
    """One reducer and latent dynamics.

    Attributes:
        reducer: between states [..., D] and latents [..., R].
        dynamics: between latents at different times.
        about: see `Model`.
        given: see `Model`.
    """

    reducer: Reducer
    dynamics: LatentDynamics
    about: Mapping[str, Any] = field(default_factory=dict)
    given: Parameters = field(default_factory=dict, repr=False, kw_only=True)

    def __post_init__(self):
        instance_of("reducer", self.reducer, Reducer)
        instance_of("dynamics", self.dynamics, LatentDynamics)
        if self.reducer.latent_space != self.dynamics.latent_space:
            spaces = f"{self.reducer.latent_space} and {self.dynamics.latent_space}"
            raise refuse("reducer and dynamics", "on the same latent space", spaces)

    @property
    def state_dim(self) -> int:
        """See `Model.state_dim`."""
        return self.reducer.state_dim

    @property
    def latent_space(self) -> LatentSpace:
        """See `Model.latent_space`."""
        return self.reducer.latent_space

    @property
    def spec(self) -> "ReducedSpec":
        """See `Model.spec`. It does not say whether reducer and dynamics were refined together."""
        return ReducedSpec(self.reducer.spec, self.dynamics.spec)

    @property
    def coordinates(self) -> Reducer:
        """See `Model.coordinates`: the reducer."""
        return self.reducer

    @property
    def histories(self) -> tuple[History, ...]:
        """See `Model.histories`."""
        return (*self.reducer.histories, *self.dynamics.histories)

    @property
    def parameter_count(self) -> int:
        """See `Model.parameter_count`."""
        return parameter_count(self.reducer) + parameter_count(self.dynamics)

    def members(self) -> tuple["ReducedModel", ...]:
        """See `Model.members`."""
        averaged = self.dynamics.averaged()
        return tuple(self if part is self.dynamics else replace(self, dynamics=part) for part in averaged)

    @property
    def courses(self) -> Mapping[str, Course]:
        """See `Model.courses`."""
        return self.dynamics.courses

    def vector_field(self) -> VectorField:
        """See `Model.vector_field`."""
        return self.dynamics.at(self.given)

    def sized(self, *points: int) -> Self:
        """See `Model.sized`."""
        reducer = self.reducer.sized(points)
        dynamics, about = self.dynamics.sized(reducer.latent_space), sized_about(self.about, reducer.latent_space.dim)
        return replace(self, reducer=reducer, dynamics=dynamics, about=about)

    @property
    def any_size(self) -> bool:
        """See `Model.any_size`."""
        return self.reducer.points_of(self.state_dim) is not None

    def for_states(self, width: int) -> Self:
        """See `Model.for_states`."""
        points = None if width == self.state_dim else self.reducer.points_of(width)
        return self if points is None else self.sized(*points)

    def _for_latents(self, z: object) -> Self:
        """The model for latents of so many coordinates as z has: this one, unless it is local."""
        dim, d = self.latent_space.dim, self.state_dim
        width = width_of(z, dim)
        return self if width == dim or width * d % dim else self.for_states(width * d // dim)

    def evolution(self) -> VectorField:
        """See `Model.evolution`."""
        return self.dynamics.evolution(self.given)

    @property
    def time_step(self) -> float | None:
        """See `Model.time_step`."""
        return self.dynamics.time_step

    @as_given
    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """See `Model.encode`."""
        model = self.for_states(width_of(x, self.state_dim))
        return model.reducer.at(constants(self.given)).encode(model._states("x", x))

    @as_given
    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """See `Model.decode`."""
        model = self._for_latents(z)
        return model.reducer.at(constants(self.given)).decode(model._latents(z))

    @as_given
    def rhs(self, t: float | Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `Model.rhs`."""
        model = self._for_latents(z)
        return model.vector_field()(real("t", t).double(), model._latents(z))

    def rollout(
        self,
        z0: Float[Tensor, "N R"],
        t: Float[Tensor, " T"],
        *,
        time_limit: float | None = None,
        progress: Progress = silent,
    ) -> Float[Tensor, "N T R"]:
        """See `Model.rollout`. Angles go on past pi."""
        resized = self._for_latents(z0)
        if resized is not self:
            return resized.rollout(z0, t, time_limit=time_limit, progress=progress)
        start, limits = self._start(z0, t), rollout_limits(time_limit, progress)
        field = None if limits else self._compiled_field(*start)
        if field is not None:
            assert isinstance(self.dynamics, VectorFieldDynamics)
            return self.dynamics.rollout_compiled(field, *start[:2])
        return self.dynamics.rollout(*start, **limits)

    def compile(self) -> Self:
        """Has up to 16 trajectories rolled out in a compiled loop from now on, in microseconds per step; of equivariant
        models any number, and their decodings, too.

        Long ones, of 500 and more times, are by themselves, where the `fast` extra is installed, and of equivariant
        models all but the shortest. The first compilation on a machine takes some ten seconds, and is kept.

        Returns:
            This model.

        Raises:
            InputError: the dynamics are no vector field, or do what cannot be compiled.
            MissingExtraError: the `fast` extra is not installed.
        """
        if not isinstance(self.dynamics, VectorFieldDynamics):
            raise refuse("dynamics", "given by a vector field", type(self.dynamics).__name__)
        if self._field is None:
            self.dynamics.compiled(self.given)  # says why not
        object.__setattr__(self, "_compiles", True)
        self.reducer.take_loops()
        return self

    _compiles = False  # whether `compile` was called

    @cached_property
    def _field(self) -> CompiledRollouts | None:
        if not isinstance(self.dynamics, VectorFieldDynamics):
            return None
        try:
            return self.dynamics.compiled(self.given)
        except (InputError, MissingExtraError):
            return None

    def _compiled_field(
        self, z0: Float[Tensor, "N R"], t: Float[Tensor, " T"], parameters: Parameters
    ) -> CompiledRollouts | None:
        plain = z0.device.type == "cpu" and not z0.requires_grad and len(z0) > 0
        if not plain or not isinstance(self.dynamics, VectorFieldDynamics):
            return None
        told = self._compiles and len(z0) <= self.dynamics.compiled_rows
        pays = told or self.dynamics.compiled_pays(len(z0), t)
        alike = len(z0) == 1 or all(value.ndim == 0 for value in constants(parameters).values())
        return self._field if pays and alike else None

    def notes(self) -> list[str]:
        """See `Model.notes`: those of the reducer and of the dynamics."""
        return [*self.reducer.notes(), *self.dynamics.notes()]

    def parts(self) -> tuple[dict[str, Shaped[Tensor, "..."]], dict[str, Any]]:
        """See `Model.parts`."""
        tensors = {f"reducer.{k}": v for k, v in self.reducer.state_dict().items()}
        tensors |= {f"dynamics.{k}": v for k, v in self.dynamics.state_dict().items()}
        metadata = {
            "reducer": described(self.reducer),
            "dynamics": described(self.dynamics),
            "latent_space": self.latent_space.to_dict(),
            "histories": [histories(part) for part in (self.reducer, self.dynamics)],
        }
        return tensors, metadata

    @classmethod
    def from_parts(
        cls, tensors: Mapping[str, Shaped[Tensor, "..."]], metadata: Mapping[str, Any], about: Mapping[str, Any]
    ) -> "ReducedModel":
        """See `Model.from_parts`."""
        stored = revive(_StoredReduced, metadata, "its metadata")
        reducer = filled(stored.reducer.build, tensors, "reducer")
        dynamics = filled(lambda: stored.dynamics.build(stored.latent_space), tensors, "dynamics")
        for part, history in zip((reducer, dynamics), stored.histories, strict=True):
            part.histories = tuple(history)  # type: ignore[assignment] # nn.Module guesses
        return cls(reducer, dynamics, about)


@dataclass(frozen=True)
class _StoredReduced:
    """What a file says of a model beside its tensors; see `ReducedModel.parts`."""

    reducer: StoredReducer
    dynamics: StoredDynamics
    latent_space: LatentSpace
    histories: tuple[list[History], list[History]]


@public
def on_reducer(
    reducer: Reducer,
    spec: DynamicsSpec,
    train: Trajectories,
    validation: Trajectories,
    *,
    rng: torch.Generator,
    runtime: Runtime | None = None,
    about: Mapping[str, Any] | None = None,
) -> ReducedModel:
    """The model of a reducer with dynamics fitted to its latents of the trajectories, velocities pushed forward."""
    latents, held = (reducer.latents(part) for part in (train, validation))
    fitted = spec.fit(latents, held, rng=rng, latent_space=reducer.latent_space, runtime=runtime)
    chosen = {"choice": fitted.choice} if fitted.choice else {}
    return ReducedModel(reducer, fitted, {**(about or {}), **chosen}).remembering(train)


@dataclass(frozen=True)
class ReducedSpec(ModelSpec):
    """Settings of a reduced model.

    Attributes:
        reducer: settings of the coordinates.
        dynamics: settings of the dynamics in them.
        joint: settings of a refinement of both together at the end; None leaves it out.
    """

    stream = "reducer"
    reducer: ReducerSpec
    dynamics: DynamicsSpec
    joint: JointRefinement | None = None

    def fit_coordinates(
        self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime | None = None
    ) -> Reducer:
        """See `ModelSpec.fit_coordinates`."""
        self.dynamics.check(train)
        if self.joint is not None and train.inputs is not None:
            raise refuse("joint", "None for trajectories with inputs", "a refinement", "Its rollouts see no inputs.")
        reducer = self.reducer.fit(train, validation, rng=rng, runtime=runtime)
        if self.joint is not None:
            self.joint.check(reducer)
        return reducer

    def coordinate_settings(self) -> dict[str, Any]:
        """See `ModelSpec.coordinate_settings`; those of the refinement too, which refuses some reducers."""
        return {"reducer": self.reducer.to_dict(), "joint": None if self.joint is None else self.joint.to_dict()}

    def fit_dynamics(
        self,
        coordinates: Reducer,
        train: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        runtime: Runtime | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> ReducedModel:
        """See `ModelSpec.fit_dynamics`."""
        spec = AutoDynamicsSpec(self.dynamics) if self.reducer.tries_symmetry else self.dynamics
        return on_reducer(coordinates, spec, train, validation, rng=rng, runtime=runtime, about=about)

    def refine(
        self,
        model: ReducedModel,
        train: Trajectories,
        validation: Trajectories,
        *,
        rng: torch.Generator,
        runtime: Runtime | None = None,
    ) -> ReducedModel:
        """See `ModelSpec.refine`."""
        if self.joint is None:
            return model
        return self.joint.refine(model, train, validation, rng=rng, runtime=runtime)
