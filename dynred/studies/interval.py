"""Values between bounds, or among a few: what samples and searches draw from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dynred.checks import is_number, literal, refuse

LOG = "log"


@dataclass(frozen=True)
class Interval:
    """Where the values of a setting may lie.

    Attributes:
        low, high: bounds; both are among the values.
        whole: whether values are integers.
        log: whether the logarithm of values is spread evenly.
        choices: the values, where they are listed; bounds mean nothing then.
    """

    low: float = 0.0
    high: float = 1.0
    whole: bool = False
    log: bool = False
    choices: tuple[Any, ...] = ()

    @classmethod
    def of(cls, path: str, given: object) -> "Interval":
        """What (low, high), (low, high, "log") or a list of choices means.

        Args:
            path: the setting, for messages.
            given: bounds or choices.

        Raises:
            InputError: it means nothing.
        """
        expected = '(low, high), (low, high, "log") or a list of choices'
        if isinstance(given, str) or not isinstance(given, Sequence) or len(given) < 1:
            raise refuse(f"the range of {path}", expected, literal(given))
        log = len(given) == 3 and given[2] == LOG
        bounds = given[:2] if log else given
        if len(bounds) != 2 or not all(is_number(bound) for bound in bounds):
            return cls(choices=tuple(given))
        low, high = bounds
        if not low < high or (log and low <= 0):
            what = "0 < low < high" if log else "low < high"
            raise refuse(f"the range of {path}", f"bounds with {what}", literal(given))
        return cls(low, high, all(isinstance(bound, int) for bound in bounds), log)

    def at(self, u: float) -> Any:
        """The value at a place u in [0, 1) between the bounds."""
        if self.choices:
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        low, high = self.low, self.high
        if self.whole:  # every integer gets the same share
            low, high = low - 0.5, high + 0.5
        value = math.exp(math.log(low) + u * math.log(high / low)) if self.log else low + u * (high - low)
        return min(max(round(value), int(self.low)), int(self.high)) if self.whole else value
