"""Scoring a reduced model on trajectories that it has never seen, always beside two baselines."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dynred.checks import refuse
from dynred.dynamics.linear import LinearSpec
from dynred.errors import FileFormatError
from dynred.forecast import Forecast, forecast
from dynred.metrics.base import Metric
from dynred.metrics.reconstruction_nmse import ReconstructionNMSE
from dynred.metrics.valid_time import ValidTime
from dynred.model import Model, ReducedModel
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulate import simulate
from dynred.system import System
from dynred.trajectories import Trajectories

SCHEMA = 1


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of an error over snapshots."""

    median: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Tensor) -> "Quantiles":
        """The quantiles of a sample."""
        v = values.double().numpy()
        return cls(*(float(q) for q in np.quantile(v, [0.5, 0.95, 0.99, 1.0])))


@dataclass(frozen=True)
class Spread:
    """Middle and lower end of a score over trajectories."""

    median: float
    mean: float
    p10: float

    @classmethod
    def of(cls, values: Tensor) -> "Spread":
        """The spread of a sample."""
        v = values.double().numpy()
        return cls(float(np.median(v)), float(np.mean(v)), float(np.quantile(v, 0.1)))


@dataclass(frozen=True)
class Reconstruction:
    """Error of decode(encode(x)).

    Attributes:
        nmse: mean |x^ - x|^2 / mean |x - mean x|^2 over test snapshots.
        relative_error: quantiles of |x^ - x| / sqrt(mean |x - mean x|^2) over test snapshots.
    """

    nmse: float
    relative_error: Quantiles


@dataclass(frozen=True)
class ErrorCurve:
    """Rollout error over time since the start: quantiles over trajectories; infinite where predictions diverged."""

    t: list[float]
    median: list[float]
    mean: list[float]
    p90: list[float]


@dataclass(frozen=True)
class Rollout:
    """Error of predictions from the first state of every test trajectory.

    Attributes:
        threshold: what counts as lost, in units of sqrt(mean |x - mean x|^2).
        valid_time: time until it is exceeded, in time units.
        valid_time_scaled: the same in units of the system's time scale.
        diverged: number of trajectories whose prediction stopped being finite.
        error: the error over time.
    """

    threshold: float
    valid_time: Spread
    valid_time_scaled: Spread
    diverged: int
    error: ErrorCurve


@dataclass(frozen=True)
class Cost:
    """What making the model took; None where it was not measured.

    Attributes:
        simulate_s, reducer_s, dynamics_s, evaluate_s: wall-clock seconds.
        peak_memory_mb: largest resident memory of the process so far, in MiB.
        parameters: number of trainable numbers of the model.
    """

    simulate_s: float | None = None
    reducer_s: float | None = None
    dynamics_s: float | None = None
    evaluate_s: float | None = None
    peak_memory_mb: float | None = None
    parameters: int | None = None


@dataclass(frozen=True)
class Speedup:
    """Seconds per time unit and trajectory, both measured in a batch of the test's size; None without an equation."""

    full_s_per_time_unit: float | None
    reduced_s_per_time_unit: float
    ratio: float | None


