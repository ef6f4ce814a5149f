"""Latent spaces with angles: encoders into circles and tori, periodic decoders and fields, rollouts that count on."""

import copy
import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dynred.data.trajectories import Trajectories
from dynred.dynamics.fourier import Fourier, FourierSpec, basis, waves
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import InputError
from dynred.evaluation.evaluate import evaluate
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.pipeline import reduce
from dynred.models.load import load_model
from dynred.models.reduced import ReducedModel
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.find import find_system
from dynred.reducers._phases import lifted, starts
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

TAU = 2 * math.pi
SMALL = AutoencoderSpec(1, angles=1, width=32, training=TrainingSpec(steps=400, batch_size=128), trials=2)


@pytest.fixture(scope="module")
def angular(lifted):
    """The lifted cycle in one angle, with a Fourier series for its motion."""
    reducer = SMALL.fit(lifted[:9], lifted[9:], rng=generator(0))
    latents = [part.map(reducer.encode) for part in (lifted[:9], lifted[9:])]
    dynamics = FourierSpec().fit(*latents, rng=generator(0), latent_space=reducer.latent_space)
    return ReducedModel(reducer, dynamics)


# -- the latent space ----------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-20, 20), min_size=3, max_size=3), st.floats(0.1, 10))
def test_coordinates_invert_features_up_to_whole_turns_whatever_their_length(z, length):
    space = LatentSpace(angles=2, lines=1)
    z = torch.tensor(z, dtype=torch.float64)
    y = space.features(z)
    y[:4] *= length
    assert torch.allclose(space.difference(space.coordinates(y), z), torch.zeros(3).double(), atol=1e-9)
    assert torch.allclose(space.moduli(y), torch.tensor(length, dtype=torch.float64))


def test_velocities_pushed_through_an_angle_are_right_across_the_cut_at_pi():
    space = LatentSpace(angles=1, lines=0)
    angle = torch.linspace(math.pi - 1e-3, math.pi + 1e-3, 7, dtype=torch.float64)
    x, v = (torch.stack(p, -1) for p in ((angle.cos(), angle.sin()), (-angle.sin(), angle.cos())))
    _, pushed = torch.func.jvp(space.coordinates, (2 * x,), (2 * v,))
    assert torch.allclose(pushed, torch.ones(7, 1).double(), atol=1e-12)


# -- starts ----------------------------------------------------------------------------------------------------------


def test_the_phases_of_a_flat_torus_are_found_though_its_leading_coordinates_mix_them():
    t = torch.linspace(0, 300, 3000, dtype=torch.float64)
    rates = (1.0, (1 + math.sqrt(5)) / 2)
    turning = torch.cat([torch.stack([torch.cos(w * t), torch.sin(w * t)], -1) for w in rates], -1)
    moving = torch.cat([w * torch.stack([-torch.sin(w * t), torch.cos(w * t)], -1) for w in rates], -1)
    mixed = torch.linalg.qr(torch.randn(4, 4, generator=generator(0), dtype=torch.float64))[0]
    space = LatentSpace(angles=2, lines=0)
    start, back = starts(turning @ mixed, moving @ mixed, space, 1)[0]
    y = lifted(turning @ mixed) @ start
    _, rate = torch.func.jvp(lambda a: space.coordinates(lifted(a) @ start), (turning @ mixed,), (moving @ mixed,))
    assert torch.allclose(rate.abs().sort().values, torch.tensor(rates).double().expand(3000, 2), atol=1e-6)
    assert torch.allclose(space.features(space.coordinates(y)) @ back, turning @ mixed, atol=1e-6)


def test_without_velocities_a_circle_that_is_not_in_the_leading_pair_is_found():
    # The leading coordinate swings to and fro; the circle is in the second and third.
    s = TAU * torch.arange(400, dtype=torch.float64) / 400
    a = torch.stack([2 * torch.sin(2 * s), torch.cos(s), torch.sin(s)], -1)
    space = LatentSpace(angles=1, lines=0)
    start, _ = starts(a, None, space, 1)[0]
    turns = space.difference(*(space.coordinates(lifted(a.roll(-k, 0)) @ start) for k in (1, 0))).sum() / TAU
    assert abs(float(turns)) == pytest.approx(1)
    assert space.moduli(lifted(a) @ start).min() > 0.5


