"""How wrong velocities from samples are, by method, where the true ones are unknown."""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from dynred.data.derivatives.base import Estimator
from dynred.data.method_rows import FEWEST, row_errors
from dynred.data.responses import Curve, Response, response, sheaves
from dynred.data.sample_noise import noise_variance

FAST, SLOW, SLOWEST = 1e-3, 0.8, 0.6  # bounds of the observed rate, the last between the ends
SURE = 5.0  # a mean square of noise is larger than what is allowed for it in one of e^5 cases
LIKELY = 1.0  # the same where the error itself is estimated
SPARE = 0.1  # relative error of the estimated variance of noise
# The spectrum of analytic motion falls exponentially and goes on beyond what samples show. On such spectra the error of
# splines was (1 - q)^-3 times what the rate q between the ends tells (degree 5: 4, 11 and 19 for q = .31, .45 and .52).
BEYOND = 4  # the power of 1 / (1 - q) in the squared error
TRUSTED = 4.0  # a contradiction counts beyond so many estimated errors of the method that contradicts
EXACT = 1e-16  # of the mean square of the motion: a method that misses less goes through the samples
MISSED = 0.1  # of the mean square of the motion: a method that misses more is left out
LONGEST = 8  # methods in a row of growing accuracy
UNKNOWN = 0.5  # rate where none is observed


