"""Points along the flow, where passes lie close here and far apart there: what is one, what is whole, what projects."""

import math

import numpy as np
import pytest
import torch

import dynred
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


def turning_on_two_circles(turns, gap):
    t = np.arange(0, 2 * math.pi * turns, 0.1)
    circle = np.stack([np.cos(t), np.sin(t), 0 * t], -1)
    return trajectories(np.stack([circle, circle + np.array([0, 0, gap])]), t)


def travelling(n, seed=0):
    """Pulses of any height and width within bounds, each seen while it travels."""
    a, w = np.random.default_rng(seed).uniform(-1, 1, (2, n, 1, 1))
    t, x = np.linspace(0, 1, 50), np.linspace(-3, 3, 60)
    return trajectories((1 + 0.3 * a) * np.exp(-(((x - t[:, None]) / (1 + 0.3 * w)) ** 2)), t)
