import dataclasses
import json
import math

import pytest
import torch

from dynred import plugins
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.errors import FileFormatError, InputError
from dynred.evaluation.error_curve import error_curve
from dynred.evaluation.evaluate import evaluate, score
from dynred.evaluation.evaluation import Evaluation
from dynred.evaluation.records import Cost
from dynred.models.forecast import Forecast, forecast
from dynred.models.reduced import ReducedModel
from dynred.ode.system import System
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

T = torch.linspace(0, 6, 31, dtype=torch.float64)
STATISTICS = {"autocorrelation", "joint_density", "marginals", "power_spectrum", "spatial_spectrum"}


@pytest.fixture(scope="module")
def oscillators():
    """Linear oscillations in a plane within R^5: POD of two modes with linear dynamics is exact."""
    plane = torch.linalg.qr(torch.randn(5, 2, generator=generator(3), dtype=torch.float64))[0]
    turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    matrix = plane @ turn @ plane.T

    def initial(n, rng):
        return torch.randn(n, 2, generator=rng, dtype=torch.float64) @ plane.T

    return System("oscillators", 5, lambda t, x: x @ matrix.T, initial, time_scale=2 * math.pi)


@pytest.fixture(scope="module")
def exact(oscillators):
    """The exact reduced model, with training and test trajectories."""
    train, test = (simulate(oscillators, 6, T, rng=generator(0, part)) for part in ("train", "test"))
    reducer = PODSpec(2).fit(train, train, rng=generator(0))
    dynamics = LinearSpec().fit(train.map(reducer.encode), train.map(reducer.encode), rng=generator(0))
    return ReducedModel(reducer, dynamics, {"system": "oscillators", "seed": 0}), train, test


def test_an_exact_model_scores_no_error_and_the_whole_horizon(oscillators, exact):
    model, train, test = exact
    found = evaluate(model, test, train=train, system=oscillators)
    assert found.reconstruction.nmse < 1e-12
    assert found.rollout.valid_time.median == pytest.approx(6)
    assert found.rollout.valid_time_scaled.median == pytest.approx(6 / (2 * math.pi))
    assert found.rollout.diverged == 0
    assert max(found.rollout.error.p90) < 1e-5
    assert found.speedup.ratio > 0


def test_nmse_is_the_error_over_the_deviation_from_the_mean(exact):
    model, train, test = exact
    narrow = ReducedModel(*_line(train))
    x = test.states
    by_hand = (narrow.reconstruct(x) - x).pow(2).sum(1).mean() / (x - x.mean(0)).pow(2).sum(1).mean()
    assert evaluate(narrow, test).reconstruction.nmse == pytest.approx(float(by_hand), rel=1e-9)
    assert float(by_hand) > 0.1


def _line(train):
    reducer = PODSpec(1).fit(train, train, rng=generator(0))
    latents = train.map(reducer.encode)
    return reducer, LinearSpec().fit(latents, latents, rng=generator(0))


def test_the_baselines_are_pod_of_the_same_dimension_and_linear_dynamics_of_the_same_latents(exact):
    model, train, test = exact
    found = evaluate(model, test, train=train)
    assert found.baselines["pod"]["reconstruction"] == found.reconstruction
    assert found.baselines["linear"]["rollout"] == found.rollout
    assert evaluate(model, test).baselines == {}


def diverging(test, model, at):
    """A forecast in which trajectory 0 stops being finite at snapshot `at`."""
    made = forecast(model, test)
    states = made.predicted.states.clone()
    states[at : int(test.lengths[0])] = torch.nan
    return Forecast(made.truth, made.reconstructed, dataclasses.replace(made.predicted, states=states))


def test_a_diverged_prediction_is_wrong_from_its_blow_up_on_and_counted(exact):
    model, _, test = exact
    found = score(diverging(test, model, 10), model)
    assert found.rollout.diverged == 1
    assert found.rollout.valid_time.p10 < found.rollout.valid_time.median
    curve = error_curve(diverging(test, model, 10))
    assert math.isinf(curve.mean[10])
    assert math.isfinite(curve.mean[9])
    assert math.isfinite(curve.median[10])


def test_evaluation_json_has_exactly_the_documented_fields(oscillators, exact):
    model, train, test = exact
    data = json.loads(json.dumps(evaluate(model, test, train=train, system=oscillators).to_dict(), allow_nan=False))
    spread, quantiles = (
        {"at_least", *with_intervals("median", "mean", "p10")},
        with_intervals("median", "p95", "p99", "max"),
    )
    assert set(data) == {
        *("schema", "system", "state_dim", "latent_dim", "latent_space", "seed", "test"),
        *("reconstruction", "rollout", "baselines", "cost", "speedup", "metrics", "statistics", "long_time", "band"),
        *("findings", "closing", "two_valued", "variables"),
    }
    assert data["schema"] == 1
    assert data["latent_space"] == {"angles": 0, "lines": 2}
    counted = {"trajectories": 6, "snapshots": 186, "how": "given", "chosen": [], "among": 0, "seen": None}
    counted["trusted"] = []
    words = "6 trajectories given by the caller, each 6 time units"
    assert data["test"] == {**counted, "durations": [6, 6], "words": words}
    assert set(data["reconstruction"]) == {"nmse", "nmse_interval", "relative_error"}
    assert set(data["reconstruction"]["relative_error"]) == quantiles
    rollout = {
        "threshold",
        "valid_time",
        "valid_time_scaled",
        "diverged",
        "diverged_interval",
        "error",
        "exact_dynamics",
    }
    assert set(data["rollout"]) == rollout
    assert set(data["rollout"]["valid_time"]) == set(data["rollout"]["valid_time_scaled"]) == spread
    curves = {"t", "median", "mean", "p90", "low", "high", "reconstruction", "dynamics"}
    assert set(data["rollout"]["error"]) == curves
    assert {name: set(part) for name, part in data["baselines"].items()} == {
        "pod": {"reconstruction", "metrics"},
        "linear": {"rollout", "metrics", "statistics"},
        "dmd": {"rollout", "metrics", "statistics"},
        "persistence": {"rollout", "metrics"},
        "climatology": {"rollout", "metrics"},
    }
    assert set(data["metrics"]) == set(plugins.names("dynred.metrics")) - STATISTICS
    score = {"unit", "at_least", *with_intervals("median", "mean", "worst")}
    assert all(set(one) == score for one in data["metrics"].values())
    assert set(data["statistics"]) <= STATISTICS
    agreement = {"distance", "interval", "sampling_error", "ratio"}
    assert all(set(one) == agreement for one in data["statistics"].values())
    assert set(data["cost"]) == {
        *("simulate_s", "reducer_s", "dynamics_s", "evaluate_s", "peak_memory_mb", "parameters", "reused")
    }
    assert set(data["speedup"]) == {
        *("full_s_per_time_unit", "reduced_s_per_time_unit", "ratio"),
        *("batch", "duration", "full_alone_s", "reduced_alone_s"),
    }


