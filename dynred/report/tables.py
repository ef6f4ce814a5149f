"""The tables of the report: scores beside the baselines, with intervals, and Lyapunov exponents."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from dynred.evaluation.records import Agreement, Exponents, ReconstructionScore, Rollout
from dynred.evaluation.spreads import Score
from dynred.report.context import Context
from dynred.report.summary import AT_LEAST, bounded, number

_QUANTILES = {"median": "median", "p95": "95 % quantile", "p99": "99 % quantile", "max": "maximum"}
_SPREADS = {"median": "median", "mean": "mean", "p10": "10 % quantile"}
# Other rows show these already.
_SHOWN = {"valid_time", "reconstruction_nmse", "divergence_time"}


class Cell(NamedTuple):
    """A number as text, and its interval."""

    value: str = ""
    interval: str = ""


class Row(NamedTuple):
    """A row of the table of results; `group` is a heading above the first row that has it."""

    group: str
    name: str
    cells: tuple[Cell, ...]


def results(context: Context) -> list[Row]:
    """The table of scores: the model beside the baselines, in the order of `Evaluation.columns`."""
    return [*_reconstruction(context), *_prediction(context), *_metrics(context), *_statistics(context)]


def exponents(context: Context) -> list[tuple[str, str, str]]:
    """Rows (number, full model, reduced model): the exponents with standard errors, their sum, and the dimension."""
    long_time = context.evaluation.long_time
    if long_time is None or long_time.full is None or long_time.reduced is None:
        return []
    full, reduced = long_time.full, long_time.reduced
    rows = [(f"{i + 1}", _exponent(full, i), _exponent(reduced, i)) for i in range(len(full.exponents))]
    rows.append(("sum", f"{sum(full.exponents):.4f}", f"{sum(reduced.exponents):.4f}"))
    rows.append(("Kaplan-Yorke dimension", number(full.kaplan_yorke_dimension), number(reduced.kaplan_yorke_dimension)))
    return rows


def _row(
    context: Context, group: str, name: str, model: Cell, part: str = "", cell: Callable[[Any], Cell] = Cell
) -> Row:
    """A row; `cell` makes the cell of a baseline from that part of its scores."""
    return Row(group, name, (model, *context.evaluation.baseline_cells(part, cell, Cell())))


def _reconstruction(context: Context) -> list[Row]:
    own, group = context.evaluation.reconstruction, "Reconstruction: decode(encode(x)) against x"
    rows = [_row(context, group, "nmse", _cell(own, "nmse"), "reconstruction", lambda part: _cell(part, "nmse"))]
    for key, name in _QUANTILES.items():
        cell = functools.partial(_relative_error, key)
        rows.append(_row(context, group, f"relative error, {name}", cell(own), "reconstruction", cell))
    return rows


def _prediction(context: Context) -> list[Row]:
    own = context.evaluation.rollout
    group = f"Prediction: time until the relative error exceeds {own.threshold:g}"
    units = [("valid_time", context.time_unit)]
    if context.time_scale_name:
        units.append(("valid_time_scaled", context.time_scale_name))
    rows = []
    for part, unit in units:
        for key, name in _SPREADS.items():
            cell = functools.partial(_valid, part, key)
            rows.append(_row(context, group, f"{name}, {unit}", cell(own), "rollout", cell))
    diverged = functools.partial(_named_cell, "diverged")
    return [*rows, _row(context, group, "diverged predictions", diverged(own), "rollout", diverged)]


def _metrics(context: Context) -> list[Row]:
    own, group, rows = context.evaluation.metrics, "Other scores, as studies define them", []
    for name, metric in context.metrics.items():
        if name in own and (name not in _SHOWN or metric in context.own_metrics):
            cell = functools.partial(_score, name, metric.summary)
            which = "" if metric.summary == "mean" else f", {metric.summary}"
            rows.append(_row(context, group, f"{metric.title or name}{which}", cell(own), "metrics", cell))
    return rows


def _statistics(context: Context) -> list[Row]:
    own = context.evaluation.statistics
    group = "Long-time statistics of the later halves: distance from those of the truth"
    rows = []
    for key, agreement in own.items():
        cell = functools.partial(_agreement, key)
        rows.append(_row(context, group, _name(key, agreement), cell(own), "statistics", cell))
    long_time = context.evaluation.long_time
    if long_time is not None:
        group = f"The same of {long_time.rollouts} rollouts of {number(long_time.duration)} {context.time_unit} each"
        rows.append(_row(context, group, "rollouts that left", _cell(long_time, "left")))
        rows += [_row(context, group, _name(k, part), _distance(part)) for k, part in long_time.statistics.items()]
    return rows


def _relative_error(name: str, reconstruction: ReconstructionScore) -> Cell:
    return _cell(reconstruction.relative_error, name)


def _valid(part: str, name: str, rollout: Rollout) -> Cell:
    return _cell(getattr(rollout, part), name)


def _named_cell(name: str, record: Any) -> Cell:
    return _cell(record, name)


def _score(name: str, summary: str, scores: Mapping[str, Score]) -> Cell:
    return _cell(scores.get(name), summary)


def _agreement(name: str, agreements: Mapping[str, Agreement]) -> Cell:
    return _distance(agreements.get(name))


def _name(key: str, agreement: Agreement) -> str:
    chance = "" if agreement.sampling_error is None else f" (chance alone: {number(agreement.sampling_error, 2)})"
    return f"{key.replace('_', ' ')}{chance}"


def _distance(agreement: Agreement | None) -> Cell:
    return Cell() if agreement is None else _pair(agreement.distance, agreement.interval)


def _cell(record: Any, name: str) -> Cell:
    if record is None:
        return Cell()
    interval = getattr(record, f"{name}_interval")
    if interval is None:
        return Cell(bounded(record, name))
    beyond = AT_LEAST * (f"{name}_interval" in getattr(record, "at_least", ()))
    return Cell(bounded(record, name), f"{number(interval[0])} to {beyond}{number(interval[1])}")


def _pair(value: float, interval: tuple[float, float] | None) -> Cell:
    return Cell(number(value), "" if interval is None else f"{number(interval[0])} to {number(interval[1])}")


def _exponent(spectrum: Exponents, i: int) -> str:
    return f"{spectrum.exponents[i]:.4f} ± {spectrum.error[i]:.4f}"
