"""Compares any models on the same test trajectories, with paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from dynred.arguments import public
from dynred.checks import refuse
from dynred.data.trajectories import Trajectories
from dynred.evaluation.bootstrap import Interval, Resamples, median
from dynred.evaluation.evaluate import checked_test
from dynred.evaluation.intervals import FEWEST, ratio_interval
from dynred.evaluation.spreads import Score
from dynred.evaluation.words import interval_text
from dynred.metrics.base import Metric, cut_off, find_metrics, measured
from dynred.models.base import Model
from dynred.models.forecast import Forecast, forecast
from dynred.records import plain
from dynred.views import Plotted

SIGNS = {True: "better", False: "worse"}
# The summaries that are compared, by the one that a metric shows. A median ignores outliers, so the mean stands beside
# it; a worst value is extreme, so the median does.
SUMMARIES: Mapping[str, tuple[str, ...]] = {
    "mean": ("mean",),
    "median": ("median", "mean"),
    "worst": ("worst", "median"),
}


@dataclass(frozen=True)
class Entry:
    """One model's value of one quantity.

    Attributes:
        value, interval: the value over the test trajectories, and its interval; None where these are too few.
        difference, difference_interval: the difference from the first model's value, on the same resamples of
            trajectories. A trajectory that is hard for both models changes both values, which the difference cancels.
            None for the first model itself.
        verdict: `better` or `worse` where the interval of the difference does not hold zero, else empty.
        at_least: `value` where it is only known to be at least so large, `interval` where its upper end is.
    """

    value: float
    interval: Interval | None = None
    difference: float | None = None
    difference_interval: Interval | None = None
    verdict: str = ""
    at_least: tuple[str, ...] = ()


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
class Comparison(Plotted):
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
    forecasts: Mapping[str, Forecast],
    *,
    threshold: float = 0.5,
    metrics: Sequence[Metric | str] = (),
    independent: bool = True,
) -> Comparison:
    """Compares forecasts of the same truth that were already made; see `compare`.

    Test trajectories that are not `independent` of each other give no intervals.
    """
    if not forecasts:
        raise refuse("models", "at least one model", "none")
    n = len(next(iter(forecasts.values())).truth)
    quantities = []
    for metric in find_metrics(metrics, threshold):
        samples = [_Compared.of(metric, prediction, independent) for prediction in forecasts.values()]
        quantities += [_quantity(metric, name, samples) for name in SUMMARIES[metric.summary]]
    return Comparison(tuple(forecasts), n, tuple(quantities))


@dataclass(frozen=True, eq=False)
class _Compared:
    """The values of one metric for one model, and their summaries."""

    values: Float[np.ndarray, " N"]
    score: Score
    independent: bool

    @classmethod
    def of(cls, metric: Metric, prediction: Forecast, independent: bool) -> "_Compared":
        values, censored = measured(metric, prediction).numpy(), cut_off(metric, prediction).numpy()
        score = Score.of(values, metric.higher_is_better, metric.unit, censored, independent=independent)
        return cls(values, score, independent)

    def entry(self, name: str) -> Entry:
        """The summary of that name."""
        names = {"value": name, "interval": f"{name}_interval"}
        at_least = tuple(own for own, of_score in names.items() if of_score in self.score.at_least)
        return Entry(getattr(self.score, name), getattr(self.score, f"{name}_interval"), at_least=at_least)

    def difference_interval(self, first: "_Compared", name: str) -> Interval | None:
        """The interval of the difference of two summaries, on the same trajectories; extremes have none."""
        n = len(self.values)
        if n < FEWEST or not self.independent or name == "worst":
            return None
        with np.errstate(invalid="ignore"):  # the difference of two infinite values
            differences = self.values - first.values
        if name == "mean":
            return ratio_interval(differences, np.ones(n))
        resamples = Resamples.of(n)
        draws = resamples.of_values(self.values, median) - resamples.of_values(first.values, median)
        low, high = np.quantile(draws, [0.025, 0.975], method="nearest")
        middle = self.score.median - first.score.median
        return min(float(low), middle), max(float(high), middle)


def _quantity(metric: Metric, name: str, samples: Sequence[_Compared]) -> Quantity:
    first, *others = samples
    entries = [first.entry(name)]
    for sample in others:
        entry, interval = sample.entry(name), sample.difference_interval(first, name)
        verdict = ""
        if interval is not None and (interval[0] > 0 or interval[1] < 0):
            verdict = SIGNS[(interval[0] > 0) == metric.higher_is_better]
        difference = entry.value - entries[0].value
        entries.append(replace(entry, difference=difference, difference_interval=interval, verdict=verdict))
    title = (metric.title or metric.name) + ("" if name == metric.summary == "mean" else f", {name}")
    return Quantity(metric.name, title, metric.unit, metric.higher_is_better, tuple(entries))


def _title(quantity: Quantity) -> str:
    return f"{quantity.title} ({quantity.unit})" if quantity.unit else quantity.title


def _cell(entry: Entry) -> str:
    beyond, open_ = (name in entry.at_least for name in ("value", "interval"))
    own = interval_text(entry.value, entry.interval, at_least=beyond, open_above=open_)
    if entry.difference is None:
        return own
    sign = "+" if entry.difference > 0 else ""
    change = f"{sign}{interval_text(entry.difference, entry.difference_interval)} {entry.verdict}".rstrip()
    return f"{own}; {change}"
