import math

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components

from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.models.landmarks import geodesic_means, nearest, neighbour_graph, spread_out
from dynred.models.partition import PartitionSpec
from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate


def turning(n=24, steps=60, centre=0.0):
    """Pieces of the unit circle in the plane, 1.2 rad long, traversed at speed 1, with their velocities."""
    start = 2 * math.pi * torch.rand(n, 1, generator=generator(0, "turning"), dtype=torch.float64)
    t = torch.linspace(0, 1.2, steps, dtype=torch.float64)
    angle = start + t
    states = torch.stack([centre + torch.cos(angle), torch.sin(angle)], -1)
    return Trajectories.from_stacked(states, t, torch.stack([-torch.sin(angle), torch.cos(angle)], -1))


def two_circles():
    near, far = turning(), turning(centre=4.0)
    return Trajectories.concatenate([near, far])


@pytest.fixture(scope="module")
def circle_charts():
    return PartitionSpec(3).divide(turning(), rng=generator(1))


def test_landmarks_cover_the_points_evenly_whatever_their_density():
    dense = 1e-2 * torch.randn(3000, 2, generator=generator(0), dtype=torch.float64)
    wide = torch.rand(300, 2, generator=generator(1), dtype=torch.float64) * 2 - 1
    points = torch.cat([dense, wide])
    chosen = spread_out(points, 60)
    cover = torch.cdist(points, chosen).min(1).values.max()
    apart = torch.cdist(chosen, chosen).fill_diagonal_(torch.inf).min()
    assert apart >= cover > 0
    assert (chosen.norm(dim=1) < 0.05).sum() <= 5


def test_equal_points_give_one_landmark():
    assert len(spread_out(torch.ones(50, 3, dtype=torch.float64), 10)) == 1


def test_the_nearest_landmark_is_that_of_the_distance_matrix():
    landmarks, points = (torch.randn(n, 4, generator=generator(n), dtype=torch.float64) for n in (40, 500))
    assert torch.equal(nearest(landmarks, points), torch.cdist(points, landmarks).argmin(1))
    hidden = torch.rand(500, 40, generator=generator(2)) < 0.5
    expected = torch.cdist(points, landmarks).masked_fill(hidden, torch.inf).argmin(1)
    assert torch.equal(nearest(landmarks, points.reshape(20, 25, 4), hidden.reshape(20, 25, 40)).ravel(), expected)


def test_an_isolated_point_is_a_component_of_its_own():
    angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    points = np.concatenate([np.stack([np.cos(angle), np.sin(angle)], 1), [[0.0, 0.0]]])
    count, label = connected_components(neighbour_graph(points, 6), directed=False)
    assert count == 2
    assert (label[:-1] == label[0]).all()


def test_means_along_a_cycle_are_arcs_of_equal_length():
    n = 90
    steps = np.abs(np.arange(n)[:, None] - np.arange(n))
    distance = np.minimum(steps, n - steps).astype(float)
    found = geodesic_means(distance, 3, generator(0))
    assert np.ptp(np.bincount(found.owner)) <= 2
    changes = np.flatnonzero(found.owner != np.roll(found.owner, 1))
    assert len(changes) == 3
    assert found.radius <= 15


def test_charts_cover_their_set_and_overlap(circle_charts):
    angle = torch.linspace(0, 2 * math.pi, 1000, dtype=torch.float64)
    x = torch.stack([torch.cos(angle), torch.sin(angle)], 1)
    inside = circle_charts.members(x)
    assert inside[circle_charts.chart(x), torch.arange(len(x))].all()
    shared = (inside.sum(0) == 2).double().mean()
    assert 0.05 < shared < 0.6
    assert inside.sum(0).max() == 2
    sizes = torch.bincount(circle_charts.chart(x)) / len(x)
    assert sizes.min() > 0.25
    assert sizes.max() < 0.42


def test_a_turn_round_the_circle_is_one_hand_over_for_each_chart(circle_charts):
    angle = torch.linspace(0, 8 * math.pi, 2000, dtype=torch.float64)
    x = torch.stack([torch.cos(angle), torch.sin(angle)], 1)
    chart, changes = circle_charts.chart(x[:1]), 0
    for state in x.split(1):
        following = circle_charts.next_chart(state, chart)
        changes, chart = changes + int(following != chart), following
    assert changes in (12, 13)  # the first may come at once