def test_the_angle_of_a_cylinder_is_not_that_of_its_largest_coordinates():
    angle, height = cylinder()
    a = torch.stack([3 * height, angle.cos(), angle.sin()], -1)
    space = LatentSpace(angles=1, lines=1)
    start, back = starts(a, None, space, 1)[0]
    assert torch.allclose(space.features(space.coordinates(lifted(a) @ start)) @ back, a, atol=1e-9)


def test_both_circles_of_a_torus_in_space_are_found_though_no_linear_function_turns_with_its_tube():
    u, v = TAU * torch.rand(2, 3000, generator=generator(0), dtype=torch.float64)
    r = 1 + 0.5 * v.cos()
    a = torch.stack([r * u.cos(), r * u.sin(), 0.5 * v.sin()], -1)
    space = LatentSpace(angles=2, lines=0)
    start, _ = starts(a - a.mean(0), None, space, 1)[0]

    def turns(u, v):
        r = 1 + 0.5 * v.cos()
        b = torch.stack([r * u.cos(), r * u.sin(), 0.5 * v.sin()], -1) - a.mean(0)
        z = space.coordinates(lifted(b) @ start)
        return space.difference(z.roll(-1, 0), z).sum(0) / TAU

    s = TAU * torch.arange(200, dtype=torch.float64) / 200
    degrees = torch.stack([turns(s, 0 * s + 0.3), turns(0 * s + 0.3, s)])
    assert abs(float(torch.linalg.det(degrees))) == pytest.approx(1)


def test_lines_start_as_the_leading_directions():
    a = torch.randn(50, 5, generator=generator(0), dtype=torch.float64)
    start, back = starts(a, None, LatentSpace(lines=2), 3)[0]
    assert torch.equal(a @ start, a[:, :2])
    assert torch.equal(start @ back, torch.diag(torch.tensor([1.0, 1, 0, 0, 0]).double()))


def cylinder():
    """Angles and heights of points on a cylinder."""
    angle, height = TAU * torch.arange(30, dtype=torch.float64) / 30, torch.linspace(-1, 1, 12, dtype=torch.float64)
    return torch.cartesian_prod(angle, height).T


# -- the autoencoder ---------------------------------------------------------------------------------------------------


def test_a_closed_curve_takes_one_angle_that_goes_around_once(lifted, angular):
    error = (angular.reconstruct(lifted.states) - lifted.states).norm(dim=1)
    assert error.max() < 0.02  # no seam: one line could not be better than the radius, 1, somewhere
    z = lifted[:1].map(angular.encode).states
    turns = angular.latent_space.difference(z[1:], z[:-1]).sum() / TAU
    assert abs(float(turns)) == pytest.approx(6.28 / TAU, abs=0.01)


def test_the_decoder_is_periodic_and_pushed_velocities_are_time_derivatives(lifted, angular):
    z = torch.linspace(-3, 3, 9, dtype=torch.float64)[:, None]
    assert torch.allclose(angular.decode(z), angular.decode(z + TAU), atol=1e-5)
    encode, h = copy.deepcopy(angular.reducer).double().encode, 1e-5
    ahead, behind = (encode(lifted.states + s * lifted.velocities) for s in (h, -h))
    slope = angular.latent_space.difference(ahead, behind) / (2 * h)
    assert torch.allclose(lifted.map(encode).velocities, slope, atol=1e-6)


def test_an_angle_and_a_line_carry_a_cylinder():
    angle, height = cylinder()
    flat = torch.stack([angle.cos(), angle.sin(), 3 * height, height**2], -1)[:, None]
    still = Trajectories.from_stacked(flat, torch.zeros(1, dtype=torch.float64))
    spec = dataclasses.replace(SMALL, latent_dim=2)
    fitted = spec.fit(still, still, rng=generator(0))
    assert fitted.latent_space == LatentSpace(angles=1, lines=1)
    assert (fitted.reconstruct(still.states) - still.states).norm(dim=1).max() < 0.1


