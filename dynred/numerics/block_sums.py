"""Sums over many equivariant terms as products of small dense matrices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.numerics.equivariant import Products, Sector, Terms


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
