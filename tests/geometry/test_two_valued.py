"""Are velocities functions of the states? Full states of systems and what one sees of them."""

import dataclasses
import functools
import time

import pytest
import torch

import dynred
from dynred.data.trajectories import Trajectories
from dynred.geometry.two_valued import two_valued
from dynred.rng import generator

# What is seen of each system: coordinates from which the motion is not determined.
SEEN = {
    "lorenz63": [0],
    "rossler": [1],
    "kuramoto_sivashinsky": [5],
    "stuart_landau": [0],
    "mean_field_wake": [0],
    "torus_flow": [0],
    "oscillator_chain": [0, 1, 2, 3, 4],
    "fitzhugh_nagumo": [10],
    "brusselator": [20],
    "linked_circles": [0],
}


@functools.cache
def full(name):
    system = dynred.find_system(name)
    times = torch.arange(400, dtype=torch.float64) * min(system.sampling, system.time_scale / 20)
    return dynred.simulate(system, 6, times, rng=generator(3, name))


def seen(data, columns):
    return dataclasses.replace(data, states=data.states[:, columns], velocities=data.velocities[:, columns])


FEW = ("lorenz63", "kuramoto_sivashinsky", "torus_flow", "oscillator_chain")  # the others take half a minute


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in FEW else pytest.mark.slow) for n in SEEN])
def test_full_states_and_what_is_seen_of_them_are_told_apart(name):
    complete, part = two_valued(full(name)), two_valued(seen(full(name), SEEN[name]))
    assert not complete.verdict
    assert complete.statistic < complete.threshold
    assert part.verdict
    assert part.statistic > 0.6  # of neighbours on other branches alone it is 2


@pytest.mark.parametrize("name", ["lorenz63", "rossler", "stuart_landau", "torus_flow", "linked_circles"])
def test_they_are_told_apart_by_estimated_velocities_of_a_single_trajectory(name):
    system = dynred.find_system(name)
    times = torch.arange(600, dtype=torch.float64) * (8 * system.time_scale / 600)
    single = dynred.simulate(system, 1, times, rng=generator(4, name))
    without = dataclasses.replace(single, velocities=None)
    assert not two_valued(without).verdict
    assert two_valued(dataclasses.replace(without, states=without.states[:, :1])).verdict


@pytest.mark.parametrize("noise", [1e-3, 1e-2, 3e-2])
def test_noise_is_not_taken_for_two_values(noise):
    data = dataclasses.replace(full("stuart_landau"), velocities=None)
    disturbed = data.states + noise * torch.randn(data.states.shape, generator=generator(0), dtype=torch.float64)
    noisy = dataclasses.replace(data, states=disturbed)
    assert not two_valued(noisy).verdict
    assert two_valued(dataclasses.replace(noisy, states=noisy.states[:, :1])).verdict


def test_where_no_neighbours_come_from_other_passes_nothing_is_said():
    t = torch.arange(400, dtype=torch.float64) / 100
    path = torch.stack([t, 0.1 * t**2], -1)
    answer = two_valued(Trajectories.from_stacked(path[None], t, torch.stack([torch.ones_like(t), 0.2 * t], -1)[None]))
    assert answer.statistic is None
    assert not answer.verdict
    assert "neighbours" in answer.reason
    assert two_valued(Trajectories.from_stacked(path[None, :100], t[:100])).reason.startswith("there are fewer")


def test_inspect_says_that_no_ode_exists_and_proposes_delays():
    t = torch.arange(800, dtype=torch.float64) * 0.1
    phase = torch.arange(4, dtype=torch.float64)[:, None]
    signal = torch.stack([torch.sin(t + phase), 0.5 * torch.sin(t + phase)], -1)
    verdict = dynred.inspect(Trajectories.from_stacked(signal, t), rng=generator(0))
    stored = verdict.to_dict()["two_valued"]
    assert stored["verdict"] is True
    assert stored["statistic"] == pytest.approx(1, abs=0.2)
    assert "possible" not in str(verdict)
    assert "no autonomous ODE exists" in str(verdict)
    assert "--delays auto" in str(verdict)


def test_inspect_of_full_states_and_of_points_says_so():
    t = torch.arange(400, dtype=torch.float64) * 0.1
    circle = torch.stack([torch.cos(t), torch.sin(t)], -1)[None]
    complete = dynred.inspect(Trajectories.from_stacked(circle, t), rng=generator(0)).to_dict()["two_valued"]
    assert complete["verdict"] is False
    assert complete["statistic"] == pytest.approx(0, abs=0.01)
    assert dynred.inspect(circle[0], rng=generator(0)).to_dict()["two_valued"] == {"statistic": None, "verdict": False}


def test_fifty_thousand_snapshots_in_64_dimensions_take_seconds():
    states = torch.randn(50000, 64, generator=generator(0), dtype=torch.float64).cumsum(0)
    data = Trajectories(states, torch.arange(50000.0), torch.tensor([50000]), torch.roll(states, 1, 0))
    start = time.process_time()
    two_valued(data)
    assert time.process_time() - start < 20  # about 2 s where nothing else runs
