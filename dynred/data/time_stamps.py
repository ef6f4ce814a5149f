"""Time stamps of the rows of trajectories: in order, and each of them once."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from dynred.checks import refuse
from dynred.data.time_values import ADVICE

AVERAGE = "`--duplicates average` takes the average of rows of equal times. "
COARSE = 4.0  # times the distance between neighbouring numbers: a shorter step of a clock is lost to round-off


def check_increasing(
    name: str,
    t: Float[np.ndarray, " M"],
    order: Int[np.ndarray, " M"],
    lengths: Int[np.ndarray, " N"],
    *,
    equal: bool = False,
) -> None:
    """Refuses times that do not increase within each trajectory; the message names the row.

    Args:
        name: that of the times.
        t: times of all rows.
        order: the rows in the order of the trajectories.
        lengths: rows of each trajectory.
        equal: whether times that follow each other may be equal.
    """
    inner = np.ones(len(order), dtype=bool)
    inner[np.cumsum(lengths) - 1] = False
    steps = np.diff(t[order])
    bad = np.nonzero(inner[:-1] & ((steps < 0) if equal else (steps <= 0)))[0]
    if len(bad):
        first, second = order[bad[0]], order[bad[0] + 1]
        advice = "One column may tell trajectories apart (--group NAME). " + ADVICE
        if t[first] == t[second]:
            advice = _coarse(t) + AVERAGE + advice
        actual = f"{t[first]:.12g} in row {first} and then {t[second]:.12g} in row {second}"
        raise refuse(f"time {name}", "strictly increasing in every trajectory", actual, advice)


def _coarse(t: Float[np.ndarray, " M"]) -> str:
    """A sentence where single precision made times equal: a clock that began long ago has few digits left for steps."""
    single, steps = t.astype(np.float32), np.abs(np.diff(t))
    apart = float(np.spacing(np.abs(single).max()))
    if not (single == t).all() or not (steps > 0).any() or float(np.median(steps[steps > 0])) > COARSE * apart:
        return ""
    return f"Times were stored in single precision, which near {np.abs(t).max():.3g} resolves {apart:g}: store double. "


def merged(
    t: Float[np.ndarray, " M"], lengths: Int[np.ndarray, " N"], rows: Mapping[str, Float[np.ndarray, "M _W"]]
) -> tuple[Float[np.ndarray, " m"], Int[np.ndarray, " N"], dict[str, Float[np.ndarray, "m _W"]], int]:
    """Rows of equal times that follow each other in one trajectory as one row, their average.

    Values that are missing (NaN) are left out of an average.

    Args:
        t: times, one trajectory after the other.
        lengths: rows of each.
        rows: what belongs to the rows, by name.

    Returns:
        Times, lengths and rows that are left, and how many are not.
    """
    first = np.ones(len(t), bool)
    first[1:] = np.diff(t) != 0
    first[np.cumsum(lengths) - lengths] = True
    starts = np.flatnonzero(first)
    averaged = {}
    for name, values in rows.items():
        known = ~np.isnan(values)
        sums, counts = (np.add.reduceat(part, starts) for part in (np.where(known, values, 0.0), known.astype(float)))
        averaged[name] = (sums / np.where(counts > 0, counts, np.nan)).astype(values.dtype)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return t[first], np.bincount(owner[first], minlength=len(lengths)), averaged, int((~first).sum())