def test_a_state_that_wavers_where_cores_meet_stays_in_its_chart(circle_charts):
    angle = torch.linspace(0, 2 * math.pi, 3000, dtype=torch.float64)
    core = circle_charts.chart(torch.stack([torch.cos(angle), torch.sin(angle)], 1))
    border = float(angle[int(torch.nonzero(core[1:] != core[:-1])[0])])
    around = torch.tensor([-0.02, 0.02] * 10, dtype=torch.float64) + border
    x = torch.stack([torch.cos(around), torch.sin(around)], 1)
    chart = circle_charts.chart(x[:1])
    assert len(torch.unique(circle_charts.chart(x))) == 2
    for state in x.split(1):
        assert circle_charts.next_chart(state, chart) == chart


def test_between_two_checks_a_state_moves_by_no_more_than_the_overlap(circle_charts):
    angle = torch.linspace(0, 2 * math.pi, 500, dtype=torch.float64)
    later = angle + circle_charts.step
    here, there = (torch.stack([torch.cos(a), torch.sin(a)], 1) for a in (angle, later))
    chart = circle_charts.chart(here)
    near = nearest(circle_charts.landmarks, circle_charts.modes.coefficients(there))
    assert (circle_charts.layers[chart, near] <= circle_charts.overlap).all()


def test_every_component_gets_charts_of_its_own_and_no_state_leaves_it():
    charts = PartitionSpec(5).divide(two_circles(), rng=generator(0))
    assert sorted(torch.bincount(charts.components).tolist()) == [2, 3]
    x = turning().states
    first = torch.unique(charts.chart(x))
    second = torch.unique(charts.chart(turning(centre=4.0).states))
    assert not set(first.tolist()) & set(second.tolist())
    far = turning(centre=4.0).states[:50]
    kept = charts.next_chart(far, first[0].expand(50))
    assert (charts.components[kept] == charts.components[first[0]]).all()


def test_fewer_charts_than_components_are_refused():
    with pytest.raises(InputError, match="charts must be at least 2, got 1. The training snapshots lie on 2 connected"):
        PartitionSpec(1).divide(two_circles(), rng=generator(0))


def test_more_charts_than_landmarks_are_refused():
    few = turning(n=2, steps=6)
    with pytest.raises(InputError, match="charts must be at most 3, got 9. There are 12 snapshots"):
        PartitionSpec(9).divide(few, rng=generator(0))


def test_a_trajectory_joins_the_components_that_it_visits():
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    jump = torch.tensor([[[1.0, 0.0], [3.0, 0.0]]], dtype=torch.float64)
    bridge = Trajectories.from_stacked(jump, t, torch.ones_like(jump))
    joined = PartitionSpec(4).divide(Trajectories.concatenate([two_circles(), bridge]), rng=generator(0))
    assert (joined.components == joined.components[0]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"charts": 0}, "charts must be an integer >= 1, got 0"),
        ({"overlap": 0}, "overlap must be an integer >= 1, got 0"),
        ({"neighbours": 1}, "neighbours must be an integer >= 2, got 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        PartitionSpec(**settings)


def test_charts_of_a_torus_are_connected_and_of_similar_size():
    system = find_system("torus_flow")
    times = torch.linspace(0, 100, 1001, dtype=torch.float64)
    charts = PartitionSpec(6).divide(simulate(system, 4, times, rng=generator(0)), rng=generator(0))
    graph = neighbour_graph(charts.landmarks.numpy(), 10)
    for c in range(6):
        own = (charts.core == c).numpy()
        assert connected_components(graph[own][:, own], directed=False)[0] == 1
    sizes = torch.bincount(charts.core)
    assert sizes.max() <= 2 * sizes.min()


def test_the_same_stream_gives_the_same_charts():
    one, two = (PartitionSpec(3).divide(turning(), rng=generator(7)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_chosen_snapshots_are_cut_into_runs_that_keep_time_velocity_and_parameters():
    whole = Trajectories(
        states=torch.arange(10.0)[:, None],
        t=torch.tensor([0.0, 1, 2, 3, 4, 0, 1, 2, 3, 4]),
        lengths=torch.tensor([5, 5]),
        velocities=10 * torch.arange(10.0)[:, None],
        parameters={"a": torch.tensor([1.0, 2.0])},
    )
    found = whole.where(torch.tensor([1, 1, 0, 1, 1, 1, 0, 0, 0, 1], dtype=torch.bool))
    assert found.lengths.tolist() == [2, 2, 1, 1]
    assert found.states[:, 0].tolist() == [0, 1, 3, 4, 5, 9]
    assert found.t.tolist() == [0, 1, 3, 4, 0, 4]
    assert torch.equal(found.velocities, 10 * found.states)
    assert found.parameters["a"].tolist() == [1, 1, 2, 2]
    with pytest.raises(InputError, match="chosen must be at least one snapshot, got none"):
        whole.where(torch.zeros(10, dtype=torch.bool))
