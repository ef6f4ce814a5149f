"""Intrinsic dimension by several estimators of scikit-dimension, as a function of scale."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.geometry.extra import load

MOST = 3000  # most points whose neighbours are looked at
LEVELS = (1, 2, 4, 8, 16)  # decimations: the sample itself, every second point ...
ENOUGH = 300  # points that must remain when one is kept of every stretch of a trajectory
FEWEST = 120  # a coarser level with fewer points is left out
K = 20  # neighbours; MOM, whose bias is about d / k, takes five times as many


@dataclass(frozen=True)
class Dimension:
    """What several estimators say at one scale.

    Attributes:
        scale: median distance to the 20th neighbour, in state units.
        estimates: by name of the estimator.
    """

    scale: float
    estimates: dict[str, float]

    @property
    def value(self) -> float:
        """The median of the estimates, which a single wrong one hardly moves."""
        return float(np.median(list(self.estimates.values())))

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest estimate."""
        return min(self.estimates.values()), max(self.estimates.values())


def dimensions(
    points: Float[np.ndarray, "n Q"],
    rng: torch.Generator,
    *,
    owner: Int[np.ndarray, " n"] | None = None,
    time: Float[np.ndarray, " n"] | None = None,
    window: float = 0.0,
) -> list[Dimension]:
    """The dimension at growing scales: of the sample, of half of it, of a quarter ...

    Args:
        points: distinct points.
        rng: chooses the halves.
        owner: trajectory of every point; None for bare points.
        time: time of every point; None for bare points.
        window: neighbours on the same trajectory within this time show the curve, not the set (J. Theiler, Phys. Rev. A
            34, 2427 (1986)), and do not count as neighbours. Where enough points remain, a single one is kept of every
            such stretch.

    Returns:
        The dimension at every scale, finest first; at least one.

    Sources:
        TwoNN: E. Facco, M. d'Errico, A. Rodriguez, A. Laio, Sci. Rep. 7, 12140 (2017). MLE: E. Levina, P. J. Bickel,
        NIPS (2004). CorrInt: P. Grassberger, I. Procaccia, Physica D 9, 189 (1983). MOM: L. Amsaleg et al., KDD (2015).
    """
    order = torch.randperm(len(points), generator=rng).numpy()
    if owner is not None and time is not None and window > 0:
        order = _apart(order, owner, time, window)
    order = order[:MOST]
    levels: list[Dimension] = []
    for level in LEVELS:
        rows = order[: len(order) // level]
        if levels and len(rows) < FEWEST:
            break
        moments = None if owner is None or time is None else (owner[rows], time[rows])
        levels.append(_estimate(points[rows], moments, window))
    return levels


def _apart(order: Int[np.ndarray, " n"], owner: np.ndarray, time: np.ndarray, window: float) -> np.ndarray:
    stretch = np.stack([owner[order], np.floor(time[order] / window).astype(np.int64)])
    first = np.sort(np.unique(stretch, axis=1, return_index=True)[1])
    return order[first] if len(first) >= ENOUGH else order


def _estimate(x: Float[np.ndarray, "n Q"], moments: tuple[np.ndarray, np.ndarray] | None, window: float) -> Dimension:
    estimators = load("skdim").id
    most = min(5 * K, len(x) // 3)
    table = _distances(x, moments, window)
    near, rows = (part.numpy() for part in torch.topk(torch.from_numpy(table), most, largest=False))
    fine = near[:, 0] > 0
    near, rows, k = near[fine], rows[fine], min(K, most)
    return Dimension(
        float(np.median(near[:, k - 1])),
        {
            "TwoNN": float(estimators.TwoNN(dist=True).fit(near[:, :2]).dimension_),
            "MLE": float(_local(estimators.MLE(), x[fine], near[:, :k], rows[:, :k])),
            "CorrInt": float(estimators.CorrInt(k1=max(2, k // 2), k2=k, DM=True).fit(_complete(table)).dimension_),
            "MOM": float(_local(estimators.MOM(), x[fine], near, rows)),
        },
    )


def _local(estimator: object, x: np.ndarray, near: np.ndarray, rows: np.ndarray) -> float:
    # scikit-dimension refuses a single column, and reads nothing of x but its length where neighbours are given.
    x = x if x.shape[1] > 1 else np.hstack([x, np.zeros_like(x)])
    return estimator.fit(x, precomputed_knn_arrays=(near, rows), n_neighbors=near.shape[1]).dimension_  # type: ignore[attr-defined]


def _distances(x: np.ndarray, moments: tuple[np.ndarray, np.ndarray] | None, window: float) -> np.ndarray:
    rows: Tensor = torch.from_numpy(x)
    table = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").numpy()
    np.fill_diagonal(table, np.inf)
    if moments is not None and window > 0:
        owner, time = moments
        table[(owner[:, None] == owner) & (np.abs(time[:, None] - time) < window)] = np.inf
    return table


def _complete(table: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    # The library wants zeros on the diagonal and nothing infinite.
    ruled_out = ~np.isfinite(table)
    full = np.where(ruled_out, 2 * table[~ruled_out].max(), table)
    np.fill_diagonal(full, 0.0)
    return full
