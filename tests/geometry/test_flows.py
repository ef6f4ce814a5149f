"""`inspect` on trajectories: a single one of every limit cycle and torus of the catalogue, and what few passes tell."""

import math

import pytest
import torch

import dynred
from dynred.data.trajectories import Trajectories
from dynred.ode.find import find_system
from dynred.rng import generator

# name in the catalogue, parameters, period, Betti numbers, transient (None: the system's own)
CYCLE, TORUS = (1, 1, 0), (1, 2, 1)
BEATING = {"length": 2 * math.pi, "viscosity": 16 / 337}
ORBITS = {
    "brusselator": ("brusselator", {}, {}, None, CYCLE, None),
    "FitzHugh and Nagumo": ("fitzhugh_nagumo", {}, {}, None, CYCLE, None),
    "graph lift": ("graph_lift", {}, {}, None, CYCLE, None),
    "linked circles": ("linked_circles", {}, {}, None, CYCLE, None),
    "mean-field wake": ("mean_field_wake", {}, {}, None, CYCLE, None),
    "Stuart and Landau": ("stuart_landau", {}, {}, None, CYCLE, None),
    "beating Kuramoto and Sivashinsky": ("kuramoto_sivashinsky", BEATING, {}, 0.45, CYCLE, 100.0),
    "Roessler, one turn": ("rossler", {}, {"c": 2.5}, 5.8, CYCLE, 300.0),
    "Lorenz, rho = 160": ("lorenz63", {}, {"rho": 160.0}, 1.15, CYCLE, 60.0),
    "torus flow": ("torus_flow", {}, {}, None, TORUS, None),
}
PERIODS = (3, 10, 30)


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def orbit(name, periods, *, seed=0):
    """A single trajectory over so many periods, with at least 20 snapshots in each and 75 in all."""
    system_name, arguments, parameters, period, betti, transient = ORBITS[name]
    system = find_system(system_name, **arguments)
    period = period or system.time_scale
    step = min(system.sampling, period / max(20, 75 / periods))
    times = torch.arange(0, periods * period, step, dtype=torch.float64)
    options = {"parameters": parameters, "transient": transient}
    return dynred.simulate(system, 1, times, rng=generator(seed, "orbit"), **options), betti


def judged(data):
    return dynred.inspect(data, rng=generator(0, "inspect"))


def turning(periods, *, per_period=40, dim=6, rotation=None, noise=0.0, seed=0):
    """A circle, or with a rotation a torus, in R^dim, without velocities."""
    t = torch.arange(int(periods * per_period) + 1, dtype=torch.float64) * 2 * math.pi / per_period
    parts = [torch.cos(t), torch.sin(t)]
    if rotation is not None:
        parts += [0.5 * torch.cos(rotation * t), 0.5 * torch.sin(rotation * t)]
    rng = generator(seed, "turning")
    frame = torch.linalg.qr(torch.randn(dim, len(parts), generator=rng, dtype=torch.float64))[0]
    x = torch.stack(parts, -1) @ frame.T
    return Trajectories.from_stacked((x + noise * torch.randn(x.shape, generator=rng, dtype=torch.float64))[None], t)


@pytest.mark.parametrize("name", ["Stuart and Landau", *(slow(name) for name in ("graph lift", "linked circles"))])
def test_three_turns_of_a_cycle_are_a_closed_curve(name):
    data, betti = orbit(name, 3)
    found = judged(data)
    assert (found.components, found.betti, found.closed) == (1, betti, True)
    assert found.dimension == pytest.approx(1, abs=0.1)
    assert (found.recommended.angles, found.recommended.lines) == (1, 0)


@pytest.mark.parametrize("per_period", [10.7, slow(10), slow(100)])
def test_neither_the_sampling_nor_its_ratio_to_the_period_changes_what_a_cycle_is(per_period):
    found = judged(turning(10, per_period=per_period))
    assert (found.components, found.betti) == (1, CYCLE)


@pytest.mark.slow
def test_a_torus_is_seen_by_a_single_trajectory_that_turns_often_enough():
    found = judged(turning(30, rotation=(math.sqrt(5) - 1) / 2))
    assert (found.components, found.betti, found.closed) == (1, TORUS, True)
    assert found.recommended.angles == 2


def test_three_turns_on_a_torus_are_too_few_to_tell():
    found = judged(turning(3, rotation=(math.sqrt(5) - 1) / 2))
    assert found.level == "low"
    assert "too few passes to tell" in found.confidence
    assert found.betti == (1, None, None)
    assert {found.possible(k) for k in (1, 2, 3, 4)} == {None}


def test_snapshots_that_jump_are_points_as_before():
    x = [[0.1, 0.1]]
    for _ in range(1500):  # M. Henon's map
        x.append([1 - 1.4 * x[-1][0] ** 2 + x[-1][1], 0.3 * x[-1][0]])
    t = torch.arange(1501, dtype=torch.float64)
    found = judged(Trajectories.from_stacked(torch.tensor(x, dtype=torch.float64)[None], t))
    assert found.components == 1
    assert 1.1 < found.dimension < 1.4


@pytest.mark.parametrize("order", [range(6), slow(range(5, -1, -1))])
def test_the_order_of_trajectories_is_free(order):
    t = torch.arange(0, 12, 0.11, dtype=torch.float64)
    s = t + 2 * math.pi * torch.rand(6, 1, generator=generator(0), dtype=torch.float64)
    states = torch.stack([torch.cos(s), torch.sin(s), 0 * s], -1)
    states[::2] = states[::2, :, [0, 2, 1]] + torch.tensor([1.0, 0, 0], dtype=torch.float64)
    found = judged(Trajectories.from_stacked(states[list(order)], t))
    assert (found.components, found.betti) == (2, (2, 2, 0))


@pytest.mark.slow
def test_every_limit_cycle_and_torus_of_the_catalogue_is_seen_by_a_single_trajectory():
    wrong = {}
    for name in ORBITS:
        for periods in PERIODS:
            data, betti = orbit(name, periods)
            found = judged(data)
            if (found.components, found.betti) != (1, betti):
                wrong[name, periods] = (found.betti, found.level)
    assert len(wrong) <= len(ORBITS) * len(PERIODS) - 28, wrong
    assert {level for _, level in wrong.values()} <= {"low"}, wrong
