"""Farthest-point nets, against the definition, and where rounding could mislead them."""

import numpy as np
import pytest

from dynred.numerics.farthest_points import farthest_points


def cloud(n, q, offset=0.0):
    return np.random.default_rng(n + q).standard_normal((n, q)) + offset


def by_definition(points, count, first):
    distance = np.sqrt(((points[:, None] - points) ** 2).sum(-1))
    chosen = [first]
    while len(chosen) < count:
        chosen.append(int(distance[chosen].min(0).argmax()))
    return chosen, distance[chosen].min(0).max()


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e7])  # far from the origin, |x|^2 - 2 x.y + |y|^2 is rounding alone
@pytest.mark.parametrize("q", [1, 3, 40])
def test_every_point_is_the_farthest_from_those_before(q, offset):
    points = cloud(300, q, offset)
    rows, radius = farthest_points(points, 60, first=7)
    expected, cover = by_definition(points, 60, 7)
    assert rows.tolist() == expected
    assert radius == pytest.approx(cover, rel=1e-12)


def test_a_net_begins_at_the_rim_and_a_smaller_one_is_the_beginning_of_a_larger():
    points = cloud(200, 3)
    rows, _ = farthest_points(points, 50)
    assert rows[0] == np.linalg.norm(points, axis=1).argmax()
    assert rows[:20].tolist() == farthest_points(points, 20)[0].tolist()


def test_a_net_has_no_more_points_than_differ():
    points = np.repeat(cloud(20, 3, 1e3), 5, axis=0)
    rows, radius = farthest_points(points, 60)
    assert len(np.unique(points[rows], axis=0)) == len(rows) == 20
    assert radius == 0.0


def test_a_net_stops_where_all_points_are_near():
    points = cloud(400, 2)
    rows, radius = farthest_points(points, 400, apart=0.5)
    assert radius <= 0.5 < farthest_points(points, len(rows) - 1)[1]


def test_a_net_of_no_points_is_empty():
    assert len(farthest_points(cloud(10, 2), 0)[0]) == 0
