"""Polynomial manifold: a linear encoder, and a polynomial decoder by least squares.

With a = U^T (x - mean) / scale the coefficients of Q POD modes,

    z = P^T a,      a = p(z),

P a projection to R coordinates and p a polynomial (of z and of the system's parameters, where it sees these). With P
the R leading modes and degree 2 this is the quadratic manifold (J. Barnett, C. Farhat, J. Comput. Phys. 464, 111348
(2022); R. Geelen, S. Wright, K. Willcox, Comput. Methods Appl. Mech. Eng. 403, 115717 (2023)); here the degree is free,
and the projection may be searched for (`dynred.reducers._projection`). Encoding a decoded latent gives it back. On
Kuramoto-Sivashinsky (L = 22, R = 8, 102,656 snapshots, leading modes) the held-out nmse is 8e-4, 3e-5, 2e-6, 2e-7, 3e-8
at degrees 2 to 6. The reducer works where K is a graph over R linear coordinates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import count, refuse
from dynred.data.trajectories import Trajectories
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.modes import MOST_MODES, Modes
from dynred.numerics.polynomials import PolynomialMap, PolynomialSpec, largest_degree
from dynred.reducers._projection import best_projection
from dynred.reducers.base import ParametricReducer, ReducerSpec, SeenParameters
from dynred.rng import spawn
from dynred.runtime import Runtime

SEARCH_TERMS = 170  # most monomials while a projection is searched for: degree 3 for 8 coordinates


class PolynomialManifold(ParametricReducer):
    """A fitted polynomial manifold, in float64.

    Attributes:
        modes: the Q modes.
        projection: P [Q, R]; latent coordinates have unit variance.
        decoder: the polynomial p, R + P -> Q.
    """

    projection: Float[Tensor, "Q R"]

    def __init__(
        self,
        spec: "PolynomialManifoldSpec",
        modes: Modes,
        projection: Float[Tensor, "Q R"],
        decoder: PolynomialMap,
        seen: SeenParameters,
    ) -> None:
        super().__init__()
        self.spec, self.modes, self.decoder, self.seen = spec, modes, decoder, seen
        self.state_dim = modes.basis.shape[0]
        self.latent_space = LatentSpace(lines=spec.latent_dim)
        self.register_buffer("projection", projection)

    def encode_at(self, x: Float[Tensor, "*batch D"], p: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch R"]:
        """See `ParametricReducer.encode_at`; the same for all parameters."""
        return self.modes.coefficients(x) @ self.projection

    def decode_at(self, z: Float[Tensor, "*batch R"], p: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        """See `ParametricReducer.decode_at`."""
        return self.modes.state(self.decoder(torch.cat([z, p], -1)))

    def sizes(self) -> Mapping[str, Any]:
        """See `Reducer.sizes`."""
        sizes = {"state_dim": self.state_dim, "modes": self.modes.count, "degree": self.decoder.degree}
        return {**sizes, "parameters": list(self.seen.names)}


@dataclass(frozen=True)
class PolynomialManifoldSpec(ReducerSpec):
    """Settings of the polynomial manifold.

    Attributes:
        polynomial: degrees and weights that are tried; those with the least validation error are taken.
        starts: number of random projections, >= 0, from which better ones than the leading modes are searched for,
            where K folds over those; None takes the leading modes as they are. On Kuramoto-Sivashinsky the search takes
            as long as all the rest and finds nothing better (nmse 2.2e-6 at degree 4 with and without); on Lorenz's
            modes seen in 128 dimensions it lowers the relative error from 3e-4 to 2e-12.
        tolerance: fraction of the energy that the Q modes may leave out, in (0, 1). It bounds the nmse from below.
        max_modes: the largest Q.
        parametric: whether the decoder sees the parameters that differ between training trajectories.
    """

    polynomial: PolynomialSpec = field(default_factory=lambda: PolynomialSpec(terms=3003))
    starts: int | None = None
    tolerance: float = 1e-10
    max_modes: int = 256
    parametric: bool = False

    def __post_init__(self):
        super().__post_init__()
        if self.starts is not None:
            count("starts", self.starts, 0, 10**6)
        count("max_modes", self.max_modes, 1, MOST_MODES)
        if not 0 < self.tolerance < 1:
            raise refuse("tolerance", "in (0, 1)", self.tolerance)

    def _fit(
        self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime
    ) -> PolynomialManifold:
        """The least squares fit; see `ReducerSpec._fit`."""
        r = self.latent_dim
        modes = Modes.of(train.states.double(), r, scaled=True, tolerance=self.tolerance, limit=self.max_modes)
        seen = SeenParameters.of(train, wanted=self.parametric)
        known, held = (modes.coefficients(part.states) for part in (train, validation))
        projection = self._projection(known, spawn(rng, "projection"))
        given = (seen(part.row_parameters, [len(part.states)]) for part in (train, validation))
        pairs = ((torch.cat([a @ projection, p], -1), a) for a, p in zip((known, held), given, strict=True))
        decoder = min(self.polynomial.fits(*pairs), key=lambda fit: fit[0])[1]
        return PolynomialManifold(self, modes, projection, decoder, seen)

    def memory(self, state_dim: int, train: int, validation: int) -> int:
        """See `ReducerSpec.memory`: modes, coefficients, and the fits of the decoder."""
        modes = min(self.max_modes, state_dim, train)
        fits = self.polynomial.memory(self.latent_dim, modes, train)
        return Modes.memory(state_dim, train) + 24 * (train + validation) * modes + fits

    def _projection(self, a: Float[Tensor, "M Q"], rng: torch.Generator) -> Float[Tensor, "Q R"]:
        r = self.latent_dim
        if self.starts is None or a.shape[1] == r:
            return torch.eye(a.shape[1], r, dtype=torch.float64) / a[:, :r].std(0).clamp_min(1e-12)
        degree = min(self.polynomial.degree, largest_degree(r, SEARCH_TERMS))
        return best_projection(a, r, degree, self.starts, rng)

    def build(  # type: ignore[override] # its sizes by name
        self, state_dim: int, modes: int, degree: int, parameters: Sequence[str] = ()
    ) -> PolynomialManifold:
        """See `ReducerSpec.build`."""
        projection = torch.eye(modes, self.latent_dim, dtype=torch.float64)
        decoder = PolynomialMap(self.latent_dim + len(parameters), modes, degree)
        seen = SeenParameters.empty(parameters)
        return PolynomialManifold(self, Modes.empty(state_dim, modes), projection, decoder, seen)
