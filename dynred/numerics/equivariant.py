"""Equivariant polynomials: sums of those monomials that symmetries allow, found by their charges.

Complex coordinates z_j of charges q_j turn by exp(i q_j s), so a product of some z_j and of the conjugates of others
turns by the sum of the charges of the former minus that of the latter. A polynomial of charge k is a sum of the
products of charge k alone. Every product is h_a conj(h_b), where h_a and h_b are products of coordinates without
conjugates, and there are few of those: 495 for four coordinates up to degree 8, where there are 12,870 products in all,
and 519 of charge 1. Each h is an earlier one times a coordinate.

Where complex conjugation is a symmetry, too, all coefficients are real. Real coordinates that change their signs under
it count as imaginary numbers. So real arithmetic and real coefficients do everywhere.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.numerics.representation import Representation
from dynred.spec import Spec

Charge = tuple[int, ...]
MOST_PRODUCTS = 2_000_000  # largest number of products without conjugates that are ever tabulated


@dataclass(frozen=True)
class Sector(Spec):
    """The values of one charge, which are polynomials in the same products.

    Attributes:
        charge: their charge.
        real: whether they are real numbers; else complex ones, real and imaginary part side by side.
        parity: by what conjugation multiplies real values, 1 or -1; 1 where it is no symmetry.
    """

    charge: Charge = ()
    real: bool = False
    parity: int = 1


@dataclass(frozen=True, eq=False)
class Products:
    """Products h of coordinates without conjugates, by degree: complex coordinates come first, real ones after them.

    Attributes:
        parents: for every degree from 1 on, the numbers of the products of the next lower degree, among all.
        variables: for every degree from 1 on, the coordinates by which these are multiplied.
        charges: [n, G], those that belong to cyclic groups in [0, order).
        degrees: [n].
        holomorphic: number [n] of the product of the complex coordinates alone.
        imaginary: number [n] of imaginary coordinates among the factors.
    """

    parents: tuple[Int[np.ndarray, " _k"], ...]
    variables: tuple[Int[np.ndarray, " _k"], ...]
    charges: Int[np.ndarray, "n G"]
    degrees: Int[np.ndarray, " n"]
    holomorphic: Int[np.ndarray, " n"]
    imaginary: Int[np.ndarray, " n"]

    @classmethod
    def of(cls, space: Representation, degree: int) -> "Products":
        """All products up to a degree."""
        complex_count, variables = space.complex_count, space.complex_count + space.real_count
        charge = np.array([*space.complex_charges, *space.real_charges], np.int64).reshape(variables, len(space.orders))
        odd = np.array([0] * complex_count + [int(p < 0) for p in space.parities or [1] * space.real_count], np.int64)
        orders = np.array(space.orders, np.int64)
        charges, degrees = [np.zeros((1, len(space.orders)), np.int64)], [np.zeros(1, np.int64)]
        holomorphic, imaginary = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
        parents, factors = [], []
        last, first = np.zeros(1, np.int64), 0  # the last factor of each product of the level, and number of the first
        for d in range(1, degree + 1):
            children = variables - last  # factors never decrease, so that every product comes once
            parent = np.repeat(np.arange(len(last)), children)
            start = np.cumsum(children) - children
            factor = np.arange(len(parent)) - np.repeat(start - last, children)
            numbers = first + len(last) + np.arange(len(parent))
            sums = charges[-1][parent] + charge[factor]
            charges.append(np.where(orders > 0, sums % np.maximum(orders, 1), sums))
            imaginary.append(imaginary[-1][parent] + odd[factor])
            holomorphic.append(np.where(factor < complex_count, numbers, holomorphic[-1][parent]))
            degrees.append(np.full(len(parent), d))
            parents.append(first + parent)
            factors.append(factor)
            first, last = first + len(last), factor
        joined = (np.concatenate(part) for part in (charges, degrees, holomorphic, imaginary))
        return cls(tuple(parents), tuple(factors), *joined)

    def restricted(self, *numbers: Int[np.ndarray, " _n"]) -> tuple["Products", tuple[Int[np.ndarray, " _n"], ...]]:
        """The products of some numbers, with those of which they are made, and the numbers that they have there."""
        needed = np.zeros(len(self.degrees), bool)
        needed[0] = True
        for wanted in numbers:
            needed[wanted] = True
        first = np.searchsorted(self.degrees, np.arange(len(self.parents) + 2))
        for d in range(len(self.parents), 0, -1):
            needed[self.parents[d - 1][needed[first[d] : first[d + 1]]]] = True
        place = np.cumsum(needed) - 1
        kept = [needed[first[d] : first[d + 1]] for d in range(1, len(self.parents) + 1)]
        levels = [k for k in range(len(kept)) if kept[k].any()]  # without the highest degrees, where none is needed
        fewer = Products(
            tuple(place[self.parents[k][kept[k]]] for k in levels),
            tuple(self.variables[k][kept[k]] for k in levels),
            self.charges[needed],
            self.degrees[needed],
            place[self.holomorphic[needed]],
            self.imaginary[needed],
        )
        return fewer, tuple(place[wanted] for wanted in numbers)


@dataclass(frozen=True, eq=False)
class Terms:
    """The terms of the polynomials of a sector, by degree: real and imaginary parts of products h_a conj(h_b).

    Attributes:
        left: numbers a [K].
        right: numbers b [K].
        turned: whether a real value takes the imaginary part, and a complex one -i times the product [K].
        degrees: degree of each term [K].
    """

    left: Int[np.ndarray, " K"]
    right: Int[np.ndarray, " K"]
    turned: Int[np.ndarray, " K"]
    degrees: Int[np.ndarray, " K"]

    def __len__(self) -> int:
        return len(self.left)

    @classmethod
    def of(cls, space: Representation, products: Products, sector: Sector, degree: int) -> "Terms":
        """All terms up to a degree."""
        rows: dict[Charge, list[int]] = defaultdict(list)
        for number, charge in enumerate(products.charges.tolist()):
            if products.degrees[number] <= degree:
                rows[space.reduced(tuple(charge))].append(number)
        groups = {charge: np.array(numbers) for charge, numbers in rows.items()}
        plain = {charge: numbers[products.holomorphic[numbers] == numbers] for charge, numbers in groups.items()}
        pairs = []
        for charge, left in groups.items():
            wanted = space.reduced(tuple(a - k for a, k in zip(charge, sector.charge, strict=True)))
            right = plain.get(wanted, left[:0])
            fitting = np.searchsorted(products.degrees[right], degree - products.degrees[left], side="right")
            start = np.cumsum(fitting) - fitting
            place = np.arange(fitting.sum()) - np.repeat(start, fitting)
            pairs.append(np.stack([np.repeat(left, fitting), right[place]]))
        left, right = np.concatenate(pairs, 1)
        left, right, turned = _parts(space, products, sector, left, right)
        degrees = products.degrees[left] + products.degrees[right]
        order = np.lexsort((turned, right, left, degrees))
        return cls(left[order], right[order], turned[order], degrees[order])


def _parts(
    space: Representation, products: Products, sector: Sector, left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The parts of products h_a conj(h_b) whose real multiples are allowed, each once."""
    if not sector.real:
        both = (0,) if space.mirrored else (0, 1)
        return _repeated(left, right, both)
    half = products.holomorphic[left] >= right  # the conjugate of a product has the same real and imaginary parts
    left, right = left[half], right[half]
    both = ((0,) if sector.parity == 1 else (1,)) if space.mirrored else (0, 1)
    left, right, turned = _repeated(left, right, both)
    # The square of a modulus is real; times an odd number of imaginary coordinates it is imaginary.
    vanishes = (products.holomorphic[left] == right) & ((products.imaginary[left] + turned) % 2 == 1)
    return left[~vanishes], right[~vanishes], turned[~vanishes]


