"""What cleaning is: a step that mends samples before velocities are estimated and anything is learned from them.

A transform is undone in predictions; what was cleaned is not: nobody wants the gaps and the noise back. A step sees one
set of trajectories alone, training or test, and says what it did in a sentence and in numbers.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

import numpy as np
from jaxtyping import Bool, Float

from dynred.spec import Spec

PACKAGE = "dynred.data.cleaning"


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of a trajectory, or of a piece of one.

    Attributes:
        t: times [T], increasing.
        x: states [T, D]; NaN where a component is missing.
        owner: index of the trajectory that they belong to.
        others: further quantities at the same times by name, such as `velocities` [T, D]; treated as states are.
        measured: which states were measured [T, D], where others were filled; None where all were.
    """

    t: Float[np.ndarray, " T"]
    x: Float[np.ndarray, "T D"]
    owner: int
    others: Mapping[str, Float[np.ndarray, "T _W"]] = field(default_factory=dict)
    measured: Bool[np.ndarray, "T D"] | None = None

    def rows(self, chosen: slice | Bool[np.ndarray, " T"]) -> "Samples":
        """Some of the samples, in their order."""
        others = {name: values[chosen] for name, values in self.others.items()}
        measured = None if self.measured is None else self.measured[chosen]
        return replace(self, t=self.t[chosen], x=self.x[chosen], others=others, measured=measured)

    @property
    def columns(self) -> Float[np.ndarray, "T C"]:
        """States and further quantities side by side."""
        return np.concatenate([self.x, *self.others.values()], 1)

    def with_columns(self, t: Float[np.ndarray, " S"], columns: Float[np.ndarray, "S C"]) -> "Samples":
        """Samples of the same trajectory, perhaps at other times, from columns as `columns` gives them; all count as
        measured."""
        ends = np.cumsum([self.x.shape[1], *(values.shape[1] for values in self.others.values())])
        x, *others = np.split(columns, ends[:-1], 1)
        return replace(self, t=t, x=x, others=dict(zip(self.others, others, strict=True)), measured=None)


@dataclass(frozen=True, eq=False)
class Cleaned:
    """Samples that were cleaned, and what was done.

    Attributes:
        samples: the samples, those of one trajectory one after the other.
        sentence: what was done; empty where nothing was.
        numbers: the same in numbers, plain JSON values by name.
    """

    samples: Sequence[Samples]
    sentence: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CleaningSpec(Spec, ABC):
    """Settings of a step of cleaning. A step is a file in dynred/data/cleaning, or anywhere; no list names it.

    Attributes:
        takes_gaps: whether it takes samples of which some are missing.
    """

    takes_gaps: ClassVar[bool] = False

    @property
    def takes_velocities(self) -> bool:
        """Whether it wants velocities beside the states: they are estimated before it where there are none, from what
        was measured alone."""
        return False

    @final
    def clean(self, samples: Sequence[Samples]) -> Cleaned:
        """Cleans samples of trajectories, each of which stays apart from the others.

        Raises:
            InputError: the settings do not fit the samples.
        """
        return self._clean(samples)

    @abstractmethod
    def _clean(self, samples: Sequence[Samples]) -> Cleaned:
        """See `clean`."""


def runs(chosen: Bool[np.ndarray, " T"]) -> list[tuple[int, int]]:
    """First place and the place after the last of every run of consecutive chosen places."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def patterns(mask: Bool[np.ndarray, "T C"]) -> list[tuple[Bool[np.ndarray, " T"], Bool[np.ndarray, " C"]]]:
    """The different columns [T] of a mask, and the components [C] that have each."""
    columns, place = np.unique(mask, axis=1, return_inverse=True)
    return [(pattern, place.ravel() == i) for i, pattern in enumerate(columns.T)]
