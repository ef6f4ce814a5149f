"""The tables of the report: scores beside the baselines, with intervals, and Lyapunov exponents."""

from typing import Any, NamedTuple

from dynred.evaluation.records import Agreement, Exponents
from dynred.report.figures.base import Context
from dynred.report.summary import number

_QUANTILES = {"median": "median", "p95": "95 % quantile", "p99": "99 % quantile", "max": "maximum"}
_SPREADS = {"median": "median", "mean": "mean", "p10": "10 % quantile"}
# These stand in other rows already.
_SHOWN = {"valid_time", "reconstruction_nmse", "divergence_time"}


class Cell(NamedTuple):
    """A number as text, and its interval."""

    value: str = ""
    interval: str = ""


class Row(NamedTuple):
    """A row of the table of results; `group` is a heading above the first row that has it."""

    group: str
    name: str
    model: Cell
    pod: Cell = Cell()
    linear: Cell = Cell()


def results(context: Context) -> list[Row]:
    """The table of scores: the model beside POD of the same dimension and linear dynamics of the same latents."""
    return [*_reconstruction(context), *_prediction(context), *_metrics(context), *_statistics(context)]


def exponents(context: Context) -> list[tuple[str, str, str]]:
    """Number, full and reduced model: every Lyapunov exponent with its standard error, their sum, and the dimension."""
    found = context.evaluation.long_time
    if found is None or found.full is None or found.reduced is None:
        return []
    full, reduced = found.full, found.reduced
    rows = [(f"{i + 1}", _exponent(full, i), _exponent(reduced, i)) for i in range(len(full.exponents))]
    rows.append(("sum", f"{sum(full.exponents):.4f}", f"{sum(reduced.exponents):.4f}"))
    rows.append(("Kaplan-Yorke dimension", number(full.kaplan_yorke_dimension), number(reduced.kaplan_yorke_dimension)))
    return rows


def _reconstruction(context: Context) -> list[Row]:
    own, pod = context.evaluation.reconstruction, context.pod
    group = "Reconstruction: decode(encode(x)) against x"
    rows = [Row(group, "nmse", _cell(own, "nmse"), _cell(pod, "nmse"))]
    for key, name in _QUANTILES.items():
        model, other = (_cell(part.relative_error if part else None, key) for part in (own, pod))
        rows.append(Row(group, f"relative error, {name}", model, other))
    return rows


def _prediction(context: Context) -> list[Row]:
    own, linear = context.evaluation.rollout, context.linear
    group = f"Prediction: time until the relative error exceeds {own.threshold:g}"
    units = [("valid_time", context.time_unit)]
    if context.time_scale_name:
        units.append(("valid_time_scaled", context.time_scale_name))
    rows = []
    for part, unit in units:
        for key, name in _SPREADS.items():
            model, other = (_cell(getattr(one, part) if one else None, key) for one in (own, linear))
            rows.append(Row(group, f"{name}, {unit}", model, linear=other))
    return [*rows, Row(group, "diverged predictions", _cell(own, "diverged"), linear=_cell(linear, "diverged"))]


def _metrics(context: Context) -> list[Row]:
    own, linear = context.evaluation.metrics, context.evaluation.baselines.get("linear", {}).get("metrics", {})
    group, rows = "Other scores, as studies define them", []
    for name, metric in context.metrics.items():
        if name in own and (name not in _SHOWN or metric in context.own_metrics):
            model, other = (_cell(part.get(name), metric.summary) for part in (own, linear))
            which = "" if metric.summary == "mean" else f", {metric.summary}"
            rows.append(Row(group, f"{metric.title or name}{which}", model, linear=other))
    return rows


def _statistics(context: Context) -> list[Row]:
    own, linear = context.evaluation.statistics, context.evaluation.baselines.get("linear", {}).get("statistics", {})
    group = "Long-time statistics of the later halves: distance from those of the truth"
    rows = [Row(group, _name(key, one), _distance(one), linear=_distance(linear.get(key))) for key, one in own.items()]
    long = context.evaluation.long_time
    if long is not None:
        group = f"The same of {long.rollouts} rollouts of {number(long.duration)} {context.time_unit} each"
        rows.append(Row(group, "rollouts that left", _cell(long, "left")))
        rows += [Row(group, _name(key, one), _distance(one)) for key, one in long.statistics.items()]
    return rows


def _name(key: str, found: Agreement) -> str:
    chance = "" if found.sampling_error is None else f" (chance alone: {number(found.sampling_error, 2)})"
    return f"{key.replace('_', ' ')}{chance}"


def _distance(found: Agreement | None) -> Cell:
    return Cell() if found is None else _pair(found.distance, found.interval)


def _cell(record: Any, name: str) -> Cell:
    return Cell() if record is None else _pair(getattr(record, name), getattr(record, f"{name}_interval"))


def _pair(value: float, interval: tuple[float, float] | None) -> Cell:
    if interval is None:
        return Cell(number(value))
    return Cell(number(value), f"{number(interval[0])} to {number(interval[1])}")


def _exponent(found: Exponents, i: int) -> str:
    return f"{found.exponents[i]:.4f} ± {found.error[i]:.4f}"
