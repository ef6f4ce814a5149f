"""The verdict: its theorems on known pieces, and ten sets with known answer."""

import json
import math

import pytest
import torch
from geometry_sets import SETS, circle, disc, draw, lifted, torus

import dynred
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.geometry.piece import Doubt, Piece
from dynred.geometry.verdict import Recommended, Verdict
from dynred.rng import generator

SEEDS = range(5)


def piece(m, closed=True, betti=(1, 0, 0), reach=1.0, **others):
    return Piece(1000, float(m), (float(m), float(m)), m, closed, betti=betti, reach=reach, **others)


CIRCLE = piece(1, betti=(1, 1, 0))
SPHERE = piece(2, betti=(1, 0, 1), orientable=True)
TORUS = piece(2, betti=(1, 2, 1), orientable=True, reach=0.5)
KLEIN = piece(2, betti=(1, 2, 1), orientable=False)
DISC = piece(2, False, reach=math.inf, depth=1.0)
ARC = piece(1, False)
POINT = piece(0)


def verdict(*pieces, projects_from=50, dim=50, doubts=()):
    return Verdict(pieces, len(pieces), 1000, 1000, 2.0, dim, projects_from, doubts=doubts)


def answers(found, most):
    return [found.possible(k) for k in range(1, most + 1)]


# -- theorems ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (POINT, [True, True]),
        (ARC, [True, True]),
        (CIRCLE, [False, True]),
        (SPHERE, [False, False, True]),
        (TORUS, [False, False, True]),
        (KLEIN, [False, False, False, True]),
        (DISC, [False, True, True]),
        (piece(3), [False, False, False, None, True]),  # a homology sphere need not embed in R^4
        (piece(2, None), [False, None, None, True]),
        (piece(2, betti=(1, 1, 1), orientable=None), [False, False, None, True]),
        (piece(2, False, betti=(1, 1, 0)), [False, None, True]),  # an annulus, or a Moebius strip
    ],
    ids=lambda value: value.kind if isinstance(value, Piece) else "",
)
def test_what_k_coordinates_can_carry(known, expected):
    assert answers(verdict(known), len(expected)) == expected


def test_a_set_that_is_no_manifold_is_known_only_from_twice_its_dimension_and_where_it_has_holes():
    strange = Piece(1000, 2.06, (2.0, 2.2), None, None, betti=(1, 2, 0), open_until=(3.0, 0.0))
    found = verdict(strange)
    assert answers(found, 5) == [False, None, None, None, True]
    assert found.lower_bound(1) == 3.0
    assert answers(verdict(strange, projects_from=3), 3) == [False, None, True]


def test_every_component_must_be_carried_and_the_worst_counts():
    small = piece(1, betti=(1, 1, 0), reach=0.25)
    assert verdict(small, CIRCLE).lower_bound(1) == 1.0
    assert verdict(CIRCLE, CIRCLE).possible(2)
    assert verdict(CIRCLE, SPHERE).possible(2) is False
    assert verdict(CIRCLE, SPHERE).betti == (2, 1, 1)
    assert verdict(CIRCLE, DISC).closed is False


@pytest.mark.parametrize("k", [1, 2])
def test_an_unobstructed_k_has_no_bound(k):
    assert verdict(ARC).lower_bound(k) == 0
    assert verdict(DISC).lower_bound(k) == (1.0 if k == 1 else 0.0)  # the unit disc onto a line, by Borsuk and Ulam


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((POINT, POINT), Recommended(0, 1)),
        ((CIRCLE,), Recommended(1, 0)),
        ((CIRCLE, CIRCLE), Recommended(1, 1)),
        ((CIRCLE, POINT), Recommended(1, 1)),
        ((TORUS,), Recommended(2, 0)),
        ((SPHERE,), Recommended(0, 3)),
        ((DISC,), Recommended(0, 2)),
        ((KLEIN,), Recommended(0, 2, 3)),
        ((CIRCLE, DISC), Recommended(0, 2)),
    ],
)
def test_recommended_latent_space(pieces, expected):
    assert verdict(*pieces).recommended == expected


@pytest.mark.parametrize(
    ("pieces", "dim", "says"),
    [
        ((DISC,), 2, "are 2, and a state has 2"),
        ((TORUS,), 3, "are 3, and a state has 3"),  # the cosines and sines of two angles are four
        ((POINT,), 1, "a state has one coordinate"),
        ((Piece(1000, 9.0, (8.0, 11.0), None, None),), 20, "are 23, and a state has 20"),
    ],
)
def test_no_reduction_found_is_an_answer_that_says_why(pieces, dim, says):
    found = verdict(*pieces, dim=dim)
    assert found.recommended is None
    assert found.options == []
    assert found.to_dict()["recommended"] is None
    assert found.advice().startswith("No reduction found")
    assert says in found.advice()


