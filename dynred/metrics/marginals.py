"""Wasserstein distance of marginal distributions."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from dynred.checks import count
from dynred.data.trajectories import Trajectories
from dynred.metrics.base import Gauge, Reference, Statistic

MARGIN = 1.0  # how far the cells reach beyond the truth's range, in units of that range


@dataclass(frozen=True)
class Marginals(Statistic):
    """Wasserstein distance (of order 1) between the distributions of each leading POD coordinate, in units of its
    standard deviation, averaged over the coordinates.

    W is the integral of |F - G| for distribution functions F and G (S. S. Vallender, Theory Probab. Appl. 18, 784
    (1974)), here on `cells` equal cells; a value counts as its cell's centre. The cells cover the truth's range and one
    more range on each side. A value beyond them counts in the outermost cell, and a NaN in the highest.

    Attributes:
        cells: number of cells over the three ranges, >= 10.
    """

    cells: int = 600
    title: ClassVar[str] = "Wasserstein distance of marginals"

    def __post_init__(self):
        count("cells", self.cells, 10, 10**6)

    def gauge(self, reference: Reference) -> "MarginalsGauge":
        """See `Statistic`."""
        return MarginalsGauge(reference, self.cells)


class MarginalsGauge(Gauge):
    """Histograms [N, Q, cells] of every leading POD coordinate."""

    def __init__(self, reference: Reference, cells: int):
        self.reference, self.cells = reference, cells
        a = reference.coordinates(reference.truth)
        spread = a.std(0)
        # A coordinate that does not vary is round-off.
        self.kept = np.flatnonzero(spread > 1e-9 * max(float(spread.max()), 1e-300))
        a, self.spread = a[:, self.kept], spread[self.kept]
        width = a.max(0) - a.min(0)
        self.low, self.width = a.min(0) - MARGIN * width, (1 + 2 * MARGIN) * width
        self.axes = tuple(low + w * np.arange(cells + 1) / cells for low, w in zip(self.low, self.width, strict=True))
        self.labels = tuple(f"POD coordinate $a_{{{i + 1}}}$" for i in self.kept)

    def measure(self, trajectories: Trajectories) -> Float[np.ndarray, "N Q C"]:
        """The histograms of every trajectory."""
        n, q, owner = len(trajectories), len(self.kept), trajectories.owner.numpy()[:, None]
        a = self.reference.coordinates(trajectories)[:, self.kept]
        scaled = np.nan_to_num((a - self.low) / self.width, nan=1.0)
        cell = np.floor(np.clip(scaled, 0, 1) * self.cells).astype(np.int64).clip(max=self.cells - 1)
        flat = ((owner * q + np.arange(q)) * self.cells + cell).ravel()
        counts = np.bincount(flat, minlength=n * q * self.cells).reshape(n, q, self.cells)
        return counts / trajectories.lengths.numpy()[:, None, None]

    def distance(
        self, a: Float[np.ndarray, "*batch Q C"], b: Float[np.ndarray, "*batch Q C"]
    ) -> Float[np.ndarray, "*batch"]:
        """The mean over coordinates of the Wasserstein distance in standard deviations; 0 where nothing varies."""
        if not len(self.kept):
            return np.zeros(np.broadcast_shapes(a.shape, b.shape)[:-2])
        distance = np.abs(np.cumsum(a - b, -1)).sum(-1) * self.width / self.cells
        return (distance / self.spread).mean(-1)
