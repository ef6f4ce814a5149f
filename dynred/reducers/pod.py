"""Proper orthogonal decomposition: the best linear subspace.

The linear algebra is in `dynred.numerics.modes`, because nonlinear reducers start from it too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.modes import Modes
from dynred.reducers.base import Reducer, ReducerSpec
from dynred.runtime import Runtime


class POD(Reducer):
    """Projection onto the leading modes: z = U^T (x - mean), x = mean + U z."""

    def __init__(self, spec: "PODSpec", modes: Modes):
        super().__init__()
        self.spec, self.modes = spec, modes
        self.state_dim = modes.basis.shape[0]
        self.latent_space = LatentSpace(lines=spec.latent_dim)

    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """Coefficients of the modes."""
        return self.modes.coefficients(x)

    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """The state with these coefficients."""
        return self.modes.state(z)

    def sizes(self) -> Mapping[str, int]:
        """See `Reducer.sizes`."""
        return {"state_dim": self.state_dim}


@dataclass(frozen=True)
class PODSpec(ReducerSpec):
    """Settings of POD: the number of modes is `latent_dim`."""

    def _fit(self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime) -> POD:
        """The modes of the training snapshots; see `ReducerSpec._fit`. In float64, exact up to round-off."""
        return POD(self, Modes.of(train.states.double(), self.latent_dim, scaled=False))

    def build(self, state_dim: int) -> POD:  # type: ignore[override] # its sizes by name
        """See `ReducerSpec.build`."""
        return POD(self, Modes.empty(state_dim, self.latent_dim))
