"""Centring: deviations from a state that is known, such as the mean or a rest state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Transform, TransformSpec


class Centring(Transform):
    """y = x - centre.

    Attributes:
        centre: the state that becomes 0 [D].
    """

    centre: Float[Tensor, " D"]

    def __init__(self, spec: "CentringSpec", centre: Float[Tensor, " D"]) -> None:
        super().__init__()
        self.spec: CentringSpec = spec
        self.state_dim = self.dim = len(centre)
        self.register_buffer("centre", centre)

    def forward(self, x: Float[Tensor, "*batch T D"]) -> Float[Tensor, "*batch T D"]:
        """See `Transform.forward`."""
        return x.double() - self.centre

    def undo(self, y: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """See `Transform.undo`."""
        return y.double() + self.centre

    def sizes(self) -> Mapping[str, Any]:
        """See `Transform.sizes`."""
        return {"state_dim": self.state_dim}

    def notes(self) -> list[str]:
        """See `Transform.notes`: what is subtracted."""
        what = "a given state" if self.spec.reference else "the mean of the training states"
        return [f"States are deviations from {what}."]


@dataclass(frozen=True)
class CentringSpec(TransformSpec):
    """Settings of centring.

    Attributes:
        reference: the state that becomes 0, in the variables that this transform is given; empty takes the mean of the
            training snapshots. One number stands for all components.
    """

    reference: tuple[float, ...] = ()

    def _fit(self, train: Trajectories) -> Centring:
        """The centre; see `TransformSpec._fit`."""
        if not self.reference:
            return Centring(self, train.states.double().mean(0))
        if len(self.reference) not in (1, train.dim):
            raise refuse("reference", f"one number, or one for each of {train.dim} components", len(self.reference))
        return Centring(self, torch.tensor(self.reference, dtype=torch.float64).expand(train.dim).clone())

    def build(self, state_dim: int) -> Centring:  # type: ignore[override] # its sizes by name
        """See `TransformSpec.build`."""
        return Centring(self, torch.zeros(state_dim, dtype=torch.float64))
