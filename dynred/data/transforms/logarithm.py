"""Logarithm: positive variables over many orders of magnitude, such as concentrations; predictions stay positive."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dynred.checks import at_least, one_of, refuse
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Transform, TransformSpec
from dynred.data.variables import variables_of


class Logarithm(Transform):
    """y = log max(x, floor) in some components, y = x in the others.

    Attributes:
        chosen: 1 where the logarithm is taken, 0 elsewhere [D].
    """

    chosen: Float[Tensor, " D"]

    def __init__(self, spec: "LogarithmSpec", chosen: Float[Tensor, " D"]) -> None:
        super().__init__()
        self.spec: LogarithmSpec = spec
        self.state_dim = self.dim = len(chosen)
        self.register_buffer("chosen", chosen)

    def forward(self, x: Float[Tensor, "*batch T D"]) -> Float[Tensor, "*batch T D"]:
        """See `Transform.forward`."""
        x = x.double()
        # Both branches are differentiated: the logarithm sees 1 where it is not taken.
        positive = torch.where(self._mask, x.clamp_min(self.spec.floor) if self.spec.floor else x, 1.0)
        return torch.where(self._mask, positive.log(), x)

    def undo(self, y: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """See `Transform.undo`."""
        y = y.double()
        return torch.where(self._mask, torch.where(self._mask, y, 0.0).exp(), y)

    def check(self, trajectories: Trajectories) -> None:
        """See `Transform.check`: what has no logarithm is refused, unless it is clipped."""
        low = torch.where(self._mask, trajectories.states.double(), 1.0).amin(0)
        if self.spec.floor == 0 and (low <= 0).any():
            i = int(low.argmin())
            names = [v.name for v in variables_of(trajectories.attributes, self.state_dim) for _ in range(v.width)]
            advice = "`floor` (--set transforms.logarithm.floor=...) clips smaller values; `variables` names others."
            raise refuse(f"variable {names[i]}", "positive for a logarithm", f"{float(low[i]):.4g}", advice)

    def sizes(self) -> Mapping[str, Any]:
        """See `Transform.sizes`."""
        return {"state_dim": self.state_dim}

    def notes(self) -> list[str]:
        """See `Transform.notes`."""
        what = ", ".join(self.spec.variables) or "all variables"
        clipped = f", smaller values than {self.spec.floor:g} clipped" if self.spec.floor else ""
        return [f"Logarithms are taken of {what}{clipped}."]

    @property
    def _mask(self) -> Bool[Tensor, " D"]:
        return self.chosen > 0.5


@dataclass(frozen=True)
class LogarithmSpec(TransformSpec):
    """Settings of logarithms.

    Attributes:
        variables: names of the variables; empty takes all.
        floor: values below it are clipped to it, >= 0; 0 clips nothing, and refuses values that are not positive.
    """

    variables: tuple[str, ...] = ()
    floor: float = 0.0

    def __post_init__(self):
        at_least("floor", self.floor, 0)

    def _fit(self, train: Trajectories) -> Logarithm:
        """The components; see `TransformSpec._fit`."""
        known = variables_of(train.attributes, train.dim)
        for name in self.variables:
            one_of("variables", name, [variable.name for variable in known])
        taken = [
            not self.variables or variable.name in self.variables for variable in known for _ in range(variable.width)
        ]
        fitted = Logarithm(self, torch.tensor(taken, dtype=torch.float64))
        fitted.check(train)
        return fitted

    def build(self, state_dim: int) -> Logarithm:  # type: ignore[override] # its sizes by name
        """See `TransformSpec.build`."""
        return Logarithm(self, torch.zeros(state_dim, dtype=torch.float64))
