"""Scores a reduced model on trajectories that it has never seen, always beside two baselines."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from dynred.arguments import public
from dynred.checks import instance_of, positive, refuse, rows_of
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.evaluation.agreement import agreements
from dynred.evaluation.bootstrap import Resamples, proportion_interval
from dynred.evaluation.error_curve import error_curve
from dynred.evaluation.evaluation import Evaluation
from dynred.evaluation.records import (
    Cost,
    Coverage,
    LongTime,
    Quantiles,
    Reconstruction,
    Rollout,
    Score,
    Speedup,
    Spread,
)
from dynred.metrics.base import Metric, find_metrics, measured
from dynred.models.bands import Calibration, predict_band
from dynred.models.base import Model
from dynred.models.forecast import Forecast, forecast
from dynred.models.reduced import ReducedModel
from dynred.numerics.time_grids import count_until
from dynred.ode.grid import Grid
from dynred.ode.system import System
from dynred.reducers.pod import PODSpec
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
    if train is not None:
        rows_of("train", train.states, model.state_dim)
    predictions = forecast(model, checked_test(model, test))
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
) -> Evaluation:
    """The evaluation of predictions that `model` has already made; `evaluate` describes the other arguments.

    `long_time` is the result of `dynred.evaluation.long_time`, if it was asked for.
    """
    test = predictions.truth
    positive("threshold", threshold)
    if time_scale is not None:
        positive("time_scale", time_scale)
    unit = time_scale or (system.time_scale if system else float(model.about.get("time_scale", 1.0)))
    grid, resamples = system.grid if system else None, Resamples.of(len(test))
    all_metrics = find_metrics(metrics, threshold)
    baselines: dict[str, dict[str, Any]] = {}
    if train is not None:
        pod, linear = baseline_models(model, train)
        baselines["pod"] = {"reconstruction": _reconstruction(_reconstruction_only(pod, test), resamples)}
        baselines["linear"] = _dynamics_scores(forecast(linear, test), all_metrics, threshold, unit, grid, resamples)
    return Evaluation(
        system=str(model.about.get("system", "unnamed")),
        state_dim=model.state_dim,
        latent_dim=model.latent_space.dim,
        latent_space={"angles": model.latent_space.angles, "lines": model.latent_space.lines},
        seed=model.about.get("seed"),
        test={"trajectories": len(test), "snapshots": len(test.states)},
        reconstruction=_reconstruction(predictions, resamples),
        baselines=baselines,
        cost=replace(cost or Cost(), parameters=model.parameter_count),
        speedup=_speedup(model, test, system),
        long_time=long_time,
        band=coverage(model, calibration, test) if calibration else None,
        **_dynamics_scores(predictions, all_metrics, threshold, unit, grid, resamples),
    )


def baseline_models(model: Model, train: Trajectories) -> tuple[ReducedModel, Model]:
    """POD of the same dimension with linear dynamics, and the model's own coordinates with linear dynamics."""
    rng = generator(0, "baselines")  # neither fit draws from it
    pod = PODSpec(model.latent_space.dim).fit(train, train, rng=rng)
    latents = pod.latents(train)
    about = {name: value for name, value in model.about.items() if name != "domain"}  # a domain in other coordinates
    baseline = ReducedModel(pod, LinearSpec().fit(latents, latents, rng=rng), about)
    linear = model.spec.updated("dynamics", LinearSpec())
    return baseline, linear.fit_dynamics(model.coordinates, train, train[:1], rng=rng, about=model.about)


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
        band = predict_band(model.at(chosen.parameters), calibration, chosen.initial, t, level)
        parts.append((t.double().numpy(), members, band.holds(truth).reshape(len(chosen), -1).numpy()))
    if len(parts) == 1:
        return Coverage.of(level, parts[0][0].tolist(), parts[0][2])
    times, table = np.unique(np.concatenate([t for t, _, _ in parts])), [np.zeros(0)] * len(test)
    for own, members, holds in parts:
        for i, row in zip(members.tolist(), holds, strict=True):
            table[i] = np.interp(times, own, row, right=np.nan)
    return Coverage.of(level, times.tolist(), np.stack(table))


