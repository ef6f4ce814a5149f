"""The sample that an inspection rests on: snapshots in POD coordinates, thinned, without duplicates and noise floor."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from dynred.checks import finite, real, refuse
from dynred.data.trajectories import Trajectories
from dynred.numerics.modes import Modes

FEWEST = 50  # snapshots below which nothing can be said
DENSE = 20000  # most snapshots that are looked at; more cost time and change no answer
ENTRIES = 4 * 10**7  # most numbers in these snapshots together
SAME = 1e-6  # fraction of the diameter: snapshots closer than this are visits to one point
# Fraction of the diameter: a single snapshot stays of those closer than this, so that near-repetitions do not look like
# isolated points.
CLOSE = 1e-4
TREE = 16  # dimensions up to which a tree finds neighbours faster than a table of all distances
RANK = 1e-6  # fraction of the largest singular value: smaller ones are round-off
TAIL = 5  # fewest singular values of equal size that make a noise floor
CHUNK = 10000  # states that are projected at a time
FAINT = 0.01  # fraction of the largest energy: a tail above this is no noise floor but an evenly spread set


@dataclass(frozen=True, eq=False)
class Sample:
    """Snapshots of K, ready to be measured.

    Attributes:
        points: [n, Q], POD coordinates, lossless but for the noise floor; distances are those of the states.
        owner: index of the trajectory of each point [n]; None for bare points.
        time: time of each point [n]; None for bare points.
        snapshots: number M of snapshots given.
        dim: their dimension D, constant coordinates included.
        constant: number of constant coordinates.
        energy: fraction of the mean squared deviation in every POD mode, decreasing.
        rank: number of modes that are more than round-off and noise.
        noise: standard deviation per coordinate of a white noise floor, in state units; 0 where none is seen.
        diameter: largest distance from a point at the rim; the true diameter is at most twice as large.
        counts: number of the snapshots looked at that each point stands for [n]: more than 1 where they repeat.
        modes: the POD modes of the coordinates that are not constant.
        moving: which of all coordinates are not constant [C].
    """

    points: Float[np.ndarray, "n Q"]
    owner: Int[np.ndarray, " n"] | None
    time: Float[np.ndarray, " n"] | None
    snapshots: int
    dim: int
    constant: int
    energy: Float[np.ndarray, " D"]
    rank: int
    noise: float
    diameter: float
    counts: Int[np.ndarray, " n"]
    modes: Modes
    moving: Bool[Tensor, " C"]

    @property
    def visits(self) -> float:
        """Mean number of snapshots per point."""
        return float(self.counts.mean())

    def projected(self, states: Float[Tensor, "m D"]) -> Float[np.ndarray, "m Q"]:
        """Other states of K in the coordinates of the points."""
        parts = [self.modes.coefficients(part[:, self.moving].double())[:, : self.rank] for part in states.split(CHUNK)]
        return np.ascontiguousarray(torch.cat(parts).numpy())

    def projected_velocities(self, velocities: Float[Tensor, "m D"]) -> Float[np.ndarray, "m Q"]:
        """Velocities of states, in the coordinates of the points."""
        basis = self.modes.basis[:, : self.rank]
        parts = [part[:, self.moving].double() @ basis for part in velocities.split(CHUNK)]
        return np.ascontiguousarray(torch.cat(parts).numpy())


def take_sample(data: "Trajectories | Tensor | np.ndarray", rng: torch.Generator) -> Sample:
    """Makes a sample of snapshots.

    Args:
        data: trajectories, or bare points [M, D] with M >= 50.
        rng: chooses the snapshots that are looked at where there are more than 20,000.

    Raises:
        InputError: too few points, a wrong shape, values that are not finite.
    """
    states, owner, time = _arrays(data)
    if len(states) < FEWEST:
        raise refuse("points", f"at least {FEWEST} to be inspected", len(states), "Simulate longer or sample finer.")
    moving = states.max(0).values > states.min(0).values
    most = min(DENSE, max(2000, ENTRIES // states.shape[1]))
    chosen = torch.sort(torch.randperm(len(states), generator=rng)[:most]).values
    constant = int((~moving).sum())
    moving[0] |= not moving.any()
    x = states[chosen][:, moving].double()
    modes = Modes.of(x, min(x.shape[1], len(x), 500), scaled=False)
    variance = float((x - modes.mean).pow(2).sum(1).mean())
    energy = modes.energy.clamp_min(0).numpy()
    points = modes.coefficients(x).numpy()
    rank = max(1, int((energy > RANK**2 * energy[0]).sum()))
    quiet = _noise_floor(energy[:rank], points[:, :rank])
    noise = 0.0 if quiet is None else math.sqrt(variance * float(np.median(energy[quiet:rank])))
    rank = rank if quiet is None else quiet
    points = np.ascontiguousarray(points[:, :rank])
    size = extent(points)
    distinct, counts = _distinct(points, CLOSE * size) if size > 0 else (np.array([0]), np.array([len(points)]))
    return Sample(
        points[distinct],
        None if owner is None else owner[chosen].numpy()[distinct],
        None if time is None else time[chosen].double().numpy()[distinct],
        len(states),
        states.shape[1],
        constant,
        energy,
        rank,
        noise,
        size,
        counts,
        modes,
        moving,
    )


def extent(points: Float[np.ndarray, "n Q"]) -> float:
    """The largest distance from a point at the rim: the diameter, or a little less."""
    rim = points[np.argmax(np.linalg.norm(points - points.mean(0), axis=1))]
    return float(np.linalg.norm(points - rim, axis=1).max())


def neighbours(
    queries: Float[np.ndarray, "q Q"], points: Float[np.ndarray, "n Q"], k: int
) -> tuple[Float[np.ndarray, "q k"], Int[np.ndarray, "q k"]]:
    """Distances and rows of the k nearest points of every query, nearest first; a query that is a point has itself."""
    if points.shape[1] <= TREE:
        distance, rows = cKDTree(points).query(queries, min(k, len(points)))
        return distance.reshape(len(queries), -1), rows.reshape(len(queries), -1)
    results = []
    for part in torch.from_numpy(queries).split(1024):
        table = torch.cdist(part, torch.from_numpy(points), compute_mode="donot_use_mm_for_euclid_dist")
        results.append(torch.topk(table, min(k, len(points)), largest=False))
    return torch.cat([result.values for result in results]).numpy(), torch.cat(
        [result.indices for result in results]
    ).numpy()


def _arrays(data: "Trajectories | Tensor | np.ndarray") -> tuple[Tensor, Tensor | None, Tensor | None]:
    if isinstance(data, Trajectories):
        return data.checked_finite().states.detach().cpu(), data.owner, data.t
    states = real("points", data).detach().cpu()
    if states.ndim != 2 or states.shape[1] < 1:
        raise refuse("points", "real numbers [M, D]", f"{states.dtype} {list(states.shape)}")
    return finite("points", states.double()), None, None


def _distinct(points: Float[np.ndarray, "n Q"], cell: float) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Rows of the first point in every occupied cell, increasing, and how many points are in each."""
    cells = np.floor(points / cell + 0.5).astype(np.int64)
    _, rows, counts = np.unique(cells, axis=0, return_index=True, return_counts=True)
    order = np.argsort(rows)
    return rows[order], counts[order]


def _noise_floor(energy: Float[np.ndarray, " r"], points: Float[np.ndarray, "n r"]) -> int | None:
    """The number of modes above a floor of white noise; None where there is no floor.

    A floor is a faint tail of the spectrum that is as flat as the Marchenko-Pastur law allows (V. A. Marchenko, L. A.
    Pastur, Math. USSR Sb. 1, 457 (1967)) and whose coefficients are normally distributed, by their kurtosis. The modes
    of a curved set are neither flat nor normal.
    """
    spread = math.sqrt(len(energy) / len(points))
    flat = 1.3 * ((1 + spread) / max(1 - spread, 0.1)) ** 2
    for q in range(1, len(energy) - TAIL + 1):
        if energy[q] < FAINT * energy[0] and energy[q] <= flat * energy[-1]:
            tail = points[:, q:]
            kurtosis = (tail**4).mean(0) / (tail**2).mean(0) ** 2
            return q if abs(float(np.median(kurtosis)) - 3) < 0.3 else None
    return None
