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
    interval = getattr(record, f"{name}_interval")
    if interval is None:
        return plain_number(record, name)
    beyond = f"{name}_interval" in getattr(record, "at_least", ())
    low, high = (number(end) for end in interval)
    return f"{plain_number(record, name)} [{low}, {AT_LEAST * beyond}{high}]"


def plain_number(record: object | None, name: str) -> str:
    """A number of a record without its interval, as text; empty without a record."""
    if record is None:
        return ""
    return f"{AT_LEAST * (name in getattr(record, 'at_least', ()))}{number(getattr(record, name))}"


def distance(agreement: Agreement | None) -> str:
    """A distance with its interval, as text; empty where there is none."""
    return "" if agreement is None else interval_text(agreement.distance, agreement.interval)


def interval_text(value: float, interval: Interval | None) -> str:
    """A number with its interval, as text."""
    if interval is None:
        return number(value)
    return f"{number(value)} [{', '.join(number(end) for end in interval)}]"


def number(value: float, digits: int = 3) -> str:
    """A number with `digits` significant digits, written without an exponent from 1e-3 to 1e5."""
    if 1 <= abs(value) < 1e5:
        return f"{value:.{max(digits, len(str(int(abs(value)))))}g}"
    return f"{value:.{digits}g}"
