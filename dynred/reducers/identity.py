"""The states themselves as coordinates: where nothing is left to reduce, as on a section or for a map of the plane."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.numerics.latent_space import LatentSpace
from dynred.reducers.base import Reducer, ReducerSpec
from dynred.runtime import Runtime


class Identity(Reducer):
    """z = x."""

    def __init__(self, spec: "IdentitySpec") -> None:
        super().__init__()
        self.spec, self.state_dim, self.latent_space = spec, spec.latent_dim, LatentSpace(lines=spec.latent_dim)

    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """The state, in float64."""
        return x.double()

    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """The state, in float64."""
        return z.double()

    def sizes(self) -> Mapping[str, int]:
        """See `Reducer.sizes`."""
        return {}


@dataclass(frozen=True)
class IdentitySpec(ReducerSpec):
    """Settings of the identity: `latent_dim` is the state dimension."""

    def _fit(
        self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime
    ) -> Identity:
        """See `ReducerSpec._fit`: there is nothing to fit."""
        return Identity(self)

    def check_data(self, train: Trajectories) -> None:
        """Refuses states of more or fewer dimensions than `latent_dim`."""
        if train.dim != self.latent_dim:
            raise refuse("latent_dim", f"the state dimension {train.dim} for the identity", self.latent_dim)

    def build(self) -> Identity:  # type: ignore[override] # it has no sizes
        """See `ReducerSpec.build`."""
        return Identity(self)
