"""Latent dynamics of second order, z'' = g(z, z'): the first half of the latents moves by the second, exactly."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.dynamics._members import build_field, default_member, fit_field
from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.vector_field import Parameters, VectorField, WrappedField


class Acceleration(VectorFieldDynamics):
    """(z, z')' = (z', g(z, z')).

    Attributes:
        member: dynamics of the whole, whose second half is g.
    """

    def __init__(self, spec: "AccelerationSpec", member: VectorFieldDynamics) -> None:
        super().__init__()
        self.spec, self.latent_space, self.member, self.histories = spec, member.latent_space, member, member.histories
        units = member.units
        self.units = Standardisation(units.shift.clone(), units.spread.clone(), units.rate.clone())

    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`."""
        return self.at()(t, z)

    def at(self, parameters: Parameters | None = None) -> VectorField:
        """See `VectorFieldDynamics.at`."""
        return _Accelerated(self.member.at(parameters))

    def sizes(self) -> Mapping[str, Any]:
        """See `LatentDynamics.sizes`."""
        return {"member": self.member.sizes()}

    def notes(self) -> list[str]:
        """See `LatentDynamics.notes`."""
        return self.member.notes()


@dataclass(frozen=True, eq=False)
class _Accelerated(WrappedField):
    """A field whose first half is replaced by the second half of the state."""

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        half = self.dim // 2
        return torch.cat([x[..., half:], self.field(t, x)[..., half:]], -1)


@dataclass(frozen=True)
class AccelerationSpec(DynamicsSpec):
    """Settings of dynamics of second order; the latents are those of `SecondOrderSpec`.

    Attributes:
        member: dynamics given by a vector field, which give the acceleration.
    """

    member: DynamicsSpec = field(default_factory=default_member)

    def _fit(self, data: LatentData) -> Acceleration:
        """The member fitted to velocities whose first half is the second of the latents; see `DynamicsSpec._fit`."""
        space = data.latent_space
        if space.angles or space.dim % 2:
            expected = "an even number of lines, half of them velocities"
            raise refuse("latent space", expected, f"{space.angles} angles and {space.lines} lines")
        return Acceleration(self, fit_field(self.member, data.changed(_by_second_half)))

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: a copy of the latents, and what the member takes."""
        return super().memory(latent_space, train, validation) + self.member.memory(latent_space, train, validation)

    def build(self, latent_space: LatentSpace, member: Mapping[str, Any]) -> Acceleration:  # type: ignore[override] # its sizes by name
        """See `DynamicsSpec.build`."""
        return Acceleration(self, build_field(self.member, latent_space, member))


def _by_second_half(part: Trajectories) -> Trajectories:
    assert part.velocities is not None
    half = part.dim // 2
    velocities = torch.cat([part.states[:, half:].to(part.velocities), part.velocities[:, half:]], -1)
    return replace(part, velocities=velocities)
