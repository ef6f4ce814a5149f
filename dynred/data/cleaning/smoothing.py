"""Smoothing: states without the noise of their samples, as far as the samples themselves can tell the two apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from dynred.data.cleaning.base import Cleaned, CleaningSpec, Samples, patterns
from dynred.data.derivatives.base import Estimator
from dynred.data.estimators import suitable
from dynred.data.sample_noise import noise_variance

PROBES = 8  # series of random signs by which the trace of a smoother is estimated
MOST_FREE = 1 - 1e-6  # a method of more freedom goes through the samples, and cross-validation says nothing of it
JUDGES, LONGEST = 32, 12000  # trajectories and samples on which strengths are compared
SHOWN = 200  # samples of which a figure shows before and after
LISTED = 32  # most components whose noise is listed


@dataclass(frozen=True)
class SmoothingSpec(CleaningSpec):
    """Settings of smoothing.

    Attributes:
        method: the curve that is taken for the motion. None takes, of all in dynred/data/derivatives with settings from
            no smoothing to as much as the trajectories are long, the one of least generalised cross-validation: the
            error at left-out samples, without leaving them out. Where differences of the samples show no noise,
            nothing is smoothed.

    Velocities are estimated before, from the samples as they are: they need another strength than states.

    References:
        P. Craven, G. Wahba, Numer. Math. 31, 377 (1979); the trace is estimated by random signs after
        M. F. Hutchinson, Commun. Stat. Simul. 18, 1059 (1989).
    """

    method: Estimator | None = None

    @property
    def takes_velocities(self) -> bool:
        """See `CleaningSpec.takes_velocities`."""
        return True

    def _clean(self, samples: Sequence[Samples]) -> Cleaned:
        """See `CleaningSpec.clean`."""
        judges = [strand for each in _judges(samples) for strand in _strands(each)]
        method = self.method
        if method is None:
            if noise_variance([strand.t for strand in judges], [strand.x for strand in judges], 1) == 0:
                return Cleaned(samples, "No noise was seen in the states: nothing was smoothed.", {"noise": 0.0})
            times = [strand.t for each in samples for strand in _strands(each)]
            fits = {each: _fit(each, judges) for each in suitable(times)}
            method = min(fits, key=lambda each: fits[each].error)
        fit = _fit(method, judges)
        smooth = [_smoothed(each, method) for each in samples]
        spread = np.concatenate([each.x for each in samples]).std(0)
        noise = fit.off / math.sqrt(max(1 - fit.free, 1e-3))
        part = float(np.linalg.norm(noise) / max(float(np.linalg.norm(spread)), 1e-300))
        numbers: dict[str, Any] = {"noise": part, "method": method.describe(), "free": fit.free}
        numbers |= {"noise_by_component": noise.tolist()} if len(noise) <= LISTED else {}
        numbers["example"] = _example(samples[0], smooth[0], int(np.argmax(noise / np.maximum(spread, 1e-300))))
        sentence = (
            f"Noise of about {100 * part:.2g} % of the deviation was smoothed out of the states by "
            f"{method.describe()}: what is left has {100 * fit.free:.2g} % of the samples' degrees of freedom."
        )
        return Cleaned(smooth, sentence, numbers)


class _MeasuredSamples(NamedTuple):
    """Components that were measured at the same times: times [n], values [n, c], and which components they are [c]."""

    t: Float[np.ndarray, " n"]
    x: Float[np.ndarray, "n c"]
    which: Int[np.ndarray, " c"]


def _strands(each: Samples) -> list[_MeasuredSamples]:
    """The samples that were measured."""
    measured = np.ones(each.x.shape, bool) if each.measured is None else each.measured
    return [
        _MeasuredSamples(each.t[rows], each.x[rows][:, some], np.flatnonzero(some)) for rows, some in patterns(measured)
    ]


@dataclass(frozen=True, eq=False)
class _SmoothFit:
    """What a method makes of samples.

    Attributes:
        error: generalised cross-validation, a mean square.
        off: root mean square of what the method takes off each component [D].
        free: trace of the method over the number of samples: 1 where it follows every sample.
    """

    error: float
    off: Float[np.ndarray, " D"]
    free: float


def _fit(method: Estimator, strands: Sequence[_MeasuredSamples]) -> _SmoothFit:
    rng = np.random.default_rng(0)
    dim = 1 + max(int(strand.which.max()) for strand in strands)
    off, count, trace = np.zeros(dim), np.zeros(dim), 0.0
    for t, x, which in strands:
        signs = rng.choice([-1.0, 1.0], (len(t), PROBES))
        values = method.curve(t, np.concatenate([x, signs], 1))(t, 0)
        off[which] += ((x - values[:, : len(which)]) ** 2).sum(0)
        count[which] += len(t)
        trace += len(which) * float((signs * values[:, len(which) :]).sum()) / PROBES
    free = min(trace / count.sum(), 1.0)
    error = float(off.sum() / count.sum()) / (1 - free) ** 2 if free < MOST_FREE else math.inf
    return _SmoothFit(error, np.sqrt(off / count), free)


def _judges(samples: Sequence[Samples]) -> list[Samples]:
    """Some of the trajectories, evenly spread, cut to some samples."""
    judges: list[Samples] = []
    left = LONGEST
    for each in samples[:: math.ceil(len(samples) / JUDGES)]:
        if left < len(each.t) and judges:
            break
        judges.append(each.rows(slice(0, left)))
        left -= len(each.t)
    return judges


def _smoothed(each: Samples, method: Estimator) -> Samples:
    x = each.x.copy()
    for t, values, which in _strands(each):
        x[:, which] = method.curve(t, values)(each.t.clip(t[0], t[-1]), 0)
    return replace(each, x=x)


def _example(before: Samples, after: Samples, component: int) -> dict[str, Any]:
    """The first samples of one component, before and after."""
    part = slice(0, SHOWN)
    x, smooth = before.x[part, component], after.x[part, component]
    return {"t": before.t[part].tolist(), "before": x.tolist(), "after": smooth.tolist(), "component": component}
