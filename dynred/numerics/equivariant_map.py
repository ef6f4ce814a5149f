"""Equivariant polynomial maps between coordinates and values on both of which the same group acts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dynred.checks import refuse
from dynred.numerics.equivariant import (
    MOST_PRODUCTS,
    Products,
    Sector,
    Terms,
    product_values,
    products_of,
    terms_by_degree,
)
from dynred.numerics.representation import Representation

HIGHEST, MOST_TERMS = 40, 20_000  # largest degree, and largest number of terms of one polynomial
NUMBERS = 4_000_000  # that are held at once for a piece of the points


@dataclass(frozen=True)
class Target:
    """The values of one sector among those of a map.

    Attributes:
        sector: their charge and kind.
        columns: where they stand: [parts, S], the real parts and, for complex values, the imaginary parts.
    """

    sector: Sector
    columns: tuple[tuple[int, ...], ...]

    def of(self, y: Float[Tensor, "M V"]) -> Float[Tensor, "S parts M"]:
        """These values, of all that a map has."""
        return torch.stack([y[:, list(column)] for column in self.columns]).permute(2, 0, 1)


def targets_of(values: Representation) -> list[Target]:
    """The sectors of coordinates, in the order in which they first come."""
    groups: dict[Sector, list[int]] = {}
    for j, charge in enumerate(values.complex_charges):
        groups.setdefault(Sector(values.reduced(charge)), []).append(2 * j)
    for j, charge in enumerate(values.real_charges):
        parity = values.parities[j] if values.mirrored else 1
        groups.setdefault(Sector(values.reduced(charge), True, parity), []).append(2 * values.complex_count + j)
    return [
        Target(sector, (tuple(at),) if sector.real else (tuple(at), tuple(i + 1 for i in at)))
        for sector, at in groups.items()
    ]


@dataclass(frozen=True, eq=False)
class BlockSums:
    """How polynomials are computed: a sum over products h_b of conj(h_b) times (a matrix times products h_a).

    Products h_a of one charge meet those h_b of one charge only, so that the matrix falls into dense blocks. With 256
    points in four complex coordinates at degree 9 this takes a fifth of the time that all terms one by one take.

    Attributes:
        products: those that are needed.
        left: the products h_a, block by block.
        blocks: ranges of `left`, and of the rows, of every block.
        entries: for the entries of all blocks, flat, the coefficients that stand there; their number where there is 0.
        turned: the same for coefficients of -i times a product; None where there are none.
        right: the product h_b of every row.
        sums: [values, rows], 1 where a row belongs to a value.
    """

    products: Products
    left: Int[np.ndarray, " a"]
    blocks: tuple[tuple[int, int, int, int], ...]
    entries: Int[np.ndarray, " e"]
    turned: Int[np.ndarray, " e"] | None
    right: Int[np.ndarray, " rows"]
    sums: Float[np.ndarray, "values rows"]

    @classmethod
    def of(cls, products: Products, parts: Sequence[tuple[Target, Terms]]) -> "BlockSums":
        """The sums of the terms of some sectors."""
        left, right, turned, value, number, counted = [], [], [], [], [], [0, 0]  # coefficients and values so far
        for target, terms in parts:
            k, s = len(terms), len(target.columns[0])
            for i in range(s):
                left.append(terms.left)
                right.append(terms.right)
                turned.append(terms.turned)
                value.append(np.full(k, counted[1] + i))
                number.append(counted[0] + s * np.arange(k) + i)
            counted = [counted[0] + k * s, counted[1] + s]
        if not left:
            left = right = turned = value = number = [np.zeros(0, np.int64)]
        a, b, t, v, n = (np.concatenate(part) for part in (left, right, turned, value, number))
        products, (a, b) = products.restricted(a, b)
        return cls._blocks(products, a, b, t, v, n, counted)

    @classmethod
    def _blocks(
        cls,
        products: Products,
        a: np.ndarray,
        b: np.ndarray,
        t: np.ndarray,
        v: np.ndarray,
        n: np.ndarray,
        counted: Sequence[int],
    ) -> "BlockSums":
        _, group = np.unique(products.charges[a], axis=0, return_inverse=True)
        left, right, value, blocks = [], [], [], []
        entries: list[np.ndarray] = []
        turned: list[np.ndarray] = []
        columns = rows = 0
        for g in range(int(group.max(initial=-1)) + 1):
            here = np.flatnonzero(group.ravel() == g)
            own_left, column = np.unique(a[here], return_inverse=True)
            own_rows, row = np.unique(np.stack([v[here], b[here]]), axis=1, return_inverse=True)
            shape = (own_rows.shape[1], len(own_left))
            for kind, places in ((0, entries), (1, turned)):
                block = np.full(shape, counted[0])
                chosen = t[here] == kind
                block[row.ravel()[chosen], column.ravel()[chosen]] = n[here][chosen]
                places.append(block.ravel())
            blocks.append((columns, columns + shape[1], rows, rows + shape[0]))
            columns, rows = columns + shape[1], rows + shape[0]
            left.append(own_left)
            right.append(own_rows[1])
            value.append(own_rows[0])
        empty = np.zeros(0, np.int64)
        joined = [np.concatenate([empty, *part]) for part in (left, entries, turned, right, value)]
        sums = (np.arange(counted[1])[:, None] == joined[4]).astype(np.float64)
        second = joined[2] if (t == 1).any() else None
        return cls(products, joined[0], tuple(blocks), joined[1], second, joined[3], sums)

    def values(
        self, coefficients: Float[Tensor, " C"], products: tuple[Float[Tensor, "n M"], Float[Tensor, "n M"]]
    ) -> tuple[Float[Tensor, "values M"], Float[Tensor, "values M"]]:
        """Real and imaginary parts of all values, of the values of the products."""
        (re, im), device = products, coefficients.device
        m = re.shape[1]
        left, right = (torch.from_numpy(index).to(device) for index in (self.left, self.right))
        a, b = re.index_select(0, left), im.index_select(0, left)
        known = torch.cat([coefficients, torch.zeros_like(coefficients[:1])])
        inner = self._times(known, self.entries, torch.cat([a, b], 1))
        if self.turned is not None:
            inner = inner + self._times(known, self.turned, torch.cat([b, -a], 1))
        c, d = re.index_select(0, right), im.index_select(0, right)
        real, imaginary = inner[:, :m], inner[:, m:]
        both = torch.cat([real * c + imaginary * d, imaginary * c - real * d], 1)
        total = torch.from_numpy(self.sums).to(device) @ both
        return total[:, :m], total[:, m:]

    def _times(self, known: Tensor, entries: Int[np.ndarray, " e"], columns: Tensor) -> Tensor:
        flat, first, parts = known.index_select(0, torch.from_numpy(entries).to(known.device)), 0, []
        for start, end, low, high in self.blocks:
            size = (end - start) * (high - low)
            parts.append(flat[first : first + size].reshape(high - low, end - start) @ columns[start:end])
            first += size
        return torch.cat(parts)


class EquivariantMap(nn.Module):
    """A polynomial map from coordinates to values on both of which the same group acts, in float64.

    Attributes:
        space: how the group acts on the coordinates.
        values: how it acts on the values.
        degrees: degree of the polynomials of every sector of the values, see `targets_of`; 0 leaves a sector zero.
        coefficients: of all sectors, one after the other, each [K, S], flat.
    """

    coefficients: Float[Tensor, " C"]

    def __init__(self, space: Representation, values: Representation, degrees: Sequence[int]) -> None:
        super().__init__()
        self.space, self.values, self.degrees = space, values, tuple(degrees)
        targets = targets_of(values)
        if len(self.degrees) != len(targets) or not all(0 <= d <= HIGHEST for d in self.degrees):
            raise refuse("degrees", f"{len(targets)} whole numbers in [0, {HIGHEST}]", self.degrees)
        used = [(target, degree) for target, degree in zip(targets, self.degrees, strict=True) if degree > 0]
        _check_size(space, used)
        products = products_of(space, max(self.degrees, default=0))
        parts = [(target, Terms.of(space, products, target.sector, degree)) for target, degree in used]
        self.sums = BlockSums.of(products, parts)
        numbers = sum(len(terms) * len(target.columns[0]) for target, terms in parts)
        self.register_buffer("coefficients", torch.zeros(numbers, dtype=torch.float64))
        self.order = _places(values, [target for target, _ in used])

    def fill(self, coefficients: Sequence[Float[Tensor, "_K _S"]]) -> "EquivariantMap":
        """Takes the coefficients of every sector; those of sectors of degree 0 are left aside."""
        used = [part.flatten() for part, degree in zip(coefficients, self.degrees, strict=True) if degree > 0]
        self.coefficients = torch.cat([self.coefficients[:0], *used])
        return self

    def forward(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch V"]:
        """The values at coordinates z."""
        points = z.to(self.coefficients).reshape(-1, self.space.dim)
        if torch.compiler.is_compiling() or len(points) <= (piece := self._piece()):
            values = self._at(points)
        else:
            values = torch.cat([self._at(part) for part in points.split(piece)])
        return values.reshape(*z.shape[:-1], self.values.dim)

    def _piece(self) -> int:
        return max(64, min(4096, NUMBERS // (4 * len(self.sums.products.degrees) + 8 * len(self.sums.right) + 1)))

    def _at(self, points: Float[Tensor, "M R"]) -> Float[Tensor, "M V"]:
        if len(self.coefficients) == 0:
            return points.new_zeros(len(points), self.values.dim)
        products = product_values(self.space, self.sums.products, points)
        real, imaginary = self.sums.values(self.coefficients, products)
        rows = torch.cat([real, imaginary, torch.zeros_like(real[:1])])
        return rows.index_select(0, torch.from_numpy(self.order).to(points.device)).T


def _check_size(space: Representation, used: Sequence[tuple[Target, int]]) -> None:
    """Refuses polynomials whose tables would be too large: what settings or files say is not taken on trust."""
    variables, degree = space.complex_count + space.real_count, max((d for _, d in used), default=0)
    if math.comb(variables + degree, degree) > MOST_PRODUCTS:
        raise refuse("degree", f"so low that there are at most {MOST_PRODUCTS} products", degree)
    for target, own in used:
        if (terms := terms_by_degree(space, target.sector, own)[-1]) > 2 * MOST_TERMS:
            raise refuse("degree", f"so low that a polynomial has at most {2 * MOST_TERMS} terms", f"{own} ({terms})")


def _places(values: Representation, targets: Sequence[Target]) -> Int[np.ndarray, " V"]:
    """Where every value stands among real parts, imaginary parts, and a row of zeros for values that are left zero."""
    total = sum(len(target.columns[0]) for target in targets)
    order = np.full(values.dim, 2 * total)
    first = 0
    for target in targets:
        for part, column in enumerate(target.columns):
            order[list(column)] = part * total + first + np.arange(len(column))
        first += len(target.columns[0])
    return order
