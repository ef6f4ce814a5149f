"""What every latent dynamics offers: rollouts from latent initial states."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dynred.checks import refuse
from dynred.latent_space import LatentSpace
from dynred.optimise import History, Runtime
from dynred.solvers.base import Solver
from dynred.solvers.explicit import Explicit
from dynred.spec import Spec
from dynred.system import VectorField
from dynred.trajectories import Trajectories


class LatentDynamics(nn.Module, ABC):
    """Fitted dynamics of latent states.

    Attributes:
        spec: the settings it was fitted with.
        latent_space: what the R latent coordinates are.
        histories: the course of its training, if any, stage by stage.
    """

    spec: "DynamicsSpec"
    latent_space: LatentSpace
    histories: tuple[History, ...] = ()

    @abstractmethod
    def rollout(
        self, z0: Float[Tensor, "N R"], t: Float[Tensor, " T"], parameters: Mapping[str, Tensor] | None = None
    ) -> Float[Tensor, "N T R"]:
        """Latent states at times t, starting with z0 at t[0], in float64; NaN from the time on at which a row diverges.

        Angles go on counting past pi: a rollout is continuous.
        """

    @abstractmethod
    def sizes(self) -> Mapping[str, int]:
        """The numbers beside the settings from which `DynamicsSpec.build` makes the same module, weights apart."""


class Standardisation(nn.Module):
    """Units in which latents and their velocities are of order one.

    Attributes:
        shift, spread: mean and standard deviation of each latent coordinate [R]; 0 and 1 for angles.
        rate: root mean square velocity of each latent coordinate [R].
    """

    shift: Tensor
    spread: Tensor
    rate: Tensor

    def __init__(self, shift: Tensor, spread: Tensor, rate: Tensor):
        super().__init__()
        for name, value in (("shift", shift), ("spread", spread), ("rate", rate)):
            self.register_buffer(name, value.double())

    @classmethod
    def of(cls, latents: Trajectories, space: LatentSpace) -> "Standardisation":
        """The units of these latents, which must have velocities."""
        assert latents.velocities is not None
        z, v = latents.states.double(), latents.velocities.double()
        shift, spread, rate = z.mean(0), z.std(0), v.pow(2).mean(0).sqrt()
        shift[: space.angles], spread[: space.angles] = 0, 1
        return cls(shift, spread.clamp_min(1e-12 * (1 + spread.max())), rate.clamp_min(1e-12 * (1 + rate.max())))

    @classmethod
    def empty(cls, dim: int) -> "Standardisation":
        """Of the right shapes, for loading."""
        return cls(torch.zeros(dim), torch.ones(dim), torch.ones(dim))

    def standard(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """Latents in standard units."""
        return (z - self.shift) / self.spread

    def latent(self, y: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """Latents of standard units."""
        return self.shift + self.spread * y


class VectorFieldDynamics(LatentDynamics):
    """Latent dynamics given by an ODE z' = field(t, z), integrated in standard units.

    It is itself a `dynred.system.VectorField`, so solvers and Lyapunov spectra take it.

    Attributes:
        units: the standard units.
        solver: the solver of rollouts. On Kuramoto-Sivashinsky a tolerance of 1e-6 costs half as much again and gives
            the same valid times to three digits; 1e-4 begins to differ.
    """

    units: Standardisation
    solver: Solver = Explicit(rtol=1e-5, atol=1e-5)
    differentiable = True
    limit = 100.0  # standard units; data have standard deviation 1, so beyond this a rollout has left for good

    @abstractmethod
    def field(self, t: Tensor, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """The latent velocity, per time unit, in the dtype of z."""

    @property
    def dim(self) -> int:
        """Dimension R of the latent state."""
        return self.latent_space.dim

    def forward(self, t: Tensor, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """The same as `field`, so that the module is a vector field."""
        return self.field(t, z)

    def rows(self, index: Tensor | slice) -> "VectorFieldDynamics":
        """The field is the same for every row."""
        return self

    def rollout(
        self, z0: Float[Tensor, "N R"], t: Float[Tensor, " T"], parameters: Mapping[str, Tensor] | None = None
    ) -> Float[Tensor, "N T R"]:
        """See `LatentDynamics.rollout`."""
        limit = float("inf") if self.latent_space.angles else self.limit
        y = self.solver.solve(_Standard(self), self.units.standard(z0.double()), t.double(), limit)
        return self.units.latent(y)


class _Standard:
    """A latent field in standard units."""

    differentiable = True

    def __init__(self, dynamics: VectorFieldDynamics):
        self.dynamics, self.dim = dynamics, dynamics.dim

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        units = self.dynamics.units
        return self.dynamics.field(t, units.latent(x)) / units.spread

    def rows(self, index: Tensor | slice) -> VectorField:
        return self


@dataclass(frozen=True)
class DynamicsSpec(Spec, ABC):
    """Settings of latent dynamics."""

    @abstractmethod
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

        Args:
            latents: latent states and velocities, as `trajectories.map(reducer.encode)` gives them.
            validation: the same of other trajectories.
            rng: stream of initial weights and batches.
            latent_space: which coordinates are angles; default: none.
            runtime: device, progress, checkpoints.

        Raises:
            InputError: the settings do not fit the data.
        """

    @abstractmethod
    def build(self, latent_space: LatentSpace, **sizes: int) -> LatentDynamics:
        """A module with the right shapes and arbitrary weights, for loading."""


def with_velocities(name: str, latents: Trajectories) -> Trajectories:
    """`latents`, refused where they have no velocities."""
    if latents.velocities is None:
        advice = "`estimate_velocities` gives them to sampled trajectories before they are encoded."
        raise refuse(name, "trajectories with velocities", "none", advice)
    return latents