def with_intervals(*names):
    return {*names, *(f"{name}_interval" for name in names)}


def test_an_evaluation_of_before_there_were_intervals_can_be_read(exact):
    model, train, test = exact
    data = json.loads(json.dumps(evaluate(model, test, train=train).to_dict()))
    old = {key: value for key, value in data.items() if key not in ("metrics", "statistics", "long_time")}
    del old["rollout"]["diverged_interval"], old["rollout"]["error"]["low"], old["reconstruction"]["nmse_interval"]
    del old["baselines"]["linear"]["metrics"], old["rollout"]["valid_time"]["mean_interval"]
    found = Evaluation.from_dict(old)
    assert found.reconstruction.nmse == data["reconstruction"]["nmse"]
    assert found.rollout.valid_time.mean_interval is None
    assert "valid time" in str(found)


def test_every_interval_holds_its_number(exact):
    model, train, test = exact
    narrow = ReducedModel(*_line(train))
    found = evaluate(narrow, test, train=train)
    for record in (
        found.reconstruction,
        found.reconstruction.relative_error,
        found.rollout.valid_time,
        *found.metrics.values(),
    ):
        numbers = dataclasses.asdict(record)
        pairs = [(numbers[k.removesuffix("_interval")], v) for k, v in numbers.items() if k.endswith("_interval")]
        pairs = [(value, interval) for value, interval in pairs if interval is not None]
        assert pairs
        assert all(low - 1e-12 <= value <= high + 1e-12 for value, (low, high) in pairs)


def test_the_error_is_split_into_reconstruction_and_dynamics(exact):
    model, train, test = exact
    found = forecast(ReducedModel(*_line(train)), test)
    curve = error_curve(found)
    assert curve.dynamics[0] == pytest.approx(0, abs=1e-9)  # a prediction starts at its reconstruction
    assert curve.reconstruction[0] == pytest.approx(curve.median[0])
    exact_dynamics = forecast(model, test)
    assert max(error_curve(exact_dynamics).dynamics) < 1e-5
    # The triangle inequality, snapshot by snapshot.
    total, parts = found.rollout_error(), found.reconstruction_error() + found.dynamics_error()
    assert (total <= parts + 1e-12).all()


def test_an_evaluation_survives_json_also_with_infinite_errors(exact):
    model, train, test = exact
    found = score(diverging(test, model, 3), model, train, cost=Cost(simulate_s=1.0))
    again = Evaluation.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert again.to_dict() == found.to_dict()
    assert again.rollout.error == found.rollout.error


def test_an_evaluation_of_a_newer_schema_or_with_parts_missing_is_refused(exact):
    model, _, test = exact
    data = evaluate(model, test).to_dict()
    with pytest.raises(FileFormatError, match="schema 1 or older, got 2"):
        Evaluation.from_dict({**data, "schema": 2})
    with pytest.raises(FileFormatError, match="incomplete.*rollout"):
        Evaluation.from_dict({k: v for k, v in data.items() if k != "rollout"})


def test_trajectories_of_different_times_are_scored_as_each_alone(oscillators, exact):
    model, train, _ = exact
    times = [T, torch.linspace(0, 4, 9, dtype=torch.float64), torch.linspace(1, 8, 15, dtype=torch.float64)]
    ragged = simulate(oscillators, times=times, rng=generator(5))
    found = evaluate(model, ragged, train=train)
    assert found.rollout.valid_time.mean == pytest.approx((6 + 4 + 7) / 3)
    assert found.rollout.error.t[-1] <= 4
    together = forecast(model, ragged).rollout_error()
    alone = torch.cat([forecast(model, one).rollout_error() * forecast(model, one).variance.sqrt() for one in ragged])
    assert torch.allclose(together * forecast(model, ragged).variance.sqrt(), alone, atol=1e-9)


def test_unusable_test_data_are_refused(exact):
    model, _, test = exact
    wide = Trajectories.from_stacked(torch.zeros(2, 3, 6, dtype=torch.float64), torch.arange(3.0))
    with pytest.raises(InputError, match="test must be states of 5 values, like the model's, got 6"):
        evaluate(model, wide)
    with pytest.raises(InputError, match="test must be trajectories of at least 2 snapshots"):
        evaluate(model, test.windows(1))


def test_the_table_shows_model_and_baselines(exact):
    model, train, test = exact
    text = str(evaluate(model, test, train=train))
    assert "oscillators: 5 -> 2; test: 6 trajectories given by the caller" in text
    assert "valid time (0.5), median, time units" in text
    assert "linear dynamics" in text
