"""Maps: fitted to pairs of snapshots, exact where the truth is a polynomial, and counted in steps."""

import math

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.dynamics.map import LatentMap, MapSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.parametric import ParametricSpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.errors import InputError
from dynred.evaluation.lyapunov import lyapunov_spectrum
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

NETWORK = MapSpec(NeuralODESpec(width=16, depth=1, training=TrainingSpec(steps=50)))


def iterates(name, n, seed, steps=60, **parameters):
    return simulate(find_system(name), n, torch.arange(steps + 1.0), rng=generator(seed), parameters=parameters)


@pytest.fixture(scope="module")
def henon():
    train, validation = iterates("henon", 12, 0), iterates("henon", 4, 1)
    return MapSpec().fit(train, validation, rng=generator(0))


def test_a_map_from_snapshots_alone_predicts_henon_until_round_off_has_grown(henon):
    test = iterates("henon", 4, 2, 30)
    prediction = henon.rollout(test.initial, test.times(0))
    assert (prediction - test.stacked())[:, :16].abs().max() < 1e-6


def test_exponents_of_a_fitted_map_are_those_of_the_map(henon):
    spectrum = lyapunov_spectrum(
        henon.evolution(), rng=generator(0), initial=iterates("henon", 64, 3, 1).initial, interval=1.0, duration=200.0
    )
    assert spectrum.exponents[0] == pytest.approx(0.4192, rel=0.03)
    assert float(spectrum.exponents.sum()) == pytest.approx(math.log(0.3), abs=1e-6)


def test_every_other_step_is_reached_in_one_rollout(henon):
    z0 = iterates("henon", 3, 4, 1).initial
    every, other = (henon.rollout(z0, torch.arange(0.0, 9.0, step)) for step in (1.0, 2.0))
    assert torch.equal(every[:, ::2], other)


def test_times_between_steps_are_refused_with_the_number_of_steps(henon):
    with pytest.raises(InputError, match=r"whole steps of 1 after t\[0\], got 2.5 \(2.5 steps\)"):
        henon.rollout(torch.zeros(1, 2), torch.tensor([0.0, 1.0, 2.5]))


def test_times_that_are_not_even_are_refused_with_how_far_they_are_off():
    t = torch.tensor([0.0, 1.0, 2.0, 3.3])
    uneven = Trajectories.from_stacked(torch.rand(4, 4, 2), t)
    with pytest.raises(InputError, match="evenly spaced, got steps from 1 to 1.3, up to 30 % off"):
        MapSpec().fit(uneven, uneven, rng=generator(0))


def test_a_map_has_no_vector_field(henon):
    with pytest.raises(InputError, match="given by a vector field, got a map"):
        henon.at()


def test_steps_are_counted_in_the_time_of_the_data():
    parts = [iterates("logistic", 6, seed) for seed in (0, 1)]
    half = [Trajectories.from_stacked(part.stacked(), part.times(0) / 2) for part in parts]
    fitted = MapSpec().fit(*half, rng=generator(0))
    assert fitted.time_step == 0.5
    exponent = lyapunov_spectrum(
        fitted.evolution(), 1, rng=generator(0), initial=half[0].initial, interval=0.5, duration=50.0
    ).exponents[0]
    assert exponent == pytest.approx(2 * math.log(2), rel=0.05)


def test_pairs_of_snapshots_are_enough():
    pairs = [iterates("henon", n, seed, 1) for n, seed in ((60, 0), (20, 1))]
    fitted = MapSpec().fit(*pairs, rng=generator(0))
    test = iterates("henon", 4, 2, 8)
    assert (fitted.rollout(test.initial, test.times(0)) - test.stacked()).abs().max() < 1e-4


def test_an_angle_goes_on_past_half_a_turn():
    turns = 0.4 * torch.arange(30, dtype=torch.float64) + torch.linspace(0, 6, 8, dtype=torch.float64)[:, None]
    wrapped = torch.remainder(turns + torch.pi, 2 * torch.pi) - torch.pi
    circle = Trajectories.from_stacked(wrapped[..., None], torch.arange(30.0))
    fitted = MapSpec().fit(circle[:6], circle[6:], rng=generator(0), latent_space=LatentSpace(angles=1, lines=0))
    z = fitted.rollout(torch.zeros(1, 1, dtype=torch.float64), torch.arange(30.0))
    assert z[0, -1, 0] == pytest.approx(0.4 * 29, abs=1e-6)


def test_a_map_may_depend_on_parameters():
    rates = [torch.linspace(3.6, 4.0, n, dtype=torch.float64) for n in (10, 4)]
    train, validation = (iterates("logistic", len(r), 0, 40, r=r) for r in rates)
    fitted = MapSpec(ParametricSpec(PolynomialODESpec())).fit(train, validation, rng=generator(0))
    test = iterates("logistic", 1, 5, 8, r=3.77)
    assert (fitted.rollout(test.initial, test.times(0), test.parameters) - test.stacked()).abs().max() < 1e-6


def test_a_network_on_top_of_the_polynomial_is_trained_on_steps():
    train, validation = iterates("henon", 8, 0), iterates("henon", 3, 1)
    fitted = NETWORK.fit(train, validation, rng=generator(0))
    assert [history.stage for history in fitted.histories] == ["dynamics"]
    assert (fitted.rollout(validation.initial, torch.arange(6.0)) - validation.stacked()[:, :6]).abs().max() < 1e-5


def test_what_is_made_of_vector_fields_takes_no_map():
    train = iterates("logistic", 6, 0)
    with pytest.raises(InputError, match="given by a vector field, got LatentMap"):
        MapSpec(MapSpec()).fit(train, train, rng=generator(0))
    assert isinstance(MapSpec().fit(train, train, rng=generator(0)), LatentMap)


def test_the_name_of_a_kind_chooses_what_gives_the_change():
    assert MapSpec().updated("member", "neural_ode") == MapSpec(NeuralODESpec())
    with pytest.raises(InputError, match="a group of settings"):
        MapSpec().updated("member", "pod")
