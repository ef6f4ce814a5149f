"""Least squares fits of local polynomials: the number of neighbours for each degree grows where validation gains."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.linalg.blas import dsyrk
from torch import Tensor

from dynred.checks import count, refuse
from dynred.numerics.lattice import Lattice, Stencil, shell_count
from dynred.numerics.local_map import LocalMap, LocalSector, check_reaches, sectors_of
from dynred.numerics.local_products import HIGHEST, LocalProducts, joined, products_of
from dynred.spec import Spec

FIRST = (1, 1)  # the reaches from which the search starts
COARSE = 12  # points for each term while the search goes on
HELD = 16_384  # validation points that are looked at
ALONG = 0.4  # of the best gain for a term: what another change must gain to be made in the same step
OFFSET = 0.05  # of the terms that there are: by so much more every change costs, else one that adds few comes first
WORTHWHILE = 0.95  # the part of the error below which a larger polynomial is worth its cost
ENOUGH = 1e-15  # of the mean square of the values
PIECE = 2**21  # numbers that are held at once for a piece of the points
MOST_TERMS = 20_000
SEARCH_RIDGE = 1e-13


@dataclass(frozen=True, eq=False)
class LocalSample:
    """Fields, and the values that a map shall give around every point of them.

    Attributes:
        lattice: that of the fields.
        fields: [M, R], in units in which they are of order one.
        targets: which values are around every point.
        values: gives, for some fields, the values at all points [m, sites, V].
    """

    lattice: Lattice
    fields: Float[Tensor, "M R"]
    targets: Stencil
    values: Callable[[Int[Tensor, " m"]], Float[Tensor, "m sites V"]]

    @property
    def points(self) -> int:
        """The number of points of all fields together."""
        return len(self.fields) * self.lattice.sites

    def pieces(
        self, stencil: Stencil, most: int, size: int
    ) -> Iterator[tuple[Float[Tensor, "_F _m"], Float[Tensor, "_V _m"]]]:
        """Adapted values of the stencil [F, m] and adapted targets [V, m] at up to `most` points, evenly spread over
        fields and places, piece by piece."""
        sites = self.lattice.sites
        every = torch.linspace(0, self.points - 1, min(most, self.points), dtype=torch.float64).long()
        places = torch.from_numpy(stencil.places(self.lattice.points))
        around, at = (torch.from_numpy(s.adapted) for s in (stencil, self.targets))
        for chosen in every.split(size):
            rows, inverse = torch.unique(chosen // sites, return_inverse=True)
            site = chosen % sites
            x = self.fields[rows].double()[inverse[:, None], places[site]]
            yield around @ x.T, at @ self.values(rows).double()[inverse, site].T


@dataclass(frozen=True)
class LocalPolynomialSpec(Spec):
    """Settings of a least squares fit by the same polynomial of neighbouring values everywhere.

    Attributes:
        neighbours: from how many shells of neighbours the factors of products of 1, 2, ... factors come, so that their
            count is the degree; not increasing. None lets them grow where the error on validation data falls most for
            each further term.
        terms: the largest number of products that the search takes, >= 1; a twelfth of the points is a bound too.
        points: how many points for each term are looked at, >= 4, evenly spread.
        ridge: weights of squared coefficients, each > 0, in units in which every term has mean square 1.
    """

    neighbours: tuple[int, ...] | None = None
    terms: int = 1500
    points: int = 32
    ridge: tuple[float, ...] = (1e-14, 1e-12, 1e-10, 1e-7)

    def __post_init__(self):
        count("terms", self.terms, 1, MOST_TERMS)
        count("points", self.points, 4, 10**6)
        if not self.ridge or min(self.ridge) <= 0:
            raise refuse("ridge", "one or more weights > 0", self.ridge)

    def memory(self, points: int) -> int:
        """About how many bytes `fit` takes beside its points: equations and a piece of the points."""
        terms = min(2 * self.terms if self.neighbours is None else MOST_TERMS // 4, points)
        return 8 * (5 * terms**2 + 4 * PIECE)

    def fit(self, known: LocalSample, held: LocalSample) -> tuple[LocalMap, float]:
        """The map, fitted to `known`, that is best at `held`; and its mean squared error there, summed over values."""
        limit = max(1, min(self.terms, known.points // 12))
        scale = _mean_square(held)
        if self.neighbours is None:
            reaches = _ReachSearch(known, held, limit, scale).run()
        else:
            reaches = check_reaches(known.lattice, self.neighbours)
        products, sectors = _terms(known, reaches)
        if (terms := sum(len(sector.terms) for sector in sectors)) > MOST_TERMS:
            raise refuse("neighbours", f"so few that there are at most {MOST_TERMS} terms", f"{reaches} ({terms})")
        most = max(len(sector.terms) for sector in sectors)
        equations = _equations(products, sectors, known, self.points * most)
        choices = [[_solution(*own, ridge) for own in equations] for ridge in self.ridge]
        errors = _errors(products, sectors, choices, held)
        best = min(range(len(errors)), key=lambda i: sum(errors[i]))
        return LocalMap(known.lattice, known.targets, reaches).fill(choices[best]), sum(errors[best])


@dataclass(eq=False)
class _ReachSearch:
    """Lets reaches grow, each time where the logarithm of the error falls most for each further term.

    Attributes:
        known: what is fitted.
        held: what tells errors.
        limit: the largest number of terms of one parity.
        scale: mean square of the values.
    """

    known: LocalSample
    held: LocalSample
    limit: int
    scale: float

    def run(self) -> tuple[int, ...]:
        """The reaches at the end."""
        reaches = tuple(min(reach, self._farthest) for reach in FIRST)
        while options := [option for option in self._options(reaches) if self._size(option) <= self.limit]:
            (error, terms), *tried = self._tried([reaches, *options])
            if error <= ENOUGH * self.scale or min(e for e, _ in tried) > WORTHWHILE * error:
                break
            gains = [math.log(error / max(e, 1e-300)) / (k - terms + OFFSET * terms) for e, k in tried]
            order = sorted(range(len(options)), key=lambda i: -gains[i])
            chosen = [options[i] for i in order if gains[i] >= ALONG * gains[order[0]]]
            while self._size(joined(chosen)) > self.limit:
                chosen.pop()
            reaches = joined(chosen)
        return reaches

    @property
    def _farthest(self) -> int:
        return shell_count(self.known.lattice.points)

    def _options(self, reaches: tuple[int, ...]) -> list[tuple[int, ...]]:
        """One shell more for the products of one degree, and for those of lower degrees as far as they need it; a
        degree more; and two, as symmetries may rule out one."""
        options = [
            joined([reaches, (reaches[d] + 1,) * (d + 1)]) for d in range(len(reaches)) if reaches[d] < self._farthest
        ]
        nearest = min(1, self._farthest)
        more = [joined([reaches, (nearest,) * (len(reaches) + i)]) for i in (1, 2)]
        return [option for option in [*options, *more] if len(option) <= HIGHEST and option != reaches]

    def _size(self, reaches: tuple[int, ...]) -> int:
        _, sectors = _terms(self.known, reaches)
        return max(len(sector.terms) for sector in sectors)

    def _tried(self, options: Sequence[tuple[int, ...]]) -> list[tuple[float, int]]:
        """The error of each of the options, and its number of terms, from the equations of all terms together."""
        products, sectors = _terms(self.known, joined(options))
        most = max(len(sector.terms) for sector in sectors)
        equations = _equations(products, sectors, self.known, COARSE * most)
        choices, counts = [], []
        for option in options:
            allowed, solved, terms = products.within(option), [], 0
            for sector, (gram, moments) in zip(sectors, equations, strict=True):
                own = torch.from_numpy(np.flatnonzero(np.isin(sector.terms, allowed)))
                full = torch.zeros_like(moments)
                full[own] = _solution(gram[own][:, own], moments[own], SEARCH_RIDGE)
                solved.append(full)
                terms += len(own)
            choices.append(solved)
            counts.append(terms)
        errors = _errors(products, sectors, choices, self.held)
        return [(sum(error), terms) for error, terms in zip(errors, counts, strict=True)]


def _terms(sample: LocalSample, reaches: tuple[int, ...]) -> tuple[LocalProducts, list[LocalSector]]:
    every = products_of(sample.lattice, reaches)
    products, places = every.pruned(np.flatnonzero(np.isin(every.parities, sample.targets.parities)))
    return products, sectors_of(products, sample.targets, places)


def _equations(
    products: LocalProducts, sectors: Sequence[LocalSector], known: LocalSample, most: int
) -> list[tuple[Float[Tensor, "_K _K"], Float[Tensor, "_K _v"]]]:
    """The normal equations of every sector. BLAS computes one half of a symmetric product: in 60 % of the time."""
    grams = [np.zeros((len(sector.terms),) * 2, order="F") for sector in sectors]
    moments = [torch.zeros(len(s.terms), len(s.columns), dtype=torch.float64) for s in sectors]
    for values, y in _pieces(products, known, most):
        for i, sector in enumerate(sectors):
            f = values.index_select(0, torch.from_numpy(sector.terms))
            grams[i] = dsyrk(1.0, f.numpy().T, beta=1.0, c=grams[i], trans=1, overwrite_c=1)
            moments[i] += f @ y[torch.from_numpy(sector.columns)].T
    whole = [np.triu(gram) + np.triu(gram, 1).T for gram in grams]
    return [(torch.from_numpy(gram), moment) for gram, moment in zip(whole, moments, strict=True)]


def _pieces(products: LocalProducts, sample: LocalSample, most: int) -> Iterator[tuple[Tensor, Tensor]]:
    size = max(64, min(4096, PIECE // len(products.degrees)))
    for x, y in sample.pieces(products.stencil, most, size):
        yield torch.cat(products.values(x)), y


def _solution(gram: Float[Tensor, "K K"], moments: Float[Tensor, "K v"], ridge: float) -> Float[Tensor, "K v"]:
    """The coefficients, every term scaled to mean square 1 first."""
    size = gram.diagonal().sqrt().clamp_min(torch.finfo(torch.float64).tiny)
    scaled = gram / size[:, None] / size
    while True:
        weighted = scaled.clone()
        weighted.diagonal().add_(ridge)
        factor, failed = torch.linalg.cholesky_ex(weighted)
        if not failed:
            return torch.cholesky_solve(moments / size[:, None], factor) / size[:, None]
        ridge *= 10


def _errors(
    products: LocalProducts, sectors: Sequence[LocalSector], choices: Sequence[Sequence[Tensor]], held: LocalSample
) -> list[list[float]]:
    """The mean squared error of every choice of coefficients at held-out points, sector by sector."""
    sums = np.zeros((len(choices), len(sectors)))
    together = [torch.cat([choice[i] for choice in choices], 1) for i in range(len(sectors))]
    for values, y in _pieces(products, held, HELD):
        for i, sector in enumerate(sectors):
            f, truth = values.index_select(0, torch.from_numpy(sector.terms)), y[torch.from_numpy(sector.columns)]
            wrong = (together[i].T @ f).reshape(len(choices), len(sector.columns), -1) - truth
            sums[:, i] += wrong.square().sum((1, 2)).numpy()
    result = sums / min(HELD, held.points)
    assert result.shape == (len(choices), len(sectors))
    return result.tolist()


def _mean_square(sample: LocalSample) -> float:
    """The mean square of the values, summed over all of a point."""
    point = sample.targets
    total = sum(float(y.square().sum()) for _, y in sample.pieces(point, HELD, 4096))
    return total / min(HELD, sample.points)
