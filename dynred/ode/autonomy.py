"""Whether a right-hand side depends on time, and with which period."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.data.signals import KEY
from dynred.errors import InputError
from dynred.late import Late
from dynred.ode.vector_field import VectorField

optimize = Late("scipy.optimize")

SEEN = 1e-9  # of the largest velocity of a state: less is round-off
# Of a duration: when the velocity is looked at. No two differences are in the ratio of small integers, so that no
# periodic forcing is met in the same phase each time.
SAMPLES = 4001  # of the duration in which a period is looked for: a period may be as short as a thousandth of it
NEAR = 0.05  # of the largest mean square difference: lags below it may be periods
CANDIDATES = 12
MANY = 1000  # velocities that are compared: those of a square wave differ in few places, where its period is wrong
SAME = 1e-6  # of the largest velocity: velocities a period apart are the same
MOMENTS = (0.0, 0.0137, 0.2361, 0.618, 1.0)


def time_dependence(field: VectorField, x: Float[Tensor, "n D"], duration: float) -> float:
    """How much the velocity of a state depends on time: its largest change, as a fraction of its largest size.

    Args:
        field: the velocity, for n rows.
        x: a few states.
        duration: the times from 0 on that are looked at, in time units.

    Returns:
        0 for an autonomous field, up to about 2. A velocity that is defined at some of the times alone counts as one
        that changes by all of itself. Where the field fails, and where it is defined at no time, nothing is compared.
    """
    velocities = torch.stack([*_velocities(field, x, duration)] or [torch.full_like(x, torch.nan)])
    defined = velocities.isfinite().all(-1)
    if bool((defined.any(0) & ~defined.all(0)).any()):
        return 1.0
    compared = velocities[:, defined.all(0)]
    if compared.numel() == 0:
        return 0.0
    change = compared.amax(0) - compared.amin(0)
    size = compared.abs().amax((0, -1)).clamp_min(torch.finfo(x.dtype).tiny)
    fraction = float((change.amax(-1) / size).max())
    return fraction if fraction > SEEN else 0.0


def _velocities(field: VectorField, x: Float[Tensor, "n D"], duration: float) -> Iterator[Float[Tensor, "n D"]]:
    for part in MOMENTS:
        try:
            with torch.no_grad():
                yield field(torch.tensor(part * duration, dtype=torch.float64), x)
        except InputError:  # a right-hand side need not be defined at all times: the solver says so where it matters
            continue


def period_of(field: VectorField, x: Float[Tensor, "n D"], duration: float) -> float | None:
    """The shortest time after which the velocities of a few states repeat; None where none up to half of the duration
    does.

    Candidates are the lags at which the velocities at evenly spaced times differ least; each is refined by velocities
    in between, and taken where these repeat to `SAME`.
    """
    times = torch.linspace(0, duration, SAMPLES, dtype=torch.float64)
    sampled = torch.stack([_velocity(field, x, float(t)) for t in times])
    if not sampled.isfinite().all():
        return None
    step, half = duration / (SAMPLES - 1), SAMPLES // 2
    apart = np.array([float((sampled[lag : lag + half] - sampled[:half]).pow(2).mean()) for lag in range(half)])
    least = np.nonzero((apart[1:-1] <= apart[:-2]) & (apart[1:-1] <= apart[2:]))[0] + 1
    for lag in least[apart[least] < NEAR * apart.max()][:CANDIDATES]:
        best = optimize.minimize_scalar(
            lambda period: _change(field, x, float(period), duration),
            bounds=((lag - 1) * step, (lag + 1) * step),
            method="bounded",
            options={"xatol": 1e-12 * duration},
        )
        count = max(1, int(duration / float(best.x)) // 2)
        period = _polished(field, x, float(best.x), count, duration)
        if max(_change(field, x, lag * period, duration, MANY) for lag in (1, count)) < SAME:
            return period
    return None


def _polished(field: VectorField, x: Float[Tensor, "n D"], period: float, count: int, duration: float) -> float:
    """The period with more digits, from a number of repetitions of it."""
    width = period * 1e-7
    best = optimize.minimize_scalar(
        lambda each: _change(field, x, count * float(each), duration),
        bounds=(period - width, period + width),
        method="bounded",
        options={"xatol": 1e-15 * period},
    )
    return float(best.x)


def check_period(field: VectorField, x: Float[Tensor, "n D"], period: float) -> None:
    """Refuses a period after which the velocities of a few states do not repeat.

    Raises:
        InputError: they do not.
    """
    change = _change(field, x, period, 2 * period, MANY)
    if not change < SAME:
        actual = f"one after which velocities differ by {100 * change:.2g} %"
        raise refuse("period", "a time after which the right-hand side repeats", actual, "None finds it.")


def _change(field: VectorField, x: Float[Tensor, "n D"], period: float, duration: float, count: int = 12) -> float:
    """The largest difference of velocities a period apart, as a fraction of the largest; `count` are compared."""
    moments = np.linspace(0.0137, 0.497, count) * duration
    pairs = [(_velocity(field, x, t), _velocity(field, x, t + period)) for t in moments]
    size = max(float(a.abs().max()) for a, _ in pairs)
    return max(float((a - b).abs().max()) for a, b in pairs) / max(size, 1e-300)


def _velocity(field: VectorField, x: Float[Tensor, "n D"], t: float) -> Float[Tensor, "n D"]:
    try:
        with torch.no_grad():
            return field(torch.tensor(t, dtype=torch.float64), x)
    except InputError:
        return torch.full_like(x, torch.nan)


def time_words(attributes: Mapping[str, Any]) -> str | None:
    """What must be known of trajectories whose right-hand side depends on time, as a clause; None for all others.

    Args:
        attributes: those of trajectories, or what a model remembers of them.
    """
    fraction = attributes.get("time_dependent")
    if fraction is None:
        return None
    depends = f"the right-hand side depends on time (by up to {100 * float(fraction):.2g} % of itself at one state)"
    courses = [course for course in attributes.get(KEY, {}).values() if "clock" in course]
    period = next((course["period"] for course in courses if "period" in course), None)
    if period is not None:
        return f"{depends}, with period {period:.6g}: the cosine and sine of its phase are inputs of the model"
    if courses:
        return f"{depends} without a period: time is an input of the model, which knows nothing beyond that of training"
    return (
        f"{depends}, which no latent ODE without inputs can represent; take what drives it, such as its phase, among "
        "the states"
    )
