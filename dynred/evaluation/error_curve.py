"""Rollout error over time."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from dynred.evaluation.bootstrap import LEVEL
from dynred.evaluation.intervals import FEWEST
from dynred.evaluation.records import (
    ErrorCurve,
)
from dynred.late import Late
from dynred.models.forecast import Forecast

stats = Late("scipy.stats")


def error_curve(forecast: Forecast, *, independent: bool = True) -> ErrorCurve:
    """Rollout error over the time since the start, with the shares of the encoder and the latent dynamics.

    Trajectories on one time grid are not interpolated. Others are interpolated linearly to the union of all times, up
    to the end of the shortest trajectory. Fewer than five, or ones that are not `independent`, give no interval.
    """
    t, table = _over_time(forecast, forecast.rollout_error())
    with np.errstate(invalid="ignore"):
        median, mean, p90 = _middle(table), table.mean(0), np.quantile(table, 0.9, axis=0, method="higher")
        shares = (forecast.reconstruction_error(), forecast.dynamics_error())
        reconstruction, dynamics = (_middle(_over_time(forecast, error)[1]).tolist() for error in shares)
    low, high = _interval(table) if independent and len(table) >= FEWEST else (None, None)
    return ErrorCurve(t.tolist(), median.tolist(), mean.tolist(), p90.tolist(), low, high, reconstruction, dynamics)


def _over_time(forecast: Forecast, error: Float[Tensor, " M"]) -> tuple[np.ndarray, Float[np.ndarray, "N T"]]:
    grids = forecast.truth.shared_grids()
    if len(grids) == 1:
        return grids[0][0].double().numpy(), error.reshape(len(forecast.truth), -1).numpy()
    t = np.unique(np.concatenate([grid.double().numpy() for grid, _ in grids]))
    t, elapsed = t[t <= min(float(grid[-1]) for grid, _ in grids)], forecast.elapsed
    pieces = zip(forecast.truth.starts.tolist(), forecast.truth.lengths.tolist(), strict=True)
    return t, np.stack([np.interp(t, elapsed[s : s + n], error[s : s + n]) for s, n in pieces])


def _middle(table: Float[np.ndarray, "N T"]) -> Float[np.ndarray, " T"]:
    # "higher" gives a value that occurs, also beside infinite ones.
    return np.quantile(table, 0.5, axis=0, method="higher")


def _interval(table: Float[np.ndarray, "N T"]) -> tuple[list[float], list[float]]:
    """The ends of the interval of the median of every column: order statistics."""
    n = len(table)
    low, high = stats.binom.interval(LEVEL, n, 0.5)
    ordered = np.sort(table, axis=0)
    return ordered[int(low)].tolist(), ordered[min(int(high), n - 1)].tolist()
