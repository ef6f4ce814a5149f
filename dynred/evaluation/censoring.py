"""Times that are known only to be at least so long: quantiles by the product-limit estimate.

A prediction that is still valid when its test trajectory ends would have stayed valid for longer; how long, nobody
knows. Source: E. L. Kaplan, P. Meier, J. Am. Stat. Assoc. 53, 457 (1958).
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dynred.evaluation.bootstrap import LEVEL, Interval
from dynred.evaluation.intervals import FEWEST, quantile_interval
from dynred.late import Late

stats = Late("scipy.stats")


@dataclass(frozen=True)
class Times:
    """Times of N trajectories.

    Attributes:
        values: times, or how long was waited [N].
        censored: whether the time is at least that long [N].
    """

    values: Float[np.ndarray, " N"]
    censored: Bool[np.ndarray, " N"]

    def quantile(self, fraction: float) -> tuple[float, bool]:
        """The quantile of the times, and whether it is only known to be at least that long.

        Without censored times the median is the ordinary one; other quantiles are values that occur.
        """
        t, survival = self._survival()
        reached = np.flatnonzero(survival <= 1 - fraction + 1e-12)
        if len(reached) == 0:
            return float(self.values.max()), True
        first = reached[0]
        # Exactly that fraction is over between two times: the middle of them, as for the median of an even number.
        level = abs(survival[first] - (1 - fraction)) < 1e-12 and fraction == 0.5
        if level and first + 1 < len(t):
            after = t[first + 1 :][np.diff(survival[first:]) < 0]
            if len(after) == 0:  # all later ones are censored: the middle is at least that of the next
                return float(t[first] + t[first + 1]) / 2, True
            return float(t[first] + after[0]) / 2, False
        return float(t[first]), False

    def interval(self, fraction: float) -> tuple[Interval, bool] | None:
        """The 95 % interval of a quantile, and whether its upper end is only known to be at least that long.

        None of fewer than five times. Order statistics give it where no time is censored before another ended, as where
        all test trajectories are equally long. Else the interval of the survival function does (R. Brookmeyer, J.
        Crowley, Biometrics 38, 29 (1982), on the log-log scale).
        """
        if len(self.values) < FEWEST:
            return None
        longest = float(self.values.max())
        ended = self.values[~self.censored]
        if not self.censored.any() or len(ended) == 0 or ended.max() <= self.values[self.censored].min():
            ends = quantile_interval(np.where(self.censored, np.inf, self.values), fraction)
        else:
            ends = self._by_survival(fraction)
        if ends is None:
            return None
        low, high = (min(end, longest) for end in ends)
        middle = self.quantile(fraction)[0]
        return (min(low, middle), max(high, middle)), not np.isfinite(ends[1])

    def _survival(self) -> tuple[Float[np.ndarray, " U"], Float[np.ndarray, " U"]]:
        curve = stats.ecdf(stats.CensoredData.right_censored(self.values, self.censored)).sf
        return curve.quantiles, curve.probabilities

    def _by_survival(self, fraction: float) -> Interval:
        curve = stats.ecdf(stats.CensoredData.right_censored(self.values, self.censored)).sf
        with warnings.catch_warnings():  # where no or all trajectories survive there is no interval
            warnings.simplefilter("ignore", RuntimeWarning)
            band = curve.confidence_interval(LEVEL, method="log-log")
        over = curve.probabilities <= 0
        low = np.where(over, 0.0, _filled(band.low.probabilities))
        high = _filled(np.where(over, np.nan, band.high.probabilities))
        ends = []
        for probabilities in (low, high):
            passed = np.flatnonzero(probabilities <= 1 - fraction)
            ends.append(float(curve.quantiles[passed[0]]) if len(passed) else np.inf)
        return ends[0], ends[1]


def _filled(probabilities: Float[np.ndarray, " U"]) -> Float[np.ndarray, " U"]:
    """The probabilities with those that are not known replaced by the last one that is; 1 before the first."""
    known = np.where(np.isnan(probabilities), 0, np.arange(1, len(probabilities) + 1))
    return np.concatenate([[1.0], probabilities])[np.maximum.accumulate(known)]
