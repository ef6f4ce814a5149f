"""Linear projections from which a polynomial recovers all other coordinates, found by variable projection.

A set K may be a graph over some linear coordinates without being one over its leading POD coordinates. For a projection
W the best polynomial decoder is a least squares problem; the error it leaves is a smooth function of W alone, whose
gradient runs through the normal equations (G. H. Golub, V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973)). L-BFGS
minimises it from the leading modes and from random projections, because it has local minima. On Lorenz's modes seen in
128 dimensions, three of seven random starts end at the exact coordinates (relative error 1e-15 instead of 2e-4).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.numerics.monomials import all_monomials

RIDGE = 1e-14  # keeps the normal equations solvable where monomials depend on each other on K
STRONGER = 100.0  # times the ridge that was too weak
SNAPSHOTS = 4000  # most snapshots that are looked at, evenly spread
ITERATIONS = 200  # of L-BFGS, at most


@dataclass(frozen=True, eq=False)
class Search:
    """Snapshots among which projections are compared.

    Attributes:
        whitened: coefficients of snapshots in units of their standard deviations [m, Q].
        weight: weight of an error in each coefficient [Q].
        degree: degree of the decoder.
    """

    whitened: Float[Tensor, "m Q"]
    weight: Float[Tensor, " Q"]
    degree: int

    @classmethod
    def of(cls, a: Float[Tensor, "M Q"], degree: int) -> "Search":
        """The search among projections of coefficients a, for decoders of a degree."""
        spread = a.std(0)
        spread = spread.clamp_min(1e-12 * (1e-300 + spread.max()))
        rows = torch.linspace(0, len(a) - 1, min(SNAPSHOTS, len(a))).long()
        return cls(a[rows] / spread, spread / spread.norm(), degree)

    def error(self, projection: Float[Tensor, "Q R"]) -> Float[Tensor, ""]:
        """The mean squared error that the best polynomial leaves, over the mean squared size."""
        z = self.whitened @ projection
        design = all_monomials((z - z.mean(0)) / z.std(0), self.degree)
        gram = design.T @ design / len(design)
        size = gram.diagonal().sqrt()
        scaled = gram / size[:, None] / size
        moments = design.T @ self.whitened / len(design) / size[:, None]
        decoder = torch.cholesky_solve(moments, _factor(scaled)) / size[:, None]
        return ((design @ decoder - self.whitened) * self.weight).pow(2).sum(1).mean()

    def improved(self, start: Float[Tensor, "Q R"]) -> Float[Tensor, "Q R"]:
        """The projection with the least error that is found from a start."""
        projection = start.clone(memory_format=torch.contiguous_format).requires_grad_()
        search = torch.optim.LBFGS(
            [projection],
            max_iter=ITERATIONS,
            history_size=20,
            line_search_fn="strong_wolfe",
            tolerance_grad=0,
            tolerance_change=0,
        )

        def closure() -> float:
            search.zero_grad()
            with torch.enable_grad():
                error = self.error(projection)
            error.backward()
            return float(error.detach())

        try:
            search.step(closure)
        except torch.linalg.LinAlgError:  # the search ran into a projection that loses a dimension
            return start
        return projection.detach()


def best_projection(
    a: Float[Tensor, "M Q"], latent_dim: int, degree: int, starts: int, rng: torch.Generator
) -> Float[Tensor, "Q R"]:
    """The projection of coefficients a from which a polynomial of a given degree recovers a best.

    The search runs from every start at every degree from 2 on: where K is simple in some coordinates, a low degree
    finds them, while high degrees are content with any.

    Args:
        a: coefficients of snapshots, of mean 0.
        latent_dim: R, at most Q.
        degree: degree of the decoder, >= 1.
        starts: number of random projections to start from, >= 0, beside the leading coefficients.
        rng: draws the random projections.

    Returns:
        The projection, to be applied to a: its latent coordinates have unit variance.
    """
    q = a.shape[1]
    searches = [Search.of(a, d) for d in range(min(2, degree), degree + 1)]
    leading = torch.eye(q, latent_dim, dtype=torch.float64)
    draws = [torch.linalg.qr(torch.randn(q, latent_dim, generator=rng, dtype=torch.float64))[0] for _ in range(starts)]
    projections = [search.improved(start) for start in (leading, *draws) for search in searches]
    best = min(projections, key=lambda projection: float(searches[-1].error(projection)))
    best = searches[-1].improved(best)  # L-BFGS begun afresh gains the last digits
    best = best / a.std(0).clamp_min(1e-12 * (1e-300 + a.std(0).max()))[:, None]
    return best / (a @ best).std(0)


def _factor(gram: Float[Tensor, "K K"]) -> Float[Tensor, "K K"]:
    """The Cholesky factor with the least ridge that round-off allows: on thin sets monomials depend on each other."""
    identity, ridge = torch.eye(len(gram)).to(gram), RIDGE
    while ridge < 1:
        factor, failed = torch.linalg.cholesky_ex(gram + ridge * identity)
        if not failed:
            return factor
        ridge *= STRONGER
    return torch.linalg.cholesky(gram + identity)
