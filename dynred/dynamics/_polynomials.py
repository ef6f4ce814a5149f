"""Latent dynamics whose components are polynomials."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import DynamicsSpec, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.polynomials import monomials, rescaled, written


class PolynomialDynamics(VectorFieldDynamics):
    """A field whose components are polynomials of the features of the latents: z' = rate * monomials(y) coefficients,
    with y the features in standard units. Where sparse coefficients are to be read, units must keep the origin.

    Attributes:
        factors: the monomials [K, degree], see `dynred.numerics.polynomials.factors`.
        coefficients: those of the monomials [K, R], in standard units; `latent_coefficients` are in latent units.
    """

    factors: Int[Tensor, "K degree"]
    coefficients: Float[Tensor, "K R"]

    def __init__(
        self, spec: "DynamicsSpec", space: LatentSpace, units: Standardisation, factors: Int[Tensor, "K degree"]
    ) -> None:
        super().__init__()
        self.spec, self.latent_space, self.units = spec, space, units
        self.register_buffer("factors", factors)
        self.register_buffer("coefficients", torch.zeros(len(factors), space.dim, dtype=torch.float64))

    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`; computed in float64."""
        return (self.units.rate * (self.library(z) @ self.coefficients)).to(z.dtype)

    def library(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch K"]:
        """The values of the monomials."""
        return monomials(self.latent_space.features(self.units.standard(z.double())), self.factors)

    def latent_coefficients(self) -> Float[Tensor, "K R"]:
        """The coefficients of the polynomials in the latents themselves, per time unit."""
        angles, spread = self.latent_space.angles, self.units.spread
        plain = torch.zeros(2 * angles).to(spread)
        shift, unit = torch.cat([plain, self.units.shift[angles:]]), torch.cat([plain + 1, spread[angles:]])
        return rescaled(self.coefficients, self.factors, shift, unit) * self.units.rate

    def equations(self) -> list[str]:
        """One equation per latent coordinate, e.g. `z1' = 0.1 z1 - z2`."""
        a, r = self.latent_space.angles, self.dim
        names = [f"{turn} z{i + 1}" for turn in ("cos", "sin") for i in range(a)] + [f"z{i + 1}" for i in range(a, r)]
        columns = self.latent_coefficients().T.tolist()
        return [f"z{i + 1}' = {written(column, self.factors, names)}" for i, column in enumerate(columns)]

    def sizes(self) -> Mapping[str, Any]:
        """See `LatentDynamics.sizes`."""
        return {}
