"""A model of transformed states behaves like a model of the states themselves."""

import json

import numpy as np
import pytest
import torch

import dynred
from dynred.data.transforms.base import Chain
from dynred.data.transforms.delays import DelaysSpec
from dynred.data.transforms.scaling import ScalingSpec
from dynred.errors import FileFormatError, InputError
from dynred.files import read_tensors, write_tensors
from dynred.models.forecast import forecast
from dynred.models.transformed import TransformedModel
from dynred.rng import generator
from dynred.testing.transforms import STEP, waves

DATA = waves()


def model_of(*specs):
    parts, moved = [], DATA
    for spec in specs:
        parts.append(spec.fit(moved))
        moved = parts[-1].transformed(moved)
    reducer = dynred.PODSpec(3).fit(moved[:4], moved[4:], rng=generator(0))
    latents = moved.map(reducer.encode)
    dynamics = dynred.LinearSpec().fit(latents[:4], latents[4:], rng=generator(0))
    return TransformedModel(Chain(parts), dynred.ReducedModel(reducer, dynamics)).remembering(DATA)


SCALED = model_of(ScalingSpec(units={"a": 100.0, "d": 0.01}))
DELAYED = model_of(ScalingSpec(), DelaysSpec(3, 2))
TIMES = torch.arange(20, dtype=torch.float64) * STEP


def test_a_scaled_model_takes_and_gives_states_in_the_variables_of_the_data():
    inner, x = SCALED.core, DATA.states[:7]
    scale = SCALED.transforms[0].scale
    assert torch.allclose(SCALED.encode(x), inner.encode(x / scale))
    assert torch.allclose(SCALED.reconstruct(x), inner.reconstruct(x / scale) * scale)
    assert torch.equal(SCALED.decode(inner.encode(x)), inner.decode(inner.encode(x)) * scale)
    predicted = SCALED.predict(x, TIMES)
    assert torch.allclose(predicted.states, inner.predict(x / scale, TIMES).states * scale)


def test_a_prediction_from_a_past_begins_with_the_present():
    past = DELAYED.past
    assert past == 5
    window = DATA[2].states[10 : 10 + past]
    predicted = DELAYED.predict(window, TIMES)
    assert torch.allclose(predicted.initial, DELAYED.reconstruct(window[None]))
    assert torch.equal(DELAYED.predict(window[None], TIMES).states, predicted.states)
    longer = DATA[2].states[: 10 + past]
    assert torch.equal(DELAYED.predict(longer, TIMES).states, predicted.states)
    ending = DATA[2].where(torch.arange(len(DATA[2].t)) < 10 + past)
    assert torch.equal(DELAYED.predict(ending, TIMES).states, predicted.states)


def test_numpy_in_numpy_out():
    window = DATA[2].states[: DELAYED.past].numpy()
    assert isinstance(DELAYED.encode(window), np.ndarray)
    plain = DELAYED.to_numpy()
    assert np.allclose(plain.encode(window[None]), DELAYED.encode(window[None]))
    assert np.allclose(plain.decode(plain.encode(window)), DELAYED.reconstruct(window[None])[0])
    assert np.allclose(SCALED.to_numpy().encode(DATA.states[:3].numpy()), SCALED.encode(DATA.states[:3].numpy()))


@pytest.mark.parametrize("model", [SCALED, DELAYED], ids=["scaled", "delayed"])
def test_a_stored_model_is_the_same(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    again = dynred.load_model(tmp_path / "m.safetensors")
    x0 = DATA[0].states[: model.past]
    assert torch.equal(again.predict(x0, TIMES).states, model.predict(x0, TIMES).states)
    assert again.notes() == model.notes()
    assert [part.spec for part in again.transforms] == [part.spec for part in model.transforms]


def test_a_transform_of_a_newer_version_is_told(tmp_path):
    path = tmp_path / "m.safetensors"
    for change in ({"schema": 2}, {"spec": {"kind": "kalman"}}):
        DELAYED.save(path)
        tensors, meta = read_tensors(path)
        meta = json.loads(json.dumps(meta))
        meta["transforms"][1] |= change
        write_tensors(path, tensors, meta)
        with pytest.raises(FileFormatError, match="transform .* must be known.*Install a newer dynred to read it"):
            dynred.load_model(path)


def test_a_past_that_is_too_short_is_told():
    with pytest.raises(
        InputError, match=r"x0 must be the last 5 snapshots of each state, \[..., 5, 4\], got \[1, 3, 4\]"
    ):
        DELAYED.predict(DATA[0].states[:3], TIMES)
    with pytest.raises(InputError, match="x must be the last 5 snapshots"):
        DELAYED.encode(DATA[0].states[0])
    short = DATA[0].where(torch.arange(len(DATA[0].t)) < 3)
    with pytest.raises(InputError, match="trajectories must be of at least 5 snapshots, .* got 3 in trajectory 0"):
        DELAYED.predict(short, TIMES)


def test_a_past_of_another_sampling_is_told():
    coarse = DATA[0].where(torch.arange(len(DATA[0].t)) < 40)
    slower = dynred.Trajectories(coarse.states, 2 * coarse.t, coarse.lengths)
    with pytest.raises(InputError, match="trajectories must be sampled every 0.02, .* got 0.04"):
        DELAYED.predict(slower, TIMES)


def test_a_forecast_is_of_the_present_states():
    made = forecast(DELAYED, DATA)
    present = torch.cat([x[4:] for x in DATA.states.split(DATA.lengths.tolist())])
    assert torch.allclose(made.truth.states, present)
    assert torch.equal(made.predicted.lengths, DATA.lengths - 4)


def test_bands_of_a_transformed_model_are_in_the_variables_of_the_data():
    calibration = dynred.calibrate(DELAYED, DATA, horizon=5)
    band = dynred.predict_band(DELAYED, calibration, DATA[0].states[:5], TIMES[:6])
    assert band.lower.dim == 4
    assert (band.lower.states <= band.centre.states).all()
    assert (band.centre.states <= band.upper.states).all()
