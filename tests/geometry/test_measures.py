"""The measures that the verdict rests on, each against sets where the answer is known."""

import math

import numpy as np
import pytest
import torch
from geometry_sets import SETS, circle, disc, draw, lifted, sphere, torus

from dynred.data.trajectories import Trajectories
from dynred.errors import InputError, MissingExtraError
from dynred.geometry import extra
from dynred.geometry.covering import covering_dimensions
from dynred.geometry.dimension import dimensions
from dynred.geometry.drift import drift, time_window
from dynred.geometry.homology import components, diagrams
from dynred.geometry.injectivity import injective_from
from dynred.geometry.reach import local_reach, reach
from dynred.geometry.sample import take_sample
from dynred.geometry.tangent import one_sidedness, tangents
from dynred.numerics.farthest_points import farthest_points
from dynred.rng import generator


def sampled(make, n=1500, seed=0, **options):
    rng = generator(seed, "measures")
    return take_sample(lifted(make(n, rng), rng, **options), rng)


def S2(n, rng):
    return sphere(n, 2, rng)


def test_pod_coordinates_keep_every_distance():
    x = draw("torus", 0, n=300)
    sample = take_sample(x, generator(0))
    assert sample.points.shape == (300, 3)
    assert torch.allclose(torch.pdist(torch.from_numpy(sample.points)), torch.pdist(x), atol=1e-9)


def test_constant_coordinates_are_dropped_and_duplicates_count_once():
    x = torch.cat([draw("circle", 0, n=200).repeat(3, 1), torch.full((600, 4), 7.0)], 1)
    sample = take_sample(x, generator(0))
    assert (sample.snapshots, sample.dim, sample.constant) == (600, 54, 4)
    assert len(sample.points) == pytest.approx(200, abs=2)  # but for points within 1e-4 of each other
    assert sample.visits == pytest.approx(3, rel=0.02)


def test_a_noise_floor_is_measured_and_projected_out():
    clean, noisy = sampled(torus), sampled(torus, noise=0.02)
    true = 0.02 * clean.diameter / math.sqrt(50)  # per coordinate
    assert noisy.noise == pytest.approx(true, rel=0.1)
    assert noisy.rank == 3
    assert clean.noise == 0


def test_the_modes_of_a_curved_set_are_no_noise_floor():
    angle = 2 * math.pi * torch.rand(2000, 1, generator=generator(0), dtype=torch.float64)
    k = torch.arange(1, 9)
    weight = torch.tensor([1.0, *[0.05] * 7], dtype=torch.float64)  # seven harmonics of equal size
    x = torch.cat([weight * torch.cos(k * angle), weight * torch.sin(k * angle)], 1)
    sample = take_sample(x, generator(0))
    assert sample.noise == 0
    assert sample.rank == 16


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (torch.zeros(49, 3), "points must be at least 50 to be inspected, got 49"),
        (torch.zeros(60), r"points must be real numbers \[M, D\]"),
        (torch.full((60, 2), math.nan), "points must be finite everywhere, got nan"),
    ],
)
def test_unusable_points_are_refused(data, message):
    with pytest.raises(InputError, match=message):
        take_sample(data, generator(0))


def test_a_missing_extra_names_the_command_that_brings_it():
    with pytest.raises(MissingExtraError, match=r"pip install 'dynred\[geometry\]'"):
        extra.load("nothing_of_that_name")


def test_farthest_points_cover_the_set_and_keep_apart():
    points = sampled(S2).points
    rows, radius = farthest_points(points, 100)
    distance = np.linalg.norm(points[:, None] - points[rows], axis=-1)
    assert distance.min(1).max() == pytest.approx(radius)
    between = np.linalg.norm(points[rows][:, None] - points[rows], axis=-1)[np.triu_indices(100, 1)]
    assert between.min() >= radius


@pytest.mark.parametrize(("make", "dimension"), [(circle, 1), (torus, 2), (lambda n, rng: sphere(n, 4, rng), 4)])
def test_estimators_agree_on_smooth_sets(make, dimension):
    finest = dimensions(sampled(make).points, generator(0))[0]
    assert finest.value == pytest.approx(dimension, rel=0.08)
    assert all(value == pytest.approx(dimension, rel=0.15) for value in finest.estimates.values())


def test_noise_makes_the_dimension_grow_towards_small_scales():
    rng = generator(0)
    x = circle(2000, rng) @ torch.eye(2, 3, dtype=torch.float64) + 0.03 * torch.randn(2000, 3, generator=rng).double()
    curve = dimensions(take_sample(x, rng).points, rng)
    assert curve[0].value > 1.8
    assert curve[-1].value < 1.3


def test_neighbours_in_time_show_the_curve_and_the_window_leaves_them_out():
    start = sampled(torus, 600).points
    along = np.cross(start, start + np.random.default_rng(0).normal(size=start.shape))
    step = 1e-3 * along / np.linalg.norm(along, axis=1, keepdims=True)
    when = np.sort(np.random.default_rng(1).random((600, 5, 1)), axis=1)  # 600 trajectories of 5 states
    points = (start[:, None] + when * step[:, None]).reshape(-1, 3)
    moments = {"owner": np.repeat(np.arange(600), 5), "time": when.ravel()}
    assert dimensions(points, generator(0))[0].estimates["TwoNN"] < 1.5
    assert dimensions(points, generator(0), window=10.0, **moments)[0].value == pytest.approx(2, abs=0.3)