@dataclass(frozen=True)
class Evaluation:
    """The scores of one model; `to_dict` is the stable content of evaluation.json.

    Attributes:
        system: name of the system or data.
        state_dim, latent_dim: D and R.
        latent_space: {"angles": int, "lines": int}.
        seed: of the experiment; None where unknown.
        test: {"trajectories": int, "snapshots": int}.
        reconstruction, rollout: errors of the model.
        baselines: by name, the part of the scores that the baseline is for: `pod` of the same dimension
            {"reconstruction"}, `linear` dynamics of the same latents {"rollout"}. Empty without training data.
        cost, speedup: see there.
    """

    system: str
    state_dim: int
    latent_dim: int
    latent_space: Mapping[str, int]
    seed: int | None
    test: Mapping[str, int]
    reconstruction: Reconstruction
    rollout: Rollout
    baselines: Mapping[str, Mapping[str, Reconstruction | Rollout]]
    cost: Cost
    speedup: Speedup

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; numbers that are not finite become None."""
        found = {"schema": SCHEMA, **_finite(asdict(replace(self, baselines={})))}
        found["baselines"] = {k: {p: _finite(asdict(s)) for p, s in v.items()} for k, v in self.baselines.items()}
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Evaluation":
        """The inverse of `to_dict`.

        Raises:
            FileFormatError: not an evaluation, or of a newer schema.
        """
        if not isinstance(data.get("schema"), int) or data["schema"] > SCHEMA:
            found = data.get("schema")
            raise FileFormatError(f"An evaluation must be of schema {SCHEMA} or older, got {found}.")
        try:
            fields = {key: value for key, value in data.items() if key != "schema"}
            fields["reconstruction"] = _reconstruction_from(data["reconstruction"])
            fields["rollout"] = _rollout_from(data["rollout"])
            fields["baselines"] = {
                name: {key: _SCORES[key](value) for key, value in parts.items()}
                for name, parts in data["baselines"].items()
            }
            fields["cost"], fields["speedup"] = Cost(**data["cost"]), Speedup(**data["speedup"])
            return cls(**fields)
        except (KeyError, TypeError) as error:
            raise FileFormatError(f"The evaluation is incomplete: {error}.") from error

    def rows(self) -> list[tuple[str, str, str, str]]:
        """The table (quantity, model, POD, linear dynamics), as text."""
        pod = self.baselines.get("pod", {}).get("reconstruction")
        linear = self.baselines.get("linear", {}).get("rollout")
        rows = [("reconstruction nmse", f"{self.reconstruction.nmse:.3g}", f"{pod.nmse:.3g}" if pod else "", "")]  # type: ignore[union-attr]
        rows += [
            (f"relative error, {name}", f"{value:.3g}", f"{getattr(pod.relative_error, name):.3g}" if pod else "", "")  # type: ignore[union-attr]
            for name, value in asdict(self.reconstruction.relative_error).items()
        ]
        for unit, part in (("time units", "valid_time"), ("time scales", "valid_time_scaled")):
            rows += [
                (
                    f"valid time ({self.rollout.threshold:g}), {name}, {unit}",
                    f"{value:.4g}",
                    "",
                    f"{getattr(getattr(linear, part), name):.4g}" if linear else "",
                )
                for name, value in asdict(getattr(self.rollout, part)).items()
            ]
        rows.append(("diverged rollouts", f"{self.rollout.diverged}", "", f"{linear.diverged}" if linear else ""))  # type: ignore[union-attr]
        rows += [(name, f"{value:.4g}", "", "") for name, value in asdict(self.cost).items() if value is not None]
        if self.speedup.ratio is not None:
            rows.append(("speed-up over the full model", f"{self.speedup.ratio:.3g}", "", ""))
        return rows

    def __str__(self) -> str:
        head = ("", "model", f"POD {self.latent_dim}", "linear dynamics")
        test = f"{self.test['trajectories']} test trajectories, {self.test['snapshots']} snapshots"
        lines = [f"{self.system}: {self.state_dim} -> {self.latent_dim}, {test}"]
        lines += [f"{a:40s} {b:>12s} {c:>12s} {d:>16s}" for a, b, c, d in [head, *self.rows()]]
        return "\n".join(lines)


def evaluate(
    model: Model,
    test: Trajectories,
    *,
    train: Trajectories | None = None,
    system: System | None = None,
    threshold: float = 0.5,
    time_scale: float | None = None,
    cost: Cost | None = None,
) -> Evaluation:
    """Scores a model on test trajectories, each predicted from its first state.

    Args:
        model: the model.
        test: trajectories that training never saw, on the attracting set.
        train: the training trajectories, for the baselines; without them there are none.
        system: the full model, for the speed-up; without it there is none.
        threshold: rollout error that counts as lost, in units of the root mean square distance from the mean.
        time_scale: unit of `valid_time_scaled`, in time units; default: the system's, else the one the model knows.
        cost: what making the model took.

    Raises:
        InputError: the states have another width than the model's, or only one snapshot per trajectory.
    """
    return score(forecast(model, _checked(model, test)), model, train, system, threshold, time_scale, cost)


def score(
    found: Forecast,
    model: Model,
    train: Trajectories | None = None,
    system: System | None = None,
    threshold: float = 0.5,
    time_scale: float | None = None,
    cost: Cost | None = None,
) -> Evaluation:
    """The evaluation of a forecast that was already made by `model`; arguments as for `evaluate`."""
    test = found.truth
    unit = time_scale or (system.time_scale if system else float(model.about.get("time_scale", 1.0)))
    baselines: dict[str, dict[str, Reconstruction | Rollout]] = {}
    if train is not None:
        pod, linear = baseline_models(model, train)
        baselines["pod"] = {"reconstruction": _reconstruction(_reconstruction_only(pod, test))}
        baselines["linear"] = {"rollout": _rollout(forecast(linear, test), threshold, unit)}
    return Evaluation(
        system=str(model.about.get("system", "unnamed")),
        state_dim=model.state_dim,
        latent_dim=model.latent_space.dim,
        latent_space={"angles": model.latent_space.angles, "lines": model.latent_space.lines},
        seed=model.about.get("seed"),
        test={"trajectories": len(test), "snapshots": len(test.states)},
        reconstruction=_reconstruction(found),
        rollout=_rollout(found, threshold, unit),
        baselines=baselines,
        cost=replace(cost or Cost(), parameters=model.parameter_count),
        speedup=_speedup(model, test, system),
    )


def baseline_models(model: Model, train: Trajectories) -> tuple[ReducedModel, Model]:
    """POD of the same dimension with linear dynamics, and the model's own coordinates with linear dynamics."""
    rng = generator(0, "baselines")  # neither draws from it
    pod = PODSpec(model.latent_space.dim).fit(train, train, rng=rng)
    latents = train.map(pod.encode)
    first = ReducedModel(pod, LinearSpec().fit(latents, latents, rng=rng), model.about)
    return first, model.with_dynamics(LinearSpec(), train, train[:1], rng=rng)


