"""The typical size of every component along a trajectory: what an absolute tolerance is a fraction of."""

import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.ode.vector_field import VectorField

# On the explicit systems of the catalogue, against an absolute tolerance of 1e-8, .3 of rtol times the size takes 1.30
# times the evaluations for .28 times the error (geometric means; 1.7 times the error at worst, where states are large).
# All of it takes 1.11 times the evaluations for .55 times the error, and 3.4 times the error at worst.
PART = 0.3  # of rtol times the size: the absolute tolerance
FADE = 0.5 ** (1 / 10)  # what a step leaves of the common factor: half in ten steps, which is part of an oscillation
FLOOR = 10.0  # times the round-off of the largest component so far: no tolerance below that has a meaning
TINY = 1e-300
EARLY = 1e-6  # of the time to the first output: how far a component goes until then is its size where it starts at zero
PROBE = 1e-3  # of the same time: when a velocity is looked at again that is zero at first


class ComponentSizes:
    """The typical size of every component of a batch, row by row and component by component, as it is solved.

    A size is the largest absolute value of the component so far, times a factor that is common to the row: how near any
    component is to its largest value, now or a few steps ago. So sizes follow a trajectory that grows from zero or that
    comes from afar, while a component that passes through zero, or decays beside others, keeps its own. Multiplying a
    component by a constant multiplies its sizes, whatever the other components and rows are.

    Attributes:
        tolerance: the absolute tolerance of every component [N, D], in float64. `see` changes it in place, so that a
            solver that was given it need not be told.
    """

    def __init__(self, rtol: float, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"]):
        x = x0.detach()
        self._part, self._roundoff = PART * rtol, FLOOR * torch.finfo(x.dtype).eps
        self._largest = x.abs().double().nan_to_num(0.0, 0.0, 0.0)
        if (self._largest == 0).any():
            self._largest = torch.where(self._largest > 0, self._largest, _early(field, x, times))
        unmoved = self._largest.amax(-1, keepdim=True) == 0  # a row that rests at zero has no size: any is right
        self._largest = torch.where(unmoved, 1.0, self._largest)
        self._left = torch.ones_like(self._largest[:, :1])
        self.tolerance = torch.empty_like(self._largest)
        self._set_tolerance()

    def see(self, x: Float[Tensor, "N D"]) -> None:
        """Takes the states after another step into account."""
        size = x.detach().abs().double()
        torch.fmax(self._largest, size, out=self._largest)  # fmax passes over NaN
        left = (size / self._largest.clamp_min(TINY)).amax(-1, keepdim=True)
        torch.fmax(self._left.mul_(FADE), left, out=self._left)
        self._set_tolerance()

    def rows(self, index: Int[Tensor, " n"]) -> "ComponentSizes":
        """The sizes of some rows of the batch."""
        chosen = copy.copy(self)
        chosen._largest, chosen._left, chosen.tolerance = (
            values[index] for values in (self._largest, self._left, self.tolerance)
        )
        return chosen

    def _set_tolerance(self) -> None:
        torch.mul(self._largest, self._part * self._left, out=self.tolerance)
        torch.maximum(self.tolerance, self._roundoff * self._largest.amax(-1, keepdim=True), out=self.tolerance)


def _early(field: VectorField, x: Float[Tensor, "N D"], times: Float[Tensor, " T"]) -> Float[Tensor, "N D"]:
    """How far every component goes in a moment after the start."""
    gap = (times[1] - times[0]).double()
    moments = (times[0].double(), times[0].double() + PROBE * gap)
    with torch.no_grad():
        speeds = torch.stack([field(t, x).abs().double() for t in moments]).nan_to_num(0.0, 0.0, 0.0)
    return EARLY * gap.to(x.device) * speeds.amax(0)