def test_settings_of_angles_out_of_range_are_refused(lifted):
    with pytest.raises(InputError, match=r"angles must be an integer in \[0, 1\], got 2"):
        AutoencoderSpec(1, angles=2)
    with pytest.raises(InputError, match="trials must be an integer >= 1"):
        AutoencoderSpec(1, trials=0)
    plane = dataclasses.replace(lifted, states=lifted.states[:, :3], velocities=None)
    with pytest.raises(InputError, match=r"latent_dim \+ angles must be at most the state dimension 3, got 4"):
        AutoencoderSpec(2, angles=2).fit(plane, plane, rng=generator(0))


# -- dynamics ----------------------------------------------------------------------------------------------------------


def uneven(n=12, steps=60):
    """theta' = 1.3 + 0.5 sin theta: theta(t) is known, the period is 2 pi / 1.2."""
    space, rng = LatentSpace(angles=1, lines=0), generator(0, "uneven")
    z0 = TAU * torch.rand(n, 1, generator=rng, dtype=torch.float64)
    t = torch.linspace(0, 12, steps, dtype=torch.float64)
    phase = 2 * torch.atan((torch.tan(z0 / 2) + 0.5 / 1.3) / (1.2 / 1.3)) + 1.2 * t
    z = 2 * torch.atan((1.2 / 1.3) * torch.tan(phase / 2) - 0.5 / 1.3)
    return Trajectories.from_stacked(z[..., None], t, 1.3 + 0.5 * torch.sin(z[..., None])), space


def period_of(dynamics):
    """The integral of d theta / theta' over a turn, by the trapezoidal rule, which is spectrally accurate here."""
    z = TAU * torch.arange(512, dtype=torch.float64)[:, None] / 512
    return TAU * float((1 / dynamics.field(torch.tensor(0.0), z)).abs().mean())


def test_a_fourier_series_finds_the_order_and_the_period_of_a_field():
    data, space = uneven()
    fitted = FourierSpec().fit(data[:9], data[9:], rng=generator(0), latent_space=space)
    assert fitted.order <= 2
    assert period_of(fitted) == pytest.approx(TAU / 1.2, rel=1e-9)
    t = torch.tensor([0.0, 10 * TAU / 1.2], dtype=torch.float64)
    z = fitted.rollout(data.initial[:2], t)
    assert torch.allclose(z[:, 1] - z[:, 0], torch.full((2, 1), 10 * TAU, dtype=torch.float64), atol=1e-6)


def test_the_error_of_a_truncated_series_falls_exponentially():
    data, space = uneven()
    sharp = dataclasses.replace(data, velocities=1 / (1.5 + torch.sin(data.states)))
    z = torch.linspace(0, TAU, 100, dtype=torch.float64)[:, None]
    errors = []
    for order in (2, 4, 8):
        fitted = FourierSpec(max_order=order).fit(sharp, sharp, rng=generator(0), latent_space=space)
        errors.append(float((fitted.field(torch.tensor(0.0), z) - 1 / (1.5 + torch.sin(z))).abs().max()))
    rate = math.log((3 - math.sqrt(5)) / 2)  # the pole of the field nearest to the real line
    assert math.log(errors[1] / errors[0]) / 2 == pytest.approx(rate, abs=0.2)
    assert math.log(errors[2] / errors[1]) / 4 == pytest.approx(rate, abs=0.2)


def test_a_neural_ode_of_an_angle_is_periodic_and_its_rollouts_count_on():
    data, space = uneven()
    training = TrainingSpec(steps=200, batch_size=64)
    fitted = NeuralODESpec(16, 2, training=training).fit(data[:9], data[9:], rng=generator(0), latent_space=space)
    z = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    assert torch.allclose(*(fitted.field(torch.tensor(0.0), y) for y in (z, z + TAU)), atol=1e-5)
    far = fitted.rollout(data.initial, torch.linspace(0, 60, 301, dtype=torch.float64))
    assert torch.isfinite(far).all()
    assert (far[:, -1] > 10 * TAU).all()
    assert far.diff(dim=1).abs().max() < 1


def test_basis_functions_are_orthogonal_on_the_torus():
    every = torch.cartesian_prod(*2 * [TAU * torch.arange(9, dtype=torch.float64) / 9])
    functions = basis(every, waves(2, 2))
    assert functions.shape[1] == 25
    gram = functions.T @ functions / 81
    assert torch.allclose(gram, torch.diag(torch.tensor([1.0, *24 * [0.5]]).double()), atol=1e-12)