def by_trajectory(found: Forecast, metrics: Sequence[Metric]) -> dict[str, list[float]]:
    """Every metric's value for every trajectory, by the metric's class name."""
    return {type(metric).__name__: metric(found).tolist() for metric in metrics}


def _checked(model: Model, test: Trajectories) -> Trajectories:
    if test.dim != model.state_dim:
        raise refuse("test", f"states of {model.state_dim} values, like the model's", test.dim)
    if int(test.lengths.min()) < 2:
        raise refuse("test", "trajectories of at least 2 snapshots", f"one of {int(test.lengths.min())}")
    return test


def _reconstruction_only(model: Model, truth: Trajectories) -> Forecast:
    reconstructed = Trajectories(model.reconstruct(truth.states), truth.t, truth.lengths)
    return Forecast(truth, reconstructed, reconstructed)


def _reconstruction(found: Forecast) -> Reconstruction:
    per_trajectory = ReconstructionNMSE()(found)
    nmse = float((per_trajectory * found.truth.lengths).sum() / found.truth.lengths.sum())
    return Reconstruction(nmse, Quantiles.of(found.reconstruction_error()))


def _rollout(found: Forecast, threshold: float, unit: float) -> Rollout:
    valid = ValidTime(threshold)(found)
    gone = torch.isinf(found.rollout_error())
    diverged = len(torch.unique(found.truth.owner[gone]))
    return Rollout(threshold, Spread.of(valid), Spread.of(valid / unit), diverged, error_curve(found))


def error_curve(found: Forecast) -> ErrorCurve:
    """Rollout error over the time since the start, for trajectories of any times.

    Trajectories on one grid are taken as they are; others are interpolated linearly to the union of all times up to
    the end of the shortest.
    """
    error, elapsed = found.rollout_error(), found.elapsed
    grids = found.truth.shared_grids()
    if len(grids) == 1:
        t, table = grids[0][0].double().numpy(), error.reshape(len(found.truth), -1).numpy()
    else:
        ends = [float(grid[-1]) for grid, _ in grids]
        t = np.unique(np.concatenate([grid.double().numpy() for grid, _ in grids]))
        t = t[t <= min(ends)]
        pieces = zip(found.truth.starts.tolist(), found.truth.lengths.tolist(), strict=True)
        table = np.stack([np.interp(t, elapsed[s : s + n], error[s : s + n]) for s, n in pieces])
    with np.errstate(invalid="ignore"):
        median, p90 = (np.quantile(table, q, axis=0, method="higher") for q in (0.5, 0.9))
    return ErrorCurve(t.tolist(), median.tolist(), table.mean(0).tolist(), p90.tolist())


def _speedup(model: Model, test: Trajectories, system: System | None) -> Speedup:
    grid, members = test.shared_grids()[0]
    chosen = test[members]
    span = float(grid[-1]) * len(chosen)
    reduced = _seconds(lambda: model.predict(chosen.initial, grid, chosen.parameters)) / span
    if system is None:
        return Speedup(None, reduced, None)
    values, rng = chosen.parameters, generator(0, "speed-up")
    start = chosen.initial
    if system.observation is not None:  # what is seen of a state need not tell the state: others on K cost the same
        start = simulate(system.underlying, len(chosen), torch.zeros(1), parameters=values, rng=rng).states
    full = _seconds(lambda: simulate(system, times=grid, initial=start, parameters=values, rng=rng))
    return Speedup(full / span, reduced, full / span / reduced)


def _seconds(call: Any) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _reconstruction_from(data: Mapping[str, Any]) -> Reconstruction:
    return Reconstruction(data["nmse"], Quantiles(**data["relative_error"]))


def _rollout_from(data: Mapping[str, Any]) -> Rollout:
    curve = {key: [math.inf if value is None else value for value in values] for key, values in data["error"].items()}
    spreads = {key: Spread(**data[key]) for key in ("valid_time", "valid_time_scaled")}
    return Rollout(data["threshold"], **spreads, diverged=data["diverged"], error=ErrorCurve(**curve))


_SCORES: dict[str, Callable[[Mapping[str, Any]], Reconstruction | Rollout]] = {
    "reconstruction": _reconstruction_from,
    "rollout": _rollout_from,
}


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
