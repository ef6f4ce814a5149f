"""Parametric latent dynamics: the field sees the parameters of a trajectory, standardised, beside its latents.

The parameters are taken for latent coordinates that do not move, (z, p)' = (g(z, p), 0), which makes any other dynamics
parametric; for polynomials this is how S. L. Brunton, J. L. Proctor, J. N. Kutz, PNAS 113, 3932 (2016), treat them. In
rollouts p is held exactly. The latents must mean the same for all parameters, or vary smoothly with them where the
reducer sees them too (`dynred.reducers.base.ParametricReducer`), which is a setting of the reducer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.parameters import as_tensors, stacked
from dynred.data.trajectories import Trajectories
from dynred.dynamics._members import build_field, default_member, fit_field
from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.vector_field import Parameters, VectorField, WrappedField


class Parametric(VectorFieldDynamics):
    """Dynamics that depend on parameters.

    Attributes:
        member: dynamics of latents and parameters together.
        names: names of the P parameters, in the order in which they follow the latents: all that differ between the
            training trajectories.
    """

    def __init__(self, spec: "ParametricSpec", space: LatentSpace, member: VectorFieldDynamics, names: Sequence[str]):
        super().__init__()
        self.spec, self.latent_space, self.member, self.names = spec, space, member, tuple(names)
        self.histories = member.histories
        inner, r = member.units, space.dim
        self.units = Standardisation(inner.shift[:r].clone(), inner.spread[:r].clone(), inner.rate[:r].clone())

    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`; only for dynamics without parameters. `at` fills them in."""
        return self.at()(t, z)

    def at(self, parameters: Parameters | None = None) -> VectorField:
        """See `VectorFieldDynamics.at`.

        Raises:
            InputError: a parameter is missing.
        """
        known = as_tensors(parameters)
        batch = torch.broadcast_shapes(*(known[name].shape for name in self.names if name in known))
        return _FieldAtParameters(self.member.at(parameters), stacked(parameters, self.names, batch))

    def sizes(self) -> Mapping[str, Any]:
        """See `LatentDynamics.sizes`."""
        return {"names": list(self.names), "member": self.member.sizes()}


@dataclass(frozen=True, eq=False)
class _FieldAtParameters(WrappedField):
    """The field of latents and parameters together, with the parameters held."""

    values: Float[Tensor, "*N P"]

    @property
    def dim(self) -> int:
        return self.field.dim - self.values.shape[-1]

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        held = self.values.to(x).expand(*x.shape[:-1], -1)
        return self.field(t, torch.cat([x, held], -1))[..., : self.dim]

    def rows(self, index: Tensor | slice) -> Self:
        values = self.values[index] if self.values.ndim > 1 else self.values
        return replace(super().rows(index), values=values)


@dataclass(frozen=True)
class ParametricSpec(DynamicsSpec):
    """Settings of parametric dynamics.

    Attributes:
        member: the dynamics that are made parametric, given by a vector field.
    """

    member: DynamicsSpec = field(default_factory=default_member)

    def _fit(self, data: LatentData) -> Parametric:
        """The member fitted to latents and parameters; see `DynamicsSpec._fit`.

        Without parameters, or with the same ones for all trajectories, the member sees the latents alone.
        """
        names = [name for name, value in data.latents.parameters.items() if (value != value[0]).any()]
        joint = data.changed(lambda part: _joined(part, names), _joint_space(data.latent_space, names))
        return Parametric(self, data.latent_space, fit_field(self.member, joint), names)

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: a copy of the latents, and what the member takes."""
        return super().memory(latent_space, train, validation) + self.member.memory(latent_space, train, validation)

    def build(self, latent_space: LatentSpace, names: Sequence[str], member: Mapping[str, Any]) -> Parametric:  # type: ignore[override] # its sizes by name
        """See `DynamicsSpec.build`."""
        inner = build_field(self.member, _joint_space(latent_space, names), member)
        return Parametric(self, latent_space, inner, names)


def _joint_space(space: LatentSpace, names: Sequence[str]) -> LatentSpace:
    return replace(space, lines=space.lines + len(names))


def _joined(latents: Trajectories, names: Sequence[str]) -> Trajectories:
    """Latents followed by their parameters, which do not move."""
    assert latents.velocities is not None
    lacking = [name for name in names if name not in latents.parameters]
    if lacking:
        raise refuse("validation", f"trajectories with the parameters {', '.join(names)}", f"no {', '.join(lacking)}")
    values = stacked(latents.row_parameters, names, [len(latents.states)]).to(latents.states)
    states = torch.cat([latents.states, values], -1)
    return replace(latents, states=states, velocities=torch.cat([latents.velocities, torch.zeros_like(values)], -1))
