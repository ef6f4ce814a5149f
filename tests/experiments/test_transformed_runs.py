"""Reductions of transformed states, from the data to the run folder and back."""

import json

import numpy as np
import pandas
import pytest
import torch

import dynred
from dynred.cli.app import main
from dynred.data.transforms.delays import DelaysSpec
from dynred.data.transforms.scaling import ScalingSpec
from dynred.dynamics.linear import LinearSpec
from dynred.errors import InputError
from dynred.evaluation.evaluation import read_evaluation
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.run import run
from dynred.experiments.spec import ExperimentSpec
from dynred.reducers.pod import PODSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec

UNITS = {"p": 1e5, "T": 300.0, "c": 1e-6, "d": 1e-12}


def oscillations(n=9, steps=240):
    """Damped oscillations of different lengths, as a table of four variables of one size, functions of two."""
    frames = []
    for i in range(n):
        t = 0.05 * np.arange(steps + 10 * i)
        r, angle = (0.6 + 0.1 * i) * np.exp(-0.05 * t), t + 2.4 * i
        x, y = r * np.cos(angle), r * np.sin(angle)
        variables = {"p": x, "T": y, "c": x + 0.3 * y**2, "d": 0.5 * y - 0.2 * x * y}
        frames.append(pandas.DataFrame({"run": i, "t": t, **variables}))
    return pandas.concat(frames, ignore_index=True)


TABLE = oscillations()
SIGNAL = TABLE[["run", "t", "p"]]


def in_units(table):
    return table.assign(**{name: table[name] * unit for name, unit in UNITS.items()})


def relative(evaluation):
    return {each.name: (each.reconstruction / each.spread, each.rollout / each.spread) for each in evaluation.variables}


def polynomial(table):
    dynamics = dynred.PolynomialODESpec()
    return dynred.reduce(table, 2, reducer=PolynomialManifoldSpec(2), dynamics=dynamics)


def test_every_variable_is_known_within_a_percent_in_any_units():
    other = polynomial(in_units(TABLE))
    assert isinstance(other.model, dynred.TransformedModel)
    for reconstruction, rollout in relative(other.evaluation).values():
        assert reconstruction < 0.01
        assert rollout < 0.01
    spreads = {each.name: each.spread for each in other.evaluation.variables}
    assert spreads["p"] / spreads["d"] > 1e16
    assert other.forecast.truth.states[:, 0].abs().max() > 1e4


def test_scaling_can_be_turned_off():
    plain = dynred.reduce(
        in_units(TABLE), 2, reducer=PODSpec(2), dynamics=LinearSpec(), transforms=[ScalingSpec("none")]
    )
    assert isinstance(plain.model, dynred.ReducedModel)


def test_variables_of_similar_spread_are_left_as_they_are():
    assert isinstance(dynred.reduce(TABLE, 2, reducer=PODSpec(2), dynamics=LinearSpec()).model, dynred.ReducedModel)


@pytest.mark.slow
def test_a_verdict_is_the_same_in_any_units():
    pytest.importorskip("ripser")
    own, other = dynred.inspect(TABLE), dynred.inspect(in_units(TABLE))
    assert own.two_valued.verdict == other.two_valued.verdict
    assert str(own.recommended) == str(other.recommended)


def test_a_test_is_transformed_by_what_training_alone_decides():
    moved = TABLE.copy()
    moved.loc[moved["run"] == 3, "p"] *= 50.0
    data = DataSpec(test_trajectories=(3,))
    words = {"reducer": PODSpec(2), "dynamics": LinearSpec(), "transforms": [ScalingSpec()], "data": data}
    a, b = dynred.reduce(TABLE, 2, **words), dynred.reduce(moved, 2, **words)
    assert torch.equal(a.model.transforms[0].scale, b.model.transforms[0].scale)


def test_a_system_is_reduced_by_delays_of_what_is_seen_of_it():
    system = dynred.find_system("mean_field_wake")
    made = dynred.reduce(
        *(system, 2),
        reducer=PODSpec(2),
        dynamics=LinearSpec(),
        data=DataSpec(train=4, validation=2, test=2, duration=5.0, transient=0.0),
        transforms=[DelaysSpec(3, 1)],
    )
    assert made.evaluation.state_dim == 3 * system.dim
    assert made.forecast.truth.dim == system.dim
    assert made.evaluation.speedup.ratio is None


def test_more_latents_than_delays_are_refused():
    with pytest.raises(InputError, match=r"latent_dim must be an integer in \[1, 2\], got 3. The state has 3"):
        dynred.reduce(SIGNAL, 3, reducer=PODSpec(3), dynamics=LinearSpec(), transforms=[DelaysSpec(3, 4)])


