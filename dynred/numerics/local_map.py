"""Maps of fields that are the same polynomial of the values nearby at every point of a lattice."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dynred.checks import refuse
from dynred.numerics.lattice import Lattice, Stencil
from dynred.numerics.local_products import HIGHEST, MOST_PRODUCTS, LocalProducts, product_count, products_of

# Numbers that are held at once for a piece of the points: so they stay in the processor's cache, and a point of a long
# field takes as long as one of a short field.
CACHED = 2**18
MOST_REACH = 200  # shells


@dataclass(frozen=True, eq=False)
class LocalSector:
    """The values of one parity among those of a map.

    Attributes:
        columns: where they stand among the adapted values.
        terms: the products of that parity, of which they are sums.
    """

    columns: Int[np.ndarray, " v"]
    terms: Int[np.ndarray, " k"]


def sectors_of(products: LocalProducts, targets: Stencil, chosen: Int[np.ndarray, " k"]) -> list[LocalSector]:
    """The values of a map, parity by parity, with those of the chosen products that have the same parity."""
    return [
        LocalSector(np.flatnonzero(targets.parities == parity), chosen[products.parities[chosen] == parity])
        for parity in np.unique(targets.parities).tolist()
    ]


class LocalMap(nn.Module):
    """Values at and around every point of a lattice, as polynomials of the field nearby, in float64.

    Attributes:
        lattice: that of the field; maps of fields with more or fewer points have the same coefficients.
        targets: which values there are around every point, V in number.
        reaches: see `products_of`.
        coefficients: of all sectors, one after the other, each [K, v], flat.
    """

    coefficients: Float[Tensor, " C"]

    def __init__(self, lattice: Lattice, targets: Stencil, reaches: Sequence[int]) -> None:
        super().__init__()
        self.lattice, self.targets, self.reaches = lattice, targets, check_reaches(lattice, reaches)
        every = products_of(lattice, self.reaches)
        wanted = np.flatnonzero(np.isin(every.parities, targets.parities))
        self.products, places = every.pruned(wanted)
        self.sectors = sectors_of(self.products, targets, places)
        numbers = sum(len(sector.terms) * len(sector.columns) for sector in self.sectors)
        self.register_buffer("coefficients", torch.zeros(numbers, dtype=torch.float64))
        self._entries = _entries(self.sectors, len(targets), len(self.products.degrees))
        self._matrix: Tensor | None = None

    def fill(self, coefficients: Sequence[Float[Tensor, "_K _v"]]) -> "LocalMap":
        """Takes the coefficients of every sector."""
        self.coefficients = torch.cat([self.coefficients[:0], *(part.flatten() for part in coefficients)])
        return self

    @property
    def term_count(self) -> int:
        """The number of products in all values together, each counted once."""
        return sum(len(sector.terms) for sector in self.sectors)

    def forward(self, z: Float[Tensor, "*batch R"], points: tuple[int, ...]) -> Float[Tensor, "*batch sites V"]:
        """The values around every point of fields of so many points along each axis."""
        places = torch.from_numpy(self.targets_at(points)).to(z.device)
        around = z.to(self.coefficients)[..., places]
        rows, matrix = around.reshape(-1, around.shape[-1]), self._dense()
        piece = max(64, CACHED // len(self.products.degrees))
        if torch.compiler.is_compiling() or len(rows) <= piece:
            values = self._at(rows, matrix)
        else:
            values = torch.cat([self._at(part, matrix) for part in rows.split(piece)])
        return values.reshape(*around.shape[:-1], len(self.targets))

    def targets_at(self, points: tuple[int, ...]) -> Int[np.ndarray, "sites F"]:
        """Where the factors around every point stand in a field."""
        return self.products.stencil.places(points)

    def _dense(self) -> Float[Tensor, "V K"]:
        """The coefficients of all products in all values, and the way back from adapted values, in one matrix."""
        if self._matrix is None or self._matrix.device != self.coefficients.device or torch.compiler.is_compiling():
            known = torch.cat([self.coefficients, torch.zeros_like(self.coefficients[:1])])
            adapted = known.index_select(0, torch.from_numpy(self._entries.ravel()).to(known.device))
            adapted = adapted.reshape(self._entries.shape)
            matrix = torch.from_numpy(self.targets.adapted.T.copy()).to(adapted) @ adapted
            if torch.compiler.is_compiling():
                return matrix
            self._matrix = matrix
        return self._matrix

    def _at(self, around: Float[Tensor, "m F"], matrix: Float[Tensor, "V K"]) -> Float[Tensor, "m V"]:
        x = torch.from_numpy(self.products.stencil.adapted).to(around) @ around.T
        total, first = torch.zeros_like(x[:1]), 0
        for level in self.products.values(x):
            total = total + matrix[:, first : first + len(level)] @ level
            first += len(level)
        return total.T


def _entries(sectors: Sequence[LocalSector], values: int, products: int) -> Int[np.ndarray, "V K"]:
    """Which coefficient belongs to a product in a value; their number where none does."""
    numbers = sum(len(sector.terms) * len(sector.columns) for sector in sectors)
    entries, first = np.full((values, products), numbers), 0
    for sector in sectors:
        shape = (len(sector.terms), len(sector.columns))
        entries[np.ix_(sector.columns, sector.terms)] = (first + np.arange(math.prod(shape)).reshape(shape)).T
        first += math.prod(shape)
    return entries


def check_reaches(lattice: Lattice, reaches: Sequence[int]) -> tuple[int, ...]:
    """The reaches; refused where they are no reaches, or have too many products: settings and files are not trusted.

    Raises:
        InputError: no such numbers.
    """
    reaches = tuple(reaches)
    if not 1 <= len(reaches) <= HIGHEST or min(reaches) < 0 or list(reaches) != sorted(reaches, reverse=True):
        raise refuse("neighbours", f"1 to {HIGHEST} whole numbers >= 0 that do not increase", reaches)
    if max(reaches) > MOST_REACH or product_count(lattice, reaches) > MOST_PRODUCTS:
        raise refuse("neighbours", f"so few that there are at most {MOST_PRODUCTS} products", reaches)
    return reaches
