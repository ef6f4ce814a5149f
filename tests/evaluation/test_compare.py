"""Models side by side on one test."""

import json

import numpy as np
import pytest
import torch

import dynred
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.errors import InputError
from dynred.evaluation.compare import compare
from dynred.metrics.valid_time import ValidTime
from dynred.models.forecast import forecast
from dynred.models.reduced import ReducedModel
from dynred.reducers.pod import PODSpec
from dynred.rng import generator


@pytest.fixture(scope="module")
def data():
    """Damped oscillations of three frequencies in twelve dimensions, of amplitudes that fall with the frequency."""
    rng = generator(0, "oscillations")
    t = torch.linspace(0, 12, 61, dtype=torch.float64)
    mixing = torch.linalg.qr(torch.randn(12, 12, generator=rng, dtype=torch.float64))[0][:, :6]
    phase = 6.28 * torch.rand(30, 1, 3, generator=rng, dtype=torch.float64)
    size = torch.tensor([1.0, 0.4, 0.15]) * (0.5 + torch.rand(30, 1, 3, generator=rng, dtype=torch.float64))
    rate = torch.tensor([1.0, 2.3, 3.9], dtype=torch.float64)
    angle = rate * t[:, None] + phase
    z = torch.cat([size * torch.cos(angle), size * torch.sin(angle)], -1)
    v = torch.cat([-size * rate * torch.sin(angle), size * rate * torch.cos(angle)], -1)
    made = Trajectories.from_stacked(z @ mixing.T, t, v @ mixing.T)
    return made[:15], made[15:]


def model(train, latent_dim, drift=0.0):
    """POD with linear dynamics, exact for six coordinates but for a drift of the frequencies."""
    reducer = PODSpec(latent_dim).fit(train, train, rng=generator(0))
    latents = train.map(reducer.encode)
    dynamics = LinearSpec().fit(latents, latents, rng=generator(0))
    dynamics.matrix *= 1 + drift
    return ReducedModel(reducer, dynamics, {"system": "oscillations"})


@pytest.fixture(scope="module")
def found(data):
    train, test = data
    models = {"exact": model(train, 6), "narrow": model(train, 4), "drifting": model(train, 6, 0.1)}
    return compare(models, test, threshold=0.3), models, test


def test_models_of_different_latent_dimensions_stand_side_by_side(found):
    comparison, models, test = found
    assert comparison.models == ("exact", "narrow", "drifting")
    assert comparison.trajectories == 15
    for i, one in enumerate(models.values()):
        by_hand = float(np.median(ValidTime(0.3)(forecast(one, test))))
        assert comparison["valid_time"].entries[i].value == by_hand


def test_what_is_worse_is_called_worse_whichever_way_the_metric_points(found):
    comparison = found[0]
    assert [entry.verdict for entry in comparison["reconstruction_nmse"].entries] == ["", "worse", ""]
    assert [entry.verdict for entry in comparison["valid_time"].entries] == ["", "", "worse"]
    assert comparison["valid_time"].entries[2].difference < 0
    assert comparison["reconstruction_nmse"].entries[1].difference > 0


def test_a_model_does_not_differ_from_itself(data):
    train, test = data
    comparison = compare([model(train, 4), model(train, 4)], test)
    assert comparison.models == ("model 1", "model 2")
    for quantity in comparison.quantities:
        assert quantity.entries[1].difference == 0
        assert quantity.entries[1].difference_interval == (None if quantity.title.endswith("worst") else (0, 0))
        assert quantity.entries[1].verdict == ""


def test_a_paired_difference_is_surer_than_two_separate_values(data):
    train, test = data
    one, other = compare([model(train, 3), model(train, 3, 0.02)], test)["rollout_error"].entries
    paired = np.ptp(other.difference_interval)
    apart = np.hypot(np.ptp(one.interval), np.ptp(other.interval))
    assert paired < 0.5 * apart


def test_the_table_and_json_hold_every_value(found):
    comparison = found[0]
    text = str(comparison)
    assert "15 test trajectories; differences from exact" in text
    assert "valid time, median (time units)" in text
    assert "worse" in text
    data = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert data["models"] == ["exact", "narrow", "drifting"]
    assert len(data["quantities"]) == len(comparison.rows())
    assert all(len(row) == len(comparison.heads()) for row in comparison.rows())


def test_compare_is_one_of_dynreds_names():
    assert dynred.compare is compare


def test_nothing_to_compare_and_a_misfit_are_refused(data):
    train, test = data
    with pytest.raises(InputError, match="models must be at least one model, got none"):
        compare([], test)
    with pytest.raises(InputError, match="test must be states of 12 values, like the model's, got 6"):
        compare([model(train, 2)], Trajectories(test.states[:, :6], test.t, test.lengths))
