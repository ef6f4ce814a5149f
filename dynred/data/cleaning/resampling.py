"""Resampling: samples at even distances in time, whatever distances the instrument left between them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dynred.checks import integer, positive, refuse
from dynred.data.cleaning._filling import best_degree, interpolated
from dynred.data.cleaning.base import Cleaned, CleaningSpec, Samples
from dynred.memory import check_memory

ROUND_OFF = 1e-6  # of a step: a last sample that is nearer to its place belongs there
LOST = 4.0  # distances between neighbouring numbers: the same for clocks that began long ago


@dataclass(frozen=True)
class ResamplingSpec(CleaningSpec):
    """Settings of resampling.

    Attributes:
        step: time between the new samples, which begin with the first sample of each trajectory; > 0.
        longest: most steps without a sample that are interpolated, >= 1; trajectories are split where there are more.

    Velocities are estimated before, from the samples as they are, and resampled beside the states.
    """

    step: float
    longest: int = 10

    def __post_init__(self):
        positive("step", self.step)
        integer("longest", self.longest, 1)

    @property
    def takes_velocities(self) -> bool:
        """See `CleaningSpec.takes_velocities`."""
        return True

    def _clean(self, samples: Sequence[Samples]) -> Cleaned:
        """See `CleaningSpec.clean`."""
        pieces = [piece for each in samples for piece in self._pieces(each)]
        pieces = [piece for piece in pieces if piece.t[-1] - piece.t[0] >= self.step * (1 - ROUND_OFF)]
        if not pieces:
            longest = max(float(each.t[-1] - each.t[0]) for each in samples)
            expected = f"at most the length of a trajectory without a hole, {longest:.4g}"
            raise refuse("step (--resample)", expected, f"{self.step:g}")
        count = sum((piece.t[-1] - piece.t[0]) / self.step + 1 for piece in pieces)
        check_memory("Resampling", int(16 * count * pieces[0].columns.shape[1]), "Take a longer step (--resample).")
        degree, error = best_degree([(piece.t, piece.columns) for piece in pieces])
        even = [self._even(piece, degree) for piece in pieces]
        before, after = sum(len(each.t) for each in samples), sum(len(each.t) for each in even)
        steps = np.concatenate([np.diff(each.t) for each in samples if len(each.t) > 1])
        numbers: dict[str, Any] = {"step": self.step, "before": before, "after": after, "degree": degree}
        numbers |= {"shortest": float(steps.min()), "longest": float(steps.max()), "error": error}
        told = "" if error is None else f", error about {100 * error:.2g} % of the deviation"
        sentence = (
            f"{before} samples at distances of {numbers['shortest']:.3g} to {numbers['longest']:.3g} were resampled to "
            f"{after} at distances of {self.step:g}, by splines of degree {degree}{told}."
        )
        cuts = len(pieces) - len({each.owner for each in samples})
        return Cleaned(even, sentence + (f" Trajectories were cut at {cuts} holes." if cuts > 0 else ""), numbers)

    def _pieces(self, each: Samples) -> list[Samples]:
        """The parts of a trajectory between its holes."""
        if len(each.t) < 2:
            return []
        usual = max(self.step, float(np.median(np.diff(each.t))))
        ends = np.flatnonzero(np.diff(each.t) > (self.longest + 1) * usual * (1 + ROUND_OFF)) + 1
        edges = [0, *ends.tolist(), len(each.t)]
        return [each.rows(slice(first, last)) for first, last in itertools.pairwise(edges)]

    def _even(self, piece: Samples, degree: int) -> Samples:
        span = piece.t[-1] - piece.t[0]
        slack = max(ROUND_OFF * self.step, LOST * float(np.spacing(np.abs(piece.t).max())))
        elapsed = self.step * np.arange(int((span + slack) / self.step) + 1)
        since = piece.t - piece.t[0]  # times of a clock that began long ago have lost digits that splines need
        columns = interpolated(since, piece.columns, np.minimum(elapsed, span), degree)
        return piece.with_columns(piece.t[0] + elapsed, columns)
