"""Polynomial latent dynamics of any degree, by least squares on exact velocities: no training, accurate on K.

Exact velocities carry no noise, so each further degree lowers the error by a factor until the data are used up. On
Kuramoto-Sivashinsky (L = 22, 8 POD coordinates, 102,656 snapshots) the mean squared error of held-out velocities, in
units of their mean square, is 8e-2, 3e-3, 1e-4, 7e-6, 6e-7 at degrees 2 to 6; a network of 3 x 256 has 4e-6 after
24,000 steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from dynred.dynamics._curve_fit import fit_to_samples
from dynred.dynamics._polynomials import PolynomialDynamics
from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.monomials import all_monomials, polynomial
from dynred.numerics.polynomials import PolynomialSpec, factors


class PolynomialODE(PolynomialDynamics):
    """A field whose components are complete polynomials of one degree."""

    def __init__(self, spec: "PolynomialODESpec", space: LatentSpace, units: Standardisation, degree: int):
        super().__init__(spec, space, units, factors(space.feature_dim, degree))
        self.degree = degree

    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`; computed in float64."""
        features = self.latent_space.features(self.units.standard(z.double()))
        return (self.units.rate * polynomial(features, self.coefficients, self.degree)).to(z.dtype)

    def library(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch K"]:
        """See `PolynomialDynamics.library`."""
        return all_monomials(self.latent_space.features(self.units.standard(z.double())), self.degree)

    def sizes(self) -> Mapping[str, int]:
        """See `LatentDynamics.sizes`."""
        return {"degree": self.degree}


@dataclass(frozen=True)
class PolynomialODESpec(DynamicsSpec):
    """Settings of polynomial dynamics.

    Attributes:
        polynomial: degrees and weights that are tried; the degree whose validation rollouts are best is taken.
    """

    polynomial: PolynomialSpec = field(default_factory=lambda: PolynomialSpec(terms=3003))

    def _fit(self, data: LatentData) -> PolynomialODE:
        """The fit whose validation rollouts are best, or one to samples where velocities are uncertain; see
        `DynamicsSpec._fit`. Draws nothing from `rng`."""
        candidates, units = [], data.units()
        fits = self.polynomial.fits(data.regression, data.validation_regression)
        better = fit_to_samples(data, fits)
        for fitted in [each for _, each in fits] if better is None else [better.fitted]:
            model = PolynomialODE(self, data.latent_space, units, fitted.degree)
            model.coefficients = fitted.coefficients
            model.choice = "" if better is None else better.told(data.velocity_error)
            candidates.append(model)
        return min(candidates, key=lambda model: data.score(model))

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: the latents and the fits."""
        fits = self.polynomial.memory(latent_space.feature_dim, latent_space.dim, train)
        return super().memory(latent_space, train, validation) + fits

    def build(self, latent_space: LatentSpace, degree: int) -> PolynomialODE:  # type: ignore[override] # by name
        """See `DynamicsSpec.build`."""
        return PolynomialODE(self, latent_space, Standardisation.empty(latent_space.dim), degree)
