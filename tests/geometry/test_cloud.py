"""Points along the flow, where passes lie close here and far apart there: what is one, what is whole, what projects."""

import math

import numpy as np
import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.geometry.cloud import along_flow, parts
from dynred.geometry.homology import diagrams
from dynred.geometry.injectivity import injective_from
from dynred.geometry.sample import take_sample
from dynred.rng import generator


def trajectories(states, t):
    return Trajectories.from_stacked(torch.as_tensor(states, dtype=torch.float64), torch.as_tensor(t))


def cloud_of(data):
    rng = generator(0)
    sample = take_sample(data, rng)
    return sample, along_flow(data, sample, rng)


def passing_a_saddle(n, seed=0):
    """x' = x, y' = -y from y = 1 and -1 on: the flow spreads in the middle of what is a star without a hole."""
    rng = np.random.default_rng(seed)
    product, t = rng.uniform(-0.5, 0.5, n), np.linspace(0, 1, 30)
    x0, y0 = product[:, None], rng.choice([-1.0, 1.0], n)[:, None]
    time = np.log(1 / np.abs(x0)) * t  # until |x| is 1
    states = np.stack([x0 * np.exp(time), y0 * np.exp(-time), 0.3 * x0 * y0 + 0 * time], -1)
    return trajectories(states, t)


def settling(n, seed=0):
    """x' = x - x^3 and y' = -4 y from random states on, of few of which x is small."""
    rng = np.random.default_rng(seed)
    x0, y0 = rng.normal(0, 0.3, n)[:, None], rng.normal(0, 0.2, (n, 3))[:, None]
    t = np.linspace(0, 8, 100)
    x = x0 * np.exp(t) / np.sqrt(1 + x0**2 * (np.exp(2 * t) - 1))
    return trajectories(np.concatenate([x[..., None], y0 * np.exp(-4 * t)[:, None]], -1), t)


def joining(n, seed=0):
    """x' = 1 and y' = -4 y: trajectories from all around join a line and follow it."""
    y0 = np.random.default_rng(seed).normal(0, 0.4, (n, 1, 3))
    t = np.linspace(0, 6, 100)
    return trajectories(np.concatenate([np.tile(t[:, None], (n, 1, 1)), y0 * np.exp(-4 * t)[:, None]], -1), t)


def turning_on_two_circles(turns, gap):
    t = np.arange(0, 2 * math.pi * turns, 0.1)
    circle = np.stack([np.cos(t), np.sin(t), 0 * t], -1)
    return trajectories(np.stack([circle, circle + np.array([0, 0, gap])]), t)


def travelling(n, seed=0):
    """Pulses of any height and width within bounds, each seen while it travels."""
    a, w = np.random.default_rng(seed).uniform(-1, 1, (2, n, 1, 1))
    t, x = np.linspace(0, 1, 50), np.linspace(-3, 3, 60)
    return trajectories((1 + 0.3 * a) * np.exp(-(((x - t[:, None]) / (1 + 0.3 * w)) ** 2)), t)


def test_where_the_flow_spreads_there_is_no_hole():
    _, cloud = cloud_of(passing_a_saddle(1000))
    assert diagrams(cloud.points, 2, on_curves=True)[0].betti == 0


@pytest.mark.parametrize("seed", range(3))
def test_trajectories_that_settle_on_one_curve_are_one_part_wherever_they_start(seed):
    sample, cloud = cloud_of(settling(30, seed))
    labels, _ = parts(cloud, sample.diameter, generator(0))
    assert labels.max() == 0


@pytest.mark.parametrize("turns", [1.6, 2.2, 3.5])
def test_two_cycles_are_two_parts_though_each_is_passed_once_in_places(turns):
    sample, cloud = cloud_of(turning_on_two_circles(turns, 0.5))
    labels, _ = parts(cloud, sample.diameter, generator(0))
    assert labels.max() == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_family_of_transients_projects_to_as_many_coordinates_as_parameters_and_time(seed):
    _, cloud = cloud_of(travelling(64, seed))
    assert cloud.dense is not None
    assert injective_from(cloud.dense, gap=cloud.apart) == 3


def test_branches_of_a_curve_are_no_scatter_of_it():
    sample, cloud = cloud_of(joining(64))
    assert cloud.scatter < 0.01 * sample.diameter
