"""Scores a reduced model on a test, always beside baselines."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from dynred.arguments import public
from dynred.checks import instance_of, positive, refuse, rows_of
from dynred.data.grid import Grid
from dynred.data.parameters import cut
from dynred.data.split import HeldOut
from dynred.data.trajectories import Trajectories
from dynred.evaluation.agreement import agreements
from dynred.evaluation.baselines import DMD, LINEAR, POD, baseline_forecasts
from dynred.evaluation.closing import closing
from dynred.evaluation.error_curve import error_curve
from dynred.evaluation.evaluation import Evaluation
from dynred.evaluation.findings import find
from dynred.evaluation.held_out_test import HeldOutTest
from dynred.evaluation.intervals import FEWEST, proportion_interval, ratio_interval
from dynred.evaluation.records import (
    Agreement,
    Cost,
    Coverage,
    LongTime,
    ReconstructionScore,
    Rollout,
    Speedup,
)
from dynred.evaluation.spreads import Quantiles, Score, Spread
from dynred.evaluation.variable_errors import variable_errors
from dynred.geometry.two_valued import two_valued
from dynred.metrics.base import Metric, cut_off, find_metrics, first_time, measured, never
from dynred.models.bands import Calibration, predict_band
from dynred.models.base import Model
from dynred.models.forecast import Forecast, forecast_to_score
from dynred.numerics.time_grids import count_until
from dynred.ode.autonomy import time_words
from dynred.ode.system import UNNAMED_SCALE, System
from dynred.rng import generator
from dynred.simulation.simulate import simulate


@public
def evaluate(
    model: Model,
    test: Trajectories,
    *,
    train: Trajectories | None = None,
    system: System | None = None,
    threshold: float = 0.5,
    time_scale: float | None = None,
    cost: Cost | None = None,
    calibration: Calibration | None = None,
    metrics: Sequence[Metric | str] = (),
) -> Evaluation:
    """Scores a model on test trajectories, each predicted from its first state.

    Args:
        model: the model.
        test: trajectories that training never saw, on the attracting set.
        train: the training trajectories, for the baselines; without them no baseline is scored.
        system: the full model, for the speed-up; without it no speed-up is measured.
        threshold: rollout error above which a prediction is lost, in units of the root mean square distance from the
            mean.
        time_scale: unit of `valid_time_scaled`, in time units; default: the system's, else the one the model knows.
        cost: what it took to make the model.
        calibration: a calibration of bands on other trajectories (`dynred.models.bands.calibrate`); the band is then
            scored as well.
        metrics: the user's own metrics, or their names, e.g. `path/to/mine.py`, to score beside dynred's. A metric of
            dynred gives way to one of the user's with the same name.

    Raises:
        InputError: the states have another width than the model's, a trajectory has only one snapshot, a metric fails,
            or an entry of `metrics` is no metric.
    """
    if isinstance(model, Model) and isinstance(test, Trajectories):
        model = model.for_states(test.dim)
    if train is not None:
        rows_of("train", train.states, model.state_dim)
        train = model.prepared(train)
    predictions = forecast_to_score(model, model.prepared(checked_test(model, test)))
    return score(
        predictions, model, train, system, threshold, time_scale, cost, calibration=calibration, metrics=metrics
    )


def score(
    predictions: Forecast,
    model: Model,
    train: Trajectories | None = None,
    system: System | None = None,
    threshold: float = 0.5,
    time_scale: float | None = None,
    cost: Cost | None = None,
    long_time: LongTime | None = None,
    calibration: Calibration | None = None,
    metrics: Sequence[Metric | str] = (),
    held_out: HeldOut | None = None,
    notes: Sequence[str] = (),
) -> Evaluation:
    """The evaluation of predictions that `model` has already made; `evaluate` describes the other arguments.

    The predictions are those of `forecast_to_score`, and `train` is prepared for the model. What transforms leave of
    them is no state of the system, so that no speed-up is measured then.
    `long_time` is the result of `dynred.evaluation.long_time`, if it was asked for; `held_out` says what the test is;
    `notes` are sentences on data that could not be used.
    """
    test, outer, model = predictions.core.truth, model, model.core
    system = None if outer.transforms else system
    positive("threshold", threshold)
    if time_scale is not None:
        positive("time_scale", time_scale)
    held_out = held_out or HeldOut()
    scorer = _Scorer(
        metrics=find_metrics(metrics, threshold),
        threshold=threshold,
        unit=time_scale or _time_scale(model, system),
        grid=system.grid if system else None,
        independent=held_out.independent,
        present=outer.present,
    )
    scores = {} if train is None else scorer.baselines(baseline_forecasts(model, train, test), predictions.largest)
    evaluation = Evaluation(
        system=str(model.about.get("system", "unnamed")),
        state_dim=(outer if outer.past == 1 else model).state_dim,  # delays are more than a state
        latent_dim=model.latent_space.dim,
        latent_space={"angles": model.latent_space.angles, "lines": model.latent_space.lines},
        seed=model.about.get("seed"),
        test=HeldOutTest.of(test, held_out, str(model.about.get("time_unit", "time units"))),
        reconstruction=scorer.reconstruction(predictions),
        baselines=scores,
        cost=replace(cost or Cost(), parameters=model.parameter_count),
        speedup=_speedup(model, test, system),
        long_time=long_time,
        band=coverage(model, calibration, test) if calibration else None,
        rollout=scorer.rollout(predictions),
        metrics=scorer.scores(predictions, ("predictions", "reconstructions")),
        statistics=scorer.statistics(predictions),
        variables=variable_errors(outer, predictions),
    )
    alone = train is not None and train.velocities is not None and train.inputs is None  # what states could determine
    if train is not None and alone and not _determined(model, train, system):
        evaluation = replace(evaluation, two_valued=two_valued(train))
    evaluation = replace(evaluation, findings=find(evaluation, model, predictions, train, system, notes))
    return replace(evaluation, closing=closing(evaluation, {**model.about, "time_step": model.time_step}))


def _determined(model: Model, train: Trajectories, system: System | None) -> bool:
    """Whether states determine their velocities for certain: whole states of an autonomous system at one set of
    parameters. Of few states in many dimensions a test may say that they do not."""
    if system is None or system.observation is not None or time_words(model.about):
        return False
    return not any((values != values[0]).any() for values in train.parameters.values())


@dataclass(frozen=True)
class _Scorer:
    """Scores forecasts of one test in one way.

    Attributes:
        metrics: the metrics.
        threshold: rollout error above which a prediction is lost.
        unit: the time scale; None where none is known.
        grid: for fields, how a state is laid out in space.
        independent: whether the test trajectories are independent of each other.
        present: makes the states that are scored of those that the model encodes.
    """

    metrics: Sequence[Metric]
    threshold: float
    unit: float | None
    grid: Grid | None
    independent: bool
    present: Callable[[Trajectories], Trajectories] = lambda trajectories: trajectories

    def baselines(
        self, forecasts: Iterable[tuple[str, Forecast]], largest: tuple[float, ...]
    ) -> dict[str, dict[str, Any]]:
        """The scores of the baselines, each of what it does."""
        scores: dict[str, dict[str, Any]] = {}
        for name, prediction in forecasts:
            prediction = replace(prediction.moved(self.present), largest=largest)
            if name == POD:
                parts = {"reconstruction": self.reconstruction(prediction)}
                scores[name] = {**parts, "metrics": self.scores(prediction, ("reconstructions",))}
                continue
            scores[name] = {"rollout": self.rollout(prediction), "metrics": self.scores(prediction, ("predictions",))}
            if name in (LINEAR, DMD):  # a state that never changes has no statistics
                scores[name]["statistics"] = self.statistics(prediction)
        return scores

    def statistics(self, predictions: Forecast) -> dict[str, Agreement]:
        """How far the long-time statistics are from those of the truth."""
        return agreements(predictions, self.grid, independent=self.independent)

    def scores(self, predictions: Forecast, measures: Sequence[str]) -> dict[str, Score]:
        """The scores of every metric that measures one of these, by its name."""
        scores = {}
        for metric in self.metrics:
            if metric.measures in measures:
                values, censored = measured(metric, predictions), cut_off(metric, predictions)
                scores[metric.name] = Score.of(
                    values.numpy(), metric.higher_is_better, metric.unit, censored.numpy(), independent=self.independent
                )
        return scores

    def reconstruction(self, predictions: Forecast) -> ReconstructionScore:
        """The errors of encoder and decoder."""
        truth, error = predictions.truth, predictions.reconstruction_error()
        lengths = truth.lengths.double().numpy()
        squares = torch.zeros(len(truth), dtype=error.dtype).index_add(0, truth.owner, error.pow(2)).numpy()
        quantiles = Quantiles.of(error.numpy(), truth.owner.numpy(), independent=self.independent)
        interval = ratio_interval(squares, lengths) if self.independent else None
        return ReconstructionScore(float(squares.sum() / lengths.sum()), quantiles, interval)

    def rollout(self, predictions: Forecast) -> Rollout:
        """The errors of rollouts."""
        metric, n = next(metric for metric in self.metrics if metric.name == "valid_time"), len(predictions.truth)
        times, censored = measured(metric, predictions).numpy(), cut_off(metric, predictions).numpy()
        valid = Spread.of(times, censored, independent=self.independent)
        lost = predictions.reconstruction_error() > self.threshold
        exact = first_time(lost, predictions).numpy(), never(lost, predictions).numpy()
        diverged = len(torch.unique(predictions.truth.owner[torch.isinf(predictions.rollout_error())]))
        low, high = proportion_interval(diverged, n)
        return Rollout(
            threshold=self.threshold,
            valid_time=valid,
            valid_time_scaled=None if self.unit is None else valid.scaled(self.unit),
            diverged=diverged,
            error=error_curve(predictions, independent=self.independent),
            diverged_interval=(low * n, high * n) if self.independent and n >= FEWEST else None,
            exact_dynamics=Spread.of(*exact, independent=self.independent),
        )


def _time_scale(model: Model, system: System | None) -> float | None:
    """The time scale of the system, else the one that the model knows; None where nobody has given one."""
    about = model.about
    scale = about.get("time_scale") if system is None else system.time_scale
    name = about.get("time_scale_name", UNNAMED_SCALE) if system is None else system.time_scale_name
    return None if scale is None or (scale == 1 and name == UNNAMED_SCALE) else float(scale)


def coverage(model: Model, calibration: Calibration, test: Trajectories, level: float = 0.9) -> Coverage:
    """How often the band of a level holds the test trajectories, as far ahead as the band was calibrated.

    Trajectories on one time grid are not interpolated. Others are interpolated linearly to the union of all times, each
    as long as it lasts.
    """
    parts = []
    for grid, members in test.shared_grids():
        chosen = test[members]
        t = grid[: count_until(chosen.times(0), calibration.lead[-1])]
        truth = Trajectories.from_stacked(chosen.stacked()[:, : len(t)], t)
        band = predict_band(model.at(chosen.given), calibration, chosen.initial, t, level)
        parts.append((t.double().numpy(), members, band.holds(truth).reshape(len(chosen), -1).numpy()))
    if len(parts) == 1:
        return Coverage.of(level, parts[0][0].tolist(), parts[0][2])
    times, table = np.unique(np.concatenate([t for t, _, _ in parts])), [np.zeros(0)] * len(test)
    for own, members, holds in parts:
        for i, row in zip(members.tolist(), holds, strict=True):
            table[i] = np.interp(times, own, row, right=np.nan)
    return Coverage.of(level, times.tolist(), np.stack(table))


def checked_test(model: Model, test: Trajectories) -> Trajectories:
    """The test trajectories as they are; they are refused where the model cannot be scored on them."""
    instance_of("model", model, Model)
    instance_of("test", test, Trajectories)
    if test.dim != model.state_dim:
        raise refuse("test", f"states of {model.state_dim} values, like the model's", test.dim)
    if int(test.lengths.min()) < 2:
        raise refuse("test", "trajectories of at least 2 snapshots", f"one of {int(test.lengths.min())}")
    return test


def _speedup(model: Model, test: Trajectories, system: System | None) -> Speedup:
    grid, members = test.shared_grids()[0]
    chosen = test[members]
    duration, batch = float(grid[-1] - grid[0]), len(chosen)
    span = duration * batch
    model, first = model.at(chosen.given), slice(0, 1)
    reduced = _seconds(lambda: model.predict(chosen.initial, grid)) / span
    alone_model = model.rows(first)
    alone_model.predict(chosen.initial[first], grid)  # loops get ready first, as those for batches did for the scores
    alone = _seconds(lambda: alone_model.predict(chosen.initial[first], grid))
    if system is None:
        return Speedup(None, reduced, None, batch, duration, None, alone)
    values, rng = chosen.parameters, generator(0, "speed-up")
    start = chosen.initial
    if system.observation is not None:  # an observation need not tell the state; other states on K cost the same
        start = simulate(system.underlying, len(chosen), torch.zeros(1), parameters=values, rng=rng).states
    driving = {name: value for name, value in chosen.given.items() if name in system.underlying.inputs}
    inputs = driving or None
    full = _seconds(lambda: simulate(system, times=grid, initial=start, parameters=values, inputs=inputs, rng=rng))
    single = {name: value[first] for name, value in values.items()}
    own = cut(driving, first) or None
    full_alone = _seconds(
        lambda: simulate(system, times=grid, initial=start[first], parameters=single, inputs=own, rng=rng)
    )
    return Speedup(full / span, reduced, full / span / reduced, batch, duration, full_alone, alone)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
