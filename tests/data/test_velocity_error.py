"""Are estimated errors of velocities true? Random data whose velocities are known."""

import functools
import math

import numpy as np
import pytest
import torch

from dynred import plugins
from dynred.data.derivatives.base import Estimator
from dynred.data.estimators import PACKAGE
from dynred.data.interpolated import nodes
from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities

SETS = 32
ROUND_OFF = 1e-9
KINDS = ("plain", "short", "noisy", "oversampled", "interpolated", "uneven", "scales", "gaps")


def waves(t, dim, rng, fastest=3):
    """Sums of incommensurate waves at times t [T] with their velocities [T, dim]; the slowest has period about 1."""
    x, v = np.zeros((len(t), dim)), np.zeros((len(t), dim))
    for k in range(1, fastest + 1):
        size, phase = rng.standard_normal(dim) / k**2, rng.uniform(0, 2 * math.pi, dim)
        rate = 2 * math.pi * k * rng.uniform(0.8, 1.2, dim)
        angle = np.outer(t, rate) + phase
        x, v = x + size * np.sin(angle), v + size * rate * np.cos(angle)
    return x, v


def grid(kind, rng):
    """Times, the noise and by how much samples are interpolated."""
    samples, periods, noise, factor = 10 ** rng.uniform(1.2, 1.9), rng.uniform(1.5, 6), 0.0, 1
    if kind == "short":
        return np.arange(int(rng.integers(6, 24))) / 10 ** rng.uniform(1, 1.5), 0.0, 1
    if kind == "noisy":
        noise = 10 ** rng.uniform(-4, -1)
    if kind == "oversampled":
        samples, periods, noise = 10 ** rng.uniform(2.2, 2.8), rng.uniform(1, 2), 10 ** rng.uniform(-2.5, -1)
    if kind == "interpolated":
        factor = int(rng.integers(3, 9))
        samples *= factor
    steps = np.ones(int(samples * periods))
    if kind == "uneven":
        steps = rng.uniform(0.4, 1.6, len(steps))
    if kind == "gaps":
        steps, noise = np.where(np.arange(len(steps)) % 20 < 10, 0.6, 1.4), 10 ** rng.uniform(-5, -2)
    return (np.cumsum(steps) - steps[0]) / samples, noise, factor


@functools.cache
def measured(seed):
    """The kind, the estimated error, the true one and the smallest of all candidates."""
    rng, kind = np.random.default_rng([seed, 1]), KINDS[seed % len(KINDS)]
    t, noise, factor = grid(kind, rng)
    dim, count = int(rng.choice([1, 2, 5, 32])), int(rng.integers(1, 4 if kind != "short" else 12))
    parts, curves = [], []
    for _ in range(count):
        x, v = waves(t, dim, rng, fastest=6 if kind == "scales" else 3)
        x = x + noise * x.std(0).mean() * rng.standard_normal(x.shape)
        last = (len(t) - 1) // factor * factor + 1
        coarse = [np.interp(t[:last], t[:last:factor], x[:last:factor, c]) for c in range(dim)]
        x = np.stack(coarse, -1)
        parts.append((x, v[:last]))
        curves.append((*nodes(t[:last], x), t[:last]))
    truth = np.concatenate([v for _, v in parts])
    states, times = np.concatenate([x for x, _ in parts]), np.tile(t[:last], count)
    found = estimate_velocities(Trajectories(states, times, [last] * count))
    size = np.linalg.norm(truth)
    errors = []
    for name in plugins.names(PACKAGE):
        for method in plugins.load_class(PACKAGE, name, Estimator).candidates():
            if method.suits(curves[0][0]):
                tried = np.concatenate([method.curve(s, x)(at, 1) for s, x, at in curves])
                errors.append(np.linalg.norm(tried - truth) / size)
    return (
        kind,
        found.attributes["velocity_error"],
        np.linalg.norm(found.velocities.numpy() - truth) / size,
        min(errors),
    )


def test_the_estimated_error_is_within_a_factor_2_of_the_true_one_in_nine_of_ten_data_sets():
    wrong = [m for m in map(measured, range(SETS)) if not 0.5 * m[2] - ROUND_OFF <= m[1] <= 2 * m[2] + ROUND_OFF]
    assert len(wrong) <= SETS // 10, wrong


def test_the_chosen_method_is_near_the_best_in_nine_of_ten_data_sets():
    wrong = [m for m in map(measured, range(SETS)) if m[2] > 1.5 * m[3] + ROUND_OFF]
    assert len(wrong) <= SETS // 10, wrong


def test_strong_oversampling_with_noise_is_smoothed_as_it_can_be():
    t = np.arange(6660 * 2) / 6660
    x, v = np.sin(2 * math.pi * t), 2 * math.pi * np.cos(2 * math.pi * t)
    noisy = x + 0.02 * np.random.default_rng(0).standard_normal(len(t))
    found = estimate_velocities(Trajectories(noisy[:, None], t, [len(t)]))
    error = np.linalg.norm(found.velocities.numpy()[:, 0] - v) / np.linalg.norm(v)
    assert error < 0.02
    assert 0.5 < found.attributes["velocity_error"] / error < 2


@pytest.mark.parametrize("offset", [0.0, 0.37])
def test_interpolated_samples_count_as_those_between_which_they_were_interpolated(offset):
    inner = np.arange(0, 60.0) + offset
    t = np.arange(0, 58, 0.125) + 1
    x = np.stack([np.interp(t, inner, np.sin(0.4 * inner + c)) for c in range(3)], -1)
    times, states = nodes(t, x)
    assert len(times) < 62
    assert np.allclose(states, np.sin(0.4 * times[:, None] + np.arange(3)), atol=1e-9)
    found = estimate_velocities(Trajectories(x, t, [len(t)]))
    assert found.velocities.numpy() == pytest.approx(0.4 * np.cos(0.4 * t[:, None] + np.arange(3)), abs=1e-3)


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_smooth_noisy_and_resting_samples_are_not_taken_for_interpolated(noise):
    t = np.arange(400) * 0.05
    for x in (np.sin(t), np.exp(-2 * t), np.where(t < 5, np.cos(t), math.cos(5.0))):
        x = (x + noise * np.random.default_rng(0).standard_normal(len(t)))[:, None]
        assert len(nodes(t, x)[0]) == len(t)


def test_motion_without_change_has_no_error():
    found = estimate_velocities(Trajectories(torch.ones(40, 2), torch.arange(40.0), torch.tensor([40])))
    assert found.velocities.abs().max() < 1e-9
    assert found.attributes["velocity_error"] in (None, 0.0) or found.attributes["velocity_error"] >= 0
