"""Weights: states whose plain Euclidean norm is the norm that is meant, such as the integral over a grid that is not
uniform. Modes, losses and errors are then all in that norm."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.grid import Axis, remembered_grid
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import Transform, TransformSpec

EVEN = 0.01  # of a grid's mean spacing: spacings that differ by less are those of a uniform grid


class Weights(Transform):
    """y = sqrt(weight) x, so that |y|^2 = sum of weight x^2; weights have mean 1.

    Attributes:
        root: square root of the weight of every component [D].
    """

    root: Float[Tensor, " D"]

    def __init__(self, spec: "WeightsSpec", root: Float[Tensor, " D"]) -> None:
        super().__init__()
        self.spec: WeightsSpec = spec
        self.state_dim = self.dim = len(root)
        self.register_buffer("root", root)

    @property
    def changes(self) -> bool:  # type: ignore[override] # found out
        """See `Transform.changes`."""
        return bool((self.root != 1).any())

    def forward(self, x: Float[Tensor, "*batch T D"]) -> Float[Tensor, "*batch T D"]:
        """See `Transform.forward`."""
        return x.double() * self.root

    def undo(self, y: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """See `Transform.undo`."""
        return y.double() / self.root

    def sizes(self) -> Mapping[str, Any]:
        """See `Transform.sizes`."""
        return {"state_dim": self.state_dim}

    def notes(self) -> list[str]:
        """See `Transform.notes`."""
        if self.spec.values:
            return ["Errors are in a weighted norm: weights are given."]
        why = ", which is not uniform (--weights none leaves them out)" if self.spec.by == "auto" else ""
        return [f"Errors are in a weighted norm: weights are those of the grid{why}."]


@dataclass(frozen=True)
class WeightsSpec(TransformSpec):
    """Settings of weights.

    Attributes:
        by: `grid` takes those of the trapezoidal rule on the coordinates of the data; `auto` the same where these are
            not uniform, else none; `none` takes none.
        values: weights that are given instead, > 0: one for each component, or one for each point of the grid where
            several fields lie side by side; e.g. the diagonal of a mass matrix.
    """

    by: Literal["grid", "auto", "none"] = "grid"
    values: tuple[float, ...] = ()

    def __post_init__(self):
        for i, value in enumerate(self.values):
            if not value > 0:
                raise refuse("values", "positive", f"{value:g} at {i}")

    def _fit(self, train: Trajectories) -> Weights:
        """The weights; see `TransformSpec._fit`."""
        weights = self._given(train.dim) if self.values else self._of_grid(train)
        return Weights(self, (weights / weights.mean()).sqrt())

    def _given(self, dim: int) -> Float[Tensor, " D"]:
        weights = torch.tensor(self.values, dtype=torch.float64)
        if dim % len(weights):
            expected = f"one for each of {dim} components, or of the points of each field"
            raise refuse("values", expected, f"{len(weights)} weights")
        return weights.repeat(dim // len(weights))

    def _of_grid(self, train: Trajectories) -> Float[Tensor, " D"]:
        grid = remembered_grid(train.attributes, train.dim)
        if self.by == "none":
            return torch.ones(train.dim, dtype=torch.float64)
        if grid is None and self.by == "grid":
            advice = "`values` (--set transforms.weights.values=[...]) gives weights without them."
            raise refuse("the data", "fields with coordinates, for weights of a grid", "none", advice)
        if grid is None or (self.by == "auto" and all(map(_uniform, grid.axes))):
            return torch.ones(train.dim, dtype=torch.float64)
        weights = torch.ones(1, dtype=torch.float64)
        for axis in grid.axes:
            weights = (weights[:, None] * _trapezoids(axis)).reshape(-1)
        return weights.repeat(len(grid.components))

    def build(self, state_dim: int) -> Weights:  # type: ignore[override] # its sizes by name
        """See `TransformSpec.build`."""
        return Weights(self, torch.ones(state_dim, dtype=torch.float64))


def _uniform(axis: Axis) -> bool:
    steps = axis.coordinates.diff().abs()
    return len(steps) == 0 or bool(((steps - steps.mean()).abs() <= EVEN * steps.mean()).all())


def _trapezoids(axis: Axis) -> Float[Tensor, " n"]:
    """Weights of the trapezoidal rule; of a periodic axis, all the same."""
    if axis.period is not None or len(axis.coordinates) < 2:
        return torch.ones(len(axis.coordinates), dtype=torch.float64)
    return torch.from_numpy(np.abs(np.gradient(axis.coordinates.numpy()) * _halves(len(axis.coordinates))))


def _halves(n: int) -> Float[np.ndarray, " n"]:
    """1, and 1/2 at both ends: there `numpy.gradient` gives the whole last step."""
    halves = np.ones(n)
    halves[[0, -1]] = 0.5
    return halves
