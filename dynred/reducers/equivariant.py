"""Equivariant manifold: symmetry-adapted modes and equivariant polynomials, by least squares; no training.

Latent coordinates z are the leading modes of the charges that symmetries give to states: a translation turns them by
phases. All other modes are polynomials of them with those products alone whose charge is that of the mode. So decoding
moves with the symmetries exactly, and a fit has a hundredth of the coefficients. On Kuramoto-Sivashinsky (L = 22,
64 -> 8) degree 8 has 461 terms for the first of the other modes, where a complete polynomial has 12,870; the manifold
leaves 2e-10 of the energy, where the complete polynomial of degree 6 (3,003 terms) leaves 3e-8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import count, refuse
from dynred.data.trajectories import Trajectories
from dynred.numerics.adapted_modes import AdaptedModes
from dynred.numerics.equivariant_fits import EquivariantMap, EquivariantPolynomialSpec
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.modes import MOST_MODES, Modes
from dynred.numerics.representation import Representation
from dynred.reducers._declared import declared_group
from dynred.reducers._turned_modes import turned_modes
from dynred.reducers.base import Reducer, ReducerSpec
from dynred.runtime import Runtime
from dynred.spec import ADDED

MOST_SEARCHED = 6  # degree up to which coordinates are searched for: the time grows with the square of the terms
ALIVE = 1e-12  # of the energy: a mode with less is no coordinate


class EquivariantManifold(Reducer):
    """A fitted equivariant manifold: z = E^T (x - mean) / scale, x = mean + scale (E z + S p(z)), in float64.

    Attributes:
        mean: mean state [D], which symmetries leave where it is.
        leading: the modes E [D, R] of the latent coordinates.
        slaved: all other modes S [D, V].
        scale: unit of the coordinates, one number for all.
        decoder: the polynomials p, R -> V.
    """

    mean: Float[Tensor, " D"]
    leading: Float[Tensor, "D R"]
    slaved: Float[Tensor, "D V"]
    scale: Float[Tensor, ""]

    def __init__(self, spec: "EquivariantManifoldSpec", state_dim: int, decoder: EquivariantMap) -> None:
        super().__init__()
        self.spec, self.decoder, self.state_dim = spec, decoder, state_dim
        self.latent_space = LatentSpace(lines=decoder.space.dim, representation=decoder.space)
        zeros = torch.zeros(state_dim, decoder.space.dim + decoder.values.dim, dtype=torch.float64)
        self.register_buffer("mean", zeros[:, 0].clone())
        self.register_buffer("leading", zeros[:, : decoder.space.dim].clone())
        self.register_buffer("slaved", zeros[:, decoder.space.dim :].clone())
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))

    def encode(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch R"]:
        """See `Reducer.encode`."""
        return (x.to(self.mean) - self.mean) @ self.leading / self.scale

    def decode(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch D"]:
        """See `Reducer.decode`."""
        z = z.to(self.mean)
        modes = self.scale * torch.cat([self.leading, self.slaved], 1).T
        return self.mean + torch.cat([z, self.decoder(z)], -1) @ modes

    def take_loops(self) -> None:
        """See `Reducer.take_loops`."""
        self.decoder.many = 1

    def sizes(self) -> Mapping[str, Any]:
        """See `Reducer.sizes`."""
        return {
            "state_dim": self.state_dim,
            "latents": self.decoder.space.to_dict(),
            "slaved": self.decoder.values.to_dict(),
            "degrees": list(self.decoder.degrees),
        }


@dataclass(frozen=True)
class EquivariantManifoldSpec(ReducerSpec):
    """Settings of the equivariant manifold, for states whose symmetries are declared.

    Attributes:
        polynomial: degrees and sizes of the polynomials.
        tolerance: fraction of the energy that is left out with modes of little energy, in (0, 1).
        max_modes: the largest number of modes, each complex one counted as two.
        search: degree, >= 1, of the polynomials with which better coordinates than the leading modes are searched for
            among the mixtures of modes of equal charge; 1 takes the leading modes.
    """

    polynomial: EquivariantPolynomialSpec = field(default_factory=EquivariantPolynomialSpec)
    tolerance: float = 1e-13
    max_modes: int = 512
    search: int = field(default=1, metadata=ADDED)

    def __post_init__(self):
        super().__post_init__()
        count("max_modes", self.max_modes, 1, MOST_MODES)
        count("search", self.search, 1, MOST_SEARCHED)
        if not 0 < self.tolerance < 1:
            raise refuse("tolerance", "in (0, 1)", self.tolerance)

    def _fit(
        self, train: Trajectories, validation: Trajectories, *, rng: torch.Generator, runtime: Runtime
    ) -> EquivariantManifold:
        """The least squares fit; see `ReducerSpec._fit`. Draws from `rng` only where coordinates are searched for."""
        group = declared_group(train)
        exchange, x = group.mirror, train.states.double()
        mirror = None if exchange is None else lambda y: group.image(exchange, y)
        signs = [partial(group.images, word) for word in group.signs]
        limit = max(self.max_modes, 2 * self.latent_dim)
        modes = AdaptedModes.of(x, group, mirror, signs=signs, tolerance=self.tolerance, limit=limit)
        pairs, reals = self._leading(modes)
        columns, latents, slaved = _divided(modes.representation, pairs, reals)
        basis = modes.basis
        if self.search > 1:
            degrees = range(2, self.search + 1)
            basis = turned_modes(basis, modes.representation, (x - modes.mean) @ basis, pairs, reals, degrees, rng)
        leading, rest = basis[:, columns], basis[:, [i for i in range(basis.shape[1]) if i not in columns]]
        scale = ((x - modes.mean) @ leading).pow(2).mean().sqrt()

        def coefficients(part: Trajectories) -> tuple[Tensor, Tensor]:
            centred = (part.states.double() - modes.mean) / scale
            return centred @ leading, centred @ rest

        decoder, _ = self.polynomial.fit(latents, slaved, coefficients(train), coefficients(validation))
        fitted = EquivariantManifold(self, train.dim, decoder)
        fitted.mean, fitted.leading, fitted.slaved, fitted.scale = modes.mean, leading, rest, scale
        return fitted

    def _leading(self, modes: AdaptedModes) -> tuple[int, int]:
        """How many complex and real modes are latent coordinates: those of most energy for each number.

        Raises:
            InputError: `latent_dim` cannot be made of modes of two numbers each.
        """
        complex_count = modes.representation.complex_count
        each = [float(e) / 2 for e in modes.energy[:complex_count]] + modes.energy[complex_count:].tolist()
        pairs = reals = 0
        for i in sorted(range(len(each)), key=lambda i: -each[i]):
            width = 2 if i < complex_count else 1
            if each[i] > ALIVE and 2 * pairs + reals + width <= self.latent_dim:
                pairs, reals = pairs + (width == 2), reals + (width == 1)
        alive = sum(energy > ALIVE for energy in each[:complex_count])
        if 2 * pairs + reals == self.latent_dim - 1 and reals > 0 and pairs < alive:
            pairs, reals = pairs + 1, reals - 1
        if 2 * pairs + reals < self.latent_dim:
            advice = "Modes that a symmetry turns are two numbers each."
            filled = 2 * pairs + reals or 2
            raise refuse("latent_dim", f"filled by whole modes, as {filled} is", self.latent_dim, advice)
        return pairs, reals

    def memory(self, state_dim: int, train: int, validation: int) -> int:
        """See `ReducerSpec.memory`: coefficients in the modes, and the fits."""
        modes = min(self.max_modes, state_dim, train)
        fits = self.polynomial.memory(self.latent_dim, modes, train)
        return Modes.memory(state_dim, train) + 24 * (train + validation) * modes + fits

    def build(  # type: ignore[override] # its sizes by name
        self, state_dim: int, latents: Mapping[str, Any], slaved: Mapping[str, Any], degrees: Sequence[int]
    ) -> EquivariantManifold:
        """See `ReducerSpec.build`."""
        space, values = (Representation.from_dict(part) for part in (latents, slaved))
        return EquivariantManifold(self, state_dim, EquivariantMap(space, values, degrees))


def _divided(all_modes: Representation, pairs: int, reals: int) -> tuple[list[int], Representation, Representation]:
    """The columns of the first complex and real modes, and what the group does to these and to the others."""
    first_real = 2 * all_modes.complex_count
    columns = [*range(2 * pairs), *range(first_real, first_real + reals)]
    complex_charges, real_charges, parities = all_modes.complex_charges, all_modes.real_charges, all_modes.parities
    latents, slaved = (
        Representation(
            complex_charges[of_pairs], real_charges[of_reals], all_modes.orders, all_modes.mirrored, parities[of_reals]
        )
        for of_pairs, of_reals in ((slice(pairs), slice(reals)), (slice(pairs, None), slice(reals, None)))
    )
    return columns, latents, slaved
