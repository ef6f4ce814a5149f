"""Times as people write them, numbers or dates, as numbers."""

import contextlib
import math
import warnings

import numpy as np
import pandas
from jaxtyping import Float

from dynred.checks import refuse
from dynred.data.content import NamedArray
from dynred.data.roles import unit_in

WITHOUT = "Where none is, `dt` (--dt) says how far snapshots are apart."
ADVICE = f"Another column may be the time (--time NAME). {WITHOUT}"


def time_values(name: str, array: NamedArray) -> tuple[Float[np.ndarray, "..."], str]:
    """Times as float64, and their unit; dates become seconds since the first of them.

    Raises:
        InputError: the values are neither numbers nor dates, or one of them is missing.
    """
    values, unit = array.load(), array.unit or unit_in(name)
    if values.dtype.kind in "OTSU":
        values = _dates(name, values)
    if values.dtype.kind in "mM":
        if np.isnat(values).any():
            raise refuse(f"time {name}", "a number or date in every row", "a missing one", ADVICE)
        since = values - values.min() if values.dtype.kind == "M" and values.size else values
        return since / np.timedelta64(1, "s"), "s"
    if values.dtype.kind not in "fiu":
        raise refuse(f"time {name}", "numbers or dates", f"values of {values.dtype}", ADVICE)
    if not np.isfinite(values).all():
        raise refuse(f"time {name}", "a number or date in every row", "a missing one", ADVICE)
    return values.astype(np.float64), unit


def _dates(name: str, values: np.ndarray) -> np.ndarray:
    """Texts and objects as dates, time spans or numbers."""
    flat = values.ravel()
    if len(flat) and hasattr(flat[0], "calendar"):  # dates of climate models, whose years may have 360 days
        return np.array([(date - flat.min()).total_seconds() for date in flat]).reshape(values.shape)
    for parse in (_as_numbers, _as_dates, _as_spans):
        with contextlib.suppress(ValueError, TypeError, OverflowError, AttributeError):
            return parse(flat).reshape(values.shape)
    shown = next((str(value) for value in flat if not _is_time(value)), str(flat[0]) if len(flat) else "none")
    raise refuse(f"time {name}", "numbers or dates", repr(shown), ADVICE)


def _as_numbers(flat: np.ndarray) -> np.ndarray:
    return flat.astype(np.float64)


def _as_dates(flat: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas says when dates have no common form; they are dates all the same
        return np.asarray(pandas.to_datetime(flat, utc=True).tz_localize(None))


def _as_spans(flat: np.ndarray) -> np.ndarray:
    return np.asarray(pandas.to_timedelta(flat))


def _is_time(value: object) -> bool:
    try:
        if math.isfinite(float(str(value))):
            return True
    except ValueError:
        pass
    try:
        return not pandas.isna(pandas.Timestamp(value))  # type: ignore[arg-type] # whatever it is
    except (ValueError, TypeError):
        return False
