"""Equivariant polynomial maps between coordinates and values on both of which the same group acts."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dynred.checks import refuse
from dynred.numerics.batches import rows_in_all
from dynred.numerics.block_sums import BlockSums, Target
from dynred.numerics.equivariant import MOST_PRODUCTS, Sector, Terms, product_values, products_of, terms_by_degree
from dynred.numerics.equivariant_program import Program, compiled_loops, program_of
from dynred.numerics.representation import Representation

HIGHEST, MOST_TERMS = 40, 20_000  # largest degree, and largest number of terms of one polynomial
NUMBERS = 4_000_000  # that are held at once for a piece of the points
MANY = 30_000_000  # points times coefficients: .15 s of torch, of which a compiled loop takes a tenth


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


class EquivariantMap(nn.Module):
    """A polynomial map from coordinates to values on both of which the same group acts, in float64.

    Attributes:
        space: how the group acts on the coordinates.
        values: how it acts on the values.
        degrees: degree of the polynomials of every sector of the values, see `targets_of`; 0 leaves a sector zero.
        coefficients: of all sectors, one after the other, each [K, S], flat.
        many: points times coefficients from which on a compiled loop computes the values, where Numba is installed;
            of points that are taken in pieces all count.
    """

    many = MANY
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
        self._known: tuple[Tensor, Program] | None = None
        self.order = _places(values, [target for target, _ in used])

    def fill(self, coefficients: Sequence[Float[Tensor, "_K _S"]]) -> "EquivariantMap":
        """Takes the coefficients of every sector; those of sectors of degree 0 are left aside."""
        used = [part.flatten() for part, degree in zip(coefficients, self.degrees, strict=True) if degree > 0]
        self.coefficients = torch.cat([self.coefficients[:0], *used])
        return self

    def forward(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch V"]:
        """The values at coordinates z."""
        points = z.to(self.coefficients).reshape(-1, self.space.dim)
        if torch.compiler.is_compiling():
            values = self._at(points)
        elif (
            rows_in_all(len(points)) * len(self.coefficients) >= self.many
            and (known := plain_numbers(points)) is not None
        ):
            values = self._compiled_at(known)
        elif len(points) <= (piece := self._piece()):
            values = self._at(points)
        else:
            values = torch.cat([self._at(part) for part in points.split(piece)])
        return values.reshape(*z.shape[:-1], self.values.dim)

    def push(
        self, z: Float[Tensor, "M R"], tangents: Float[Tensor, "M k R"]
    ) -> tuple[Float[Tensor, "M V"], Float[Tensor, "M k V"]]:
        """The values at coordinates z, and what the slopes there make of tangents."""
        known, others = plain_numbers(z), plain_numbers(tangents)
        if known is None or others is None:
            along = torch.func.vmap(lambda v: torch.func.jvp(self, (z,), (v,))[1], in_dims=-2, out_dims=-2)
            return self(z), along(tangents)
        loops, (n, k, _) = compiled_loops(), tangents.shape
        assert loops is not None
        values, pushed = np.zeros((n, self.values.dim)), np.zeros((n, k, self.values.dim))
        loops.push(self.program(), known, others, values, pushed)
        return torch.from_numpy(values), torch.from_numpy(pushed)

    def _many(self, points: Float[Tensor, "M R"]) -> bool:
        return rows_in_all(len(points)) * len(self.coefficients) >= self.many

    def program(self) -> Program:
        """The map as compiled loops take it; kept until there are other coefficients."""
        if self._known is None or not torch.equal(self._known[0], self.coefficients):
            made = program_of(self.space, self.sums, self.coefficients, self.order)
            self._known = self.coefficients.clone(), made
        return self._known[1]

    def _piece(self) -> int:
        return max(64, min(4096, NUMBERS // (4 * len(self.sums.products.degrees) + 8 * len(self.sums.right) + 1)))

    def _compiled_at(self, points: Float[np.ndarray, "M R"]) -> Float[Tensor, "M V"]:
        values, loops = np.zeros((len(points), self.values.dim)), compiled_loops()
        assert loops is not None
        loops.evaluate(self.program(), points, values)
        return torch.from_numpy(values)

    def _at(self, points: Float[Tensor, "M R"]) -> Float[Tensor, "M V"]:
        if len(self.coefficients) == 0:
            return points.new_zeros(len(points), self.values.dim)
        products = product_values(self.space, self.sums.products, points)
        real, imaginary = self.sums.values(self.coefficients, products)
        rows = torch.cat([real, imaginary, torch.zeros_like(real[:1])])
        return rows.index_select(0, torch.from_numpy(self.order).to(points.device)).T


def plain_numbers(points: Float[Tensor, "*batch R"]) -> Float[np.ndarray, "*batch R"] | None:
    """The numbers, where a compiled loop may take them: nobody follows what is done to them."""
    if points.device.type != "cpu" or points.requires_grad or compiled_loops() is None:
        return None
    try:
        return np.ascontiguousarray(points.numpy())
    except RuntimeError:  # torch's word for tensors of its transforms, which hold no numbers of their own
        return None


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