def test_settings_of_a_transform_are_reached_by_its_kind_or_place():
    spec = ExperimentSpec("x.csv", 2, transforms=(ScalingSpec(), DelaysSpec()))
    changed = spec.updated("transforms.delays.count", 4).updated("transforms.0.by", "range")
    assert changed.transforms == (ScalingSpec("range"), DelaysSpec(4))
    assert ExperimentSpec.from_dict(json.loads(changed.to_json())) == changed
    with pytest.raises(InputError, match="setting of transforms must be one of"):
        spec.updated("transforms.kalman.count", 4)


# -- run folders -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("delayed")
    path = home / "signal.csv"
    SIGNAL.assign(p=1e5 * SIGNAL["p"]).to_csv(path, index=False)
    spec = ExperimentSpec(
        *(str(path), 2), reducer=PODSpec(2), dynamics=LinearSpec(), transforms=(ScalingSpec(), DelaysSpec(4, 5))
    )
    run(spec, home / "run")
    return home


def test_a_run_holds_scores_of_the_variables_and_says_what_was_left_out(folder):
    evaluation = read_evaluation(folder / "run" / "evaluation.json")
    (own,) = evaluation.variables
    assert own.name == "p"
    assert own.spread > 1e4
    assert own.rollout < 0.01 * own.spread
    assert any("The first 15 snapshots have no past" in finding.text for finding in evaluation.findings)
    model = dynred.load_model(folder / "run")
    assert model.past == 16
    assert (folder / "run" / "report.html").exists()


def test_a_run_is_scored_again_to_the_same_numbers(folder):
    before = read_evaluation(folder / "run" / "evaluation.json")
    after = dynred.evaluate_run(folder / "run")
    assert after.rollout == before.rollout
    assert after.variables == before.variables


def test_a_run_is_scored_on_other_data(folder):
    other = SIGNAL[SIGNAL["run"] < 2].assign(p=1e5 * SIGNAL["p"])
    other.to_csv(folder / "other.csv", index=False)
    evaluation = dynred.evaluate_run(folder / "run", data=folder / "other.csv")
    assert evaluation.test.trajectories == 2
    assert evaluation.variables[0].rollout < 0.01 * evaluation.variables[0].spread


def test_a_run_predicts_from_a_past(folder):
    first = dynred.predict_run(folder / "run", at=0)
    assert first.dim == 1
    assert first.states.abs().max() > 1e4
    dynred.save_trajectories(dynred.Trajectories.of(SIGNAL.assign(p=1e5 * SIGNAL["p"])), folder / "now.npz")
    made = dynred.predict_run(folder / "run", 2.0, initial=folder / "now.npz")
    assert len(made) == 9
    assert float(made.t[0]) == pytest.approx(15 * 0.05)
    np.savez(folder / "bare.npz", states=np.ones((3, 1)))
    with pytest.raises(InputError, match="initial must be trajectories, which begin with the 16 snapshots"):
        dynred.predict_run(folder / "run", 2.0, initial=folder / "bare.npz")


@pytest.mark.slow
def test_a_run_is_certified_and_drawn(folder):
    certificate = dynred.certify_run(folder / "run", samples=100)
    assert certificate is not None
    drawn = dynred.draw_run(folder / "run", folder / "figures", suffix="svg")
    assert any("phase" in path.name or "time" in path.name for path in drawn)


def test_the_command_line_takes_delays(folder, capsys):
    out = folder / "by_command"
    words = ["reduce", str(folder / "signal.csv"), "--latent-dim", "2", "--delays", "auto", "--reducer", "pod"]
    code = main([*words, "--dynamics", "linear", "--out", str(out), "--json"])
    assert code in (0, None)
    assert json.loads(capsys.readouterr().out)["state_dim"] >= 5
    model = dynred.load_model(out)
    assert "false neighbours, so 2 coordinates may do" in " ".join(model.notes())


@pytest.mark.slow
def test_models_of_different_transforms_are_compared_in_the_variables_of_the_data():
    words = {"reducer": PODSpec(2), "dynamics": LinearSpec()}
    a = dynred.reduce(SIGNAL, 2, **words, transforms=[DelaysSpec(4, 5)])
    b = dynred.reduce(SIGNAL, 2, **words, transforms=[DelaysSpec(5, 4)])
    test = dynred.Trajectories.of(SIGNAL)[:6]
    assert dynred.compare([a.model, b.model], test).trajectories == 6
