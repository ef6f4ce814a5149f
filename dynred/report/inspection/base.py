"""What every figure of an inspection offers; they share the look of the model report."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from matplotlib.figure import Figure as Drawing

from dynred.geometry.verdict import Verdict


class Picture(ABC):
    """A picture of an inspection: one class in a file of this folder, found by itself.

    Attributes:
        title: what it shows, a few words.
        order: its place on the page; smaller is earlier.
        kind: `svg` for curves, `png` for clouds of points.
    """

    title: ClassVar[str]
    order: ClassVar[int]
    kind: ClassVar[Literal["svg", "png"]] = "svg"

    def applies(self, verdict: Verdict) -> bool:
        """Whether there is anything to show."""
        return True

    @abstractmethod
    def caption(self, verdict: Verdict) -> str:
        """What to look for, in a sentence or two."""

    @abstractmethod
    def draw(self, verdict: Verdict) -> Drawing:
        """The drawing."""
