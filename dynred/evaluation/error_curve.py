"""Rollout error over time."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from dynred.evaluation.bootstrap import Resamples
from dynred.evaluation.records import (
    ErrorCurve,
)
from dynred.models.forecast import Forecast


def error_curve(found: Forecast, resamples: Resamples | None = None) -> ErrorCurve:
    """Rollout error over the time since the start, for trajectories of any times, and whose it is.

    Trajectories on one grid are taken as they are; others are interpolated linearly to the union of all times up to
    the end of the shortest.
    """
    resamples = resamples or Resamples.of(len(found.truth))
    t, table = _over_time(found, found.rollout_error())
    with np.errstate(invalid="ignore"):
        curves = [_middle(table), table.mean(0), np.quantile(table, 0.9, axis=0, method="higher")]
        curves += resamples.curve_interval(table)
        curves += [_middle(_over_time(found, e)[1]) for e in (found.reconstruction_error(), found.dynamics_error())]
    return ErrorCurve(t.tolist(), *(curve.tolist() for curve in curves))


def _over_time(found: Forecast, error: Float[Tensor, " M"]) -> tuple[np.ndarray, Float[np.ndarray, "N T"]]:
    grids = found.truth.shared_grids()
    if len(grids) == 1:
        return grids[0][0].double().numpy(), error.reshape(len(found.truth), -1).numpy()
    t = np.unique(np.concatenate([grid.double().numpy() for grid, _ in grids]))
    t, elapsed = t[t <= min(float(grid[-1]) for grid, _ in grids)], found.elapsed
    pieces = zip(found.truth.starts.tolist(), found.truth.lengths.tolist(), strict=True)
    return t, np.stack([np.interp(t, elapsed[s : s + n], error[s : s + n]) for s, n in pieces])


def _middle(table: Float[np.ndarray, "N T"]) -> Float[np.ndarray, " T"]:
    return np.quantile(table, 0.5, axis=0, method="higher")  # a value that occurs, also beside infinite ones
