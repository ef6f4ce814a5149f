"""Units in which latents and their velocities are of order one."""

import math
import time
from dataclasses import dataclass, replace
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dynred.data.trajectories import Trajectories
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.size import size_of
from dynred.ode.vector_field import WrappedField
from dynred.runtime import Progress, silent


class Standardisation(nn.Module):
    """Units in which latents and their velocities are of order one.

    Attributes:
        shift: mean of each latent coordinate [R]; 0 for angles.
        spread: standard deviation of each latent coordinate [R]; 1 for angles.
        rate: root mean square velocity of each latent coordinate [R].
    """

    shift: Float[Tensor, " R"]
    spread: Float[Tensor, " R"]
    rate: Float[Tensor, " R"]

    def __init__(self, shift: Float[Tensor, " R"], spread: Float[Tensor, " R"], rate: Float[Tensor, " R"]) -> None:
        super().__init__()
        for name, value in (("shift", shift), ("spread", spread), ("rate", rate)):
            self.register_buffer(name, value.double())

    @classmethod
    def of(cls, latents: Trajectories, space: LatentSpace, *, centred: bool = True) -> "Standardisation":
        """The units of these latents, which must have velocities. Where they are not `centred`, they keep the origin
        (shift 0) and measure the spread from there."""
        assert latents.velocities is not None
        z, v = latents.states.double(), latents.velocities.double()
        shift = z.mean(0) if centred else torch.zeros_like(z[0])
        spread = z.std(0) if centred else z.pow(2).mean(0).sqrt()
        rate = v.pow(2).mean(0).sqrt()
        shift[: space.angles], spread[: space.angles] = 0, 1
        return cls(shift, *(unit.clamp_min(1e-12 * float(size_of(unit))) for unit in (spread, rate)))

    @classmethod
    def empty(cls, dim: int) -> "Standardisation":
        """Arbitrary units of R coordinates, to be filled from a file."""
        return cls(torch.zeros(dim), torch.ones(dim), torch.ones(dim))

    def standard(self, z: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """Latents in standard units."""
        return (z - self.shift) / self.spread

    def latent(self, y: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        """Latents from standard units."""
        return self.shift + self.spread * y


class Report:
    """Tells `progress` what part of the time of a rollout is done, at most five times a second."""

    def __init__(self, progress: Progress, start: float, end: float):
        self.progress, self.start, self.span = progress, start, max(end - start, 1e-300)
        self.silent, self.told = progress is silent, time.monotonic()

    def __call__(self, t: float) -> None:
        if not self.silent and time.monotonic() - self.told >= 0.2:
            self.told = time.monotonic()
            self.progress("rollout", int(100 * (t - self.start) / self.span), 100)


class Budget:
    """What a rollout may spend: a number of evaluations of its field, and the time until a deadline."""

    def __init__(self, evaluations: int, deadline: float):
        self.evaluations, self.deadline, self.left, self.end = evaluations, deadline, evaluations, math.inf

    def spend(self, t: float) -> bool:
        """Spends an evaluation at time t of the rollout, and says whether there was one left.

        Once the budget is used up at some t, nothing is left there and at later times. At earlier times there still is,
        so that what a solver has done stays as it was.
        """
        if self.end == math.inf and (self.left <= 0 or time.monotonic() > self.deadline):
            self.end = t
        self.left -= t < self.end
        return t < self.end

    def renewed(self) -> "Budget":
        """A budget of as many evaluations again, until the same deadline."""
        return Budget(self.evaluations, self.deadline)


@dataclass(frozen=True, eq=False)
class StandardField(WrappedField):
    """A latent field in standard units."""

    units: Standardisation

    def __call__(self, t: Float[Tensor, "*#batch"], x: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        return self.field(t, self.units.latent(x)) / self.units.spread


@dataclass(frozen=True, eq=False)
class LimitedField(StandardField):
    """A latent field in standard units; its velocity is NaN where a budget is used up."""

    budget: Budget
    report: Report

    def __call__(self, t: Float[Tensor, "*#batch"], x: Float[Tensor, "*batch R"]) -> Float[Tensor, "*batch R"]:
        now = float(t if t.ndim == 0 else t.min())  # rows may be at different times
        if not self.budget.spend(now):
            return torch.full_like(x, torch.nan)
        self.report(now)
        return super().__call__(t, x)

    def rows(self, index: Int[Tensor, " n"] | slice) -> Self:
        return replace(super().rows(index), budget=self.budget.renewed())
