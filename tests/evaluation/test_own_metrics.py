"""Metrics of one's own beside dynred's: in evaluations, comparisons and reports, by name and as they are."""

import json
import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from dynred import plugins
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.errors import InputError
from dynred.evaluation.compare import compare
from dynred.evaluation.evaluate import evaluate, score
from dynred.metrics.base import Metric, find_metrics, first_time, largest_by_trajectory
from dynred.metrics.nmte import NMTE
from dynred.metrics.valid_time import ValidTime
from dynred.models.forecast import forecast
from dynred.models.reduced import ReducedModel
from dynred.reducers.pod import PODSpec
from dynred.report.context import Context
from dynred.report.tables import results
from dynred.rng import generator

MINE = '''
from dataclasses import dataclass
from typing import ClassVar

from dynred.metrics.base import Metric, largest_by_trajectory


@dataclass(frozen=True)
class WorstComponent(Metric):
    """Largest error of a component."""

    title: ClassVar[str] = "worst component"
    higher_is_better: ClassVar[bool] = False
    summary: ClassVar[str] = "worst"

    def __call__(self, forecast):
        error = (forecast.predicted.states - forecast.truth.states).abs().amax(1)
        return largest_by_trajectory(error.nan_to_num(nan=1e300), forecast)
'''


@dataclass(frozen=True)
class Lead(Metric):
    """Time until the error exceeds half of what counts as lost."""

    limit: float = 0.25
    higher_is_better: ClassVar[bool] = True

    def at(self, threshold):
        return Lead(threshold / 2)

    def __call__(self, forecast):
        return first_time(forecast.rollout_error() > self.limit, forecast)


@pytest.fixture(scope="module")
def made():
    """Oscillations of three frequencies, and a model that carries two of them."""
    rng, t = generator(0, "oscillations"), torch.linspace(0, 12, 61, dtype=torch.float64)
    rate, size = (torch.tensor(values, dtype=torch.float64) for values in ([1.0, 2.3, 3.9], [1.0, 0.4, 0.3]))
    angle = rate * t[:, None] + 6.28 * torch.rand(20, 1, 3, generator=rng, dtype=torch.float64)
    z = torch.cat([size * torch.cos(angle), size * torch.sin(angle)], -1)
    v = torch.cat([-size * rate * torch.sin(angle), size * rate * torch.cos(angle)], -1)
    data = Trajectories.from_stacked(z, t, v)
    train, test = data[:10], data[10:]
    reducer = PODSpec(4).fit(train, train, rng=rng)
    latents = train.map(reducer.encode)
    return ReducedModel(reducer, LinearSpec().fit(latents, latents, rng=rng), {}), train, test


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return str(path)


def test_every_metric_is_named_as_its_file_is():
    assert {metric.name for metric in find_metrics()} <= set(plugins.names("dynred.metrics"))


def test_a_metric_of_ones_own_stands_in_json_table_comparison_and_report_like_all_others(made, mine):
    model, train, test = made
    found = evaluate(model, test, train=train, metrics=[mine])
    truth = forecast(model, test)
    by_hand = largest_by_trajectory((truth.predicted.states - test.states).abs().amax(1), truth)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["metrics"]["worst_component"]["worst"] == float(by_hand.max())
    assert set(data["metrics"]["worst_component"]) == set(data["metrics"]["nmte"])
    assert "worst_component" in data["baselines"]["linear"]["metrics"]
    assert "worst component, mean" in str(found)
    assert "nmte, mean" in str(found)
    assert compare([model], test, metrics=[mine])["worst_component"].entries[0].value == float(by_hand.max())
    own = find_metrics([mine])[-1]
    assert "worst component, worst" in [row.name for row in results(Context(model, found, truth, own_metrics=[own]))]


def test_without_metrics_of_ones_own_nothing_is_added(made):
    model, _, test = made
    assert list(evaluate(model, test).metrics) == [metric.name for metric in find_metrics()]


def test_a_metric_of_the_same_name_takes_the_place_of_dynreds(made):
    model, _, test = made
    strict = evaluate(model, test, metrics=[NMTE(ceiling=1e-3)])
    assert list(strict.metrics) == list(evaluate(model, test).metrics)
    assert strict.metrics["nmte"].worst == pytest.approx(1e-3)


def test_the_valid_time_of_the_rollouts_is_that_of_the_metric(made):
    class ValidTime(NMTE):
        higher_is_better = True

        def __call__(self, forecast):
            return torch.arange(len(forecast.truth), dtype=torch.float64)

    model, _, test = made
    truth = forecast(model, test)
    for metrics, threshold in (([], 0.3), ([ValidTime()], 0.5)):
        found = score(truth, model, threshold=threshold, metrics=metrics)
        valid, metric = found.rollout.valid_time, found.metrics["valid_time"]
        assert (valid.median, valid.mean) == (metric.median, metric.mean)
        context = Context(model, found, truth, own_metrics=metrics)
        assert context.valid_times.mean() == pytest.approx(valid.mean)
    assert found.rollout.valid_time.mean == 4.5


def test_every_metric_that_knows_a_threshold_takes_that_of_the_evaluation(made):
    at = {metric.name: metric for metric in find_metrics(["valid_time"], 0.3)}
    assert at["valid_time"] == ValidTime(0.3)
    assert find_metrics([Lead(0.15)], 0.3)[-1] == Lead(0.15)
    model, _, test = made
    with pytest.raises(InputError, match="metric lead must be for the evaluation's threshold, 0.5, got Lead"):
        evaluate(model, test, metrics=[Lead(0.1)])
    with pytest.raises(InputError, match="metric valid_time must be for the evaluation's threshold, 0.5, got"):
        compare([model], test, metrics=[ValidTime(0.1)])


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ("mine.py", "metrics must be a list of metrics or their names, got 'mine.py'"),
        ([3], "metrics must be metrics or their names, got 3"),
        ([NMTE], "metrics must be metrics or their names"),
        (["nmtt"], "Did you mean nmte"),
        (["there_is_none.py"], "metric must be a path to an existing .py file"),
        ([Lead(), Lead()], "metrics must be of different names, got lead, lead"),
    ],
)
def test_what_is_no_metric_is_refused(made, metrics, message):
    model, _, test = made
    for call in (evaluate, lambda *args, **rest: compare([model], test, **rest)):
        with pytest.raises(InputError, match=message):
            call(model, test, metrics=metrics)


def test_a_value_that_is_not_finite_is_null(made):
    class Broken(NMTE):
        def __call__(self, forecast):
            return torch.full((len(forecast.truth),), math.inf)

    model, _, test = made
    assert evaluate(model, test, metrics=[Broken()]).to_dict()["metrics"]["broken"]["mean"] is None


def test_a_metric_that_says_wrongly_what_was_cut_off_is_refused(made):
    class Careless(ValidTime):
        def censored(self, forecast):
            return torch.ones(2)

    model, train, test = made
    with pytest.raises(InputError, match=r"Careless.censored must be one truth value per trajectory \[\d+\], got"):
        evaluate(model, test, train=train, metrics=[Careless()])