def test_the_window_is_the_time_of_a_tenth_of_the_diameter():
    t = torch.linspace(0, 20, 500, dtype=torch.float64)
    turning = Trajectories.from_stacked(torch.stack([torch.cos(3 * t), torch.sin(3 * t)], -1)[None], t)
    assert time_window(turning, 2.0) == pytest.approx(0.2 / 3, rel=1e-3)
    still = Trajectories.from_stacked(torch.ones(2, 50, 3), t[:50])
    assert time_window(still, 1.0) == 0


def test_covering_dimensions_fall_from_the_span_to_the_set():
    found = covering_dimensions(sampled(circle, 3000).points)
    assert [c.scale for c in found] == sorted((c.scale for c in found), reverse=True)
    assert np.mean([c.dimension for c in found[-4:]]) == pytest.approx(1, abs=0.15)


def test_linked_circles_are_two_components_and_a_torus_is_one():
    linked = take_sample(draw("linked circles", 0), generator(0))
    labels, clarity = components(linked.points, linked.diameter)
    assert sorted(np.bincount(labels).tolist(), reverse=True) == np.bincount(labels).tolist()
    assert len(np.bincount(labels)) == 2
    assert clarity > 1
    one = sampled(torus)
    assert components(one.points, one.diameter)[0].max() == 0


def test_over_three_elements_a_klein_bottle_loses_what_a_torus_keeps():
    betti = {
        name: {
            (d.degree, d.coefficients): d.betti for d in diagrams(take_sample(draw(name, 0), generator(0)).points, 2)
        }
        for name in ("torus", "Klein bottle")
    }
    assert betti["torus"] == {(1, 2): 2, (2, 2): 1, (1, 3): 2, (2, 3): 1}
    assert betti["Klein bottle"] == {(1, 2): 2, (2, 2): 1, (1, 3): 1, (2, 3): 0}


def test_a_hole_of_the_unit_circle_stays_open_almost_up_to_its_radius():
    (found,) = diagrams(sampled(circle).points, 1)
    assert math.sqrt(3) / 2 - 0.05 < found.size < math.sqrt(3) / 2  # Vietoris and Rips close it at sqrt 3


@pytest.mark.parametrize(("make", "m", "value"), [(circle, 1, 1.0), (S2, 2, 1.0), (torus, 2, 0.5)])
def test_reach_is_close_below_its_exact_value(make, m, value):
    points = sampled(make, 2000).points
    net = points[farthest_points(points, 300)[0]]
    found = reach(local_reach(tangents(net, points, m), points))
    assert 0.93 * value <= found <= 1.001 * value


def test_tangents_of_a_sphere_are_orthogonal_to_its_radii():
    rng = generator(0)
    points = sphere(2000, 2, rng).numpy()
    frame = tangents(points[:100], points, 2).frame
    normal = np.abs(np.einsum("qd,qdm->qm", points[:100], frame))
    assert normal.max() < 5e-3


def test_a_disc_has_a_rim_where_it_ends_and_a_sphere_has_none():
    points = disc(2000, generator(0)).numpy()
    net = points[farthest_points(points, 400)[0]]
    rim = one_sidedness(net, tangents(net, points, 2).frame) > 0.8
    radius = np.linalg.norm(net, axis=1)
    assert radius[rim].min() > 0.9
    assert rim[radius > 0.98].mean() > 0.8
    points = sampled(S2, 2000).points
    net = points[farthest_points(points, 400)[0]]
    assert one_sidedness(net, tangents(net, points, 2).frame).max() < 0.7


def test_three_coordinates_tell_the_points_of_a_torus_apart_and_two_do_not():
    rng = generator(0)
    bent = torch.cat([torus(3000, rng), torch.zeros(3000, 1, dtype=torch.float64)], 1)
    bent[:, 3] = 0.1 * torch.sin(3 * bent[:, 0])
    assert take_sample(bent, rng).rank == 4
    assert injective_from(take_sample(bent, rng).points) == 3


@pytest.mark.parametrize("n", [100, 800, 3000])
def test_no_sample_of_a_circle_is_told_apart_by_one_coordinate(n):
    assert injective_from(sampled(circle, n).points) == 2


def test_transients_drift_and_motion_on_the_set_does_not():
    spiral = torch.linspace(0, 60, 3000, dtype=torch.float64)
    decay = torch.exp(-0.05 * spiral)
    falling = torch.stack([decay * torch.cos(spiral), decay * torch.sin(spiral)], -1)
    turning = torch.stack([torch.cos(spiral), torch.sin(spiral)], -1)
    for states, seen in ((falling, True), (turning, False)):
        sample = take_sample(Trajectories.from_stacked(states[None], spiral), generator(0))
        assert drift(sample, generator(0)).seen is seen


def test_the_ten_sets_have_the_dimension_and_diameter_that_the_tests_assume():
    for name, known in SETS.items():
        x = draw(name, 0, n=100)
        assert x.shape == (100, 50)
        assert torch.isfinite(x).all()
        assert known.possible not in known.obstructed