def by_trajectory(predictions: Forecast, metrics: Sequence[Metric]) -> dict[str, Float[np.ndarray, " N"]]:
    """Every metric's value for every trajectory, by the metric's name."""
    return {metric.name: measured(metric, predictions).numpy() for metric in metrics}


def checked_test(model: Model, test: Trajectories) -> Trajectories:
    """The test trajectories as they are; they are refused where the model cannot be scored on them."""
    instance_of("model", model, Model)
    instance_of("test", test, Trajectories)
    if test.dim != model.state_dim:
        raise refuse("test", f"states of {model.state_dim} values, like the model's", test.dim)
    if int(test.lengths.min()) < 2:
        raise refuse("test", "trajectories of at least 2 snapshots", f"one of {int(test.lengths.min())}")
    return test


def _reconstruction_only(model: Model, truth: Trajectories) -> Forecast:
    states = model.at(truth.row_parameters).reconstruct(truth.states)
    reconstructed = Trajectories(states, truth.t, truth.lengths)
    return Forecast(truth, reconstructed, reconstructed)


def _reconstruction(predictions: Forecast, resamples: Resamples) -> Reconstruction:
    truth, error = predictions.truth, predictions.reconstruction_error()
    lengths = truth.lengths.double().numpy()
    squares = torch.zeros(len(truth), dtype=error.dtype).index_add(0, truth.owner, error.pow(2)).numpy()
    quantiles = Quantiles.of(error.numpy(), truth.owner.numpy(), resamples)
    with np.errstate(invalid="ignore"):  # 0 times an infinite error, where a reconstruction is not finite
        interval = resamples.ratio_interval(squares, lengths)
    return Reconstruction(float(squares.sum() / lengths.sum()), quantiles, interval)


def _dynamics_scores(
    predictions: Forecast,
    metrics: Sequence[Metric],
    threshold: float,
    unit: float,
    grid: Grid | None,
    resamples: Resamples,
) -> dict[str, Any]:
    """The parts of an evaluation that score rollouts."""
    values = by_trajectory(predictions, metrics)
    scores = {
        metric.name: Score.of(values[metric.name], metric.higher_is_better, metric.unit, resamples)
        for metric in metrics
    }
    rollout = _rollout(predictions, values["valid_time"], threshold, unit, resamples)
    return {"rollout": rollout, "metrics": scores, "statistics": agreements(predictions, grid)}


def _rollout(
    predictions: Forecast, valid_time: Float[np.ndarray, " N"], threshold: float, unit: float, resamples: Resamples
) -> Rollout:
    valid, n = Spread.of(valid_time, resamples), len(predictions.truth)
    diverged = len(torch.unique(predictions.truth.owner[torch.isinf(predictions.rollout_error())]))
    low, high = proportion_interval(diverged, n)
    return Rollout(
        threshold, valid, valid.scaled(unit), diverged, error_curve(predictions, resamples), (low * n, high * n)
    )


def _speedup(model: Model, test: Trajectories, system: System | None) -> Speedup:
    grid, members = test.shared_grids()[0]
    chosen = test[members]
    span = float(grid[-1]) * len(chosen)
    model = model.at(chosen.parameters)
    reduced = _seconds(lambda: model.predict(chosen.initial, grid)) / span
    if system is None:
        return Speedup(None, reduced, None)
    values, rng = chosen.parameters, generator(0, "speed-up")
    start = chosen.initial
    if system.observation is not None:  # an observation need not tell the state; other states on K cost the same
        start = simulate(system.underlying, len(chosen), torch.zeros(1), parameters=values, rng=rng).states
    full = _seconds(lambda: simulate(system, times=grid, initial=start, parameters=values, rng=rng))
    return Speedup(full / span, reduced, full / span / reduced)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
