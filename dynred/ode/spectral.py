"""Modes of fields on an interval, and checks of what a grid resolves: what systems made of PDEs share."""

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from dynred.checks import integer, positive, refuse


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that is part of an equation, brought to each device once.

    Attributes:
        value: the tensor.
    """

    value: Inexact[Tensor, "..."]
    _held: dict[torch.device, Inexact[Tensor, "..."]] = field(default_factory=dict, init=False, repr=False)

    def on(self, x: Inexact[Tensor, "..."]) -> Inexact[Tensor, "..."]:
        """The tensor on the device of x."""
        if x.device not in self._held:
            self._held[x.device] = self.value.to(x.device)
        return self._held[x.device]


@dataclass(frozen=True, eq=False)
class IntervalModes:
    """Eigenfunctions of the second derivative on an interval, as many as points: they interpolate exactly.

    Attributes:
        points: [n], from 0 to the length of the interval.
        wave_numbers: [n], increasing: the second derivative of mode j is -wave_numbers[j]^2 times the mode.
        analysis: [n, n]: amplitudes of the modes are values at the points (a row vector) times this matrix.
        synthesis: the inverse of `analysis`.
    """

    points: Float[Tensor, " n"]
    wave_numbers: Float[Tensor, " n"]
    analysis: Constant
    synthesis: Constant

    def amplitudes(self, u: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Amplitudes of the modes of a field that is given at the points."""
        return u @ self.analysis.on(u)

    def values(self, v: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """The field at the points, from its amplitudes."""
        return v @ self.synthesis.on(v)


def cosine_modes(points: int, length: float) -> IntervalModes:
    """cos(pi j x / length), j = 0 ... n - 1, on n points with both ends among them: no flux through the ends.

    The discrete cosine transform of type I. Amplitudes are those of the cosines themselves.
    """
    n = points - 1
    x, j = (torch.arange(points, dtype=torch.float64) for _ in range(2))
    cosines = torch.cos(math.pi / n * torch.outer(j, x))
    ends = torch.ones(points, dtype=torch.float64)
    ends[0] = ends[-1] = 0.5
    return IntervalModes(
        length / n * x, math.pi / length * j, Constant(2 / n * ends[:, None] * cosines * ends), Constant(cosines)
    )


def sine_modes(points: int, length: float) -> IntervalModes:
    """sin(pi j x / length), j = 1 ... n, on n points inside the interval: zero at the ends, which are no points.

    The discrete sine transform of type I. Amplitudes are those of the sines themselves.
    """
    n = points + 1
    x, j = (torch.arange(1, n, dtype=torch.float64) for _ in range(2))
    sines = torch.sin(math.pi / n * torch.outer(j, x))
    return IntervalModes(length / n * x, math.pi / length * j, Constant(2 / n * sines), Constant(sines))


def periodic_points(points: int, length: float, least: float) -> tuple[Float[Tensor, " n"], Float[Tensor, " n/2+1"]]:
    """Points of [0, length) and the wave numbers of torch.fft.rfft on them, for a field that repeats after `length`.

    Args:
        points: n, even, >= 16.
        length: length of the period, > 0.
        least: wave number that the grid must reach: pi n / length >= least.

    Raises:
        InputError: a number is out of range, or the grid is too coarse; the message says which grid would do.
    """
    positive("length", length)
    integer("points", points, 16)
    if points % 2:
        raise refuse("points", "even", points)
    if math.pi * points / length < least * (1 - 1e-12):
        needed = _even(least * length / math.pi)
        raise refuse("points", f">= {needed} on the length {length:g}", points, "A coarser grid loses the pattern.")
    x = length / points * torch.arange(points, dtype=torch.float64)
    return x, 2 * math.pi / length * torch.arange(points // 2 + 1, dtype=torch.float64)


def resolved(name: str, value: Float[Tensor, "..."], least: float, points: int, power: float) -> None:
    """Checks that a viscosity or diffusion coefficient is large enough for the grid.

    Args:
        name: name of the parameter.
        value: value of the parameter: one, or one per trajectory.
        least: the smallest value that `points` points resolve.
        points: number of grid points per direction.
        power: how `least` falls with the number of points: as points^-power.

    Raises:
        InputError: a value is not > 0, or is below `least`; the message says how many points would do.
    """
    smallest = float(value.min())
    if not smallest > 0:
        raise refuse(name, "> 0", f"{smallest:g}")
    if smallest < least * (1 - 1e-12):
        needed = _even(points * (least / smallest) ** (1 / power))
        raise refuse(name, f">= {least:.3g} on {points} points", f"{smallest:g}", f"points={needed} would do.")


def _even(least: float) -> int:
    return 2 * math.ceil(least / 2 - 1e-9)
