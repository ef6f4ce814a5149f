"""Products of the values around a point, each one factor away from a product of one factor less.

A product takes its factors from the nearest shells only, from fewer the more factors there are: of
Kuramoto-Sivashinsky (32 points at length 44), 10, 8, 6, 5 and 3 shells for 1 to 5 factors are 1,040 products, and leave
5e-10 of the mean square of the velocities, where 5 shells for up to 4 factors are 687 and leave 1e-7.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.numerics.lattice import Lattice, Stencil, ball

HIGHEST = 12  # number of factors
MOST_PRODUCTS = 200_000


@dataclass(frozen=True, eq=False)
class LocalProducts:
    """Products of 0, 1, 2, ... factors, in this order; with the 0-th, which is 1.

    Attributes:
        stencil: the values that are factors.
        levels: for 1, 2, ... factors, where each product with one factor less stands among those, and which value is
            its last factor: no other one is farther away.
        degrees: number of factors of each product [K].
        parities: see `Stencil`; of each product [K].
        shells: the shell of the farthest factor of each product [K].
    """

    stencil: Stencil
    levels: tuple[tuple[Int[np.ndarray, " _k"], Int[np.ndarray, " _k"]], ...]
    degrees: Int[np.ndarray, " K"]
    parities: Int[np.ndarray, " K"]
    shells: Int[np.ndarray, " K"]

    def within(self, reaches: Sequence[int]) -> Int[np.ndarray, " k"]:
        """Which products remain where factors come from fewer shells, or are fewer."""
        limits = np.full(HIGHEST + 1, -1)
        limits[: len(reaches) + 1] = [0, *reaches]
        return np.flatnonzero(self.shells <= limits[self.degrees])

    def pruned(self, chosen: Int[np.ndarray, " k"]) -> tuple["LocalProducts", Int[np.ndarray, " k"]]:
        """The chosen products alone, with those that they are made of; and where each of them stands there."""
        needed = np.zeros(len(self.degrees), bool)
        needed[0], needed[chosen] = True, True
        starts = np.searchsorted(self.degrees, np.arange(len(self.levels) + 2))
        for d in range(len(self.levels), 0, -1):  # from many factors to few, so that factors are marked in time
            own = np.flatnonzero(needed[starts[d] : starts[d + 1]])
            needed[starts[d - 1] + self.levels[d - 1][0][own]] = True
        places = np.cumsum(needed) - 1
        levels = []
        for d, (parents, lasts) in enumerate(self.levels, 1):
            own = np.flatnonzero(needed[starts[d] : starts[d + 1]])
            before = int(needed[: starts[d - 1]].sum())
            levels.append((places[starts[d - 1] + parents[own]] - before, lasts[own]))
        levels = [level for level in levels if len(level[0])]
        parts = (self.degrees[needed], self.parities[needed], self.shells[needed])
        return LocalProducts(self.stencil, tuple(levels), *parts), places[chosen]

    def values(self, x: Float[Tensor, "F m"]) -> list[Float[Tensor, "_k m"]]:
        """The values of all products, for each number of factors.

        Args:
            x: the adapted values around m points.
        """
        level = torch.ones_like(x[:1])
        every = [level]
        for parents, lasts in self.levels:
            level = level.index_select(0, torch.from_numpy(parents)) * x.index_select(0, torch.from_numpy(lasts))
            every.append(level)
        return every


def product_count(lattice: Lattice, reaches: Sequence[int]) -> int:
    """The number of products, of every parity."""
    counts = _counts(lattice, reaches)
    level, total = np.ones(1, np.int64), 1
    for k in counts:
        # the number of products by their last factor: any that is not farther away may come before
        level = np.cumsum(level)[np.minimum(np.arange(k), len(level) - 1)] if len(level) > 1 else np.ones(k, np.int64)
        total += int(level.sum())
    return total


def _counts(lattice: Lattice, reaches: Sequence[int]) -> list[int]:
    shells = ball(lattice, reaches[0]).shells if reaches else np.zeros(0, np.int64)
    return [int((shells <= reach).sum()) for reach in reaches]


def products_of(lattice: Lattice, reaches: Sequence[int]) -> LocalProducts:
    """All products of values around a point of a lattice.

    Args:
        lattice: the lattice; how many points it has does not matter.
        reaches: from how many shells the factors of products of 1, 2, ... factors come; not increasing.
    """
    return _products(lattice.components, len(lattice.points), lattice.flipped, lattice.signs, tuple(reaches))


@lru_cache(16)
def _products(
    components: int,
    axes: int,
    flipped: tuple[tuple[int, ...], ...],
    signs: tuple[tuple[int, ...], ...],
    reaches: tuple[int, ...],
) -> LocalProducts:
    lattice = Lattice((1,) * axes, components, flipped, signs)
    stencil = ball(lattice, reaches[0])
    last, parity = np.zeros(1, np.int64), np.zeros(1, np.int64)
    levels, degrees, parities, shells = [], [np.zeros(1, np.int64)], [parity], [np.zeros(1, np.int64)]
    for d, k in enumerate(_counts(lattice, reaches), 1):
        parents, lasts = _next(last, k)
        levels.append((parents, lasts))
        parity, last = parity[parents] ^ stencil.parities[lasts], lasts
        degrees.append(np.full(len(lasts), d))
        parities.append(parity)
        shells.append(stencil.shells[lasts])
    return LocalProducts(stencil, tuple(levels), *(np.concatenate(part) for part in (degrees, parities, shells)))


def _next(last: Int[np.ndarray, " n"], k: int) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """The products of one factor more, the last of the first k values: for each the shorter product and this factor."""
    usable = np.flatnonzero(last < k)
    parents = np.repeat(usable, k - last[usable])
    lasts = np.concatenate([np.arange(first, k) for first in last[usable].tolist()] or [np.zeros(0, np.int64)])
    return parents, lasts


def joined(reaches: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """The reaches that hold all of these."""
    every = list(reaches)
    longest = max(map(len, every))
    return tuple(max((r[d] for r in every if d < len(r)), default=0) for d in range(longest))
