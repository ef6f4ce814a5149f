"""Scaling: every variable in a unit of its own, so that all count alike, whatever units the data came in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import integer, one_of, positive, refuse
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Transform, TransformSpec
from dynred.data.variables import Variable, Variables, named_variables, variables_of

APART = 30.0  # ratio of the spreads of named variables, from which on `auto` scales
SHOWN = 8  # most units that a sentence lists


class Scaling(Transform):
    """y = x / scale, component by component.

    Attributes:
        scale: the unit of every component [D], > 0.
    """

    scale: Float[Tensor, " D"]

    def __init__(self, spec: "ScalingSpec", scale: Float[Tensor, " D"], variables: Variables = ()) -> None:
        super().__init__()
        self.spec: ScalingSpec = spec
        self.state_dim = self.dim = len(scale)
        self.variables = variables
        self.register_buffer("scale", scale)

    @property
    def changes(self) -> bool:  # type: ignore[override] # found out
        """See `Transform.changes`."""
        return bool((self.scale != 1).any())

    def forward(self, x: Float[Tensor, "*batch T D"]) -> Float[Tensor, "*batch T D"]:
        """See `Transform.forward`."""
        return x.double() / self.scale

    def undo(self, y: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """See `Transform.undo`."""
        return y.double() * self.scale

    def sizes(self) -> Mapping[str, Any]:
        """See `Transform.sizes`."""
        return {"state_dim": self.state_dim, "variables": [list(variable) for variable in self.variables]}

    def notes(self) -> list[str]:
        """See `Transform.notes`: the units."""
        first = torch.tensor([variable.width for variable in self.variables]).cumsum(0) - 1
        units = [f"{v.name} {self.scale[i]:.3g}" for v, i in zip(self.variables, first.tolist(), strict=True)]
        listed = ", ".join(units[:SHOWN]) + (", ..." if len(units) > SHOWN else "")
        why = "as their spreads differ by more than 30 times" if self.spec.by == "auto" else f"by {self.spec.by}"
        return [f"Variables are scaled, {why}: units are {listed}."]


@dataclass(frozen=True)
class ScalingSpec(TransformSpec):
    """Settings of scaling. What belongs to one variable (a field, a column) keeps one unit.

    Attributes:
        by: the unit of a variable: its standard `deviation` over the training snapshots, or its `range`; `auto` is the
            deviation where the deviations of variables that the data name differ by more than 30 times, else nothing;
            `none` is nothing. A variable that does not vary keeps its unit.
        units: units that are given, by the name of the variable: 101325 makes Pa atmospheres.
        widths: numbers of components of the variables, in order, where the data do not name them, e.g. (64, 64) for two
            fields; empty makes every component a variable.
    """

    by: Literal["auto", "deviation", "range", "none"] = "deviation"
    units: Mapping[str, float] = field(default_factory=dict)
    widths: tuple[int, ...] = ()

    def __post_init__(self):
        for name, unit in self.units.items():
            positive(f"units.{name}", unit)
        for width in self.widths:
            integer("widths", width, 1)

    def _fit(self, train: Trajectories) -> Scaling:
        """The units of the training snapshots; see `TransformSpec._fit`."""
        named = named_variables(train.attributes, train.dim)
        variables = self._variables(train)
        for name in self.units:
            one_of("units", name, [variable.name for variable in variables])
        blocks = train.states.double().split([variable.width for variable in variables], dim=1)
        spreads = torch.stack([_deviation(block) for block in blocks])
        scales = torch.stack([_range(block) for block in blocks]) if self.by == "range" else spreads.clone()
        varying = spreads > 1e-12 * torch.stack([block.abs().max() for block in blocks])
        if self.by == "none" or (self.by == "auto" and not (named and _far_apart(spreads[varying]))):
            scales = torch.ones_like(scales)
        scales = torch.where(varying, scales, 1.0)
        for i, variable in enumerate(variables):
            scales[i] = self.units.get(variable.name, scales[i])
        widths = torch.tensor([variable.width for variable in variables])
        return Scaling(self, torch.repeat_interleave(scales, widths), variables)

    def _variables(self, train: Trajectories) -> Variables:
        if not self.widths:
            return variables_of(train.attributes, train.dim)
        if sum(self.widths) != train.dim:
            raise refuse("widths", f"of sum {train.dim}, the dimension of the states", f"{sum(self.widths)}")
        return tuple(Variable(f"x{i + 1}", width) for i, width in enumerate(self.widths))

    def build(self, state_dim: int, variables: list[tuple[str, int]]) -> Scaling:  # type: ignore[override] # by name
        """See `TransformSpec.build`."""
        return Scaling(
            self, torch.ones(state_dim, dtype=torch.float64), tuple(Variable(*variable) for variable in variables)
        )


def scaled_apart(trajectories: Trajectories) -> Trajectories:
    """Trajectories with their variables scaled where the data name them and their spreads differ by more than 30 times;
    others as they are."""
    scaling = ScalingSpec("auto").fit(trajectories)
    return scaling.transformed(trajectories) if scaling.changes else trajectories


def _deviation(block: Float[Tensor, "M w"]) -> Float[Tensor, ""]:
    return (block - block.mean(0)).pow(2).mean().sqrt()


def _range(block: Float[Tensor, "M w"]) -> Float[Tensor, ""]:
    return block.max() - block.min()


def _far_apart(spreads: Float[Tensor, " V"]) -> bool:
    return len(spreads) > 1 and bool(spreads.max() > APART * spreads.min())
