"""Quadratic latent dynamics by operator inference: z' = c + A z + H (z x z), least squares on exact velocities.

B. Peherstorfer, K. Willcox, Comput. Methods Appl. Mech. Eng. 306, 196 (2016); rollouts choose the Tikhonov
regularisation, as by S. A. McQuarrie, C. Huang, K. E. Willcox, J. R. Soc. N. Z. 51, 194 (2021), here rollouts of the
validation trajectories.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.dynamics._polynomials import PolynomialDynamics
from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData
from dynred.numerics.batches import pieces
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.polynomials import factors
from dynred.solvers.adams import Adams


class Quadratic(PolynomialDynamics):
    """A quadratic field.

    Attributes:
        regularisation: the weights [2] that were chosen for A and H.
    """

    regularisation: Float[Tensor, " 2"]
    solver = Adams(rtol=1e-8, atol=1e-8)  # cheap, and exact where the latents obey a quadratic ODE

    def __init__(self, spec: "QuadraticSpec", space: LatentSpace, units: Standardisation):
        super().__init__(spec, space, units, factors(space.feature_dim, 2))
        self.register_buffer("regularisation", torch.zeros(2, dtype=torch.float64))


@dataclass(frozen=True)
class QuadraticSpec(DynamicsSpec):
    """Settings of quadratic dynamics.

    Attributes:
        regularisation: weights of |A|^2 and |H|^2 beside the mean squared error of the velocity, in units in which
            latents and velocities are of order one, each >= 0. All pairs with no more weight on A than on H are tried.
    """

    regularisation: tuple[float, ...] = (0.0, 1e-8, 1e-6, 1e-4, 1e-2)

    def __post_init__(self):
        if not self.regularisation or min(self.regularisation) < 0:
            raise refuse("regularisation", "one or more weights >= 0", self.regularisation)

    def _fit(self, data: LatentData) -> Quadratic:
        """The fit whose validation rollouts are best; see `DynamicsSpec._fit`. Draws nothing from `rng`."""
        model = Quadratic(self, data.latent_space, data.units(centred=False))
        system, best = _compressed(model, data.latents), float("inf")
        chosen = model.coefficients, model.regularisation
        for weights in self._pairs():
            model.coefficients = _solution(system, model, weights)
            score = data.score(model)
            if score < best:
                best, chosen = score, (model.coefficients, weights)
        model.coefficients, model.regularisation = chosen
        return model

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: the latents, a piece of the monomials, and the least squares of all of them."""
        terms = math.comb(latent_space.feature_dim + 2, 2) + latent_space.dim
        piece = min(train, max(16, 2**20 // terms)) * terms
        return super().memory(latent_space, train, validation) + 8 * (10 * terms**2 + 4 * piece)

    def build(self, latent_space: LatentSpace) -> Quadratic:  # type: ignore[override] # its sizes by name
        """See `DynamicsSpec.build`."""
        return Quadratic(self, latent_space, Standardisation.empty(latent_space.dim))

    def _pairs(self) -> Iterator[Tensor]:
        # The least weights last, so that among equals the most regular one is kept.
        weights = sorted(set(self.regularisation), reverse=True)
        return (torch.tensor([a, h], dtype=torch.float64) for a, h in product(weights, weights) if a <= h)


def _compressed(model: Quadratic, latents: Trajectories) -> Float[Tensor, "KR KR"]:
    """A small triangular system with the same least squares solutions as all snapshots: R of the QR of
    (monomials, velocities) / sqrt(M), gathered piece by piece, so that memory is bounded."""
    assert latents.velocities is not None
    triangle = torch.zeros(0, sum(model.coefficients.shape), dtype=torch.float64)
    width = triangle.shape[1]
    for z, v in zip(pieces(latents.states, width), pieces(latents.velocities, width), strict=True):
        rows = torch.cat([model.library(z), v.double() / model.units.rate], -1)
        triangle = torch.linalg.qr(torch.cat([triangle, rows]), mode="r").R
    return triangle / len(latents.states) ** 0.5


def _solution(system: Float[Tensor, "KR KR"], model: Quadratic, weights: Float[Tensor, " 2"]) -> Float[Tensor, "K R"]:
    degree = (model.factors > 0).sum(1)
    penalty = torch.cat([torch.zeros(1, dtype=torch.float64), weights])[degree].sqrt().diag()
    count = len(degree)
    design = torch.cat([system[:, :count], penalty])
    target = torch.nn.functional.pad(system[:, count:], (0, 0, 0, count))
    return torch.linalg.lstsq(design, target, driver="gelsd").solution
