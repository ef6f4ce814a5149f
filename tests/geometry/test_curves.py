"""Trajectories as curves: what lies between snapshots, where curves are cut, and how far passes lie apart."""

import math

import numpy as np
import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.geometry.curves import as_curves, draw
from dynred.geometry.homology import components
from dynred.geometry.passes import passes, passes_of
from dynred.geometry.sample import take_sample
from dynred.rng import generator


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def times(periods, per_period):
    return np.arange(0, periods * per_period + 1) * 2 * math.pi / per_period


def circle(t):
    return np.stack([np.cos(t), np.sin(t)], 1)


GOLDEN = (math.sqrt(5) - 1) / 2


def torus(t, rotation=GOLDEN):
    return np.concatenate([circle(t), 0.5 * circle(rotation * t)], 1)


def one(points, t, velocities=None):
    return as_curves(points, t, np.zeros(len(t), dtype=int), 2.0, velocities)


@pytest.mark.parametrize("exact", [True, False])
def test_points_between_snapshots_lie_on_the_curve(exact):
    t = times(3, 20)
    velocities = np.stack([-np.sin(t), np.cos(t)], 1) if exact else None
    drawn = draw(one(circle(t), t, velocities), 0.01, generator(0))
    assert np.abs(np.linalg.norm(drawn.points, axis=1) - 1).max() < (1e-4 if exact else 3e-3)
    assert np.abs(np.einsum("ij,ij->i", drawn.points, drawn.direction)).max() < 1e-2
    assert np.diff(drawn.arc).max() < 0.025


UNITS = [(scale, unit) for scale in (1e-9, 1.0, 1e9) for unit in (1e-6, 1.0, 1e6)]
CROSSED = {(1e-9, 1e6), (1e9, 1e-6)}


@pytest.mark.parametrize(("scale", "unit"), [both if both in CROSSED else slow(*both) for both in UNITS])
def test_units_change_nothing(scale, unit):
    t = times(3, 20)
    curves = as_curves(scale * circle(t), unit * t, np.zeros(len(t), dtype=int), 2 * scale)
    assert curves.length / scale == pytest.approx(6 * math.pi, rel=0.01)
    assert passes_of(curves, generator(0)).apart < 1e-3 * scale


def test_a_map_draws_no_curve():
    x = [0.3]
    for _ in range(500):
        x.append(3.9 * x[-1] * (1 - x[-1]))
    assert one(np.array(x)[:, None], np.arange(501.0)) is None
    rng = np.random.default_rng(0)
    assert one(rng.normal(size=(500, 3)), np.arange(500.0)) is None


def test_states_that_do_not_move_draw_no_curve():
    assert one(np.ones((50, 3)), np.arange(50.0)) is None


def test_a_curve_is_cut_where_it_jumps():
    t = times(3, 40)
    angle = np.mod(t + 0.05, 2 * math.pi)
    curves = one(angle[:, None], t)
    assert curves.owner.max() == 3
    assert curves.length == pytest.approx(6 * math.pi, rel=0.1)


def test_noise_between_many_snapshots_does_not_hide_the_curve():
    t = times(6, 2000)
    noisy = circle(t) + 0.01 * np.random.default_rng(0).normal(size=(len(t), 2))
    curves = one(noisy, t)
    assert len(curves.points) < len(t) / 4
    assert curves.length == pytest.approx(12 * math.pi, rel=0.25)


@pytest.mark.parametrize("per_period", [41, slow(40), slow(42)])
def test_passes_of_a_cycle_coincide_and_those_of_a_torus_do_not(per_period):
    t = times(10, per_period)
    cycle, turning = passes_of(one(circle(t), t), generator(0)), passes_of(one(torus(t), t), generator(0))
    assert cycle.apart < 1e-4
    assert turning.apart > 0.05
    assert not cycle.few


@pytest.mark.parametrize(("turns", "few"), [(3, True), (30, False)])
def test_three_turns_are_too_few_to_show_a_torus(turns, few):
    t = times(turns, 40)
    assert passes_of(one(torus(t), t), generator(0)).few is few


def test_one_turn_tells_nothing_of_what_comes_next():
    t = times(1, 100)[:-3]
    assert passes_of(one(circle(t), t), generator(0)).few


def test_many_short_trajectories_are_as_good_as_points():
    rng = np.random.default_rng(0)
    start = rng.normal(size=(800, 1, 3))
    start /= np.linalg.norm(start, axis=2, keepdims=True)
    states = start + 1e-3 * np.arange(5)[:, None] * np.array([0.0, 0.0, 1.0])
    data = Trajectories.from_stacked(torch.from_numpy(states), torch.arange(5.0))
    found = passes(data, take_sample(data, generator(0)), generator(0))
    assert not found.few


@pytest.mark.parametrize("turns", [7, slow(3), slow(20)])
def test_a_trajectory_is_one_component_however_far_its_snapshots_lie_apart(turns):
    t = times(turns, 12)  # every snapshot nearer to those of other turns than to the next
    curves = one(torus(t, 0.02), t)
    drawn = passes_of(curves, generator(0))
    labels, _ = components(drawn.drawn.points, 2.0, curve=drawn.drawn.owner, apart=drawn.apart)
    assert labels.max() == 0
