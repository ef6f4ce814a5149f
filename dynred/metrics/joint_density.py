"""Joint density of two quantities."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float

from dynred.checks import count
from dynred.data.grid import Grid
from dynred.data.trajectories import Trajectories
from dynred.metrics.base import Gauge, Reference, Statistic


@dataclass(frozen=True)
class JointDensity(Statistic):
    """Distance between joint densities p(a, b): the integral of |p - q|, from 0 (equal) to 2 (disjoint).

    A field u (its first component) that is periodic in one direction of space gives the pair (u_x, u_xx) at every
    point, by spectral derivatives; studies of Kuramoto-Sivashinsky show this pair. Other states give their two leading
    POD coordinates. A state of one dimension is paired with itself, which makes the density its histogram.

    Densities are histograms of `bins` x `bins` equal cells over the range of the truth, with one more cell on each side
    for values beyond it. Fewer than 390,000 values n are sorted into 2 n^(1/4) x 2 n^(1/4) cells, so that chance does
    not hide everything else. The distance is the L1 histogram distance (L1-NHD) of P. R. Vlachas, G. Arampatzis, C.
    Uhler, P. Koumoutsakos, Nat. Mach. Intell. 4, 359 (2022). It grows with the number of cells and falls with the
    number of values. So compare it with the sampling error, or with a distance from as many cells and values.

    Attributes:
        bins: largest number of cells in each direction, >= 2.
    """

    bins: int = 50
    title: ClassVar[str] = "joint density distance"

    def __post_init__(self):
        count("bins", self.bins, 2, 10_000)

    def gauge(self, reference: Reference) -> "JointDensityGauge":
        """See `Statistic`."""
        return JointDensityGauge(reference, self.bins)


class JointDensityGauge(Gauge):
    """A joint density on fixed cells; contributions [N, bins + 2, bins + 2] are probabilities that sum to 1."""

    def __init__(self, reference: Reference, bins: int):
        self.reference = reference
        self.is_field = _periodic_line(reference.grid)
        values = self._pairs(reference.truth)
        if self.is_field:
            name, letter = reference.grid.axes[0].name, reference.grid.components[0]  # type: ignore[union-attr]
            self.labels: tuple[str, ...] = (f"${letter}_{{{name}}}$", f"${letter}_{{{name}{name}}}$")
        else:
            self.labels = tuple(f"POD coordinate $a_{i + 1}$" for i in range(2))
        self.bins = max(2, min(bins, int(2 * values[..., 0].size ** 0.25)))
        self.axes = tuple(_edges(values[..., i], self.bins) for i in range(2))

    def measure(self, trajectories: Trajectories) -> Float[np.ndarray, "N A B"]:
        """The histogram of every trajectory."""
        values, n, side = self._pairs(trajectories), len(trajectories), self.bins + 2
        cells = [_cell(values[..., i], edges) for i, edges in enumerate(self.axes)]
        owner = trajectories.owner.numpy()[:, None]
        flat = ((owner * side + cells[0]) * side + cells[1]).ravel()
        counts = np.bincount(flat, minlength=n * side * side).reshape(n, side, side)
        return counts / counts.sum((1, 2), keepdims=True)

    def distance(
        self, a: Float[np.ndarray, "*batch A B"], b: Float[np.ndarray, "*batch A B"]
    ) -> Float[np.ndarray, "*batch"]:
        """The sum of |p - q| over all cells."""
        return np.abs(a - b).sum((-2, -1))

    def _pairs(self, trajectories: Trajectories) -> Float[np.ndarray, "M points 2"]:
        if self.is_field:
            assert self.reference.grid is not None
            return derivatives(trajectories.states.double(), self.reference.grid)
        a = self.reference.coordinates(trajectories)
        return np.stack([a[:, 0], a[:, -1 if a.shape[1] < 2 else 1]], -1)[:, None]


def derivatives(states: Float[torch.Tensor, "M D"], grid: Grid) -> Float[np.ndarray, "M points 2"]:
    """First and second derivative along x of the first component of periodic fields, by Fourier series."""
    points, period = len(grid.axes[0].coordinates), grid.axes[0].period
    assert period is not None
    modes = torch.fft.rfft(states[:, :points])
    k = 2 * np.pi / period * torch.arange(modes.shape[1], dtype=torch.float64)
    first = 1j * k
    if points % 2 == 0:
        first[-1] = 0  # the slope of the highest mode vanishes at every point
    pair = [torch.fft.irfft(factor * modes, n=points) for factor in (first, -(k**2))]
    return torch.stack(pair, -1).numpy()


def _periodic_line(grid: Grid | None) -> bool:
    return grid is not None and len(grid.axes) == 1 and grid.axes[0].period is not None


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return np.linspace(low, high if high > low else low + 1, bins + 1)


def _cell(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    # Cells 0 and bins + 1 hold what lies beyond the range; a diverged prediction counts as above it.
    bins = len(edges) - 1
    scaled = (values - edges[0]) / (edges[-1] - edges[0]) * bins
    scaled = np.nan_to_num(scaled, nan=np.inf)
    inside = np.clip(np.floor(np.clip(scaled, -1, bins + 1)), -1, bins).astype(np.int64)
    inside[(scaled >= bins) & (scaled <= bins * (1 + 1e-12))] = bins - 1  # the largest true value lies in the last cell
    return inside + 1