class Judgement:
    """Errors of methods on some curves, estimated from the samples alone.

    The squared error has two parts. Noise: differences of the samples give its variance, and the method's own response
    to white noise its effect. Bias: with d1 the distance between the velocities of a method and those of the next lower
    one (`Estimator.lower`), d2 the same one lower, and q = d1 / d2 the observed rate, it is d1 q / (1 - q) (Aitken's
    extrapolation). What noise contributes to d1 and d2 is subtracted. At ends of trajectories the distances between
    all interpolating splines tell (`row_errors`). Where there is no noise only methods that go through the samples
    compete. The method of least error by that is the reference, from which the bias of all others is measured.
    """

    def __init__(self, curves: list[Curve]):
        self._dim = curves[0].x.shape[1]
        self._sheaves = sheaves(curves)
        self.noise = noise_variance([s.t for s in self._sheaves], [s.x for s in self._sheaves], self._dim)
        self._motion = sum(float(((c.x - c.x.mean(0)) ** 2).sum()) for c in curves) / sum(len(c.t) for c in curves)
        weights = np.concatenate([sheaf.weights for sheaf in self._sheaves])
        self._weights = weights / weights.sum()
        self._times = np.concatenate([np.full(len(s.at), s.count) for s in self._sheaves])
        self._step = max(1.0, float(np.median(weights / self._times)))  # snapshots between those compared
        self._everywhere = np.ones(len(weights), bool)
        self._responses: dict[Estimator, Response] = {}
        self._ends: dict[Estimator, dict[Estimator, float]] = {}
        self._steps: dict[tuple[Estimator, Estimator], tuple[float, float]] = {}

    def errors(self, candidates: Sequence[Estimator]) -> dict[Estimator, float]:
        """The estimated error of the velocities by each candidate, root mean square over all snapshots."""
        candidates = [
            candidate
            for candidate in candidates
            if self._response(candidate).missed - self.noise < MISSED * self._motion
        ]
        if self.noise == 0:
            candidates = [c for c in candidates if self._response(c).missed <= EXACT * self._motion] or candidates
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
        for mine in sorted(candidates, key=lambda candidate: -self._gain(candidate)):
            shown[mine] = 0.0
            for other in list(shown)[:-1]:
                if other in own and other.higher() is not None:
                    unexplained = self._apart(mine, other) - (TRUSTED * own[other]) ** 2
                    shown[mine] = max(shown[mine], math.sqrt(max(unexplained, 0.0)))
        return {candidate: max(own.get(candidate, 0.0), shown[candidate]) for candidate in candidates}

    def _apart(self, estimator: Estimator, other: Estimator) -> float:
        """Mean squared distance of velocities that noise does not explain."""
        return self._explained(
            self._everywhere, *self._squares(estimator, other), min(estimator.resolution, other.resolution), SURE
        )

    def _explained(
        self, part: np.ndarray, squares: np.ndarray, gains: np.ndarray, resolution: float, sure: float
    ) -> float:
        """The mean of squares without what noise adds to it; 0 where noise alone could be as large."""
        weights = self._weights[part]
        mean = float(weights @ squares[part] / weights.sum())
        scatter = self.noise * float(weights @ gains[part] / weights.sum())
        if scatter == 0:
            return mean
        largest = self._largest(part, gains, resolution, sure)
        return mean - scatter if mean > (largest + SPARE) * scatter else 0.0

    def _largest(self, part: np.ndarray, gains: np.ndarray, resolution: float, sure: float) -> float:
        """How much larger than expected a mean square of noise may be (B. Laurent, P. Massart, Ann. Stat. 28, 1302
        (2000), lemma 1, for as many degrees of freedom as snapshots share in it)."""
        share = self._weights[part] * gains[part]
        points = float(share.sum() ** 2 / (share**2 / self._times[part]).sum())
        free = max(1.0, points / max(1.0, resolution / self._step)) * self._dim
        return 1 + 2 * math.sqrt(sure / free) + 2 * sure / free

    def size(self, estimator: Estimator) -> float:
        """Root mean square velocity, without what noise adds to it."""
        square = float(self._weights @ self._squares(estimator)[0])
        return math.sqrt(max(square - self._scatter(estimator), 0.1 * square))

    def noise_part(self, estimator: Estimator) -> float:
        """Root mean square error of the velocities that noise makes."""
        return math.sqrt(self._scatter(estimator))

    def _most(self, estimator: Estimator) -> float:
        """What noise may well add to the mean square error; much where few snapshots have most of it."""
        gains = self._squares(estimator)[1]
        return self._scatter(estimator) * self._largest(self._everywhere, gains, estimator.resolution, LIKELY)

    def _gain(self, estimator: Estimator) -> float:
        """Mean square velocity from white noise of variance 1."""
        return float(self._weights @ self._squares(estimator)[1])

    def _scatter(self, estimator: Estimator) -> float:
        return self.noise * self._gain(estimator)

    def _extrapolated(self, estimator: Estimator) -> tuple[float, float] | None:
        """Bias, and the mean square error by motion that is too fast for all methods."""
        higher, lower = estimator.higher(), estimator.lower()
        if higher is not None and not self._suits(higher):
            higher = None
        lowest = None if lower is None else lower.lower()
        if higher is not None:
            near = self._distances(higher, estimator)
            far = (0.0, 0.0) if lower is None else self._distances(estimator, lower)
        elif lower is not None and (lowest is not None or estimator.higher() is not None):
            near, far = (
                self._distances(estimator, lower),
                (0.0, 0.0) if lowest is None else self._distances(lower, lowest),
            )
        else:
            return None
        apart = (0.0, 0.0) if estimator.higher() is None else self._since_divergence(estimator)
        square = unseen = 0.0
        for d1, d2, least, inside in zip(near, far, apart, (False, True), strict=True):
            rate = min(max(math.sqrt(d1 / d2), FAST), SLOWEST if inside else SLOW) if d2 > 0 else UNKNOWN
            part = d1 * (1 if higher is not None else rate) ** 2 / (1 - rate**2)
            if d1 > d2 > 0 and higher is not None:
                part = d2  # the error of the last method of a sequence that comes no closer is about the last step
            if not inside and (at_end := self._at_ends(estimator)) is not None:
                square += at_end
                continue
            square += max(part, least)
            if inside and d2 > 0 and higher is not None:
                unseen += part * ((1 - rate**2) / (1 - rate) ** BEYOND - 1)
        return math.sqrt(square), unseen

    def _at_ends(self, estimator: Estimator) -> float | None:
        """The mean squared error at ends of trajectories; None where too few methods tell."""
        if estimator.higher() is None or estimator.resolution > 1:
            return None
        row: list[Estimator] = [estimator]
        while (lower := row[0].lower()) is not None:
            row.insert(0, lower)
        while len(row) < LONGEST and (higher := row[-1].higher()) is not None and self._suits(higher):
            row.append(higher)
        if len(row) < FEWEST:
            return None
        if row[0] not in self._ends:
            squares = np.array([[self._distances(a, b)[0] if a != b else 0.0 for b in row] for a in row])
            self._ends[row[0]] = (
                dict(zip(row, row_errors(squares), strict=True)) if np.count_nonzero(squares) >= 2 * FEWEST else {}
            )
        return self._ends[row[0]].get(estimator)

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

    def _distances(self, estimator: Estimator, other: Estimator) -> tuple[float, float]:
        """Mean squared distance of velocities but for noise: the parts of snapshots at ends, and of all others."""
        if (estimator, other) not in self._steps:
            squares, gains = self._squares(estimator, other)
            resolution, end = min(estimator.resolution, other.resolution), self._response(estimator).end
            parts = [
                float(self._weights[part].sum()) * self._explained(part, squares, gains, resolution, LIKELY)
                if part.any()
                else 0.0
                for part in (end, ~end)
            ]
            self._steps[estimator, other] = parts[0], parts[1]
        return self._steps[estimator, other]

    def _response(self, estimator: Estimator) -> Response:
        if estimator not in self._responses:
            self._responses[estimator] = response(estimator, self._sheaves)
        return self._responses[estimator]

    def _suits(self, estimator: Estimator) -> bool:
        return all(estimator.suits(sheaf.t) for sheaf in self._sheaves)

    def _squares(self, estimator: Estimator, other: Estimator | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Mean squared distance at every snapshot compared, of velocities and of those from noise."""
        a = self._response(estimator)
        if other is None:
            velocities, noise = a.velocities, a.noise
        else:
            b = self._response(other)
            velocities = [x - y for x, y in zip(a.velocities, b.velocities, strict=True)]
            noise = [x - y for x, y in zip(a.noise, b.noise, strict=True)]
        squares = [
            np.einsum("sc,sc->s", v, v) / sheaf.count for v, sheaf in zip(velocities, self._sheaves, strict=True)
        ]
        gains = [np.einsum("sk,sk->s", n, n) / n.shape[1] for n in noise]
        return np.concatenate(squares), np.concatenate(gains)
