"""An ensemble of latent dynamics: several fields fitted to the same latents from different random streams.

The ensemble is itself dynamics: its field is the mean of its members' fields. What each member learned wrongly by
chance averages out; how far the members' rollouts are apart tells how far they can be trusted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dynred.checks import count, refuse
from dynred.dynamics._members import build_field, default_member, fit_field
from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.vector_field import Parameters, VectorField, WrappedField
from dynred.rng import spawn
from dynred.runtime import Runtime


class Ensemble(VectorFieldDynamics):
    """Dynamics z' = mean over members of member(z)."""

    def __init__(self, spec: "EnsembleSpec", members: list[VectorFieldDynamics]):
        super().__init__()
        self.spec, self.latent_space = spec, members[0].latent_space
        units = members[0].units
        self.units = Standardisation(units.shift.clone(), units.spread.clone(), units.rate.clone())
        self.members = nn.ModuleList(members)
        self.histories = tuple(
            replace(history, stage=f"{history.stage} {i + 1}")
            for i, member in enumerate(members)
            for history in member.histories
        )

    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`."""
        return self.at()(t, z)

    def at(self, parameters: Parameters | None = None) -> VectorField:
        """See `VectorFieldDynamics.at`."""
        first, *others = (member.at(parameters) for member in self.averaged())
        return _Mean(first, tuple(others))

    def averaged(self) -> list[VectorFieldDynamics]:
        """See `LatentDynamics.averaged`: the members."""
        return list(self.members)  # type: ignore[arg-type] # nn.ModuleList does not know what is in it

    def sizes(self) -> Mapping[str, Any]:
        """See `LatentDynamics.sizes`."""
        return {"members": [member.sizes() for member in self.averaged()]}


@dataclass(frozen=True, eq=False)
class _Mean(WrappedField):
    """The mean of a field and others."""

    others: tuple[VectorField, ...]

    @property
    def differentiable(self) -> bool:
        return all(field.differentiable for field in (self.field, *self.others))

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        return torch.stack([field(t, x) for field in (self.field, *self.others)]).mean(0)

    def rows(self, index: Tensor | slice) -> Self:
        return replace(super().rows(index), others=tuple(field.rows(index) for field in self.others))


@dataclass(frozen=True)
class EnsembleSpec(DynamicsSpec):
    """Settings of an ensemble.

    Attributes:
        member: the dynamics that it is made of, given by a vector field, which must draw from their random stream.
        members: how many, >= 2.
    """

    member: DynamicsSpec = field(default_factory=default_member)
    members: int = 5

    def __post_init__(self):
        count("members", self.members, 2, 10_000)

    def _fit(self, data: LatentData) -> Ensemble:
        """The members, one after the other; see `DynamicsSpec._fit`."""
        streams = [spawn(data.rng, "member", i) for i in range(self.members)]
        parts = [replace(data, rng=stream, runtime=_numbered(data.runtime, i)) for i, stream in enumerate(streams)]
        return Ensemble(self, [fit_field(self.member, part) for part in parts])

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: that of the members, all of which stay in memory."""
        return self.members * self.member.memory(latent_space, train, validation)

    def build(self, latent_space: LatentSpace, members: list[Mapping[str, Any]]) -> Ensemble:  # type: ignore[override] # its sizes by name
        """See `DynamicsSpec.build`."""
        if len(members) != self.members:
            raise refuse("members", f"{self.members}", len(members))
        return Ensemble(self, [build_field(self.member, latent_space, sizes) for sizes in members])


def _numbered(runtime: Runtime, i: int) -> Runtime:
    # Members train under the same stage name: each keeps its checkpoints in a folder of its own.
    return runtime if runtime.checkpoints is None else replace(runtime, checkpoints=runtime.checkpoints / f"member_{i}")
