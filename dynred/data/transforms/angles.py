"""Angles: each becomes its cosine and sine, so that states a turn apart are the same state; predictions are angles."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import one_of
from dynred.data.angles import KEY, TURN
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Transform, TransformSpec
from dynred.data.variables import Variable, Variables, variables_of


class Angles(Transform):
    """y = x in some components; a component that is an angle becomes (cos, sin) in its place.

    Attributes:
        begins: the number at which the turn begins in which `undo` gives every angle [D].
        turn: the period of every angle, 0 of components that are none [D].
    """

    begins: Float[Tensor, " D"]
    turn: Float[Tensor, " D"]

    def __init__(
        self,
        spec: "AnglesSpec",
        turn: Float[Tensor, " D"],
        begins: Float[Tensor, " D"],
        chosen: list[int],
        variables: Variables = (),
    ) -> None:
        super().__init__()
        self.spec: AnglesSpec = spec
        self.state_dim, self.dim = len(turn), len(turn) + len(chosen)
        self.chosen, self.variables = chosen, variables
        self.register_buffer("turn", turn)
        self.register_buffer("begins", begins)

    @property
    def changes(self) -> bool:  # type: ignore[override] # found out
        """See `Transform.changes`."""
        return bool(self.chosen)

    @property
    def periods(self) -> list[float]:
        """See `Transform.periods`."""
        return self.turn.tolist()

    def named(self, variables: Variables) -> Variables:
        """See `Transform.named`: an angle is one variable of two components."""
        chosen = set(self.chosen)
        first, named = 0, []
        for variable in variables:
            own = range(first, first + variable.width)
            named.append(Variable(variable.name, variable.width + sum(i in chosen for i in own)))
            first += variable.width
        return tuple(named)

    def forward(self, x: Float[Tensor, "*batch T D"]) -> Float[Tensor, "*batch T E"]:
        """See `Transform.forward`."""
        x, parts = x.double(), []
        for i in range(self.state_dim):
            if i in self.chosen:
                angle = x[..., i] * (2 * math.pi / self.turn[i])
                parts += [angle.cos(), angle.sin()]
            else:
                parts.append(x[..., i])
        return torch.stack(parts, -1)

    def undo(self, y: Float[Tensor, "*batch E"]) -> Float[Tensor, "*batch D"]:
        """See `Transform.undo`: the angle of the nearest point of the circle, in the turn that the data are in."""
        y, parts, place = y.double(), [], 0
        for i in range(self.state_dim):
            if i in self.chosen:
                angle = torch.atan2(y[..., place + 1], y[..., place]) * (self.turn[i] / (2 * math.pi))
                parts.append(self.begins[i] + torch.remainder(angle - self.begins[i], self.turn[i]))
                place += 2
            else:
                parts.append(y[..., place])
                place += 1
        return torch.stack(parts, -1)

    def sizes(self) -> Mapping[str, Any]:
        """See `Transform.sizes`."""
        variables = [list(variable) for variable in self.variables]
        return {"state_dim": self.state_dim, "chosen": self.chosen, "variables": variables}

    def notes(self) -> list[str]:
        """See `Transform.notes`."""
        names = [variable.name for variable in self.variables for _ in range(variable.width)]
        listed = dict.fromkeys(names[i] for i in self.chosen)
        return [f"Angles ({', '.join(listed)}) enter the model as cosine and sine."]


@dataclass(frozen=True)
class AnglesSpec(TransformSpec):
    """Settings of angles.

    Attributes:
        variables: names of the variables that are angles; empty takes those that the data declare (`--angle`).
        unit: their unit; that of declared ones is known.
    """

    variables: tuple[str, ...] = ()
    unit: Literal["radians", "degrees"] = "radians"

    def _fit(self, train: Trajectories) -> Angles:
        """Which components are angles, and the turn in which the data give them; see `TransformSpec._fit`."""
        variables = variables_of(train.attributes, train.dim)
        for name in self.variables:
            one_of("variables", name, [variable.name for variable in variables])
        declared = train.attributes.get(KEY, {})
        periods = {name: declared.get(name, TURN[self.unit]) for name in self.variables} if self.variables else declared
        turn = [float(periods.get(variable.name, 0.0)) for variable in variables for _ in range(variable.width)]
        chosen = [i for i, period in enumerate(turn) if period > 0]
        period = torch.tensor(turn, dtype=torch.float64)
        low, high = train.states.double().amin(0), train.states.double().amax(0)
        positive = (low >= 0) & (high > period / 2) & (high <= period * (1 + 1e-9))
        begins = torch.where(positive, 0.0, -period / 2)
        return Angles(self, period, begins, chosen, variables)

    def build(self, state_dim: int, chosen: list[int], variables: list[tuple[str, int]]) -> Angles:  # type: ignore[override] # by name
        """See `TransformSpec.build`."""
        zeros = torch.zeros(state_dim, dtype=torch.float64)
        return Angles(self, zeros, zeros.clone(), list(chosen), tuple(Variable(*variable) for variable in variables))
