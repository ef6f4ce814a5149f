"""Least squares fits of equivariant polynomials, a degree for every charge, streamed over the points."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg.blas import dsyrk
from torch import Tensor

from dynred.checks import count, refuse
from dynred.numerics.block_sums import Target
from dynred.numerics.equivariant import (
    MOST_PRODUCTS,
    Products,
    Sector,
    Terms,
    product_values,
    products_of,
    term_values,
    terms_by_degree,
)
from dynred.numerics.equivariant_map import HIGHEST, MOST_TERMS, EquivariantMap, targets_of
from dynred.numerics.representation import Representation
from dynred.spec import Spec

FIRST, RAISE = 3, 2  # the degree that is tried first, and by how much degrees rise
MATTERS = 0.03  # of the largest error of any charge: smaller errors are not worth a higher degree
WORTHWHILE = 0.9  # the part of the error below which a higher degree's error is worth its cost
ENOUGH = 1e-15  # of the mean square of the values: an error that higher degrees need not lower
NUMBERS = 20_000_000  # that are held at once for a piece of the points
TOGETHER = 2**27  # numbers in the equations that are set up in one pass over the points


def piece_of(products: Products, terms: Sequence[Terms]) -> int:
    """How many points are looked at at once."""
    largest = max((len(part) for part in terms), default=0)
    return max(64, min(4096, NUMBERS // (4 * len(products.degrees) + 10 * largest)))


@dataclass
class _Fit:
    """The state of the search for the degree of one sector: the best fit so far, and whether a higher degree may come.

    `error` is the mean over points of the squared error, summed over the values.
    """

    target: Target
    highest: int
    error: float
    degree: int = 0
    coefficients: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.float64))
    tried: int = 0

    @property
    def next(self) -> int:
        return min(self.highest, self.tried + RAISE if self.tried else FIRST)

    @property
    def finished(self) -> bool:
        return self.tried >= self.highest


@dataclass(frozen=True)
class EquivariantPolynomialSpec(Spec):
    """Settings of a least squares fit by equivariant polynomials, a degree for every charge of the values.

    Degrees rise where the error on validation points is largest, as long as it falls with them.

    Attributes:
        degree: the largest degree that is tried, >= 1; None leaves it to `terms`.
        terms: the largest number of terms of one polynomial, >= 1; a quarter of the points is a bound too. Degree 1 is
            always tried.
        points: how many points for each term are looked at, >= 4, evenly spread. On Kuramoto-Sivashinsky (519 terms)
            19, 38 and 154 leave 2.2e-9, 2.1e-9 and 2.1e-9 of the mean square of the first velocity.
        ridge: weights of squared coefficients, each > 0, in units in which every term has mean square 1.
    """

    degree: int | None = None
    terms: int = 1000
    points: int = 32
    ridge: tuple[float, ...] = (1e-14, 1e-12, 1e-10, 1e-7)

    def __post_init__(self):
        count("terms", self.terms, 1, MOST_TERMS)
        count("points", self.points, 4, 10**6)
        if self.degree is not None:
            count("degree", self.degree, 1, HIGHEST)
        if not self.ridge or min(self.ridge) <= 0:
            raise refuse("ridge", "one or more weights > 0", self.ridge)

    def highest(self, space: Representation, sector: Sector, points: int) -> int:
        """The largest degree that is tried for a sector, at so many points.

        Raises:
            InputError: `degree` has more terms than a fit can have; the message says which degree would do.
        """
        limit = max(1, min(MOST_TERMS if self.degree else self.terms, points // 4))
        variables = space.complex_count + space.real_count
        top = self.degree or HIGHEST
        while math.comb(variables + top, top) > MOST_PRODUCTS:
            top -= 1
        terms = terms_by_degree(space, sector, top)
        fitting = max([1, *(d for d in range(top + 1) if terms[d] <= limit)])
        if self.degree is not None and terms_by_degree(space, sector, min(self.degree, top))[-1] > MOST_TERMS:
            raise refuse("degree", f"at most {fitting}, whose least squares memory holds", self.degree)
        return fitting

    def memory(self, latent_dim: int, values: int, points: int) -> int:
        """About how many bytes `fit` takes beside its points: equations and a piece of the points."""
        terms = min(MOST_TERMS if self.degree else self.terms, max(1, points // 4))
        return 8 * (min(2 * TOGETHER, 2 * terms**2 * values) + 4 * terms**2 + 2 * NUMBERS)

    def fit(
        self,
        space: Representation,
        values: Representation,
        known: tuple[Float[Tensor, "M R"], Float[Tensor, "M V"]],
        held: tuple[Float[Tensor, "m R"], Float[Tensor, "m V"]],
    ) -> tuple[EquivariantMap, Float[Tensor, " sectors"]]:
        """The map, fitted to `known` (coordinates, values), that is best at `held` ones, and its mean squared errors
        there, sector by sector."""
        fits = [
            _Fit(target, self.highest(space, target.sector, len(known[0])), float(target.of(held[1]).pow(2).sum()))
            for target in targets_of(values)
        ]
        for fit in fits:
            fit.error /= len(held[1])
        enough = ENOUGH * sum(fit.error for fit in fits)
        while chosen := _worth_raising(fits, enough):
            for together in _groups(space, chosen):
                self._raise(space, together, known, held)
        fitted = EquivariantMap(space, values, [fit.degree for fit in fits])
        fitted.fill([fit.coefficients for fit in fits])
        return fitted, torch.tensor([fit.error for fit in fits], dtype=torch.float64)

    def _raise(
        self,
        space: Representation,
        fits: Sequence[_Fit],
        known: tuple[Float[Tensor, "M R"], Float[Tensor, "M V"]],
        held: tuple[Float[Tensor, "m R"], Float[Tensor, "m V"]],
    ) -> None:
        """Fits the next degree, and that below it, to some sectors, and keeps what is better."""
        products = products_of(space, max(fit.next for fit in fits))
        every = [(fit, Terms.of(space, products, fit.target.sector, fit.next)) for fit in fits]
        for fit, own in every:
            fit.tried = fit.next if len(own) == 0 else fit.tried  # no product of so low a degree has so high a charge
        fits, terms = [fit for fit, own in every if len(own)], [own for _, own in every if len(own)]
        known = _spread_out(known, self.points * max((len(own) for own in terms), default=0))
        candidates = []
        for fit, own, equations in zip(fits, terms, _equations(space, products, terms, fits, known), strict=True):
            degrees = [d for d in (fit.next - 1, fit.next) if d > fit.tried and own.degrees[0] <= d]
            candidates.append(
                [(d, _solution(*equations, int((own.degrees <= d).sum()), w)) for d in degrees for w in self.ridge]
            )
        errors = _errors(space, products, terms, fits, candidates, held)
        for fit, tried, error in zip(fits, candidates, errors, strict=True):
            fit.tried, least = fit.next, min(range(len(error)), key=error.__getitem__)
            if error[least] > WORTHWHILE * fit.error and fit.degree > 0:
                fit.highest = fit.tried  # higher degrees gain nothing
            if error[least] < fit.error:
                fit.degree, fit.coefficients, fit.error = *tried[least], error[least]


def _spread_out(known: tuple[Tensor, Tensor], most: int) -> tuple[Tensor, Tensor]:
    """At most so many of the points, evenly spread."""
    z, y = known
    if len(z) <= most:
        return known
    rows = torch.linspace(0, len(z) - 1, most).long()
    return z[rows], y[rows]


def _worth_raising(fits: Sequence[_Fit], enough: float) -> list[_Fit]:
    worst = max((fit.error for fit in fits), default=0.0)
    return [fit for fit in fits if not fit.finished and fit.error > max(enough / len(fits), MATTERS * worst)]


def _groups(space: Representation, fits: Sequence[_Fit]) -> Iterator[list[_Fit]]:
    """Sectors whose equations are set up together, so that they fit into memory."""
    group: list[_Fit] = []
    size = 0
    for fit in fits:
        own = terms_by_degree(space, fit.target.sector, fit.next)[-1] ** 2
        if group and size + own > TOGETHER:
            yield group
            group, size = [], 0
        group, size = [*group, fit], size + own
    yield group


def _pieces(
    space: Representation, products: Products, terms: Sequence[Terms], points: tuple[Tensor, Tensor]
) -> Iterator[tuple[tuple[Tensor, Tensor], Tensor]]:
    """Values of the products, and those to which terms are fitted, piece by piece."""
    piece = piece_of(products, terms)
    for z, y in zip(points[0].split(piece), points[1].split(piece), strict=True):
        yield product_values(space, products, z.double()), y.double()


def _equations(
    space: Representation,
    products: Products,
    terms: Sequence[Terms],
    fits: Sequence[_Fit],
    known: tuple[Float[Tensor, "M R"], Float[Tensor, "M V"]],
) -> list[tuple[Float[Tensor, "_K _K"], Float[Tensor, "_K _S"]]]:
    """The normal equations of every sector. BLAS computes one half of a symmetric product: in 60 % of the time."""
    every = list(zip(terms, fits, strict=True))
    grams = [np.zeros((len(own), len(own)), order="F") for own in terms]
    moments = [torch.zeros(len(own), len(fit.target.columns[0]), dtype=torch.float64) for own, fit in every]
    for values, y in _pieces(space, products, terms, known):
        for i, (own, fit) in enumerate(every):
            f = term_values(fit.target.sector, own, values).flatten(1)
            grams[i] = dsyrk(1.0, f.numpy().T, beta=1.0, c=grams[i], trans=1, overwrite_c=1)
            moments[i] += f @ fit.target.of(y).flatten(1).T
    return [(torch.from_numpy(gram).T, moment) for gram, moment in zip(grams, moments, strict=True)]


def _solution(gram: Float[Tensor, "K K"], moments: Float[Tensor, "K S"], k: int, ridge: float) -> Float[Tensor, "k S"]:
    """The coefficients of the first k terms; of `gram` only the lower half is read."""
    size = gram.diagonal()[:k].sqrt().clamp_min(torch.finfo(torch.float64).tiny)
    scaled = gram[:k, :k] / size[:, None] / size
    while True:
        weighted = scaled.clone()
        weighted.diagonal().add_(ridge)
        factor, failed = torch.linalg.cholesky_ex(weighted)
        if not failed:
            return torch.cholesky_solve(moments[:k] / size[:, None], factor) / size[:, None]
        ridge *= 10


def _errors(
    space: Representation,
    products: Products,
    terms: Sequence[Terms],
    fits: Sequence[_Fit],
    candidates: Sequence[Sequence[tuple[int, Tensor]]],
    held: tuple[Float[Tensor, "m R"], Float[Tensor, "m V"]],
) -> list[list[float]]:
    """The mean squared error of every candidate of every sector at held-out points."""
    errors = [[0.0] * len(tried) for tried in candidates]
    for values, y in _pieces(space, products, terms, held):
        for own, fit, tried, sums in zip(terms, fits, candidates, errors, strict=True):
            f, truth = term_values(fit.target.sector, own, values), fit.target.of(y)
            for i, (_, c) in enumerate(tried):
                sums[i] += float((torch.einsum("ks,kpm->spm", c, f[: len(c)]) - truth).pow(2).sum()) / len(held[1])
    return errors
