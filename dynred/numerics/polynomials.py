"""Polynomials in several variables: which monomials there are, their values, fits, and how they are written."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dynred.checks import count, refuse
from dynred.numerics.monomials import all_monomials, polynomial
from dynred.spec import Spec

HIGHEST, MOST_TERMS = 100, 100_000  # largest degree of a polynomial, and largest number of its monomials
PIECE = 1024  # points whose monomials are computed at once
FIRST, GROWTH = 6, 4  # the degree up to which all are tried, and by how much the number of monomials grows from there
WORTHWHILE = 0.9  # the part of the least error below which an error is worth a higher degree
ENOUGH = 1e-14  # of the mean square of the values: an error that higher degrees need not lower
BEYOND = 0.25  # of the range of the points: how far outside it a bounded polynomial still follows its variables
LEVELLING = 0.1  # of the box that it follows: how soon it levels off beyond


def factors(variables: int, degree: int) -> Int[Tensor, "K degree"]:
    """The monomials up to a degree, constant first, by degree and then in lexicographic order.

    Each monomial is a row of factors: 0 stands for the number 1, i for the i-th variable (from 1). So the row (0, 1, 1)
    is y1^2, where the largest degree is 3.

    Raises:
        InputError: the degree is not in [0, 100], or has more than 100,000 monomials.
    """
    if math.comb(variables + count("degree", degree, 0, HIGHEST), degree) > MOST_TERMS:
        raise refuse(
            "degree", f"so low that there are at most {MOST_TERMS} monomials", f"{degree} in {variables} variables"
        )
    return torch.tensor(
        [
            (0,) * (degree - d) + chosen
            for d in range(degree + 1)
            for chosen in combinations_with_replacement(range(1, variables + 1), d)
        ],
        dtype=torch.long,
    ).reshape(math.comb(variables + degree, degree), degree)


def monomials(y: Float[Tensor, "*batch F"], factors: Int[Tensor, "K degree"]) -> Float[Tensor, "*batch K"]:
    """The values of monomials at points y."""
    extended = torch.cat([torch.ones_like(y[..., :1]), y], -1)
    value = torch.ones_like(extended[..., :1])
    for column in factors.unbind(1):
        value = value * extended[..., column]
    return value


def exponents(factors: Int[Tensor, "K degree"], variables: int) -> Int[Tensor, "K F"]:
    """How often each variable is a factor of each monomial."""
    return (factors[..., None] == torch.arange(1, variables + 1)).sum(1)


def rescaled(
    coefficients: Float[Tensor, "K S"],
    factors: Int[Tensor, "K degree"],
    shift: Float[Tensor, " F"],
    unit: Float[Tensor, " F"],
) -> Float[Tensor, "K S"]:
    """The coefficients in z of polynomials that are given in y = (z - shift) / unit.

    Where `shift` is 0, coefficients of exactly 0 stay 0.
    """
    row_of = {tuple(row): k for k, row in enumerate(factors.tolist())}
    result = torch.zeros_like(coefficients)
    for row, given in zip(factors.tolist(), coefficients, strict=True):
        indices = [i for i in row if i]
        scale = math.prod(float(unit[i - 1]) for i in indices)
        # Every term of the product of all (z_i - shift_i) chooses z_i or -shift_i from each factor.
        for choice in product((True, False), repeat=len(indices)):
            constant = math.prod(-float(shift[i - 1]) for i, chosen in zip(indices, choice, strict=True) if not chosen)
            if constant:
                variables = [i for i, chosen in zip(indices, choice, strict=True) if chosen]
                result[row_of[(0,) * (len(row) - len(variables)) + tuple(variables)]] += constant / scale * given
    return result


def written(coefficients: Sequence[float], factors: Int[Tensor, "K degree"], names: Sequence[str]) -> str:
    """A polynomial as text, e.g. `1.5 - 0.25 z1 + z1^2 z2`; coefficients of exactly 0 are left out."""
    terms = []
    for value, row in zip(coefficients, exponents(factors, len(names)).tolist(), strict=True):
        if value == 0:
            continue
        powers = (f"{name}^{e}" if e > 1 else name for name, e in zip(names, row, strict=True) if e)
        terms.append(" ".join([f"{value:.4g}", *powers]))
    return " + ".join(terms).replace("+ -", "- ") or "0"


@dataclass(frozen=True, eq=False)
class Regression:
    """The normal equations of polynomial fits to values at many points, for all degrees up to a largest one at once.

    Monomials are ordered by degree, so those of a lower degree come first.

    Attributes:
        factors: the monomials [K, degree].
        gram: mean of monomial times monomial [K, K].
        moments: mean of monomial times value [K, S].
    """

    factors: Int[Tensor, "K degree"]
    gram: Float[Tensor, "K K"]
    moments: Float[Tensor, "K S"]

    @classmethod
    def of(cls, y: Float[Tensor, "M F"], values: Float[Tensor, "M S"], degree: int) -> "Regression":
        """The equations for `values` at points y, in float64, computed in pieces that bound memory.

        Points of order one are best.
        """
        terms = factors(y.shape[1], degree)
        gram = torch.zeros(len(terms), len(terms), dtype=torch.float64, device=y.device)
        moments = torch.zeros(len(terms), values.shape[1], dtype=torch.float64, device=y.device)
        for at, value in batches(y.double(), values.double()):
            design = all_monomials(at, degree)
            gram += design.T @ design
            moments += design.T @ value
        return cls(terms, gram / len(y), moments / len(y))

    def solution(self, degree: int, ridge: float) -> Float[Tensor, "k S"]:
        """The coefficients of the k monomials up to a degree that fit best.

        They minimise the mean squared error plus `ridge` (> 0) times the squared coefficients, each coefficient in
        units in which its monomial has mean square 1.
        """
        k = int(((self.factors > 0).sum(1) <= degree).sum())
        size = self.gram.diagonal()[:k].sqrt().clamp_min(torch.finfo(torch.float64).tiny)
        scaled = self.gram[:k, :k] / size[:, None] / size
        weight = ridge
        while True:
            # Monomials may be dependent on K; round-off then decides the sign of an eigenvalue near 0.
            factor, failed = torch.linalg.cholesky_ex(scaled + weight * torch.eye(k).to(scaled))
            if not failed:
                return (torch.cholesky_solve(self.moments[:k] / size[:, None], factor) / size[:, None]).contiguous()
            weight *= 10


def largest_degree(variables: int, terms: int) -> int:
    """The largest degree >= 1 at which there are at most `terms` monomials; 1 where even that has more."""
    degree = 1
    while math.comb(variables + degree + 1, degree + 1) <= terms:
        degree += 1
    return degree


class PolynomialMap(nn.Module):
    """A polynomial map R^F -> R^S, in float64.

    Attributes:
        factors: its monomials [K, degree], see `factors`.
        coefficients: [K, S].
    """

    factors: Int[Tensor, "K degree"]
    coefficients: Float[Tensor, "K S"]

    def __init__(self, variables: int, values: int, degree: int):
        super().__init__()
        self.degree = degree
        self.register_buffer("factors", factors(variables, degree))
        self.register_buffer("coefficients", torch.zeros(len(self.factors), values, dtype=torch.float64))

    def forward(self, y: Float[Tensor, "*batch F"]) -> Float[Tensor, "*batch S"]:
        """The value at y."""
        return polynomial(y.to(self.coefficients), self.coefficients, self.degree)


class BoundedMap(PolynomialMap):
    """A polynomial map that levels off outside a box around the points to which it was fitted.

    A polynomial of high degree would soon be wrong there by orders of magnitude, and a field stiff: to follow a chart
    of an atlas to where the next one takes over took minutes at degree 12, and takes seconds with a bound. Beyond the
    box a variable y counts as the border + width tanh((y - border) / width), which is smooth enough for a solver.

    Attributes:
        reach: lowest and highest values [2, F] of the variables inside the box.
    """

    reach: Float[Tensor, "2 F"]

    def __init__(self, variables: int, values: int, degree: int):
        super().__init__(variables, values, degree)
        self.register_buffer("reach", torch.zeros(2, variables, dtype=torch.float64))

    @classmethod
    def of(cls, fitted: PolynomialMap, y: Float[Tensor, "M F"]) -> "BoundedMap":
        """`fitted`, followed a quarter of the range of the points y beyond them."""
        bounded = cls(y.shape[1], fitted.coefficients.shape[1], fitted.degree)
        bounded.factors, bounded.coefficients = fitted.factors, fitted.coefficients
        low, high = y.amin(0), y.amax(0)
        margin = BEYOND * (high - low)
        bounded.reach = torch.stack([low - margin, high + margin]).to(fitted.coefficients)
        return bounded

    def forward(self, y: Float[Tensor, "*batch F"]) -> Float[Tensor, "*batch S"]:
        """The value at y."""
        low, high = self.reach[0], self.reach[1]
        inside = torch.clamp(y.to(self.reach), low, high)
        width = (LEVELLING * (high - low)).clamp_min(torch.finfo(self.reach.dtype).tiny)
        return super().forward(inside + width * torch.tanh((y.to(self.reach) - inside) / width))


@dataclass(frozen=True)
class PolynomialSpec(Spec):
    """Settings of a least squares fit by polynomials.

    Attributes:
        degree: the largest degree that is tried, >= 1; degrees above 6 only as long as the error falls with them.
        terms: the largest number of monomials, >= 1; a quarter of the points is a bound too. Degree 1 is always tried.
        ridge: weights of squared coefficients, each > 0, in units in which every monomial has mean square 1.
    """

    degree: int = 20
    terms: int = 1500
    ridge: tuple[float, ...] = (1e-12, 1e-10, 1e-8, 1e-6)

    def __post_init__(self):
        count("degree", self.degree, 1, HIGHEST)
        count("terms", self.terms, 1, MOST_TERMS)
        if not self.ridge or min(self.ridge) <= 0:
            raise refuse("ridge", "one or more weights > 0", self.ridge)

    def highest(self, variables: int, points: int) -> int:
        """The largest degree that is tried in so many variables at so many points."""
        return min(self.degree, largest_degree(variables, min(self.terms, points // 4)))

    def memory(self, variables: int, values: int, points: int) -> int:
        """About how many bytes `fits` takes beside its points.

        It takes five matrices of monomials times monomials, the monomials of one piece and what these are computed
        from, and the coefficients of every weight.
        """
        degree = self.highest(variables, points)
        terms = math.comb(variables + degree, degree)
        return 8 * terms * (5 * terms + 4 * PIECE + 8 * (degree + 4) + 2 * values * (len(self.ridge) + degree))

    def fits(
        self,
        known: tuple[Float[Tensor, "M F"], Float[Tensor, "M S"]],
        held: tuple[Float[Tensor, "m F"], Float[Tensor, "m S"]],
    ) -> list[tuple[float, PolynomialMap]]:
        """For every degree, the mean squared error at `held` (points, values) and the map fitted to the `known` ones.

        The map is the one whose ridge gives the least error. Points of order one are best.
        """
        fits: list[tuple[float, PolynomialMap]] = []
        enough = ENOUGH * float(held[1].double().pow(2).sum(1).mean())
        for last in self._stages(known[0].shape[1], len(known[0])):
            equations = Regression.of(*known, last)
            fits += [self._fit(equations, degree, held) for degree in range(len(fits) + 1, last + 1)]
            errors = [error for error, _ in fits]
            gained = len(fits) < 3 or min(errors[-2:]) < WORTHWHILE * min(errors[:-2])
            if min(errors) <= enough or not gained:  # two degrees: an odd function gains nothing from even ones
                break
        return fits

    def _stages(self, variables: int, points: int) -> Iterator[int]:
        # Up to which degree equations are set up at once: the next stage costs some ten times what this one does.
        highest = self.highest(variables, points)
        last = min(FIRST, highest)
        yield last
        while last < highest:
            more = largest_degree(variables, GROWTH * math.comb(variables + last, last))
            last = min(max(last + 1, more), highest)
            yield last

    def _fit(
        self, equations: Regression, degree: int, held: tuple[Float[Tensor, "m F"], Float[Tensor, "m S"]]
    ) -> tuple[float, PolynomialMap]:
        maps = [PolynomialMap(held[0].shape[1], held[1].shape[1], degree) for _ in self.ridge]
        for fitted, weight in zip(maps, self.ridge, strict=True):
            fitted.coefficients = equations.solution(degree, weight)
        errors = [mean_squared_error(fitted, *held) for fitted in maps]
        least = min(range(len(maps)), key=errors.__getitem__)
        return errors[least], maps[least]


def batches(
    y: Float[Tensor, "M F"], values: Float[Tensor, "M S"]
) -> Iterator[tuple[Float[Tensor, "m F"], Float[Tensor, "m S"]]]:
    """Points and values in pieces that are small enough for all their monomials."""
    return zip(y.split(PIECE), values.split(PIECE), strict=True)


def mean_squared_error(fitted: PolynomialMap, y: Float[Tensor, "m F"], values: Float[Tensor, "m S"]) -> float:
    """Mean over points of the sum of squared errors over values."""
    return sum(float((fitted(at) - value).pow(2).sum()) for at, value in batches(y, values)) / len(y)
