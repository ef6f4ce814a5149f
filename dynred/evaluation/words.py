"""Numbers of an evaluation in words."""

from dynred.evaluation.bootstrap import Interval
from dynred.evaluation.records import (
    Agreement,
)

AT_LEAST = ">= "  # before a time that the end of the test cut off


def with_interval(record: object | None, name: str) -> str:
    """A number of a record with its interval, as text: `80.5 [74, 88]`; empty without a record.

    A number that is only known to be at least so large is `>= 120`.
    """
    if record is None:
        return ""
    at_least = getattr(record, "at_least", ())
    interval, open_above = getattr(record, f"{name}_interval"), f"{name}_interval" in at_least
    return interval_text(getattr(record, name), interval, at_least=name in at_least, open_above=open_above)


def plain_number(record: object | None, name: str) -> str:
    """A number of a record without its interval, as text; empty without a record."""
    if record is None:
        return ""
    return interval_text(getattr(record, name), None, at_least=name in getattr(record, "at_least", ()))


def distance(agreement: Agreement | None) -> str:
    """A distance with its interval, as text; empty where there is none."""
    return "" if agreement is None else interval_text(agreement.distance, agreement.interval)


def interval_text(value: float, interval: Interval | None, *, at_least: bool = False, open_above: bool = False) -> str:
    """A number with its interval, as text; `at_least` and `open_above`: it, or the upper end, is a lower bound."""
    text = AT_LEAST * at_least + number(value)
    if interval is None:
        return text
    return f"{text} [{number(interval[0])}, {AT_LEAST * open_above}{number(interval[1])}]"


def number(value: float, digits: int = 3) -> str:
    """A number with `digits` significant digits, written without an exponent from 1e-3 to 1e5."""
    if 1 <= abs(value) < 1e5:
        return f"{value:.{max(digits, len(str(int(abs(value)))))}g}"
    return f"{value:.{digits}g}"
