"""Time grids that differ by round-off are equal, however the times were shifted or stored."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynred.data.derivatives.base import evenly_spaced
from dynred.data.trajectories import Trajectories
from dynred.metrics.base import Reference
from dynred.numerics.time_grids import count_until, even_step

STEPS = st.sampled_from([0.25, 0.1, 1 / 3, 0.04, 7.0])
GRIDS = st.lists(st.tuples(STEPS, st.integers(2, 40), st.floats(0, 1)), min_size=1, max_size=6)


def trajectories(grids, shift=lambda i: 0.0, stored=lambda t: t, jitter=0.0):
    """Trajectories of sine waves, one for each (step, number of snapshots, phase)."""
    clean = [step * torch.arange(n, dtype=torch.float64) for step, n, _ in grids]
    states = torch.cat([torch.sin(t + phase)[:, None] for t, (_, _, phase) in zip(clean, grids, strict=True)])
    t = torch.cat([stored(own + shift(i)) for i, own in enumerate(clean)])
    return Trajectories(states, t, torch.tensor([n for _, n, _ in grids]))


def grouping(data):
    return [members.tolist() for _, members in data.shared_grids()]


def through_float32(t):
    return t.float().double()


WAYS = {
    "as they are": (lambda i: 0.0, lambda t: t),
    "at 1e3": (lambda i: 1e3, lambda t: t),
    "at 1e9": (lambda i: 1e9, lambda t: t),
    "each elsewhere": (lambda i: [0.0, 1e3, 1e9, 123456.789][i % 4] + i / 7, lambda t: t),
    "float32": (lambda i: 0.0, torch.Tensor.float),
    "through float32": (lambda i: 0.0, through_float32),
    "through float32, each elsewhere": (lambda i: [0.0, 17.3, 1e3][i % 3], through_float32),
}


@pytest.mark.parametrize("way", WAYS)
@settings(deadline=None, max_examples=40)
@given(grids=GRIDS)
def test_shifted_and_rounded_times_have_the_same_grouping_and_the_same_steps(way, grids):
    clean, other = trajectories(grids), trajectories(grids, *WAYS[way])
    assert grouping(other) == grouping(clean)
    for part in (slice(0, 1), slice(None)):
        a, b = Reference(clean[part]).step, Reference(other[part]).step
        assert (a is None) == (b is None)
        assert a is None or b == pytest.approx(a, rel=1e-4)
    assert all(evenly_spaced(t.double().numpy()) for t in other.grids)


@pytest.mark.parametrize("shift", [0.0, 1e3, 1e9])
def test_grids_that_differ_are_not_mixed_up(shift):
    t = torch.arange(50, dtype=torch.float64) / 10
    late = t.clone()
    late[20] += 0.001  # a hundredth of a step
    longer = 1.001 * t
    grids = [t, late, longer, t[:-1], t.clone()]
    data = Trajectories(torch.zeros(249, 1), shift + torch.cat(grids), torch.tensor([len(g) for g in grids]))
    assert grouping(data) == [[0, 4], [1], [2], [3]]
    assert even_step([shift + late]) is None
    assert even_step([shift + t, shift + longer]) is None


def test_a_single_time_is_a_grid_without_a_step():
    data = Trajectories(torch.zeros(3, 1), torch.tensor([0.0, 5.0, 1e9]), torch.ones(3, dtype=torch.long))
    assert grouping(data) == [[0, 1, 2]]
    assert Reference(data).step is None


@pytest.mark.parametrize("shift", [0.0, 1e3, 1e9])
def test_a_duration_ends_at_the_same_snapshot_wherever_the_clock_starts(shift):
    t = shift + torch.arange(101, dtype=torch.float64) / 10
    assert [count_until(t, duration) for duration in (0.1, 0.3, 0.7, 5.9, 10.0)] == [2, 4, 8, 60, 101]