@pytest.mark.parametrize("dim", range(1, 9))
@pytest.mark.parametrize("known", [POINT, ARC, CIRCLE, SPHERE, TORUS, KLEIN, DISC, piece(3), piece(2, None)])
def test_what_is_recommended_has_fewer_coordinates_than_a_state(known, dim):
    for space in verdict(known, projects_from=dim, dim=dim).options:
        assert 1 <= space.angles + space.lines < dim
        assert 2 * space.angles + space.lines <= dim


def test_equal_answers_that_follow_each_other_are_one_row():
    strange = Piece(1000, 20.0, (19.0, 23.0), None, None)
    found = verdict(strange, projects_from=47)
    assert found.rows == [range(1, 47), range(47, 48)]
    assert "1 to 46 coordinates: cannot be known from this sample." in str(found)
    assert [k for rows in found.rows for k in rows] == list(found.ks)


def test_a_topology_that_forbids_what_a_projection_does_is_no_verdict():
    assert verdict(CIRCLE, projects_from=1).possible(1) is None


def test_confidence_is_as_low_as_the_gravest_doubt():
    assert verdict(CIRCLE).level == "high"
    assert verdict(CIRCLE, doubts=(Doubt("so so"),)).level == "medium"
    assert verdict(CIRCLE, doubts=(Doubt("so so"), Doubt("bad", grave=True))).confidence.startswith(
        "low: rests on 1000"
    )


# -- the ten sets ------------------------------------------------------------------------------------------------------


def judged(name, seed, noise=0.0):
    return dynred.inspect(draw(name, seed, noise=noise), rng=generator(seed, "verdict"))


def faults(found, known):
    """What a verdict got wrong: says the contrary of the truth."""
    wrong = []
    if known.smooth and abs(found.dimension - known.dimension) > 0.25:
        wrong.append(f"dimension {found.dimension:.3g}")
    if found.betti != known.betti:
        wrong.append(f"Betti {found.betti}")
    if found.closed not in (known.closed, None):
        wrong.append(f"closed {found.closed}")
    for k in range(1, 9):
        truth = k not in known.obstructed if k in known.obstructed or k >= known.possible else None
        if truth is not None and found.possible(k) is not None and found.possible(k) != truth:
            wrong.append(f"k = {k}: {found.possible(k)}")
    return wrong


def answered(found, known):
    """Whether every obstruction is found and the first k that works is named."""
    return all(found.possible(k) is False for k in known.obstructed) and found.possible(known.possible) is True


@pytest.mark.parametrize("name", SETS)
def test_the_verdict_is_right_on_a_set_with_known_answer(name):
    known, found = SETS[name], judged(name, 0)
    assert faults(found, known) == []
    assert answered(found, known)
    if known.smooth:
        assert found.level == "high"
    if known.latent:
        assert found.recommended == Recommended(*known.latent)
    if known.reach:
        assert all(p.reach == pytest.approx(known.reach, rel=0.05) for p in found.pieces)
        assert found.lower_bound(1) <= 1.001 * known.reach


@pytest.mark.slow
def test_the_verdict_is_right_on_fifty_samples_of_ten_sets():
    runs = {(name, seed): judged(name, seed) for name in SETS for seed in SEEDS}
    wrong = {key: faults(found, SETS[key[0]]) for key, found in runs.items()}
    assert {key: what for key, what in wrong.items() if what} == {}
    assert sum(answered(found, SETS[name]) for (name, _), found in runs.items()) >= 48


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.01, 0.07])  # root mean square length over the diameter; .07 is .01 per coordinate
def test_noise_gives_no_confident_wrong_verdict(noise):
    for name in SETS:
        for seed in SEEDS:
            found = judged(name, seed, noise)
            wrong = faults(found, SETS[name])
            assert found.level != "high", (name, seed)
            assert not [what for what in wrong if what.startswith("k =")] or found.level == "low", (name, seed, wrong)


@pytest.mark.parametrize("name", ["circle", "torus", "points"])
def test_noise_of_one_percent_is_named_and_the_verdict_holds(name):
    found = judged(name, 0, noise=0.01)
    assert faults(found, SETS[name]) == []
    assert found.level != "high"
    assert "noise of" in found.confidence


def test_noise_without_a_floor_shows_as_a_dimension_that_grows_towards_small_scales():
    rng = generator(0)
    x = lifted(circle(2000, rng), rng, noise=0.03, dim=3)
    found = dynred.inspect(x, rng=rng)
    assert found.level == "low"
    assert "grows towards small scales" in found.confidence


# -- what it is asked --------------------------------------------------------------------------------------------------


