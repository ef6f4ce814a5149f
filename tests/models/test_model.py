import json

import numpy as np
import pytest
import safetensors.torch
import torch

from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import FileFormatError, InputError
from dynred.files import read_tensors, write_tensors
from dynred.models.load import load_model
from dynred.models.reduced import ReducedModel
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.training.minimise import TrainingSpec

T = torch.linspace(0, 2, 5, dtype=torch.float64)


@pytest.fixture(scope="module")
def models(lifted):
    """A linear and a neural model of the lifted cycle."""
    tiny = TrainingSpec(steps=40, batch_size=64, validations=2)
    made = []
    for reducer, dynamics in (
        (PODSpec(2), LinearSpec()),
        (AutoencoderSpec(2, width=16, training=tiny), NeuralODESpec(width=16, training=tiny)),
    ):
        fitted = reducer.fit(lifted[:9], lifted[9:], rng=generator(0))
        evolved = dynamics.fit(lifted[:9].map(fitted.encode), lifted[9:].map(fitted.encode), rng=generator(1))
        made.append(ReducedModel(fitted, evolved, {"system": "lifted", "seed": 0}))
    return made


def test_a_saved_model_predicts_the_same_bit_for_bit(models, lifted, tmp_path):
    for model in models:
        model.save(tmp_path / "model.safetensors")
        again = load_model(tmp_path / "model.safetensors")
        assert torch.equal(again.predict(lifted.initial, T).states, model.predict(lifted.initial, T).states)
        assert again.about == model.about
        assert again.histories == model.histories
        assert again.reducer.spec == model.reducer.spec
        assert again.dynamics.spec == model.dynamics.spec


def test_a_run_folder_stands_for_its_model(models, tmp_path):
    models[0].save(tmp_path / "model.safetensors")
    assert load_model(tmp_path).state_dim == 12


def test_nothing_in_a_model_file_is_pickled(models, tmp_path):
    models[1].save(tmp_path / "m.safetensors")
    tensors = safetensors.torch.load_file(tmp_path / "m.safetensors")
    assert set(tensors) == set(read_tensors(tmp_path / "m.safetensors")[0])


def test_prediction_starts_at_the_reconstruction_and_is_encode_rollout_decode(models, lifted):
    for model in models:
        found = model.predict(lifted.initial, T).stacked()
        assert torch.allclose(found[:, 0], model.reconstruct(lifted.initial), atol=1e-6)
        z = model.dynamics.rollout(model.encode(lifted.initial), T)
        assert torch.allclose(found, model.decode(z).double(), atol=1e-5)  # float32, in other batches


def test_one_state_and_numpy_states_are_taken(models, lifted):
    one = models[0].predict(lifted.initial[0], T)
    array = models[0].predict(lifted.initial.numpy(), T.numpy())
    assert len(one) == 1
    assert torch.allclose(array.states[: len(T)], one.states, atol=1e-12)


def test_the_latent_velocity_is_the_derivative_of_the_rollout(models, lifted):
    for model in models:
        z = model.encode(lifted.initial)
        h = 1e-4
        ahead = model.dynamics.rollout(z, torch.tensor([0.0, h, 2 * h], dtype=torch.float64))
        slope = (ahead[:, 2] - ahead[:, 0]) / (2 * h)
        assert torch.allclose(slope, model.rhs(h, ahead[:, 1]), atol=2e-3)


@pytest.mark.parametrize(
    ("x0", "t", "message"),
    [
        (torch.zeros(3, 11), T, r"x0 must be states of 12 values, got shape \[3, 11\]"),
        (torch.full((12,), torch.nan), T, "x0 must be finite everywhere, got nan"),
        (torch.zeros(12), T.flip(0), "t must be strictly increasing, got 2 followed by 1.5"),
        (np.zeros(12), [], "t must be a vector of times"),
    ],
)
def test_bad_arguments_of_predict_are_named(models, x0, t, message):
    with pytest.raises(InputError, match=message):
        models[0].predict(x0, t)


def test_reducer_and_dynamics_of_different_latents_are_refused(models, lifted):
    wide = PODSpec(3).fit(lifted, lifted, rng=generator(0))
    with pytest.raises(InputError, match="reducer and dynamics must be on the same latent space"):
        ReducedModel(wide, models[0].dynamics)


def corrupted(models, tmp_path, change):
    path = tmp_path / "m.safetensors"
    models[0].save(path)
    tensors, metadata = read_tensors(path)
    change(tensors, metadata)
    write_tensors(path, tensors, metadata)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: m.update(kind="checkpoint"), "must hold a reduced model, got a checkpoint"),
        (lambda t, m: m.update(schema=99), "must be of schema 1 or older, got 99. Install a newer dynred"),
        (lambda t, m: m["reducer"]["spec"].update(kind="os:system"), "known Spec class"),
        (lambda t, m: m["reducer"]["spec"].update(colour="red"), "colour"),
        (
            lambda t, m: m["reducer"]["sizes"].update(state_dim=13),
            r"tensor reducer.modes.mean must be float64 \[13\], got float64 \[12\]",
        ),
        (lambda t, m: t.pop("dynamics.matrix"), "tensor dynamics.matrix must be there, got nothing"),
        (lambda t, m: m.pop("latent_space"), "latent_space"),
    ],
)
def test_a_file_that_describes_no_model_is_refused(models, tmp_path, change, message):
    with pytest.raises(FileFormatError, match=message):
        load_model(corrupted(models, tmp_path, change))


def test_a_truncated_a_foreign_and_a_missing_file_are_refused(models, tmp_path):
    path = tmp_path / "m.safetensors"
    models[0].save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileFormatError, match="truncated or not a safetensors file"):
        load_model(path)
    safetensors.torch.save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(FileFormatError, match="was not written by dynred"):
        load_model(path)
    with pytest.raises(FileFormatError, match="does not exist"):
        load_model(tmp_path / "nothing.safetensors")


def test_the_metadata_is_plain_json(models, tmp_path):
    models[1].save(tmp_path / "m.safetensors")
    with safetensors.safe_open(tmp_path / "m.safetensors", framework="pt") as opened:
        stored = json.loads(opened.metadata()["dynred"])
    assert stored["reducer"]["spec"]["latent_dim"] == 2
    assert stored["about"]["system"] == "lifted"