def _repeated(left: np.ndarray, right: np.ndarray, parts: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = len(parts)
    return np.tile(left, n), np.tile(right, n), np.repeat(np.array(parts, np.int64), len(left))


@lru_cache(maxsize=8)
def products_of(space: Representation, degree: int) -> Products:
    """See `Products.of`; tables that were made are kept."""
    return Products.of(space, degree)


def counts(space: Representation, degree: int) -> dict[tuple[Charge, int], tuple[int, int]]:
    """How many products h there are of each charge and degree, and how many of them of complex coordinates alone;
    nothing is tabulated, so that no degree is too high."""
    plain: dict[tuple[Charge, int], int] = {(space.reduced((0,) * len(space.orders)), 0): 1}
    plain = _multiplied(space, plain, space.complex_charges, degree)
    everything = _multiplied(space, plain, space.real_charges, degree)
    return {key: (number, plain.get(key, 0)) for key, number in everything.items()}


def _multiplied(
    space: Representation, table: dict[tuple[Charge, int], int], charges: tuple[Charge, ...], degree: int
) -> dict[tuple[Charge, int], int]:
    for charge in charges:
        grown = defaultdict(int, table)
        for d in range(1, degree + 1):
            for (q, at), number in [entry for entry in grown.items() if entry[0][1] == d - 1]:
                grown[space.reduced(tuple(a + b for a, b in zip(q, charge, strict=True))), at + 1] += number
        table = dict(grown)
    return table


def terms_by_degree(space: Representation, sector: Sector, degree: int) -> list[int]:
    """About how many terms a polynomial of the sector has at every degree from 0 to `degree`: exactly for complex
    values, rounded up for real ones."""
    table, at = counts(space, degree), [0] * (degree + 1)
    for (charge, d), (number, _) in table.items():
        wanted = space.reduced(tuple(a - k for a, k in zip(charge, sector.charge, strict=True)))
        for e in range(degree + 1 - d):
            at[d + e] += number * table.get((wanted, e), (0, 0))[1]
    parts = 1 if space.mirrored else 2
    each = [math.ceil(number * parts / 2) if sector.real else number * parts for number in at]
    return [sum(each[: d + 1]) for d in range(degree + 1)]


def product_values(
    space: Representation, products: Products, z: Float[Tensor, "M R"]
) -> tuple[Float[Tensor, "n M"], Float[Tensor, "n M"]]:
    """Real and imaginary parts of all products at coordinates z. The values of one product lie side by side."""
    columns = z.T.contiguous()
    pairs = 2 * space.complex_count
    reals, zero = columns[pairs:], torch.zeros_like(columns[pairs:])
    odd = torch.tensor([p < 0 for p in space.parities or [1] * space.real_count], dtype=torch.bool, device=z.device)
    re = torch.cat([columns[0:pairs:2], torch.where(odd[:, None], zero, reals)])
    im = torch.cat([columns[1:pairs:2], torch.where(odd[:, None], reals, zero)])
    levels = [(torch.ones_like(columns[:1]), torch.zeros_like(columns[:1]))]
    first = 0
    for parents, variables in zip(products.parents, products.variables, strict=True):
        above_re, above_im = levels[-1]
        parent, variable = (torch.from_numpy(index).to(z.device) for index in (parents - first, variables))
        a, b = above_re.index_select(0, parent), above_im.index_select(0, parent)
        c, d = re.index_select(0, variable), im.index_select(0, variable)
        levels.append((a * c - b * d, a * d + b * c))
        first += len(above_re)
    return torch.cat([level[0] for level in levels]), torch.cat([level[1] for level in levels])


def term_values(
    sector: Sector,
    terms: Terms,
    values: tuple[Float[Tensor, "n M"], Float[Tensor, "n M"]],
) -> Float[Tensor, "K parts M"]:
    """The terms at the points at which the products have these values: one part for real values, two for complex."""
    re, im = values
    left, right = (torch.from_numpy(index).to(re.device) for index in (terms.left, terms.right))
    turned = torch.from_numpy(terms.turned).to(re.device)[:, None].bool()
    a, b, c, d = (part.index_select(0, index) for index in (left, right) for part in (re, im))
    real, imaginary = a * c + b * d, b * c - a * d
    if sector.real:
        return torch.where(turned, imaginary, real)[:, None] if turned.any() else real[:, None]
    if not turned.any():
        return torch.stack([real, imaginary], 1)
    return torch.stack([torch.where(turned, imaginary, real), torch.where(turned, -real, imaginary)], 1)
