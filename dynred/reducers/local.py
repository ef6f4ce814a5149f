"""Local averages: latent coordinates are Gaussian averages of a field around the points of a coarse lattice, and every
value of the field is the same polynomial of the averages nearby, by least squares.

What is fitted on a short field holds for one of any length: `LocalReducer.sized`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.checks import at_least, count
from dynred.data.grid import remembered_grid
from dynred.data.layout import Layout
from dynred.data.trajectories import Trajectories
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.lattice import Lattice
from dynred.numerics.local_fits import LocalPolynomialSpec, LocalSample
from dynred.numerics.local_map import LocalMap
from dynred.reducers._cells import Cells, cells_of
from dynred.reducers._declared import declared_group
from dynred.reducers.base import Reducer, ReducerSpec
from dynred.runtime import Runtime

WIDEST = 5.0  # steps of the lattice


class LocalReducer(Reducer):
    """A fitted encoder by local averages, and its decoder, in float64.

    Attributes:
        cells: the fine grid and the coarse lattice.
        axes: name of every axis and the distance of its fine points.
        mean: the mean of every component [C], which symmetries leave where it is.
        scale: unit of every component [C].
        decoder: the polynomial.
    """

    spec: "LocalReducerSpec"
    mean: Float[Tensor, " C"]
    scale: Float[Tensor, " C"]

    def __init__(self, spec: "LocalReducerSpec", cells: Cells, axes: Mapping[str, float], decoder: LocalMap) -> None:
        super().__init__()
        self.spec, self.cells, self.axes, self.decoder = spec, cells, dict(axes), decoder
        self.state_dim = cells.state_dim
        self.latent_space = LatentSpace(lines=cells.lattice.dim, lattice=cells.lattice)
        self.register_buffer("mean", torch.zeros(cells.components, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(cells.components, dtype=torch.float64))

    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """See `Reducer.encode`."""
        return ((self.cells.averages(x.to(self.mean)) - self.mean[:, None]) / self.scale[:, None]).flatten(-2)

    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """See `Reducer.decode`."""
        values = self.decoder(z, self.cells.lattice.points)
        return (self.mean[:, None] + self.scale[:, None] * self.cells.fields(values)).flatten(-2)

    def sized(self, points: Sequence[int]) -> "LocalReducer":
        """See `Reducer.sized`."""
        other = LocalReducer(self.spec, self.cells.sized(points), self.axes, self.decoder)
        other.mean, other.scale = self.mean, self.scale
        return other

    def points_of(self, state_dim: int) -> tuple[int, ...]:
        """See `Reducer.points_of`."""
        return self.cells.points_of(state_dim)

    def notes(self) -> list[str]:
        """See `Reducer.notes`: for which fields it holds."""
        gaps = " and ".join(f"{gap:.6g} apart along {name}" for name, gap in self.axes.items())
        per, fields = self.cells.per, f"{self.cells.components} fields" if self.cells.components > 1 else "fields"
        return [
            f"It holds for periodic {fields} of any size whose points are {gaps}, any multiple of {per} along an axis: "
            f"model.predict(x0), or model.sized(points)."
        ]

    def sizes(self) -> Mapping[str, Any]:
        """See `Reducer.sizes`."""
        return {
            "lattice": self.cells.lattice.to_dict(),
            "per": self.cells.per,
            "axes": self.axes,
            "reaches": list(self.decoder.reaches),
        }


@dataclass(frozen=True)
class LocalReducerSpec(ReducerSpec):
    """Settings of local averages, for periodic fields that look alike everywhere: with a translation along every axis.

    `latent_dim` is the number of averages, components times points of the lattice; it must divide the grid evenly.

    Attributes:
        width: standard deviation of the Gaussian averages, in steps of the lattice, >= 0; 0 takes the values there.
        polynomial: neighbours and size of the decoder.
    """

    width: float = 0.3
    polynomial: LocalPolynomialSpec = field(default_factory=lambda: LocalPolynomialSpec(terms=600))

    def __post_init__(self):
        super().__post_init__()
        at_least("width", self.width, 0)

    def _fit(
        self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime
    ) -> LocalReducer:
        """The least squares fit; see `ReducerSpec._fit`. Draws nothing from `rng`."""
        group = declared_group(train, "local models")
        cells = cells_of(group, self.latent_dim, self.width)
        z = cells.averages(train.states.double())
        mean, scale = _units(z, cells.lattice)

        def sample(part: Trajectories, averages: Float[Tensor, "M C sites"]) -> LocalSample:
            def values(rows: Int[Tensor, " m"]) -> Float[Tensor, "m sites V"]:
                fields = part.states[rows].double().unflatten(-1, (cells.components, -1))
                return cells.values((fields - mean[:, None]) / scale[:, None])

            standard = (averages - mean[:, None]) / scale[:, None]
            return LocalSample(cells.lattice, standard.flatten(-2), cells.around, values)

        held = sample(validation, cells.averages(validation.states.double()))
        decoder, _ = self.polynomial.fit(sample(train, z), held)
        fitted = LocalReducer(self, cells, _gaps(train, group.layout), decoder)
        fitted.mean, fitted.scale = mean, scale
        return fitted

    def memory(self, state_dim: int, train: int, validation: int) -> int:
        """See `ReducerSpec.memory`: averages, and the fit."""
        averages = 24 * (train + validation) * self.latent_dim
        return averages + 32 * state_dim * train + self.polynomial.memory(train * self.latent_dim)

    def build(  # type: ignore[override] # its sizes by name
        self, lattice: Mapping[str, Any], per: int, axes: Mapping[str, float], reaches: Sequence[int]
    ) -> LocalReducer:
        """See `ReducerSpec.build`."""
        cells = Cells(Lattice.from_dict(lattice), count("per", per, 2, 10_000), self.width)
        return LocalReducer(self, cells, axes, LocalMap(cells.lattice, cells.around, reaches))


def _units(z: Float[Tensor, "M C sites"], lattice: Lattice) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Mean and spread of every component. One whose sign a mirror changes has the mean 0, else no mirror would be."""
    fixed = torch.tensor([all(factors[c] == 1 for factors in lattice.signs) for c in range(lattice.components)])
    mean = torch.where(fixed, z.mean((0, 2)), 0.0)
    spread = (z - mean[:, None]).square().mean((0, 2)).sqrt()
    return mean, spread.clamp_min(1e-12 * float(spread.max()))


def _gaps(train: Trajectories, layout: Layout) -> dict[str, float]:
    """The distance of the points along every axis; 1 where nobody knows."""
    grid = remembered_grid(train.attributes, train.dim)
    if grid is None:
        return dict.fromkeys(layout.axes, 1.0)
    return {axis.name: abs(float(torch.diff(axis.coordinates).mean())) for axis in grid.axes}
