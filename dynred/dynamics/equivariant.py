"""Equivariant latent dynamics: polynomials with those products alone that the symmetries allow, by least squares.

The latents' representation says how symmetries move them; an equivariant reducer gives it. The field moves with the
symmetries exactly, so that the exponents that belong to them are zero, and two further degrees lower the error of the
velocities a hundredfold: on Kuramoto-Sivashinsky (L = 22, 8 coordinates) 5e-7, 4e-9 and 6e-11 of their mean square at
degrees 6, 8 and 10, with 147, 519 and 1,502 terms, in 1, 5 and 60 s.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.checks import positive, refuse
from dynred.data.velocities import with_velocities
from dynred.dynamics._compiled import CompiledRollouts
from dynred.dynamics._compiled_equivariant import CompiledEquivariantField
from dynred.dynamics._units import LimitedField, Standardisation
from dynred.dynamics.base import DynamicsSpec, LatentData, VectorFieldDynamics
from dynred.numerics.equivariant_fits import EquivariantMap, EquivariantPolynomialSpec
from dynred.numerics.equivariant_map import plain_numbers
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.representation import Representation
from dynred.ode.vector_field import Parameters
from dynred.solvers.adams import fastest_decay
from dynred.solvers.fixed_adams import FixedAdams, stable_decay

MANY = 1000  # evaluations of a batch from which on a compiled loop is worth the second in which it gets ready
TOGETHER = 64  # rows for which torch takes twice as long as for one
PROBES = 64  # validation states at which steps are compared
# Of the error that the field makes: what steps may add; and the least error that matters. On Kuramoto-Sivashinsky (256
# trajectories of 220 time units) a half takes 6.7 evaluations per time unit, a fifth 8; valid times differ by less than
# their standard error (.9 +- .7 at 6 evaluations, of 179) from those with steps of a twenty-fourth.
PART, LEAST = 0.5, 1e-8
HORIZON = 16  # steps over which they are compared
# Orders and evaluations in a step that are compared. Two evaluations are for fast decay, which one hardly bears.
USUAL, OTHERS = (5, 1), ((4, 1), (6, 1), (4, 2), (5, 2), (6, 2))
STABLE = 0.9  # of the longest stable step: what a step may be
FINER, TRIES = 2**-0.25, 48  # from one time for an evaluation to the next that may be, and how many there are


class EquivariantODE(VectorFieldDynamics):
    """z' = rate p(z / spread), with equivariant polynomials p.

    Rollouts take steps of equal length and order: those that adaptive methods choose depend on the numbers in which a
    state is written, and so on how it is turned.

    Attributes:
        polynomial: p.
        solver: the steps of rollouts.
    """

    solver: FixedAdams
    compiled_rows = sys.maxsize

    def __init__(
        self, spec: "EquivariantODESpec", space: LatentSpace, polynomial: EquivariantMap, solver: FixedAdams
    ) -> None:
        super().__init__()
        self.spec, self.latent_space, self.polynomial, self.solver = spec, space, polynomial, solver
        self.units = Standardisation.empty(space.dim)

    def field(self, t: Float[Tensor, "*#batch"], z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """See `VectorFieldDynamics.field`; computed in float64."""
        return (self.units.rate * self.polynomial(self.units.standard(z.double()))).to(z.dtype)

    def push(
        self, t: Float[Tensor, "*#N"], z: Float[Tensor, "N R"], tangents: Float[Tensor, "N k R"]
    ) -> tuple[Float[Tensor, "N R"], Float[Tensor, "N k R"]]:
        """See `dynred.solvers.base.PushesTangents`."""
        velocity, pushed = self.polynomial.push(self.units.standard(z), tangents / self.units.spread)
        return self.units.rate * velocity, self.units.rate * pushed

    def compiled(self, parameters: Parameters | None = None) -> CompiledRollouts:
        """See `VectorFieldDynamics.compiled`; it takes any number of rows."""
        return CompiledEquivariantField(self.polynomial, self.units.rate / self.units.spread, self.solver)

    def compiled_pays(self, rows: int, t: Float[Tensor, " T"]) -> bool:
        """See `VectorFieldDynamics.compiled_pays`: torch takes a quarter of a millisecond for an evaluation."""
        evaluations = float(t[-1] - t[0]) / self.solver.step * self.solver.evaluations
        return rows > 0 and evaluations * (1 + rows / TOGETHER) >= MANY

    def _solved(self, field: LimitedField, y0: Float[Tensor, "N R"], t: Float[Tensor, " T"]) -> Float[Tensor, "N T R"]:
        """See `VectorFieldDynamics`: in a compiled loop where that pays, and nobody follows what is done."""
        followed = y0.requires_grad or self.polynomial.coefficients.requires_grad
        if followed or plain_numbers(y0) is None or not self.compiled_pays(len(y0), t):
            return super()._solved(field, y0, t)
        loops = self.compiled()
        assert isinstance(loops, CompiledEquivariantField)
        return loops.rollout(y0, t, self._limit, field.budget.deadline, field.report)

    def sizes(self) -> Mapping[str, Any]:
        """See `LatentDynamics.sizes`."""
        steps = {name: getattr(self.solver, name) for name in ("step", "order", "evaluations")}
        return {"degrees": list(self.polynomial.degrees), **steps}


@dataclass(frozen=True)
class EquivariantODESpec(DynamicsSpec):
    """Settings of equivariant dynamics, for latents whose representation is known: `--reducer equivariant`.

    Attributes:
        polynomial: degrees and sizes of the polynomials.
        step: longest step of a rollout, in time units, > 0; None takes one whose error is small beside the field's.
    """

    polynomial: EquivariantPolynomialSpec = field(default_factory=EquivariantPolynomialSpec)
    step: float | None = None

    def __post_init__(self):
        if self.step is not None:
            positive("step", self.step)

    def _fit(self, data: LatentData) -> EquivariantODE:
        """The least squares fit; see `DynamicsSpec._fit`. Draws nothing from `rng`."""
        space = _representation(data.latent_space)
        latents, validation = (with_velocities(n, getattr(data, n)) for n in ("latents", "validation"))
        z, v = latents.states.double(), _velocities(latents)
        # One unit for both numbers of a complex coordinate: else a turn would not be a turn.
        spread = _shared(space, z.pow(2).mean(0)).sqrt()
        rate = v.pow(2).mean().sqrt().expand(space.dim).clamp_min(torch.finfo(torch.float64).tiny)
        units = Standardisation(torch.zeros_like(spread), spread.clamp_min(1e-12 * float(spread.max()) or 1.0), rate)
        known = units.standard(z), v / rate
        held = units.standard(validation.states.double()), _velocities(validation) / rate
        polynomial, errors = self.polynomial.fit(space, space, known, held)
        solver = _solver(polynomial, units, validation.states.double(), float(errors.sum().sqrt()), self.step)
        model = EquivariantODE(self, data.latent_space, polynomial, solver)
        model.units = units
        return model

    def memory(self, latent_space: LatentSpace, train: int, validation: int) -> int:
        """See `DynamicsSpec.memory`: the latents and the fits."""
        fits = self.polynomial.memory(latent_space.dim, latent_space.dim, train)
        return super().memory(latent_space, train, validation) + fits

    def build(  # type: ignore[override] # its sizes by name
        self,
        latent_space: LatentSpace,
        degrees: Sequence[int],
        step: float,
        order: int | None = None,
        evaluations: int = 1,
    ) -> EquivariantODE:
        """See `DynamicsSpec.build`; without an order, `step` is one of Runge-Kutta, four evaluations."""
        space = _representation(latent_space)
        solver = FixedAdams(4, positive("step", step) / 2, 2) if order is None else FixedAdams(order, step, evaluations)
        return EquivariantODE(self, latent_space, EquivariantMap(space, space, degrees), solver)


def _representation(latent_space: LatentSpace) -> Representation:
    if latent_space.representation is None:
        advice = "An equivariant reducer gives them (--reducer equivariant)."
        raise refuse("latent space of equivariant dynamics", "one whose coordinates carry charges", "another", advice)
    return latent_space.representation


def _velocities(latents: Any) -> Float[Tensor, "M R"]:
    return latents.velocities.double()


def _shared(space: Representation, square: Float[Tensor, " R"]) -> Float[Tensor, " R"]:
    """Mean squares, averaged over the two numbers of each complex coordinate."""
    pairs = square[: 2 * space.complex_count].reshape(-1, 2).mean(1).repeat_interleave(2)
    return torch.cat([pairs, square[2 * space.complex_count :]])


def _solver(
    polynomial: EquivariantMap, units: Standardisation, z: Float[Tensor, "M R"], error: float, step: float | None
) -> FixedAdams:
    """The method with the fewest evaluations whose error is a small part of that of the field.

    Args:
        polynomial: the field, in standard units.
        units: the standard units.
        z: latent states.
        error: root mean square error of the field, in units of `rate`.
        step: the step where it is given.
    """
    y = units.standard(z[torch.linspace(0, len(z) - 1, min(PROBES, len(z))).long()])
    field, longest = _Field(polynomial, units), 2.0 ** round(float(torch.log2(units.spread.norm() / units.rate.norm())))
    decay = float(fastest_decay(field, torch.zeros(len(y), dtype=torch.float64), y).max())
    memory = min(longest, 1 / max(decay, 1 / longest))  # for so long what the field does wrong adds up
    allowed = PART * max(error, LEAST) * float(units.rate[0]) * memory

    def fine(solver: FixedAdams) -> bool:
        if decay * solver.step > STABLE * stable_decay(solver.order, solver.evaluations):
            return False
        times = solver.step * torch.tensor([0, solver.order, HORIZON], dtype=torch.float64)  # the first steps end early
        own, finer = (each.solve(field, y, times) for each in (solver, solver.refined(2.0, field, times)))
        return float((units.spread * (own - finer)).pow(2).sum(-1).mean(0).max().sqrt()) <= allowed

    if step is not None:
        order, evaluations = next(
            (each for each in (USUAL, *OTHERS) if fine(FixedAdams(each[0], step, each[1]))), USUAL
        )
        return FixedAdams(order, step, evaluations)

    def method(each: tuple[int, int], i: int) -> FixedAdams:
        return FixedAdams(each[0], each[1] * longest * FINER**i, each[1])

    i = next((i for i in range(0, TRIES, 4) if fine(method(USUAL, i))), TRIES - 1)
    best = USUAL
    for each in (USUAL, *OTHERS):
        while i > 0 and fine(method(each, i - 1)):
            i, best = i - 1, each
    return method(best, i)


@dataclass(frozen=True, eq=False)
class _Field:
    """The field in standard units."""

    polynomial: EquivariantMap
    units: Standardisation
    differentiable = True

    @property
    def dim(self) -> int:
        return len(self.units.spread)

    def __call__(self, t: Float[Tensor, "*#batch"], x: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        return self.units.rate / self.units.spread * self.polynomial(x)

    def rows(self, index: Int[Tensor, " n"] | slice) -> "_Field":
        return self
