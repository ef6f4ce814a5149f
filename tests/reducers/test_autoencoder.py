import dataclasses

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.numerics.modes import Modes
from dynred.reducers._phases import starts
from dynred.reducers.autoencoder import Autoencoder, AutoencoderSpec
from dynred.reducers.base import SeenParameters
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.training.minimise import TrainingSpec


def nmse(reducer, data):
    x = data.states
    return float((reducer.reconstruct(x) - x).pow(2).sum() / (x - x.mean(0)).pow(2).sum())


def test_before_training_it_is_pod(lifted):
    spec = AutoencoderSpec(2)
    modes = Modes.of(lifted.states, 2, scaled=True, tolerance=1e-10)
    start, back = starts(modes.coefficients(lifted.states), None, spec.latent_space, 1)[0]
    untrained = Autoencoder(spec, modes, SeenParameters.empty(()), start, back, generator(0))
    pod = PODSpec(2).fit(lifted, lifted, rng=generator(0))
    assert modes.count > 2
    assert torch.allclose(untrained.reconstruct(lifted.states), pod.reconstruct(lifted.states), atol=1e-6)


def test_it_follows_a_bent_set_that_pod_cuts_through(lifted):
    spec = AutoencoderSpec(2, width=64, training=TrainingSpec(steps=800, batch_size=128))
    fitted = spec.fit(lifted[:9], lifted[9:], rng=generator(0))
    pod = PODSpec(2).fit(lifted[:9], lifted[9:], rng=generator(0))
    assert nmse(fitted, lifted[9:]) < 1e-3 * nmse(pod, lifted[9:])


def test_velocities_pushed_through_it_are_time_derivatives_of_the_latents(lifted, small_reducer):
    fitted = small_reducer.fit(lifted[:9], lifted[9:], rng=generator(0)).double()
    h = 1e-5
    ahead = fitted.encode(lifted.states + h * lifted.velocities)
    behind = fitted.encode(lifted.states - h * lifted.velocities)
    pushed = lifted.map(fitted.encode).velocities
    assert torch.allclose(pushed, (ahead - behind) / (2 * h), atol=1e-6)


def test_the_energy_left_out_bounds_its_error_from_below(lifted):
    spec = AutoencoderSpec(2, width=64, tolerance=1e-2, training=TrainingSpec(steps=300, batch_size=128))
    fitted = spec.fit(lifted, lifted, rng=generator(0))
    left_out = 1 - float(fitted.modes.energy.sum())
    assert 0 < left_out <= 1e-2
    assert nmse(fitted, lifted) >= left_out


def test_the_same_seed_gives_the_same_reducer_and_another_seed_another(lifted, small_reducer):
    a, b, c = (small_reducer.fit(lifted, lifted, rng=generator(s)) for s in (0, 0, 1))
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert not all(torch.equal(p, q) for p, q in zip(a.parameters(), c.parameters(), strict=True))


def test_data_that_no_reducer_fits_are_refused(lifted):
    with pytest.raises(InputError, match="latent_dim must be less than the state dimension 12, got 12"):
        AutoencoderSpec(12).fit(lifted, lifted, rng=generator(0))
    still = Trajectories.from_stacked(torch.ones(2, 5, 4, dtype=torch.float64), torch.arange(5.0))
    with pytest.raises(InputError, match="train must be snapshots that differ"):
        AutoencoderSpec(2).fit(still, still, rng=generator(0))
    with pytest.raises(InputError, match="more than 5 snapshots"):
        AutoencoderSpec(5).fit(lifted[:1].windows(3)[:1], lifted, rng=generator(0))


@pytest.mark.parametrize(
    ("field", "value"), [("latent_dim", 0), ("width", 0), ("depth", 0), ("activation", "step"), ("tolerance", 0.0)]
)
def test_settings_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(InputError, match=f"{field} must be"):
        dataclasses.replace(AutoencoderSpec(2), **{field: value})
