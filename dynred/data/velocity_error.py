"""How wrong velocities from samples are, by method, where the true ones are unknown."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dynred.data.derivatives.base import Estimator

FAST, SLOW, SLOWEST = 1e-3, 0.8, 0.6  # bounds of the observed rate, the last between the ends
SURE = 5.0  # a mean square of noise is larger than what is allowed for it in one of e^5 cases
PAIRS = 2000  # snapshots on which pairs of methods are compared
LIKELY = 1.0  # the same where the error itself is estimated
SPARE = 0.1  # relative error of the estimated variance of noise
# The spectrum of analytic motion falls exponentially and goes on beyond what samples show. On such spectra the error of
# splines was (1 - q)^-3 times what the rate q between the ends tells (degree 5: 4, 11 and 19 for q = .31, .45 and .52).
BEYOND = 6  # the power of 1 / (1 - q) in the squared error
TRUSTED = 4.0  # a contradiction counts beyond so many estimated errors of the method that contradicts
MISSED = 0.1  # of the mean square of the motion: a method that misses more is left out
LONGEST = 7  # methods in a row of growing accuracy
UNKNOWN = 0.5  # rate where none is observed
END = 4  # coefficients from either end of a trajectory within which its end is felt
UNEVEN = 2.0  # ratio of mean to median of mean squares over time, beyond which they are not those of noise
BLOCK = 16  # differences in a row whose mean square is taken; where motion is fast for a while, it is no noise
ORDERS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20)  # of the differences that noise is seen in


@dataclass(frozen=True, eq=False)
class Curve:
    """Samples of one trajectory, and where its velocities are wanted.

    Attributes:
        t: times of the samples [n].
        x: samples [n, D].
        at: times of the velocities [T].
    """

    t: Float[np.ndarray, " n"]
    x: Float[np.ndarray, "n D"]
    at: Float[np.ndarray, " T"]


@dataclass(frozen=True, eq=False)
class Response:
    """What a method makes of all curves, and of white noise in their place.

    Attributes:
        velocities: [S, D], of all curves one after the other.
        noise: [S, K], velocities from K series of white noise of variance 1.
        end: snapshots that feel an end of their trajectory [S].
        missed: mean squared distance of the samples to the curves.
    """

    velocities: Float[np.ndarray, "S D"]
    noise: Float[np.ndarray, "S K"]
    end: Bool[np.ndarray, " S"]
    missed: float

    @property
    def gain(self) -> float:
        """Mean square velocity from white noise of variance 1."""
        return float((self.noise**2).mean())


class Judgement:
    """Errors of methods on some curves, estimated from the samples alone.

    The squared error has two parts. Noise: differences of the samples give its variance, and the method's own response
    to white noise its effect. Bias: with d1 the distance between the velocities of a method and those of the next lower
    one (`Estimator.lower`), d2 the same one lower, and q = d1 / d2 the observed rate, it is d1 q / (1 - q) (Aitken's
    extrapolation). What noise contributes to d1 and d2 is subtracted, and ends of trajectories have a rate of their
    own. The method of least error by that is the reference, from which the bias of all others is measured.
    """

    def __init__(self, curves: Sequence[Curve]):
        self.curves = curves
        self.noise = noise_variance(curves)
        total = sum(len(curve.at) for curve in curves)
        self._series = max(4, min(64, 200000 // total))
        samples = sum(len(curve.t) for curve in curves)
        self._motion = sum(float(((c.x - c.x.mean(0)) ** 2).sum()) for c in curves) / samples
        self._samples = samples
        self._responses: dict[Estimator, Response] = {}

    def errors(self, candidates: Sequence[Estimator]) -> dict[Estimator, float]:
        """The estimated error of the velocities by each candidate, root mean square over all snapshots."""
        candidates = [candidate for candidate in candidates if self._response(candidate).missed < MISSED * self._motion]
        both = {candidate: pair for candidate in candidates if (pair := self._extrapolated(candidate)) is not None}
        if not both:
            return {}
        own = {candidate: bias for candidate, (bias, _) in both.items()}
        bias = self._contradicted(candidates, own)
        reference = min(own, key=lambda candidate: bias[candidate] ** 2 + self._most(candidate))
        for candidate in candidates:
            if candidate not in own:
                apart = math.sqrt(sum(self._distances(candidate, reference)))
                bias[candidate] = max(bias[candidate], math.hypot(apart, bias[reference]))
        local = [c for c in own if c.higher() is not None]
        unseen = both[min(local, key=lambda c: bias[c] ** 2 + self._most(c))][1] if local else 0.0
        most = self.size(reference) ** 2  # no method that follows the samples is worse than a velocity of zero
        return {
            c: math.sqrt(min(bias[c] ** 2 + unseen, max(bias[c] ** 2, most)) + self._scatter(c)) for c in candidates
        }

    def best(self, errors: dict[Estimator, float]) -> Estimator:
        """The candidate of least error, where noise may be as bad as it may well be."""
        return min(errors, key=lambda c: errors[c] ** 2 - self._scatter(c) + self._most(c))

    def _contradicted(self, candidates: Sequence[Estimator], own: dict[Estimator, float]) -> dict[Estimator, float]:
        """The bias of each candidate, its own one or more where methods that smooth less contradict.

        Methods that smooth all motion away agree with each other; those that smooth less tell (O. V. Lepski, Theory
        Probab. Appl. 35, 454 (1991)).
        """
        shown: dict[Estimator, float] = {}
        for mine in sorted(candidates, key=lambda candidate: -self._response(candidate).gain):
            shown[mine] = 0.0
            for other in list(shown)[:-1]:
                if other in own and other.higher() is not None:
                    unexplained = self._apart(mine, other) - (TRUSTED * own[other]) ** 2
                    shown[mine] = max(shown[mine], math.sqrt(max(unexplained, 0.0)))
        return {candidate: max(own.get(candidate, 0.0), shown[candidate]) for candidate in candidates}

    def _apart(self, one: Estimator, other: Estimator) -> float:
        """Mean squared distance of velocities on some snapshots that noise does not explain."""
        a, b = self._response(one), self._response(other)
        step = max(1, len(a.velocities) // PAIRS)
        squares = ((a.velocities[::step] - b.velocities[::step]) ** 2).sum(1)
        gains = ((a.noise[::step] - b.noise[::step]) ** 2).mean(1)
        resolution = max(1.0, min(one.resolution, other.resolution) / step)
        return self._explained(squares, gains, resolution, SURE)

    def _explained(self, squares: np.ndarray, gains: np.ndarray, resolution: float, sure: float) -> float:
        """The mean of squares without what noise adds to it; 0 where noise alone could be as large."""
        mean, scatter = float(squares.mean()), self.noise * float(gains.mean())
        if scatter == 0:
            return mean
        largest = self._largest(gains, resolution, sure)
        return mean - scatter if mean > (largest + SPARE) * scatter else 0.0

    def _largest(self, gains: np.ndarray, resolution: float, sure: float) -> float:
        """How much larger than expected a mean square of noise may be (B. Laurent, P. Massart, Ann. Stat. 28, 1302
        (2000), lemma 1, for as many degrees of freedom as snapshots share in it)."""
        free = max(1.0, gains.sum() ** 2 / (gains**2).sum() / resolution) * self.curves[0].x.shape[1]
        return 1 + 2 * math.sqrt(sure / free) + 2 * sure / free

    def size(self, estimator: Estimator) -> float:
        """Root mean square velocity, without what noise adds to it."""
        square = float((self._response(estimator).velocities ** 2).sum(1).mean())
        return math.sqrt(max(square - self._scatter(estimator), 0.1 * square))

    def noise_part(self, estimator: Estimator) -> float:
        """Root mean square error of the velocities that noise makes."""
        return math.sqrt(self._scatter(estimator))

    def _most(self, estimator: Estimator) -> float:
        """What noise may well add to the mean square error; much where few snapshots have most of it."""
        gains = (self._response(estimator).noise ** 2).mean(1)
        return self._scatter(estimator) * self._largest(gains, estimator.resolution, LIKELY)

    def _scatter(self, estimator: Estimator) -> float:
        return self.noise * self._response(estimator).gain

    def _extrapolated(self, estimator: Estimator) -> tuple[float, float] | None:
        """Bias, and the mean square error by motion that is too fast for all methods."""
        higher, lower = estimator.higher(), estimator.lower()
        if higher is not None and not all(higher.suits(curve.t) for curve in self.curves):
            higher = None
        lowest = None if lower is None else lower.lower()
        if higher is not None:
            near = self._distances(higher, estimator)
            far = (0.0, 0.0) if lower is None else self._distances(estimator, lower)
        elif lower is not None and lowest is not None:
            near, far = self._distances(estimator, lower), self._distances(lower, lowest)
        else:
            return None
        apart = (0.0, 0.0) if estimator.higher() is None else self._since_divergence(estimator)
        square = unseen = 0.0
        for d1, d2, least, inside in zip(near, far, apart, (False, True), strict=True):
            rate = min(max(math.sqrt(d1 / d2), FAST), SLOWEST if inside else SLOW) if d2 > 0 else UNKNOWN
            part = d1 * (1 if higher is not None else rate) ** 2 / (1 - rate**2)
            if d1 > d2 > 0 and higher is not None:
                part = d2  # the error of the last method of a sequence that comes no closer is about the last step
            square += max(part, least)
            if inside and d2 > 0 and higher is not None:
                unseen += part * ((1 - rate**2) / (1 - rate) ** BEYOND - 1)
        return math.sqrt(square), unseen

    def _since_divergence(self, estimator: Estimator) -> tuple[float, float]:
        """Distances, as of `_distances`, to the last of the lower methods up to which each came closer to the next."""
        chain: list[Estimator] = [estimator]
        while len(chain) < LONGEST and (lower := chain[0].lower()) is not None:
            chain.insert(0, lower)
        result = [0.0, 0.0]
        steps = [self._distances(b, a) for a, b in itertools.pairwise(chain)]
        for zone in range(2):
            for k in range(1, len(steps)):
                if steps[k][zone] > steps[k - 1][zone]:
                    result[zone] = self._distances(estimator, chain[k])[zone]
                    break
        return result[0], result[1]

    def _distances(self, one: Estimator, other: Estimator) -> tuple[float, float]:
        """Mean squared distance of velocities but for noise: the parts of snapshots at ends, and of all others."""
        a, b = self._response(one), self._response(other)
        squares, gains = ((a.velocities - b.velocities) ** 2).sum(1), ((a.noise - b.noise) ** 2).mean(1)
        resolution = min(one.resolution, other.resolution)
        parts = [
            float(part.mean()) * self._explained(squares[part], gains[part], resolution, LIKELY) if part.any() else 0.0
            for part in (a.end, ~a.end)
        ]
        return parts[0], parts[1]

    def _response(self, estimator: Estimator) -> Response:
        if estimator not in self._responses:
            rng = np.random.default_rng(0)  # the same noise for every method
            velocities, noise, end, missed = [], [], [], 0.0
            for curve in self.curves:
                white = rng.standard_normal((len(curve.t), self._series))
                through = estimator.curve(curve.t, np.concatenate([curve.x, white], 1))
                both = through(curve.at, 1)
                missed += float(((through(curve.t, 0)[:, : curve.x.shape[1]] - curve.x) ** 2).sum())
                velocities.append(both[:, : curve.x.shape[1]])
                noise.append(both[:, curve.x.shape[1] :])
                place = np.interp(curve.at, curve.t, np.arange(len(curve.t)))
                end.append(np.minimum(place, len(curve.t) - 1 - place) < END * estimator.resolution)
            self._responses[estimator] = Response(
                np.concatenate(velocities),
                np.concatenate(noise),
                np.concatenate(end),
                missed / self._samples - self.noise,
            )
        return self._responses[estimator]


def noise_variance(curves: Sequence[Curve]) -> float:
    """Variance of white noise in the samples, summed over components.

    High differences of smooth motion vanish and those of noise do not: the least over several orders.
    """
    levels, spread = [], []
    for order in ORDERS:
        squares = [(differences(c.t, c.x, order) ** 2).sum(1) for c in curves if len(c.t) > order]
        if squares:
            levels.append(_level(squares))
            spread.append(math.sqrt(2 * math.sqrt(order) / (sum(map(len, squares)) * curves[0].x.shape[1])))
    if not levels:
        return 0.0
    least = min(level * (1 + 3 * error) for level, error in zip(levels, spread, strict=True))
    return next(level for level in levels if level <= least)


def _level(squares: list[Float[np.ndarray, " m"]]) -> float:
    """The mean square; the typical one of short times where it differs much over time, as that of noise does not."""
    mean = float(np.concatenate(squares).mean())
    means, sizes = zip(
        *((block.mean(), len(block)) for s in squares for block in np.array_split(s, max(1, len(s) // BLOCK))),
        strict=True,
    )
    typical = float(np.median(np.repeat(means, sizes)))
    return mean if mean < UNEVEN * typical else typical


def differences(t: Float[np.ndarray, " n"], x: Float[np.ndarray, "n D"], order: int) -> Float[np.ndarray, "m D"]:
    """Divided differences, scaled so that those of white noise of variance 1 have variance 1."""
    windows = np.lib.stride_tricks.sliding_window_view(t, order + 1)
    gaps = windows[:, :, None] - windows[:, None, :]
    logs = np.log(np.abs(gaps) + np.eye(order + 1)).sum(2)
    weights = np.exp(logs.min(1, keepdims=True) - logs) * (-1.0) ** np.arange(order + 1)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return np.einsum("mk,mdk->md", weights, np.lib.stride_tricks.sliding_window_view(x, order + 1, axis=0))