def test_a_fourier_series_refuses_lines_with_advice():
    data, _ = uneven()
    with pytest.raises(InputError, match="latent_space must be of angles alone.*neural_ode"):
        FourierSpec().fit(data, data, rng=generator(0))


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_an_angular_model_survives_its_file_and_is_scored_like_any_other(tmp_path, lifted, angular):
    angular.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert isinstance(again.dynamics, Fourier)
    assert torch.equal(again.reconstruct(lifted.states), angular.reconstruct(lifted.states))
    found = evaluate(again, lifted[9:], train=lifted[:9])
    assert found.latent_space == {"angles": 1, "lines": 0}
    assert found.rollout.diverged == 0
    assert max(found.rollout.error.p90) < 0.05


def test_the_period_of_a_cycle_is_right_to_a_millionth(angular):
    system = find_system("graph_lift", dim=12)
    assert period_of(angular.dynamics) == pytest.approx(system.time_scale, rel=2e-6)
    x = system.known.sample(3, generator(5))
    t = system.time_scale * torch.tensor([0.0, 1.0, 10.0], dtype=torch.float64)
    found = angular.predict(x, t).stacked()  # after whole periods the truth is x itself
    assert (found[:, 2] - found[:, 0]).norm(dim=1).max() < 1e-3 * x.norm(dim=1).mean()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_lifted_cycle_in_fifty_dimensions_is_off_by_a_hundredth_after_a_thousand_periods(seed):
    system = find_system("graph_lift", dim=50)
    train, held = (simulate(system, n, rng=generator(seed, n)) for n in (64, 8))
    spec = AutoencoderSpec(1, angles=1, width=64, training=TrainingSpec(steps=1000, batch_size=256))
    reducer = spec.fit(train, held, rng=generator(seed))
    latents = [part.map(reducer.encode) for part in (train, held)]
    model = ReducedModel(
        reducer, FourierSpec().fit(*latents, rng=generator(seed), latent_space=reducer.latent_space), {}
    )
    x = system.known.sample(8, generator(seed, "test"))
    found = model.predict(x, system.time_scale * torch.tensor([0.0, 500.0, 1000.0], dtype=torch.float64)).stacked()
    scale = (x - train.states.mean(0)).norm(dim=1).mean()
    assert (found - x[:, None]).norm(dim=-1).max() < 1e-2 * scale


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_flat_torus_in_twenty_dimensions_is_followed_for_a_thousand_time_scales(seed):
    system = find_system("torus_flow", dim=20)
    times = 0.5 * torch.arange(101, dtype=torch.float64)
    train, held = (simulate(system, n, times, rng=generator(seed, n)) for n in (100, 8))
    spec = AutoencoderSpec(2, angles=2, width=64, training=TrainingSpec(steps=1000, batch_size=256))
    reducer = spec.fit(train, held, rng=generator(seed))
    latents = [part.map(reducer.encode) for part in (train, held)]
    dynamics = FourierSpec().fit(*latents, rng=generator(seed), latent_space=reducer.latent_space)
    x = system.known.sample(8, generator(seed, "test"))
    t = system.time_scale * torch.linspace(0, 1000, 101, dtype=torch.float64)
    found = ReducedModel(reducer, dynamics).predict(x, t).stacked()
    # On K the field is linear, x' = A x: the truth is a matrix exponential.
    samples = system.known.sample(500, generator(1))
    plane = torch.linalg.svd(samples, full_matrices=False)[2][:4]
    linear = torch.linalg.lstsq(samples @ plane.T, system.at()(torch.tensor(0.0), samples) @ plane.T).solution
    flow = torch.matrix_exp(t[:, None, None] * linear)
    truth = torch.einsum("ni,tij->ntj", x @ plane.T, flow) @ plane
    assert (found - truth).norm(dim=-1).max() < 5e-2 * samples.norm(dim=1).mean()


def test_reduce_takes_angles():
    data = DataSpec(train=8, validation=2, test=2, duration=6.3, sampling=0.2)
    spec = dataclasses.replace(SMALL, training=TrainingSpec(steps=100, batch_size=64))
    made = reduce(find_system("graph_lift", dim=6), 1, data=data, reducer=spec, dynamics=FourierSpec())
    assert made.model.latent_space == LatentSpace(angles=1, lines=0)
    assert made.evaluation.rollout.diverged == 0
