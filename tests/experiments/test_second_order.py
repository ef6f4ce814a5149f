"""States (q, q'): the velocity of the first half is the second half, exactly, in the latents and in the model."""

import pytest
import torch

import dynred
from dynred.data.trajectories import Trajectories
from dynred.dynamics.acceleration import AccelerationSpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.errors import InputError
from dynred.experiments.choose_experiment import choose_experiment
from dynred.experiments.data_spec import DataSpec
from dynred.models.load import load_model
from dynred.ode.system import System
from dynred.reducers.pod import PODSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.reducers.second_order import SecondOrderSpec
from dynred.rng import generator
from dynred.testing import check_system

FEW = DataSpec(train=10, validation=4, test=4)


def pendula(t, x):
    """Four pendula that are coupled so strongly that they swing as one."""
    q, v = x.chunk(2, -1)
    pull = 40 * (q.mean(-1, keepdim=True) - q) - 6 * (v - v.mean(-1, keepdim=True))
    return torch.cat([v, pull - torch.sin(q)], -1)


def sample(n, rng):
    start = 1.2 * torch.rand(n, 1, generator=rng, dtype=torch.float64).expand(n, 4)
    return torch.cat([start, torch.zeros(n, 4, dtype=torch.float64)], -1)


def system(**changes):
    times = {"duration": 10.0, "sampling": 0.2, "time_scale": 6.0}
    return System("pendula", 8, pendula, sample, stiff=False, second_order=True, **times, **changes)


@pytest.fixture(scope="module")
def reduction():
    spec = AccelerationSpec(PolynomialODESpec())
    return dynred.reduce(system(), 2, data=FEW, reducer=SecondOrderSpec(2, PODSpec(1)), dynamics=spec)


def test_in_the_model_the_first_half_moves_by_the_second_exactly(reduction):
    z = torch.randn(5, 2, generator=generator(0), dtype=torch.float64)
    assert torch.equal(reduction.model.rhs(0.0, z)[:, :1], z[:, 1:])


def test_decoded_predictions_move_by_their_own_velocities(reduction):
    x = reduction.model.predict(reduction.forecast.truth.initial[:1], 0.01 * torch.arange(200.0)).stacked()[0]
    assert ((x[2:, :4] - x[:-2, :4]) / 0.02 - x[1:-1, 4:]).abs().max() < 1e-4


def test_predictions_hold_and_a_stored_model_predicts_the_same(reduction, tmp_path):
    assert reduction.evaluation.rollout.valid_time.at_least
    reduction.model.save(tmp_path / "m.safetensors")
    x0, t = reduction.forecast.truth.initial, torch.arange(5.0)
    assert torch.equal(
        load_model(tmp_path / "m.safetensors").predict(x0, t).states, reduction.model.predict(x0, t).states
    )


def test_latent_velocities_are_pushed_through_both_derivatives():
    t, height = torch.linspace(0, 3, 31, dtype=torch.float64), torch.linspace(0.6, 1.2, 6, dtype=torch.float64)[:, None]
    s, v = height * torch.cos(t), -height * torch.sin(t)
    states = torch.stack([s, s**2, v, 2 * s * v], -1)
    velocities = torch.stack([v, 2 * s * v, -s, 2 * v**2 - 2 * s**2], -1)
    curve = Trajectories.from_stacked(states, t, velocities)
    reducer = SecondOrderSpec(2, PolynomialManifoldSpec(1)).fit(curve[:4], curve[4:], rng=generator(0))
    latents = reducer.latents(curve)
    assert torch.allclose(latents.velocities[:, 0], latents.states[:, 1], atol=1e-12)
    z = latents.stacked()
    slope = (z[:, 2:, 1] - z[:, :-2, 1]) / 0.2
    assert (slope - latents.velocities.reshape(z.shape)[:, 1:-1, 1]).abs().max() < 0.01


def test_a_declaration_that_the_data_contradict_is_refused_with_a_number():
    swapped = dynred.simulate(system(), 8, rng=generator(0)).map(lambda x: torch.cat([x[:, 4:], x[:, :4]], -1))
    with pytest.raises(InputError, match=r"differ from the second by \d+% of its size"):
        SecondOrderSpec(2).fit(swapped[:6], swapped[6:], rng=generator(0))
    with pytest.raises(InputError, match="latent_dim must be even"):
        SecondOrderSpec(3)


def test_a_system_that_is_not_of_second_order_is_told():
    check_system(system())
    with pytest.raises(AssertionError, match="the first half of the velocity must be the second half of the state"):
        check_system(System("turned", 8, lambda t, x: -pendula(t, x), sample, stiff=False, second_order=True))


def test_the_settings_of_the_command_line_wrap_reducer_and_dynamics():
    spec = choose_experiment("lorenz96", 4, reducer="pod", dynamics="polynomial", second_order=True)
    assert spec.reducer == SecondOrderSpec(4, PODSpec(2))
    assert spec.dynamics == AccelerationSpec(PolynomialODESpec())
    assert spec.updated("latent_dim", 6).reducer == SecondOrderSpec(6, PODSpec(3))


def test_what_torch_cannot_trace_is_told(reduction):
    with pytest.raises(InputError, match="encode must be traceable by torch.export"):
        reduction.model.to_numpy()
