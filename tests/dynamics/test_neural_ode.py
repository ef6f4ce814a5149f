import dataclasses
import math

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.dynamics._rollouts import rollout_score, whole_score
from dynred.dynamics.neural_ode import NeuralODE, NeuralODESpec, RefinementSpec
from dynred.errors import InputError
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.base import LIMIT
from dynred.training.minimise import TrainingSpec

SPEC = NeuralODESpec(width=48, depth=2, training=TrainingSpec(steps=1500, batch_size=128))


@pytest.fixture(scope="module")
def spirals():
    """Stuart-Landau in the plane, from off the cycle onto it: the latents are the states themselves."""
    system = find_system("stuart_landau")
    times = torch.linspace(0, 6, 31, dtype=torch.float64)
    return simulate(system, 48, times, rng=generator(0, "spirals"), transient=0.0)


@pytest.fixture(scope="module")
def fitted(spirals):
    return SPEC.fit(spirals[:40], spirals[40:], rng=generator(0))


def test_it_starts_as_the_polynomial_that_the_field_is_and_finds_it_exactly(spirals, fitted):
    error = fitted.field(torch.tensor(0.0), spirals.states) - spirals.velocities  # Stuart-Landau is cubic
    assert fitted.start.degree >= 3
    assert error.abs().max() < 1e-6 * spirals.velocities.abs().max()


def test_from_nothing_it_learns_the_field_too_but_less_exactly(spirals):
    bare = dataclasses.replace(SPEC, start=None).fit(spirals[:40], spirals[40:], rng=generator(0))
    error = bare.field(torch.tensor(0.0), spirals.states) - spirals.velocities
    # Over 32 draws of the trajectories the ratio lies between 2.3e-3 and 1.8e-2, of the polynomial's below 1e-6.
    assert error.pow(2).mean().sqrt() < 2e-2 * spirals.velocities.pow(2).mean().sqrt()


def test_the_network_learns_what_no_polynomial_of_its_degree_can(spirals):
    spiral = find_system("stuart_landau").at()
    waves = System("waves", 2, lambda t, x: spiral(t, x) + 0.5 * torch.sin(3 * x))
    bent = simulate(waves, 48, spirals.times(0), rng=generator(0, "bent"), initial=spirals.initial)
    linear = dataclasses.replace(SPEC, start=PolynomialSpec(degree=1))
    found = linear.fit(bent[:40], bent[40:], rng=generator(0))
    error = found.field(torch.tensor(0.0), bent.states) - bent.velocities
    assert error.pow(2).mean() < 1e-3 * (found.left * found.units.rate).pow(2).mean()


def test_its_rollouts_follow_trajectories_never_seen(spirals, fitted):
    unseen = spirals[40:]
    found = fitted.rollout(unseen.initial, unseen.times(0))
    assert (found - unseen.stacked()).abs().max() < 0.02


def test_the_score_of_rollouts_is_zero_for_the_truth_and_near_one_for_nonsense(spirals, fitted):
    assert rollout_score(fitted, spirals[40:]) < 0.01
    broken = SPEC.build(fitted.latent_space, **fitted.sizes())
    learned = ("net", "start.coefficients")
    broken.load_state_dict({k: v * (-30 if k.startswith(learned) else 1) for k, v in fitted.state_dict().items()})
    assert rollout_score(broken, spirals[40:]) > 0.5


def test_whole_rollouts_are_followed_to_the_end_and_say_whether_one_breaks_off(spirals, fitted):
    error, broken = whole_score(fitted, (spirals[:10], spirals[40:]))
    assert error < 1e-3
    assert not broken
    wild = Explosive(SPEC, fitted.latent_space, fitted.units, generator(0))
    error, broken = whole_score(wild, (spirals[:10],))
    assert broken
    assert error > 0.5


@pytest.mark.parametrize(("from_linear", "degree"), [(0.1, 1), (0.9, 3)])
def test_rollouts_that_break_off_are_tried_from_linear_dynamics_and_the_better_is_kept(
    spirals, monkeypatch, from_linear, degree
):
    def scored(model, parts):
        assert [len(part) for part in parts] == [20, 8]  # of training and of validation
        return (from_linear, False) if model.start.degree == 1 else (0.5, True)

    monkeypatch.setattr("dynred.dynamics.neural_ode.whole_score", scored)
    spec = dataclasses.replace(SPEC, start=PolynomialSpec(degree=3), training=TrainingSpec(steps=5))
    chosen = spec.fit(spirals[:20], spirals[40:], rng=generator(0))
    assert chosen.start.degree == degree
    assert chosen.choice.startswith("The network started from linear dynamics") == (degree == 1)


