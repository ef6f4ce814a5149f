"""Stabilised latent dynamics: a linear damping that holds rollouts where the data are.

    y' = g(y) - rate (y - P(y)),        P(y) = y min(1, reach r / |y|),

with y the latents in standard units, r the largest |y| of the training latents, and g any other latent dynamics, fitted
to what the damping leaves of the velocities. Two settings of `reach` matter:

- `reach` >= 1: the damping acts outside of the data only, so that the field on the data is the one that was learned.
- `reach` = 0: the damping acts everywhere and g must make up for it on the data: the form of A. J. Linot, J. W. Burby,
  Q. Tang, P. Balaprakash, M. D. Graham, R. Maulik, J. Comput. Phys. 474, 111838 (2023).

g is evaluated only in the ball in which there are data; for states beyond, at the nearest point of the ball. So g is
bounded by some G, and every rollout is bounded too, whatever g does: |y| ends below max(1, reach) r + G / rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import at_least, positive
from dynred.data.trajectories import Trajectories
from dynred.dynamics._members import build_field, default_member, fit_field
from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.vector_field import Parameters, VectorField, WrappedField


@dataclass(frozen=True)
class _Ball:
    """The latents whose lines have a norm of at most `radius` in standard units; angles are free."""

    units: Standardisation
    radius: Float[Tensor, ""]
    angles: int

    @classmethod
    def of(cls, data: LatentData) -> "_Ball":
        """The smallest ball with all training latents in it."""
        units, angles = data.units(), data.latent_space.angles
        y = units.standard(data.latents.states.double())[:, angles:]
        return cls(units, y.norm(dim=-1).amax(), angles)

    def nearest(self, z: Float[Tensor, "*batch R"], reach: float) -> Float[Tensor, "*batch R"]:
        """The point nearest to z of the ball blown up by `reach`, float64."""
        y = self.units.standard(z.double())
        lines = y[..., self.angles :]
        norm = lines.pow(2).sum(-1, keepdim=True).clamp_min(1e-300).sqrt()
        inner = lines * (reach * self.radius / norm).clamp_max(1.0)
        return self.units.latent(torch.cat([y[..., : self.angles], inner], -1))

    def damping(self, z: Float[Tensor, "*batch R"], spec: "StabilisedSpec") -> Float[Tensor, "*batch R"]:
        """The velocity that the damping gives, float64."""
        return -spec.rate * (z.double() - self.nearest(z, spec.reach))


class Stabilised(VectorFieldDynamics):
    """Dynamics with a damping around them.

    Attributes:
        member: the dynamics g.
        radius: r, the largest norm of the lines of a training latent, in standard units.
    """

    radius: Float[Tensor, ""]

    def __init__(
        self, spec: "StabilisedSpec", member: VectorFieldDynamics, units: Standardisation, radius: Float[Tensor, ""]
    ) -> None:
        super().__init__()
        self.spec, self.latent_space, self.units, self.member = spec, member.latent_space, units, member
        self.histories = member.histories
        self.register_buffer("radius", radius)

    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`."""
        return self.at()(t, z)

    def at(self, parameters: Parameters | None = None) -> VectorField:
        """See `VectorFieldDynamics.at`."""
        return _Damped(self.member.at(parameters), self)

    @property
    def ball(self) -> "_Ball":
        """The ball in which there are data."""
        return _Ball(self.units, self.radius, self.latent_space.angles)

    def sizes(self) -> Mapping[str, Any]:
        """See `LatentDynamics.sizes`."""
        return {"member": self.member.sizes()}


@dataclass(frozen=True, eq=False)
class _Damped(WrappedField):
    """The field of a member with the damping around it."""

    dynamics: Stabilised

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        spec = self.dynamics.spec
        assert isinstance(spec, StabilisedSpec)
        ball = self.dynamics.ball
        inner = self.field(t, ball.nearest(x, max(1.0, spec.reach)))
        return (inner + ball.damping(x, spec)).to(x.dtype)


@dataclass(frozen=True)
class StabilisedSpec(DynamicsSpec):
    """Settings of stabilised dynamics.

    Attributes:
        member: the dynamics that are stabilised, given by a vector field.
        rate: rate of the damping, per time unit, > 0.
        reach: norm beyond which the damping acts, in units of that of the outermost training latent, >= 0.
    """

    member: DynamicsSpec = field(default_factory=default_member)
    rate: float = 1.0
    reach: float = 1.0

    def __post_init__(self):
        positive("rate", self.rate)
        at_least("reach", self.reach, 0)

    def _fit(self, data: LatentData) -> Stabilised:
        """The member fitted to what the damping leaves of the velocities; see `DynamicsSpec._fit`."""
        ball = _Ball.of(data)
        member = fit_field(self.member, data.changed(lambda part: _undamped(part, ball, self)))
        return Stabilised(self, member, ball.units, ball.radius)

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: a copy of the latents, and what the member takes."""
        return super().memory(latent_space, train, validation) + self.member.memory(latent_space, train, validation)

    def build(self, latent_space: LatentSpace, member: Mapping[str, Any]) -> Stabilised:  # type: ignore[override] # its sizes by name
        """See `DynamicsSpec.build`."""
        inner = build_field(self.member, latent_space, member)
        return Stabilised(self, inner, Standardisation.empty(latent_space.dim), torch.ones((), dtype=torch.float64))


def _undamped(part: Trajectories, ball: _Ball, spec: StabilisedSpec) -> Trajectories:
    """Latents with what the damping leaves of their velocities."""
    assert part.velocities is not None
    return replace(part, velocities=part.velocities - ball.damping(part.states, spec).to(part.velocities))
