"""Numbers of an evaluation in words."""

from dynred.evaluation.bootstrap import Interval
from dynred.evaluation.records import (
    Agreement,
)


def with_interval(record: object | None, name: str) -> str:
    """A number of a record with its interval, as text: `80.5 [74, 88]`; empty without a record."""
    if record is None:
        return ""
    return interval_text(getattr(record, name), getattr(record, f"{name}_interval"))


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
