"""Smoothing: states without the noise of their samples, as far as the samples themselves can tell the two apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from dynred.data.cleaning.base import Cleaned, CleaningSpec, Samples
from dynred.data.derivatives.base import Estimator
from dynred.data.estimators import suitable
from dynred.data.sample_noise import noise_variance

PROBES = 8  # series of random signs by which the trace of a smoother is estimated
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
    takes_velocities: ClassVar[bool] = True

    def _clean(self, samples: Sequence[Samples]) -> Cleaned:
        """See `CleaningSpec.clean`."""
        judges = _judges(samples)
        dim = samples[0].x.shape[1]
        method = self.method
        if method is None:
            if noise_variance([each.t for each in judges], [each.x for each in judges], dim) == 0:
                return Cleaned(samples, "No noise was seen in the states: nothing was smoothed.", {"noise": 0.0})
            fits = {each: _fit(each, judges) for each in suitable([each.t for each in samples])}
            method = min(fits, key=lambda each: fits[each].error)
        fit = _fit(method, judges)
        smooth = [_smoothed(each, method) for each in samples]
        spread = np.concatenate([each.x for each in samples]).std(0)
        noise = fit.noise / math.sqrt(max(1 - fit.free, 1e-3))
        part = float(np.linalg.norm(noise) / max(float(np.linalg.norm(spread)), 1e-300))
        numbers: dict[str, Any] = {"noise": part, "method": method.describe(), "free": fit.free}
        numbers |= {"noise_by_component": noise.tolist()} if dim <= LISTED else {}
        numbers["example"] = _example(samples[0], smooth[0], int(np.argmax(noise / np.maximum(spread, 1e-300))))
        sentence = (
            f"Noise of about {100 * part:.2g} % of the deviation was smoothed out of the states by a "
            f"{method.describe()}, of which {100 * fit.free:.2g} % of the samples' freedom is left."
        )
        return Cleaned(smooth, sentence, numbers)


@dataclass(frozen=True, eq=False)
class _Fit:
    """What a method makes of samples.

    Attributes:
        error: generalised cross-validation, a mean square.
        noise: root mean square of what the method takes off each component [D].
        free: trace of the method over the number of samples: 1 where it follows every sample.
    """

    error: float
    noise: Float[np.ndarray, " D"]
    free: float


def _fit(method: Estimator, samples: Sequence[Samples]) -> _Fit:
    signs = np.random.default_rng(0)
    dim, count = samples[0].x.shape[1], sum(len(each.t) for each in samples)
    off, trace = np.zeros(dim), 0.0
    for each in samples:
        probes = signs.choice([-1.0, 1.0], (len(each.t), PROBES))
        values = method.curve(each.t, np.concatenate([each.x, probes], 1))(each.t, 0)
        off += ((each.x - values[:, :dim]) ** 2).sum(0)
        trace += float((probes * values[:, dim:]).sum()) / PROBES
    free = min(trace / count, 1.0)
    left = 1 - free
    error = float(off.sum()) / count / left**2 if left > 1e-6 else math.inf
    return _Fit(error, np.sqrt(off / count), free)


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
    return Samples(each.t, method.curve(each.t, each.x)(each.t, 0), each.owner, each.others)


def _example(before: Samples, after: Samples, component: int) -> dict[str, Any]:
    """The first samples of one component, before and after."""
    part = slice(0, SHOWN)
    x, smooth = before.x[part, component], after.x[part, component]
    return {"t": before.t[part].tolist(), "before": x.tolist(), "after": smooth.tolist(), "component": component}
