import dataclasses

import pytest
import torch

from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.stabilised import StabilisedSpec
from dynred.errors import InputError
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

NOW = torch.zeros((), dtype=torch.float64)
SHORT = NeuralODESpec(width=24, depth=2, training=TrainingSpec(steps=150, batch_size=64))


@pytest.fixture(scope="module")
def spirals():
    times = torch.linspace(0, 4, 21, dtype=torch.float64)
    return simulate(find_system("stuart_landau"), 16, times, rng=generator(0, "spirals"), transient=0.0)


@pytest.fixture(scope="module")
def growing(spirals):
    """The same states, said to grow: z' = z. Whatever learns that leaves every bound."""
    return dataclasses.replace(spirals, velocities=spirals.states.clone())


def test_on_the_data_the_field_is_that_of_the_member_bit_for_bit(spirals):
    stabilised = StabilisedSpec(member=SHORT).fit(spirals[:12], spirals[12:], rng=generator(0))
    alone = SHORT.fit(spirals[:12], spirals[12:], rng=generator(0))
    inside = spirals[:12].states
    assert torch.allclose(stabilised.field(NOW, inside), alone.field(NOW, inside), atol=1e-6)


def test_the_published_form_fits_what_the_damping_leaves(spirals):
    # Linear dynamics of v + rate y with -rate y beside them are the linear dynamics of v: damping everywhere is undone.
    damped = StabilisedSpec(member=LinearSpec(), rate=3.0, reach=0.0).fit(spirals, spirals, rng=generator(0))
    plain = LinearSpec().fit(spirals, spirals, rng=generator(0))
    assert torch.allclose(damped.field(NOW, spirals.states), plain.field(NOW, spirals.states), atol=1e-9)


@pytest.mark.parametrize("reach", [0.0, 1.0])
def test_no_rollout_leaves_whatever_the_member_does(growing, reach):
    t = torch.linspace(0, 40, 41, dtype=torch.float64)
    z0 = torch.cat([growing.initial, 40 * growing.initial])  # rollouts end at 100 times the spread of the data
    wild = LinearSpec().fit(growing, growing, rng=generator(0))
    assert wild.rollout(z0, t).isnan().any()
    held = StabilisedSpec(member=LinearSpec(), rate=5.0, reach=reach).fit(growing, growing, rng=generator(0))
    found = held.rollout(z0, t)
    assert found.isfinite().all()
    # |y| ends below r + G / rate, with G = |z'| of the member on the ball, in standard units.
    y = held.units.standard(found[:, -1])
    member = held.member.field(NOW, held.ball.nearest(found[:, -1], 1.0)) / held.units.spread
    assert (y.norm(dim=-1) <= held.radius + member.norm(dim=-1).max() / 5.0 + 1e-3).all()


def test_far_outside_the_damping_alone_decides_the_rate(spirals):
    held = StabilisedSpec(member=LinearSpec(), rate=2.0).fit(spirals, spirals, rng=generator(0))
    z = held.units.latent(torch.tensor([[1e6, 0.0]], dtype=torch.float64))
    v = held.field(NOW, z) / held.units.spread
    assert float(v[0, 0]) == pytest.approx(-2e6, rel=1e-3)


def test_the_field_is_continuous_where_the_damping_begins(spirals):
    held = StabilisedSpec(member=SHORT).fit(spirals[:12], spirals[12:], rng=generator(0))
    direction = torch.tensor([[0.6, 0.8]], dtype=torch.float64)
    inner, outer = (held.units.latent(held.radius * (1 + e) * direction) for e in (-1e-7, 1e-7))
    assert torch.allclose(held.field(NOW, inner), held.field(NOW, outer), atol=1e-5)


def test_angles_are_not_damped():
    t = torch.linspace(0, 3, 31, dtype=torch.float64)
    flow = torch.stack([t.expand(4, -1) + torch.arange(4)[:, None], torch.zeros(4, 31).double() + 0.1], -1)
    speed = torch.zeros_like(flow)
    speed[..., 0] = 1
    from_angle = StabilisedSpec(member=LinearSpec(), rate=1.0, reach=0.0)
    data = simulate(find_system("stuart_landau"), 4, t, rng=generator(0)).map(lambda x: x)
    data = dataclasses.replace(data, states=flow.reshape(-1, 2), velocities=speed.reshape(-1, 2))
    found = from_angle.fit(data, data, rng=generator(0), latent_space=LatentSpace(angles=1, lines=1))
    assert torch.allclose(found.ball.damping(data.states, found.spec)[:, 0], torch.zeros(len(data.states)).double())


@pytest.mark.parametrize(("field", "value"), [("rate", 0.0), ("reach", -1.0), ("reach", float("inf"))])
def test_settings_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(InputError, match=f"{field} must be"):
        StabilisedSpec(**{field: value})
