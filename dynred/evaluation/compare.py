"""Compares any models on the same test trajectories, with paired differences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from dynred.arguments import public
from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.evaluation.bootstrap import Interval, Resamples, largest, mean, median, percentile_interval, smallest
from dynred.evaluation.evaluate import checked_test
from dynred.evaluation.words import interval_text
from dynred.metrics.base import Metric, find_metrics, measured
from dynred.models.base import Model
from dynred.models.forecast import Forecast, forecast
from dynred.records import plain

SIGNS = {True: "better", False: "worse"}


@dataclass(frozen=True)
class Entry:
    """One model's value of one quantity.

    Attributes:
        value, interval: the value over the test trajectories, and its interval.
        difference, difference_interval: the difference from the first model's value, on the same resamples of
            trajectories. A trajectory that is hard for both models changes both values, which the difference cancels.
            None for the first model itself.
        verdict: `better` or `worse` where the interval of the difference does not hold zero, else empty.
    """

    value: float
    interval: Interval
    difference: float | None = None
    difference_interval: Interval | None = None
    verdict: str = ""


@dataclass(frozen=True)
class Quantity:
    """One row of a comparison.

    Attributes:
        name: e.g. `valid_time`.
        title: e.g. `valid time, median`.
        unit: unit of the values; empty where they are dimensionless.
        higher_is_better: whether a larger value is better.
        entries: an entry for every model.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Comparison:
    """Models side by side; `str` gives the table.

    Attributes:
        models: names of the models; the others are compared with the first.
        trajectories: number of test trajectories.
        quantities: the rows.
    """

    models: tuple[str, ...]
    trajectories: int
    quantities: tuple[Quantity, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; numbers that are not finite become None."""
        return plain(self)

    def heads(self) -> tuple[str, ...]:
        """The head of the table."""
        return ("", *self.models)

    def rows(self) -> list[tuple[str, ...]]:
        """The table as text: `80.5 [74, 88]`, and for all but the first model `; +12.1 [5.3, 19] better`."""
        return [(_title(quantity), *(_cell(entry) for entry in quantity.entries)) for quantity in self.quantities]

    def __getitem__(self, title: str) -> Quantity:
        """The quantity with that name or title."""
        matches = [quantity for quantity in self.quantities if title in (quantity.name, quantity.title)]
        if not matches:
            raise KeyError(title)
        return matches[0]

    def __str__(self) -> str:
        table = [self.heads(), *self.rows()]
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
        return "\n".join([f"{self.trajectories} test trajectories; differences from {self.models[0]}", *lines])


@public
def compare(
    models: Mapping[str, Model] | Sequence[Model],
    test: Trajectories,
    *,
    threshold: float = 0.5,
    metrics: Sequence[Metric | str] = (),
) -> Comparison:
    """Scores models on the same test trajectories, and tests their differences from the first.

    Args:
        models: at least one model by name, all of one state dimension; a sequence is named `model 1`, `model 2` ...
        test: trajectories that no model was trained on.
        threshold: rollout error above which a prediction is lost.
        metrics: the user's own metrics, see `evaluate`.

    Returns:
        Every metric, dynred's and the user's, of every model, with 95 % bootstrap intervals over trajectories.

    Raises:
        InputError: there is no model, the states have another width than a model's, a metric fails, or an entry of
            `metrics` is no metric.
    """
    named = models if isinstance(models, Mapping) else {f"model {i + 1}": model for i, model in enumerate(models)}
    forecasts = {name: forecast(model, checked_test(model, test)) for name, model in named.items()}
    return compare_forecasts(forecasts, threshold=threshold, metrics=metrics)


def compare_forecasts(
    forecasts: Mapping[str, Forecast], *, threshold: float = 0.5, metrics: Sequence[Metric | str] = ()
) -> Comparison:
    """Compares forecasts of the same truth that were already made; see `compare`."""
    if not forecasts:
        raise refuse("models", "at least one model", "none")
    n = len(next(iter(forecasts.values())).truth)
    resamples, quantities = Resamples.of(n), []
    for metric in find_metrics(metrics, threshold):
        values = [measured(metric, prediction).numpy() for prediction in forecasts.values()]
        quantities += [_quantity(metric, label, fn, values, resamples) for label, fn in _summaries(metric).items()]
    return Comparison(tuple(forecasts), n, tuple(quantities))


Summary = Callable[[Float[np.ndarray, "*batch N"]], Float[np.ndarray, "*batch"]]


def _summaries(metric: Metric) -> dict[str, Summary]:
    worst = smallest if metric.higher_is_better else largest
    statistics: dict[str, Summary] = {"mean": mean, "median": median, "worst": worst}
    # A median ignores outliers, so the mean stands beside it; a worst value is extreme, so the median stands beside it.
    chosen = {"mean": ("mean",), "median": ("median", "mean"), "worst": ("worst", "median")}[metric.summary]
    return {name: statistics[name] for name in chosen}


def _quantity(
    metric: Metric, label: str, fn: Summary, values: list[Float[np.ndarray, " N"]], resamples: Resamples
) -> Quantity:
    draws = [resamples.of_values(sample, fn) for sample in values]
    numbers = [float(fn(sample)) for sample in values]
    intervals = [
        resamples.mean_interval(v) if fn is mean else percentile_interval(d) for v, d in zip(values, draws, strict=True)
    ]
    entries = [Entry(numbers[0], intervals[0])]
    for number, interval, draw in zip(numbers[1:], intervals[1:], draws[1:], strict=True):
        low, high = percentile_interval(draw - draws[0])
        significant = low > 0 or high < 0
        verdict = SIGNS[(low > 0) == metric.higher_is_better] if significant else ""
        entries.append(Entry(number, interval, number - numbers[0], (low, high), verdict))
    title = (metric.title or metric.name) + ("" if label == metric.summary == "mean" else f", {label}")
    return Quantity(metric.name, title, metric.unit, metric.higher_is_better, tuple(entries))


def _title(quantity: Quantity) -> str:
    return f"{quantity.title} ({quantity.unit})" if quantity.unit else quantity.title


def _cell(entry: Entry) -> str:
    own = interval_text(entry.value, entry.interval)
    if entry.difference is None:
        return own
    sign = "+" if entry.difference > 0 else ""
    change = f"{sign}{interval_text(entry.difference, entry.difference_interval)} {entry.verdict}".rstrip()
    return f"{own}; {change}"
