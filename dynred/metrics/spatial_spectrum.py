"""Power spectrum over space."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float

from dynred.data.trajectories import Trajectories
from dynred.metrics.base import Gauge, Reference, Statistic


@dataclass(frozen=True)
class SpatialSpectrum(Statistic):
    """Distance between power spectra over space: sum |E - F| / sum E over all wavenumbers, with E the truth's.

    Wavenumbers are those of the first direction of space, in which the field must be periodic. The power at a
    wavenumber is the mean square of the field's part with it: the mean is over time and the other directions, and the
    powers of all components are added.
    """

    title: ClassVar[str] = "power spectrum distance, over space"

    def applies(self, reference: Reference) -> bool:
        """Whether states are fields that are periodic in their first direction."""
        return reference.grid is not None and reference.grid.axes[0].period is not None

    def gauge(self, reference: Reference) -> "SpatialSpectrumGauge":
        """See `Statistic`."""
        return SpatialSpectrumGauge(reference)


class SpatialSpectrumGauge(Gauge):
    """Spectra [N, wavenumbers] in squared units of the field; each sums to the field's mean square."""

    def __init__(self, reference: Reference):
        assert reference.grid is not None
        axis = reference.grid.axes[0]
        assert axis.period is not None
        self.grid, self.count = reference.grid, len(axis.coordinates) // 2 + 1
        self.axes = (2 * np.pi / axis.period * np.arange(self.count),)
        self.labels = (f"wavenumber (1 / {axis.unit})" if axis.unit else "wavenumber",)

    def measure(self, trajectories: Trajectories) -> Float[np.ndarray, "N K"]:
        """The spectrum of every trajectory; a diverged snapshot has no power."""
        points, sums = len(self.grid.axes[0].coordinates), np.zeros((len(trajectories), self.count))
        start = 0
        for i, n in enumerate(trajectories.lengths.tolist()):
            states = torch.nan_to_num(trajectories.states[start : start + n].double(), posinf=0.0, neginf=0.0)
            field = states.reshape(n, *self.grid.shape)
            modes = torch.fft.rfft(field, dim=2, norm="forward").abs().pow(2)
            power = modes.mean(0).reshape(self.grid.shape[0], self.count, -1).mean(2).sum(0)
            sums[i] = power.numpy()
            start += n
        sums[:, 1 : (points + 1) // 2] *= 2  # adds the negative wavenumbers, which have as much
        return sums

    def distance(
        self, a: Float[np.ndarray, "*batch K"], b: Float[np.ndarray, "*batch K"]
    ) -> Float[np.ndarray, "*batch"]:
        """sum |a - b| / sum a: `a` is the truth."""
        return np.abs(a - b).sum(-1) / np.maximum(a.sum(-1), 1e-300)
