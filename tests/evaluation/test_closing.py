"""The closing sentence: it names the one thing on which the next step depends."""

import dataclasses
import json

import pytest
from test_findings import fitted, turning

from dynred.cli.base import show_evaluation
from dynred.evaluation.closing import closing
from dynred.evaluation.evaluate import evaluate
from dynred.evaluation.evaluation import Evaluation
from dynred.evaluation.records import Finding


@pytest.fixture(scope="module")
def exact():
    """The evaluation of a model that is exact, on enough trajectories."""
    train = turning()
    return evaluate(fitted(train), turning(seed=1), train=train)


@pytest.fixture(scope="module")
def drifting():
    """That of a model whose dynamics are wrong."""
    train = turning()
    return evaluate(fitted(train, drift=1.3), turning(seed=1), train=train)


def changed(evaluation, *kinds, nmse=None, **rollout):
    """An evaluation with findings of some kinds, and other numbers."""
    findings = tuple(Finding(kind, kind, 0.4) for kind in kinds)
    reconstruction = evaluation.reconstruction
    if nmse is not None:
        reconstruction = dataclasses.replace(reconstruction, nmse=nmse)
    return dataclasses.replace(
        evaluation,
        findings=findings,
        reconstruction=reconstruction,
        rollout=dataclasses.replace(evaluation.rollout, **rollout),
    )


def test_a_good_model_is_called_good_for_as_long_as_it_holds(exact):
    assert exact.closing == closing(exact)
    assert exact.closing.startswith("Good: predictions hold for the whole test (16 time units)")
    assert "dynred certify" in exact.closing


def test_a_model_with_wrong_dynamics_names_the_better_baseline(drifting):
    assert "linear dynamics of the same coordinates: take it (`--dynamics linear`)" in drifting.closing
    alone = dataclasses.replace(drifting, findings=(), baselines={})
    assert "2 coordinates are enough" in closing(alone)
    assert "train the dynamics longer" in closing(alone)


def test_dynamics_are_not_blamed_where_the_coordinates_are_at_fault(drifting):
    alone = dataclasses.replace(drifting, baselines={})
    bounded = closing(changed(alone, "bounded_by_encoder"))
    assert "take more coordinates" in bounded
    assert "train the dynamics" not in bounded
    lossy = closing(changed(alone, "lossy"))
    assert "are enough" not in lossy
    assert "train the dynamics longer" in lossy


@pytest.mark.parametrize(
    ("kinds", "numbers", "sentence"),
    [
        (("two_valued",), {"nmse": 0.8}, "no model of them predicts"),
        ((), {"nmse": 0.8}, "2 coordinates lose 80 % of the energy: `dynred inspect`"),
        (("velocities",), {"nmse": 0.8}, "2 coordinates lose 80 %"),
        (("velocities",), {}, "Velocities are known to within 40 % only"),
        (("velocities",), {"diverged": 3}, "Velocities are known to within 40 % only"),
        ((), {"diverged": 3}, "3 of 6 predictions diverge: try `--dynamics stabilised`"),
        (("time_dependent",), {}, "The equation depends on time"),
    ],
)
def test_what_makes_the_rest_pointless_comes_first(drifting, kinds, numbers, sentence):
    evaluation = dataclasses.replace(drifting, baselines={})
    assert sentence in closing(changed(evaluation, *kinds, **numbers))


def test_coordinates_no_better_than_pods_are_advised_to_curve(drifting):
    lossy = changed(drifting, nmse=0.3)
    for error, sentence in ((0.3, ", no less than POD does: try a curved decoder"), (0.9, ": `dynred inspect`")):
        pod = dataclasses.replace(lossy.reconstruction, nmse=error)
        told = closing(dataclasses.replace(lossy, baselines={"pod": {"reconstruction": pod}}))
        assert told.startswith(f"2 coordinates lose 30 % of the energy{sentence}")


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        (("pod_as_good",), "POD with 2 coordinates is as good: take it (`--reducer pod`)"),
        (("at_rest",), "most of the test is at rest"),
        (("few_tests",), "on 6 trajectories alone"),
        (("velocities",), "Good: predictions hold"),  # what matters is that they hold
    ],
)
def test_a_good_model_is_told_what_is_left_to_do(exact, kinds, sentence):
    assert sentence in closing(changed(exact, *kinds))


def test_the_sentence_is_told_everywhere(exact, capsys):
    assert Evaluation.from_dict(json.loads(json.dumps(exact.to_dict()))).closing == exact.closing
    assert str(exact).endswith(exact.closing)
    assert exact.closing in exact._repr_html_().replace("&#x27;", "'")
    show_evaluation(exact, as_json=False)
    assert capsys.readouterr().out.rstrip().endswith(exact.closing)
    show_evaluation(exact, as_json=True)
    assert json.loads(capsys.readouterr().out)["closing"] == exact.closing


def test_an_evaluation_of_an_earlier_version_has_none(exact):
    data = exact.to_dict()
    del data["closing"]
    assert Evaluation.from_dict(data).closing == ""
