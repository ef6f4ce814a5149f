"""Local dynamics: the velocity of a coordinate is the same polynomial of its neighbours everywhere, by least squares.

The latents' lattice says which coordinates are neighbours; a local reducer gives it. What is fitted on a short lattice
holds for one of any length (`LocalDynamics.sized`), at a cost that grows with it. On Kuramoto-Sivashinsky (one
coordinate for 1.375 of its length) 1,100 terms leave 3e-10 of the mean square of the velocities.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.checks import positive, refuse
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import with_velocities
from dynred.dynamics._even_steps import fine_step, solved_evenly
from dynred.dynamics._units import LimitedField, StandardField, Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData, VectorFieldDynamics
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.lattice import Lattice, ball
from dynred.numerics.local_fits import LocalPolynomialSpec, LocalSample
from dynred.numerics.local_map import LocalMap
from dynred.solvers.explicit import Explicit

PROBES = 64  # validation states at which steps are compared
PART, LEAST = 0.1, 1e-8  # of the error of the field: what a step of a rollout may add; and the least that matters


class LocalDynamics(VectorFieldDynamics):
    """z' = rate p(z / spread), with the same polynomials p of neighbours at every point of the lattice.

    Rollouts take Runge-Kutta steps of equal length, so that they move with the lattice.

    Attributes:
        polynomial: p.
        spread: root mean square of every component [C].
        rate: root mean square velocity of every component [C].
    """

    spec: "LocalDynamicsSpec"
    solver: Explicit
    spread: Float[Tensor, " C"]
    rate: Float[Tensor, " C"]

    def __init__(self, spec: "LocalDynamicsSpec", space: LatentSpace, polynomial: LocalMap, step: float) -> None:
        super().__init__()
        self.spec, self.latent_space, self.polynomial = spec, space, polynomial
        self.lattice, self.solver = lattice_of(space), Explicit(method="rk4", step=step)
        self.register_buffer("spread", torch.ones(self.lattice.components, dtype=torch.float64))
        self.register_buffer("rate", torch.ones(self.lattice.components, dtype=torch.float64))

    @property
    def units(self) -> Standardisation:  # type: ignore[override] # of as many coordinates as the lattice has
        """See `VectorFieldDynamics.units`."""
        spread, rate = (unit.repeat_interleave(self.lattice.sites) for unit in (self.spread, self.rate))
        return Standardisation(torch.zeros_like(spread), spread, rate)

    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`; computed in float64."""
        y = z.double().unflatten(-1, (self.lattice.components, -1)) / self.spread[:, None]
        values = self.polynomial(y.flatten(-2), self.lattice.points).transpose(-1, -2)
        return (self.rate[:, None] * values).flatten(-2).to(z.dtype)

    def sized(self, latent_space: LatentSpace) -> "LocalDynamics":
        """See `LatentDynamics.sized`."""
        other = LocalDynamics(self.spec, latent_space, self.polynomial, 1.0)
        other.spread, other.rate, other.solver = self.spread, self.rate, self.solver
        return other

    def _solved(self, field: LimitedField, y0: Float[Tensor, "N R"], t: Float[Tensor, " T"]) -> Float[Tensor, "N T R"]:
        """See `VectorFieldDynamics`."""
        return solved_evenly(field, y0, t, self.solver, self._limit)

    def sizes(self) -> Mapping[str, Any]:
        """See `LatentDynamics.sizes`."""
        return {"reaches": list(self.polynomial.reaches), "step": self.solver.step}


@dataclass(frozen=True)
class LocalDynamicsSpec(DynamicsSpec):
    """Settings of local dynamics, for latents on a lattice: `--reducer local`.

    Attributes:
        polynomial: neighbours and size of the polynomials.
        step: longest step of a rollout, in time units, > 0; None takes one whose error is small beside the field's.
    """

    polynomial: LocalPolynomialSpec = field(default_factory=LocalPolynomialSpec)
    step: float | None = None

    def __post_init__(self):
        if self.step is not None:
            positive("step", self.step)

    def _fit(self, data: LatentData) -> LocalDynamics:
        """The least squares fit; see `DynamicsSpec._fit`. Draws nothing from `rng`."""
        lattice = lattice_of(data.latent_space)
        latents, validation = (with_velocities(name, getattr(data, name)) for name in ("latents", "validation"))
        spread, rate = (_sizes(part, lattice) for part in (latents.states, latents.velocities))
        known, held = (_sample(part, lattice, spread, rate) for part in (latents, validation))
        polynomial, error = self.polynomial.fit(known, held)
        model = LocalDynamics(self, data.latent_space, polynomial, self.step or 1.0)
        model.spread, model.rate = spread, rate
        if self.step is None:
            model.solver = replace(model.solver, step=_step(model, validation, error / lattice.components))
        return model

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: the latents and the fits."""
        return super().memory(latent_space, train, validation) + self.polynomial.memory(train * latent_space.dim)

    def build(  # type: ignore[override] # its sizes by name
        self, latent_space: LatentSpace, reaches: Sequence[int], step: float
    ) -> LocalDynamics:
        """See `DynamicsSpec.build`."""
        lattice = lattice_of(latent_space)
        return LocalDynamics(self, latent_space, LocalMap(lattice, ball(lattice, 0), reaches), positive("step", step))


def lattice_of(latent_space: LatentSpace) -> Lattice:
    """The lattice of the latents.

    Raises:
        InputError: there is none.
    """
    if latent_space.lattice is None:
        advice = "A local reducer gives one (--reducer local)."
        raise refuse("latent space of local dynamics", "values on a lattice", "another", advice)
    return latent_space.lattice


def _sizes(values: Tensor | None, lattice: Lattice) -> Float[Tensor, " C"]:
    """The root mean square of every component."""
    assert values is not None
    size = values.double().unflatten(-1, (lattice.components, -1)).square().mean((0, 2)).sqrt()
    return size.clamp_min(1e-12 * float(size.max()) or 1.0)


def _sample(part: Trajectories, lattice: Lattice, spread: Tensor, rate: Tensor) -> LocalSample:
    def values(rows: Int[Tensor, " m"]) -> Float[Tensor, "m sites C"]:
        assert part.velocities is not None
        chosen = part.velocities[rows].double().unflatten(-1, (lattice.components, -1))
        return (chosen / rate[:, None]).transpose(-1, -2)

    fields = part.states.double().unflatten(-1, (lattice.components, -1)) / spread[:, None]
    return LocalSample(lattice, fields.flatten(-2), ball(lattice, 0), values)


def _step(model: LocalDynamics, validation: Trajectories, error: float) -> float:
    """A step whose error per time is a small part of that of the field.

    Args:
        model: the dynamics.
        validation: latent trajectories.
        error: mean squared error of the field, in units of `rate`.
    """
    units, rows = model.units, torch.linspace(0, len(validation.states) - 1, min(PROBES, len(validation.states))).long()
    first = 2.0 ** round(float(torch.log2(model.spread.norm() / model.rate.norm())))
    pace = float((model.rate / model.spread).square().mean().sqrt())
    allowed = PART * max(error**0.5, LEAST) * pace
    return fine_step(StandardField(model, units), units.standard(validation.states[rows].double()), first, allowed)
