"""Fourier series on circles and tori, by exact least squares in float64: no training, and frequencies to many digits.

On T^a every smooth field is z' = sum_k c_k cos(k . z) + d_k sin(k . z), and the error of a truncated sum falls faster
than any power of the order (exponentially where the field is analytic). Over a thousand turns what matters is the mean
frequency: a network whose velocity is right to 1e-3 is out of phase after a hundred.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import count, refuse
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import with_velocities
from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData, VectorFieldDynamics
from dynred.numerics.batches import pieces
from dynred.numerics.latent_space import LatentSpace
from dynred.solvers.explicit import Explicit

CUT = 1e-10  # eigenvalues of the normal equations below this fraction of the largest are not inverted


class Fourier(VectorFieldDynamics):
    """z' = rate * series(z), a truncated Fourier series in every angle.

    Attributes:
        coefficients: those of the B basis functions [B, R], cosines then sines, in units of `rate`.
    """

    coefficients: Float[Tensor, "B R"]
    solver = Explicit("dopri8", rtol=1e-9, atol=1e-9)  # as exact as the series: else the solver makes the phase drift

    def __init__(
        self, spec: "FourierSpec", space: LatentSpace, units: Standardisation, coefficients: Float[Tensor, "B R"]
    ) -> None:
        super().__init__()
        self.spec, self.latent_space, self.units = spec, space, units
        self.order = _order(len(coefficients), space.angles)
        self.register_buffer("coefficients", coefficients)
        self.register_buffer("waves", waves(self.order, space.angles), persistent=False)

    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`; computed in float64."""
        series = basis(z.double(), self.waves) @ self.coefficients  # type: ignore[arg-type] # nn.Module guesses
        return (self.units.rate * series).to(z.dtype)

    def sizes(self) -> Mapping[str, int]:
        """See `LatentDynamics.sizes`."""
        return {"order": self.order}


@dataclass(frozen=True)
class FourierSpec(DynamicsSpec):
    """Settings of the Fourier series; for latent spaces of angles alone.

    Attributes:
        max_order: most waves per turn of an angle; the order is the one whose velocities are best on the validation
            trajectories.
        max_terms: most basis functions; with a angles there are (2 order + 1)^a.
    """

    max_order: int = 32
    max_terms: int = 1100

    def __post_init__(self):
        count("max_order", self.max_order, 0, 100_000)
        count("max_terms", self.max_terms, 1, 100_000)

    def _fit(self, data: LatentData) -> Fourier:
        """The series fitted to latent velocities; see `DynamicsSpec._fit`. Draws nothing from `rng`."""
        space = data.latent_space
        _check_space(space)
        units, validation = data.units(), with_velocities("validation", data.validation)
        best, least = None, float("inf")
        for order in self.orders(space.angles):
            series = Fourier(self, space, units, _least_squares(data.latents, units, waves(order, space.angles)))
            error = _error(series, validation)
            if error < least:
                best, least = series, error
        if best is None:
            raise refuse("validation", "latents with finite velocities", "some that are not")
        return best

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: the latents, the normal equations, the series at all validation snapshots."""
        series = 8 * self.max_terms * (4 * self.max_terms + 3 * validation)
        return super().memory(latent_space, train, validation) + series

    def orders(self, angles: int) -> list[int]:
        """The orders that are tried: 0, 1, 2, 3, 4, 6, 8, 12 and so on."""
        growing = [0, *(2**i for i in range(12)), *(3 * 2**i for i in range(11))]
        return sorted(n for n in growing if n <= self.max_order and (2 * n + 1) ** angles <= max(self.max_terms, 1))

    def build(self, latent_space: LatentSpace, order: int) -> Fourier:  # type: ignore[override] # its sizes by name
        """See `DynamicsSpec.build`."""
        _check_space(latent_space)
        if count("order", order, 0, self.max_order) not in (0, *self.orders(latent_space.angles)):
            raise refuse("order", f"one of those with at most {self.max_terms} terms", order)
        terms, r = (2 * order + 1) ** latent_space.angles, latent_space.dim
        return Fourier(self, latent_space, Standardisation.empty(r), torch.zeros(terms, r, dtype=torch.float64))


def _check_space(space: LatentSpace) -> None:
    if space.lines:
        advice = "Take `neural_ode`, whose network is periodic in every angle as well."
        raise refuse("latent_space", "of angles alone for a Fourier series", f"{space.lines} lines", advice)


def waves(order: int, angles: int) -> Float[Tensor, "K A"]:
    """Wave vectors up to `order` in every angle, one of each pair k, -k, zero first."""
    every = product(range(-order, order + 1), repeat=angles)
    return torch.tensor([k for k in every if k >= (0,) * angles], dtype=torch.float64)


def basis(z: Float[Tensor, "*batch A"], waves: Float[Tensor, "K A"]) -> Float[Tensor, "*batch B"]:
    """cos(k . z) for all waves, then sin(k . z) for all but the zero wave, which is the first."""
    argument = z @ waves.T
    return torch.cat([torch.cos(argument), torch.sin(argument[..., 1:])], -1)


def _order(terms: int, angles: int) -> int:
    return round((terms ** (1 / angles) - 1) / 2)


def _least_squares(latents: Trajectories, units: Standardisation, waves: Tensor) -> Float[Tensor, "B R"]:
    # Each row is divided by its speed: on a circle the error of the period, the integral of dg / g^2, then vanishes to
    # first order, because snapshots at equal times lie with the density 1 / g.
    assert latents.velocities is not None
    size = 2 * len(waves) - 1
    gram = torch.zeros(size, size, dtype=torch.float64)
    right = torch.zeros(size, units.rate.numel(), dtype=torch.float64)
    for z, v in zip(pieces(latents.states, size), pieces(latents.velocities, size), strict=True):
        design, target = basis(z.double(), waves), v.double() / units.rate
        weight = 1 / target.pow(2).mean(-1, keepdim=True).sqrt().clamp_min(0.1)
        gram += (weight * design).T @ design
        right += (weight * design).T @ target
    value, vector = torch.linalg.eigh(gram)
    kept = value > CUT * value[-1]
    return (vector[:, kept] / value[kept]) @ (vector[:, kept].T @ right)


def _error(model: Fourier, validation: Trajectories) -> float:
    assert validation.velocities is not None
    gap = model.field(torch.tensor(0.0), validation.states.double()) - validation.velocities.double()
    return float((gap / model.units.rate).pow(2).mean())