def test_refinement_that_does_not_help_validation_rollouts_is_undone(spirals):
    wild = TrainingSpec(steps=3, batch_size=8, learning_rate=3.0)
    short = dataclasses.replace(SPEC, training=TrainingSpec(steps=300, batch_size=128))
    plain = short.fit(spirals[:40], spirals[40:], rng=generator(0))
    refined = dataclasses.replace(short, refinement=RefinementSpec(windows=(2,), training=wild))
    kept = refined.fit(spirals[:40], spirals[40:], rng=generator(0))
    assert all(torch.equal(p, q) for p, q in zip(plain.parameters(), kept.parameters(), strict=True))
    assert [h.stage for h in kept.histories] == ["dynamics", "refinement"]


def test_refinement_mends_a_field_learned_from_wrong_velocities(spirals):
    wrong = dataclasses.replace(spirals, velocities=1.05 * spirals.velocities)
    short = dataclasses.replace(SPEC, start=None, training=TrainingSpec(steps=400, batch_size=128))
    plain = short.fit(wrong[:40], wrong[40:], rng=generator(0))
    steps = TrainingSpec(steps=150, batch_size=128, learning_rate=1e-3)
    spec = dataclasses.replace(short, refinement=RefinementSpec(windows=(4,), training=steps))
    refined = spec.fit(wrong[:40], wrong[40:], rng=generator(0))
    assert rollout_score(refined, spirals[40:]) < 0.5 * rollout_score(plain, spirals[40:])


def test_windows_grow_as_long_as_that_helps(spirals):
    wrong = dataclasses.replace(spirals, velocities=1.05 * spirals.velocities)
    short = dataclasses.replace(SPEC, start=None, training=TrainingSpec(steps=400, batch_size=128))
    steps = TrainingSpec(steps=60, batch_size=128, learning_rate=1e-3)
    spec = dataclasses.replace(short, refinement=RefinementSpec(windows=(1, 4), training=steps))
    stages = spec.fit(wrong[:40], wrong[40:], rng=generator(0)).histories
    assert [h.stage for h in stages] == ["dynamics", "refinement-1", "refinement-2"]
    wild = dataclasses.replace(steps, learning_rate=30.0, steps=3)
    spec = dataclasses.replace(short, refinement=RefinementSpec(windows=(1, 4), training=wild))
    assert len(spec.fit(wrong[:40], wrong[40:], rng=generator(0)).histories) == 2
    with pytest.raises(InputError, match="windows must be one or more numbers"):
        RefinementSpec(windows=())


def test_refinement_takes_trajectories_of_any_times():
    system = find_system("stuart_landau")
    times = [torch.sort(torch.rand(n, generator=generator(n), dtype=torch.float64) * 4).values for n in range(9, 17)]
    ragged = simulate(system, times=times, rng=generator(0), transient=0.0)
    tiny = TrainingSpec(steps=20, batch_size=16, validations=2)
    spec = dataclasses.replace(SPEC, training=tiny, refinement=RefinementSpec(windows=(3,), training=tiny))
    assert math.isfinite(spec.fit(ragged[:6], ragged[6:], rng=generator(0)).histories[1].validation[-1])


class Explosive(NeuralODE):
    """z' = z^2 in every coordinate: infinite after the time 1 / z0."""

    def field(self, t, z):
        return z * z


def test_a_rollout_that_blows_up_is_nan_from_then_on_and_harms_no_neighbour(fitted):
    field = Explosive(SPEC, fitted.latent_space, fitted.units, generator(0))
    t = torch.linspace(0, 2, 41, dtype=torch.float64)
    z0 = torch.tensor([[1.0, 1.0], [0.25, 0.25]], dtype=torch.float64)
    found = field.rollout(z0, t)
    exact = z0[:, None] / (1 - z0[:, None] * t[None, :, None])
    assert torch.isnan(found[0, t >= 1]).all()
    assert torch.allclose(found[0, t < 0.9], exact[0, t < 0.9], rtol=1e-4)
    assert torch.allclose(found[1], exact[1], rtol=1e-4)
    assert fitted.limit < LIMIT


def test_latents_without_velocities_are_refused_with_advice(spirals):
    still = dataclasses.replace(spirals, velocities=None)
    with pytest.raises(InputError, match="latents must be trajectories with velocities, got none.*estimate_velocities"):
        SPEC.fit(still, spirals, rng=generator(0))


def test_a_constant_latent_coordinate_does_no_harm(spirals):
    flat = torch.cat([spirals.states, torch.ones_like(spirals.states[:, :1])], 1)
    moving = torch.cat([spirals.velocities, torch.zeros_like(spirals.states[:, :1])], 1)
    data = Trajectories(flat, spirals.t, spirals.lengths, moving)
    spec = dataclasses.replace(SPEC, training=TrainingSpec(steps=50, batch_size=64))
    found = spec.fit(data, data, rng=generator(0)).rollout(data.initial, data.times(0))
    assert torch.allclose(found[..., 2], torch.ones(()).double(), atol=1e-6)


@pytest.mark.parametrize(("field", "value"), [("width", 0), ("depth", 0), ("activation", "step")])
def test_settings_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(InputError, match=f"{field} must be"):
        dataclasses.replace(SPEC, **{field: value})
