"""Inputs that are drawn at random, to excite a system: steps, sums of cosines, and pseudo-random binary signals."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import count, positive, refuse
from dynred.data.signals import HELD, LINEAR
from dynred.spec import Spec


@dataclass(frozen=True)
class DrawnSignal(Spec, ABC):
    """Settings of a random input. Its values are drawn at given times; what it is between them, `between` says, so that
    trajectories that keep these values know the whole signal.

    Attributes:
        between: `held` or `linear`.
    """

    between: ClassVar[str] = LINEAR

    @abstractmethod
    def draw(
        self, t: Float[Tensor, " K"], span: tuple[float, float], time_scale: float, *, rng: torch.Generator
    ) -> Float[Tensor, " K"]:
        """Values at the times t, within `span`.

        Args:
            t: increasing times.
            span: lowest and highest value.
            time_scale: that of the system; durations of the settings are in units of it.
            rng: draws the signal.
        """


@dataclass(frozen=True)
class Multisine(DrawnSignal):
    """A sum of cosines of random phases, linear between samples.

    Attributes:
        waves: number of cosines, >= 1.
        slowest: longest period, in time scales, > 0.
        fastest: shortest period, in time scales, > 0. Periods shorter than eight samples are left out.
    """

    waves: int = 12
    slowest: float = 5.0
    fastest: float = 0.3

    def __post_init__(self):
        count("waves", self.waves, 1, 10_000)
        if positive("fastest", self.fastest) > positive("slowest", self.slowest):
            raise refuse("fastest", f"at most `slowest`, {self.slowest:g}", self.fastest)

    def draw(
        self, t: Float[Tensor, " K"], span: tuple[float, float], time_scale: float, *, rng: torch.Generator
    ) -> Float[Tensor, " K"]:
        """See `DrawnSignal.draw`. The largest value of a signal is a random part of the span, at least half of it."""
        steps = torch.diff(t)
        least = 8 * float(steps.median()) / time_scale if len(steps) else 0.0
        slow, fast = 1 / max(self.slowest, least), 1 / max(self.fastest, least)
        place, phase = torch.rand(2, self.waves, 1, generator=rng, dtype=torch.float64)
        part = (torch.arange(self.waves)[:, None] + place) / self.waves
        turns = slow * (fast / slow) ** part * (t - t[0]) / time_scale + phase
        wave = torch.cos(2 * torch.pi * turns).sum(0)
        size = 0.5 + 0.5 * torch.rand((), generator=rng, dtype=torch.float64)
        return _within(span, size * wave / wave.abs().max().clamp_min(1.0))


@dataclass(frozen=True)
class Steps(DrawnSignal):
    """Random values, each held for a time.

    Attributes:
        hold: how long a value is held, in time scales, > 0; a whole number of samples is taken, at least one.
    """

    between: ClassVar[str] = HELD
    hold: float = 1.0

    def __post_init__(self):
        positive("hold", self.hold)

    def draw(
        self, t: Float[Tensor, " K"], span: tuple[float, float], time_scale: float, *, rng: torch.Generator
    ) -> Float[Tensor, " K"]:
        """See `DrawnSignal.draw`: values are uniform in the span."""
        number = _numbers(t, self.hold * time_scale)
        levels = 2 * torch.rand(int(number[-1]) + 1, generator=rng, dtype=torch.float64) - 1
        return _within(span, levels[number])


@dataclass(frozen=True)
class PRBS(DrawnSignal):
    """A pseudo-random binary signal: the lowest or the highest value, chosen anew after every hold.

    Attributes:
        hold: how long a value is held at least, in time scales, > 0; a whole number of samples is taken, at least one.
    """

    between: ClassVar[str] = HELD
    hold: float = 0.5

    def __post_init__(self):
        positive("hold", self.hold)

    def draw(
        self, t: Float[Tensor, " K"], span: tuple[float, float], time_scale: float, *, rng: torch.Generator
    ) -> Float[Tensor, " K"]:
        """See `DrawnSignal.draw`."""
        number = _numbers(t, self.hold * time_scale)
        ends = 2.0 * torch.randint(2, (int(number[-1]) + 1,), generator=rng) - 1
        return _within(span, ends.double()[number])


def _numbers(t: Float[Tensor, " K"], hold: float) -> Tensor:
    """The number of the hold in which each sample lies."""
    steps = torch.diff(t)
    samples = max(1, round(hold / float(steps.median()))) if len(steps) else 1
    return torch.arange(len(t)) // samples


def _within(span: tuple[float, float], values: Float[Tensor, " K"]) -> Float[Tensor, " K"]:
    """Values in [-1, 1] as values in the span."""
    low, high = span
    return low + (high - low) * (values + 1) / 2
