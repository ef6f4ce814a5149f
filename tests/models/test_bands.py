import dataclasses

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.dynamics.ensemble import EnsembleSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import InputError
from dynred.evaluation.evaluate import coverage, evaluate
from dynred.models.bands import Calibration, calibrate, predict_band
from dynred.models.reduced import ReducedModel
from dynred.ode.find import find_system
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.spec import Spec
from dynred.training.minimise import TrainingSpec

NET = NeuralODESpec(width=16, depth=2, start=None, training=TrainingSpec(steps=60, batch_size=64, validations=2))
LEADS = (1, 5, 10)


@pytest.fixture(scope="module")
def lifted():
    """Lifted spirals onto the cycle, sampled 0.2 apart: training, validation and test trajectories."""
    system = find_system("graph_lift", dim=6, rate=20.0)
    times = 0.2 * torch.arange(11, dtype=torch.float64)
    return [simulate(system, n, times, rng=generator(0, n), transient=0.5) for n in (16, 80, 120)]


@pytest.fixture(scope="module")
def models(lifted):
    """An ensemble trained so little that it errs, and its first member alone."""
    train = lifted[0]
    reducer = PODSpec(2).fit(train, train, rng=generator(0))
    latents = train.map(reducer.encode)
    ensemble = EnsembleSpec(member=NET, members=4).fit(latents, latents, rng=generator(0))
    return ReducedModel(reducer, ensemble), ReducedModel(reducer, ensemble.members[0])


@pytest.mark.parametrize("which", ["ensemble", "single"])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_a_band_holds_as_often_as_it_says_on_trajectories_never_seen(models, lifted, which, level):
    model = models[which == "single"]
    calibration = calibrate(model, lifted[1], horizon=10)
    test = lifted[2]
    band = predict_band(model, calibration, test.initial, test.times(0), level)
    held = band.holds(test).reshape(len(test), -1).mean(0)
    for lead in LEADS:
        assert abs(float(held[lead]) - level) < 0.08


def test_without_calibration_the_members_would_be_too_sure_of_themselves(models, lifted):
    calibration = calibrate(models[0], lifted[1], horizon=10)
    assert calibration.factor(0.9, torch.tensor([1.0]))[0] > 1.7  # a normal distribution has 1.64


def test_bands_of_an_ensemble_are_wider_where_its_members_disagree(models, lifted):
    calibration = calibrate(models[0], lifted[1], horizon=10)
    test = lifted[2]
    band = predict_band(models[0], calibration, test.initial, test.times(0))
    width = (band.upper.states - band.lower.states).reshape(len(test), 11, -1)[:, 10].mean(-1)
    error = (band.centre.states - test.states).reshape(len(test), 11, -1)[:, 10].norm(dim=-1)
    wide = width > width.median()
    assert float(error[wide].mean()) > float(error[~wide].mean())


def test_a_calibration_survives_json_and_goes_on_beyond_its_horizon(models, lifted):
    calibration = calibrate(models[0], lifted[1], horizon=5)
    again = Spec.from_dict(calibration.to_dict())
    assert again == calibration
    assert isinstance(again, Calibration)
    late = calibration.factor(0.9, torch.tensor([1.0, 50.0]))
    assert late[0] == late[1]


def test_the_longest_horizon_that_leaves_enough_starts_is_taken(models, lifted):
    # 80 trajectories of 10 steps: three pieces of three steps are 240 starts, two of four 160.
    assert calibrate(models[0], lifted[1]).lead == pytest.approx([0, 0.2, 0.4, 0.6])
    assert calibrate(models[0], lifted[1][:20]).lead == pytest.approx([0, 0.2])


def test_an_evaluation_says_how_often_the_band_holds(models, lifted):
    test = lifted[2]
    found = evaluate(models[0], test, calibration=calibrate(models[0], lifted[1], horizon=5)).band
    assert found.t == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert all(abs(holds - 0.9) < 0.08 for holds in found.holds[1:])
    assert all(low < holds < high for low, holds, high in zip(found.low, found.holds, found.high, strict=True))


def test_what_cannot_be_calibrated_is_refused(models, lifted):
    with pytest.raises(InputError, match="validation must be at least 19 starts of 10 snapshots, got 6"):
        calibrate(models[0], lifted[1][:6], horizon=10)
    calibration = calibrate(models[0], lifted[1], horizon=10)
    with pytest.raises(InputError, match="level must be one of 0.5, 0.8, 0.9, 0.95, got 0.7"):
        predict_band(models[0], calibration, lifted[2].initial, lifted[2].times(0), 0.7)
    uneven = dataclasses.replace(lifted[1], t=lifted[1].t ** 2)
    mixed = type(uneven).concatenate([lifted[1], uneven])
    with pytest.raises(InputError, match="validation must be trajectories sampled alike"):
        calibrate(models[0], mixed, horizon=10)


@pytest.mark.parametrize("way", ["at 1e3", "at 1e9", "each elsewhere", "through float32"])
def test_bands_and_their_coverage_do_not_depend_on_when_the_clock_starts_or_on_how_times_were_stored(
    models, lifted, way
):
    def moved(data):
        starts = {"at 1e3": [1e3], "at 1e9": [1e9], "each elsewhere": [0.1, 1e6 / 3, 1e9 / 7]}.get(way, [0.0])
        shift = torch.tensor(starts).double()[data.owner % len(starts)]
        t = data.t.float().double() if way == "through float32" else data.t + shift
        return dataclasses.replace(data, t=t)

    clean = calibrate(models[0], lifted[1], horizon=5)
    other = calibrate(models[0], moved(lifted[1]), horizon=5)
    assert other.lead == pytest.approx(clean.lead, abs=1e-6)
    assert torch.allclose(torch.tensor(other.factors), torch.tensor(clean.factors), rtol=1e-3)
    expected, scored = coverage(models[0], clean, lifted[2]), coverage(models[0], other, moved(lifted[2]))
    assert len(scored.t) == 6
    assert scored.holds == pytest.approx(expected.holds, abs=0.02)


def test_coverage_is_scored_on_every_time_grid(models, lifted):
    calibration, test = calibrate(models[0], lifted[1], horizon=10), lifted[2]
    coarse = Trajectories.from_stacked(test[60:].stacked()[:, ::2], test.times(0)[::2])
    short = test[30:60].windows(4, 11)
    mixed = Trajectories.concatenate([coarse, test[:30], short])
    score, alone = coverage(models[0], calibration, mixed), coverage(models[0], calibration, test)
    assert score.t == pytest.approx(alone.t)
    assert score.holds == pytest.approx(alone.holds, abs=0.08)
    assert all(low <= value <= high for low, value, high in zip(score.low, score.holds, score.high, strict=True))
