"""The tables of the report: scores beside the baselines, with intervals, and Lyapunov exponents."""

from typing import Any, NamedTuple

from dynred.evaluation.records import Agreement, Exponents
from dynred.report.figures.base import Context
from dynred.report.summary import number

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
    model: Cell
    pod: Cell = Cell()
    linear: Cell = Cell()


def results(context: Context) -> list[Row]:
    """The table of scores: the model beside POD of the same dimension and linear dynamics of the same latents."""
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
            model, other = (_cell(getattr(scores, part) if scores else None, key) for scores in (own, linear))
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
    rows = [
        Row(group, _name(key, agreement), _distance(agreement), linear=_distance(linear.get(key)))
        for key, agreement in own.items()
    ]
    long_time = context.evaluation.long_time
    if long_time is not None:
        group = f"The same of {long_time.rollouts} rollouts of {number(long_time.duration)} {context.time_unit} each"
        rows.append(Row(group, "rollouts that left", _cell(long_time, "left")))
        rows += [
            Row(group, _name(key, agreement), _distance(agreement)) for key, agreement in long_time.statistics.items()
        ]
    return rows


def _name(key: str, agreement: Agreement) -> str:
    chance = "" if agreement.sampling_error is None else f" (chance alone: {number(agreement.sampling_error, 2)})"
    return f"{key.replace('_', ' ')}{chance}"


def _distance(agreement: Agreement | None) -> Cell:
    return Cell() if agreement is None else _pair(agreement.distance, agreement.interval)


def _cell(record: Any, name: str) -> Cell:
    return Cell() if record is None else _pair(getattr(record, name), getattr(record, f"{name}_interval"))


def _pair(value: float, interval: tuple[float, float] | None) -> Cell:
    if interval is None:
        return Cell(number(value))
    return Cell(number(value), f"{number(interval[0])} to {number(interval[1])}")


def _exponent(spectrum: Exponents, i: int) -> str:
    return f"{spectrum.exponents[i]:.4f} ± {spectrum.error[i]:.4f}"