def test_the_verdict_is_plain_json_of_the_promised_form():
    found = judged("circle", 0).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert list(found) == [
        *("dimension", "dimension_range", "components", "betti", "closed", "reach", "verdict", "recommended"),
        *("confidence", "two_valued"),
    ]
    assert found["two_valued"] == {"statistic": None, "verdict": False}
    assert found["verdict"]["1"] == {"possible": False, "lower_bound": pytest.approx(1, rel=1e-2)}
    assert found["verdict"]["2"] == {"possible": True, "lower_bound": 0.0}
    assert found["recommended"] == {"angles": 1, "lines": 0, "charts": 1}
    assert found["confidence"].startswith("high: rests on 2000 snapshots, ")


def test_the_verdict_says_in_words_what_it_means():
    text = str(judged("circle", 0))
    assert "1 closed curve" in text
    assert "1 coordinate: obstructed. Whatever the network, its largest error is at least about 1." in text
    assert "Recommended latent space: 1 angle." in text


def test_the_same_seed_gives_the_same_verdict():
    first, again = (dynred.inspect(draw("circle", 1, n=300), rng=generator(5)) for _ in range(2))
    assert first.to_dict() == again.to_dict()


def test_a_k_that_is_asked_about_is_answered():
    found = dynred.inspect(draw("circle", 0, n=300), rng=generator(0), latent_dim=6)
    assert list(found.ks) == [1, 2, 3, 4, 5, 6]
    with pytest.raises(InputError, match="latent_dim must be an integer >= 1, got 0"):
        dynred.inspect(draw("circle", 0, n=300), rng=generator(0), latent_dim=0)


def test_few_points_are_never_sure():
    found = dynred.inspect(draw("circle", 0, n=60), rng=generator(0))
    assert found.level == "low"
    assert "fewer than 500 snapshots" in found.confidence


def test_one_state_visited_always_is_a_point():
    found = dynred.inspect(torch.ones(60, 4), rng=generator(0))
    assert (found.dimension, found.betti, found.possible(1)) == (0.0, (1, 0, 0), True)


def test_a_single_coordinate_is_an_interval():
    found = dynred.inspect(torch.rand(800, 1, generator=generator(0), dtype=torch.float64), rng=generator(0))
    assert found.dimension == pytest.approx(1, abs=0.1)
    assert found.possible(1)
    assert found.recommended is None  # there is nothing to reduce
    assert "delayed values" in found.advice()


def test_a_cycle_that_returns_to_the_same_states_is_a_circle_and_no_set_of_points():
    t = torch.arange(4000, dtype=torch.float64) * 2 * math.pi / 200  # every period, the same 200 states
    states = torch.stack([torch.cos(t), torch.sin(t), 0.1 * torch.cos(t)], -1)
    found = dynred.inspect(Trajectories.from_stacked(states[None], t), rng=generator(0))
    assert (found.components, found.betti, found.possible(1)) == (1, (1, 1, 0), False)


def test_two_limit_cycles_are_judged_each_for_itself():
    t = torch.arange(0, 12, 0.11, dtype=torch.float64)
    s = t + 2 * math.pi * torch.rand(24, 1, generator=generator(0), dtype=torch.float64)
    zero, first = torch.zeros_like(s), (torch.arange(24) % 2 == 0)[:, None, None]
    circles = [[torch.cos(s), torch.sin(s), zero], [1 + torch.cos(s), zero, torch.sin(s)]]
    states = torch.where(first, *(torch.stack(part, -1) for part in circles))
    found = dynred.inspect(Trajectories.from_stacked(states, t), rng=generator(0))
    assert (found.components, found.betti, found.closed) == (2, (2, 2, 0), True)
    assert found.lower_bound(1) == pytest.approx(1, rel=0.02)


def test_a_trajectory_that_has_not_reached_the_set_is_told():
    t = torch.linspace(0, 60, 3000, dtype=torch.float64)
    states = torch.exp(-0.05 * t)[:, None] * torch.stack([torch.cos(t), torch.sin(t)], -1)
    found = dynred.inspect(Trajectories.from_stacked(states[None], t), rng=generator(0))
    assert found.level == "low"
    assert "the trajectories drift" in found.confidence


def test_a_bent_torus_is_still_a_torus():
    rng = generator(0)
    x = torus(2500, rng)
    wave = 0.15 * torch.sin(x @ torch.randn(3, 20, generator=rng, dtype=torch.float64))
    found = dynred.inspect(lifted(torch.cat([x, wave], 1), rng), rng=rng)
    assert (found.betti, found.closed) == ((1, 2, 1), True)
    assert answers(found, 3) == [False, False, True]


def test_a_disc_with_a_dense_part_has_its_boundary_all_the_same():
    rng = generator(0)
    x = torch.cat([disc(1200, rng), 0.3 * disc(1200, rng)])
    found = dynred.inspect(lifted(x, rng), rng=rng)
    assert found.closed is False
    assert found.possible(2)
