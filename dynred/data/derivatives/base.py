"""What every estimator of derivatives offers: a curve through or near samples, with its derivative."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Float

from dynred.numerics.time_grids import even_step
from dynred.spec import Spec

Curve = Callable[[Float[np.ndarray, " S"], int], Float[np.ndarray, "S D"]]


@dataclass(frozen=True)
class Estimator(Spec, ABC):
    """The settings of a method and the method itself, which is linear in the samples."""

    @classmethod
    def candidates(cls) -> list[Self]:
        """The settings that are worth trying."""
        return [cls()]

    @abstractmethod
    def describe(self) -> str:
        """The method in words, as reports show it."""

    @abstractmethod
    def takes(self, t: Float[np.ndarray, " T"]) -> bool:
        """Whether the method can use samples at these increasing times [T]."""

    @abstractmethod
    def curve(self, t: Float[np.ndarray, " T"], x: Float[np.ndarray, "T D"]) -> Curve:
        """A function `(s [S], order) -> [S, D]`: values (order 0) or derivatives (1) at times s in the samples' span.

        Args:
            t: times [T], for which `takes` is true.
            x: samples [T, D].
        """

    def higher(self) -> Self | None:
        """The same method of the next higher accuracy on smooth motion; None where there is none."""
        return None

    def lower(self) -> Self | None:
        """The same method of the next lower accuracy on smooth motion; None where there is none.

        From three methods in a row errors are estimated, see `dynred.data.velocity_error`.
        """
        return None

    @property
    def resolution(self) -> float:
        """Samples per coefficient of the curve."""
        return 1.0

    def suits(self, t: Float[np.ndarray, " T"]) -> bool:
        """Whether the settings are meant for so many samples; where they are not, others do the same or better."""
        return self.takes(t)


def evenly_spaced(t: Float[np.ndarray, " T"]) -> bool:
    """Whether the times are at equal distances, up to their round-off."""
    return even_step([torch.from_numpy(t)]) is not None
