"""Evaluations as tables of pandas and xarray."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from dynred.checks import literal, nearest, refuse
from dynred.evaluation.evaluation import Evaluation
from dynred.evaluation.records import ReconstructionScore, Rollout
from dynred.evaluation.spreads import Quantiles, Score, Spread
from dynred.metrics.base import find_metrics

if TYPE_CHECKING:
    import xarray

OVER_TRAJECTORIES = ("median", "mean", "worst")
Numbers = dict[str, tuple[float, tuple[float, float] | None]]


def to_pandas(evaluation: Evaluation) -> pd.DataFrame:
    """The scores as numbers: a row for each, a column for the model and every baseline, NaN where one lacks it; `low`
    and `high` are the model's 95 % interval."""
    scores = {"model": _numbers(evaluation.reconstruction, evaluation.rollout, evaluation.metrics)}
    for name, parts in evaluation.baselines.items():
        scores[name] = _numbers(parts.get("reconstruction"), parts.get("rollout"), parts.get("metrics", {}))
    frame = pd.DataFrame({name: {key: value for key, (value, _) in rows.items()} for name, rows in scores.items()})
    ends = {key: interval for key, (_, interval) in scores["model"].items() if interval is not None}
    frame.insert(1, "low", pd.Series({key: low for key, (low, _) in ends.items()}, dtype=float))
    frame.insert(2, "high", pd.Series({key: high for key, (_, high) in ends.items()}, dtype=float))
    return frame.reindex(list(scores["model"])).rename_axis("score")


def scores(evaluation: Evaluation) -> dict[str, float]:
    """The scores of the model by name, e.g. `nmse`, `valid_time.median`; those of `to_pandas`."""
    numbers = _numbers(evaluation.reconstruction, evaluation.rollout, evaluation.metrics)
    return {name: value for name, (value, _) in numbers.items()}


def score_names() -> list[str]:
    """The names of all scores that `scores` can give."""
    spreads = [f"{name}.{key}" for name in ("valid_time", "valid_time_scaled") for key in Spread.NAMES]
    names = [metric.name for metric in find_metrics() if metric.name != "valid_time"]
    metrics = [f"{name}.{key}" for name in names for key in OVER_TRAJECTORIES]
    return ["nmse", *(f"relative_error.{key}" for key in Quantiles.NAMES), *spreads, "diverged", *metrics]


def score_named(argument: str, value: object, known: Iterable[str]) -> None:
    """Refuses the name of a score that is none of `known`; these are too many to be listed.

    Raises:
        InputError: the message suggests the nearest.
    """
    if value not in (names := list(known)):
        advice = nearest(str(value), names)
        raise refuse(argument, "the name of a score, e.g. nmse or valid_time.median", literal(value), advice)


def to_xarray(evaluation: Evaluation) -> "xarray.Dataset":
    """The errors of rollouts over the time since the start: `median`, `mean` and `p90` over trajectories, the median's
    interval `low` to `high`, and the shares `reconstruction` and `dynamics`."""
    curve = evaluation.rollout.error
    columns = {name: values for name, values in vars(curve).items() if values is not None and name != "t"}
    dataset: xarray.Dataset = pd.DataFrame(columns, index=pd.Index(curve.t, name="t")).to_xarray()
    return dataset


def _numbers(
    reconstruction: ReconstructionScore | None, rollout: Rollout | None, metrics: Mapping[str, Score]
) -> Numbers:
    """Every score by its path in evaluation.json, with its interval where it has one."""
    numbers: Numbers = {}
    if reconstruction is not None:
        numbers |= {"nmse": (reconstruction.nmse, reconstruction.nmse_interval)}
        numbers |= _spread("relative_error", reconstruction.relative_error, reconstruction.relative_error.NAMES)
    if rollout is not None:
        numbers |= _spread("valid_time", rollout.valid_time, rollout.valid_time.NAMES)
        if rollout.valid_time_scaled is not None:
            numbers |= _spread("valid_time_scaled", rollout.valid_time_scaled, rollout.valid_time.NAMES)
        numbers |= {"diverged": (float(rollout.diverged), rollout.diverged_interval)}
    for name, score in metrics.items():
        numbers |= _spread(name, score, OVER_TRAJECTORIES) if name != "valid_time" else {}
    return numbers


def _spread(name: str, record: Any, names: tuple[str, ...]) -> Numbers:
    return {f"{name}.{key}": (getattr(record, key), getattr(record, f"{key}_interval")) for key in names}
