"""How data are divided: no snapshot in two sets, no trajectory lost without a word, and a test that says what it is."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dynred.data.split import HeldOut, Split, in_pieces, largest, until
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.rng import generator

lengths = st.lists(st.integers(1, 40), min_size=1, max_size=14)


def ragged(*sizes):
    """Trajectories whose first component is their index, the second their time."""
    owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes)).double()
    t = torch.cat([torch.arange(n, dtype=torch.float64) for n in sizes])
    return Trajectories(torch.stack([owner, t], 1), t, torch.tensor(sizes))


def masks(sizes, **settings):
    return Split(**settings).masks(torch.tensor(sizes), generator(0, "split"))


@given(lengths, st.sampled_from(["auto", "trajectories", "time"]), st.booleans(), st.booleans(), st.integers(0, 9))
def test_every_snapshot_is_in_one_set_or_told(sizes, how, elsewhere, single, seed):
    split = Split(how, elsewhere=elsewhere, single=single)
    try:
        train, validation, test, _, notes = split.masks(torch.tensor(sizes), generator(seed, "split"))
    except InputError:
        return
    total = train.int() + validation.int() + test.int()
    assert total.max() <= 1
    assert train.any()
    assert validation.any()
    assert test.any() != elsewhere
    owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    lost = set(owner[total == 0].tolist())
    assert all(f" {i}" in " ".join(notes) for i in lost if len(lost) <= 10)
    assert all(not single and sizes[i] == 1 for i in lost)


def test_three_trajectories_stay_whole_and_two_are_split_in_time():
    assert masks([20, 20, 20]).how == "trajectories"
    two = masks([20, 30])
    assert two.how == "time"
    owner = torch.repeat_interleave(torch.arange(2), torch.tensor([20, 30]))
    assert torch.bincount(owner[two.test]).tolist() == [2, 3]
    assert two.test[[18, 19, 47, 48, 49]].all()
    assert two.validation[[16, 17]].all()


def test_a_trajectory_that_is_more_than_half_of_all_is_learned_from():
    for seed in range(20):
        split = Split().masks(torch.tensor([500, 30, 30, 30, 30, 30]), generator(seed, "split"))
        assert split.train[:500].all()
        assert split.notes == ()


def test_what_is_too_short_to_be_split_in_time_is_learned_from_and_told():
    split = masks([50, 3, 40, 2], how="time")
    assert split.train[50:53].all()
    assert split.notes == ("Too short to be split in time, so for training alone: trajectories 1, 3.",)


def test_single_snapshots_without_velocities_are_told():
    split = masks([1, 20, 20, 20], single=False)
    assert not (split.train | split.validation | split.test)[0]
    assert split.notes == ("Not used, as one snapshot has no velocity: trajectory 0.",)


def test_named_trajectories_are_the_test_and_the_others_are_not():
    split = masks([10] * 5, chosen=(4, 1))
    owner = torch.repeat_interleave(torch.arange(5), 10)
    assert torch.unique(owner[split.test]).tolist() == [1, 4]
    assert int((split.train | split.validation).sum()) == 30


def test_one_trajectory_beside_the_test_is_split_in_time():
    split = masks([20, 10], chosen=(1,))
    assert split.test[20:].all()
    assert (int(split.train.sum()), int(split.validation.sum())) == (18, 2)


def test_counts_hold_for_data_and_what_they_leave_out_is_told():
    split = masks([10] * 12, train=5, validation=2, test=3)
    assert [int(mask.sum()) // 10 for mask in split[:3]] == [5, 2, 3]
    (note,) = split.notes
    assert note.startswith("Not used, as `data` asks for fewer: trajectories ")


def test_the_fraction_is_of_the_trajectories_or_of_each_in_time():
    assert int(masks([10] * 10, fraction=0.3).test.sum()) == 30
    assert int(masks([100], fraction=0.3).test.sum()) == 30


@pytest.mark.parametrize(
    ("sizes", "settings", "sentence"),
    [
        ([10] * 4, {"chosen": (4,)}, r"test_trajectories must be indices from 0 to 3, got 4"),
        ([10, 10], {"chosen": (0, 1)}, r"test_trajectories must be fewer than there are, got all 2"),
        ([10, 1, 10], {"chosen": (1,)}, r"test_trajectories must be of at least 2 snapshots, got 1 in trajectory 1"),
        ([10] * 4, {"train": 3, "validation": 1, "test": 1}, r"data must be for 4 trajectories"),
        ([10] * 4, {"test": 4}, r"data.test must be fewer than the 4 trajectories, got 4"),
        ([10] * 4, {"how": "time", "test": 1}, r"split must be `trajectories` where trajectories are counted"),
        ([10] * 4, {"elsewhere": True, "chosen": (1,)}, r"the test must be either other data or trajectories of these"),
        ([4], {}, r"data must be at least one trajectory of 6 snapshots, got at most 4"),
        ([1, 1], {"single": False}, r"data must be trajectories of at least 2 snapshots, got of 1 each"),
        ([10], {"fraction": 0.9}, r"test_fraction must be small enough to leave 2 of 10 snapshots"),
    ],
)
def test_what_cannot_be_divided_is_refused_in_a_sentence(sizes, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        masks(sizes, **settings)


def test_ten_trajectories_are_divided_as_earlier_versions_did():
    data = ragged(*[8] * 23)
    earlier = in_pieces(data, generator(5, "split"))
    split = Split().masks(data.lengths, generator(5, "split"))
    for part, mask in zip(earlier, split[:3], strict=True):
        assert torch.equal(part.states, data.where(mask).states)
    assert earlier.held_out.how == "trajectories"


def test_pieces_of_earlier_versions_say_that_training_saw_their_trajectories():
    parts = in_pieces(ragged(300, 40), generator(0, "split"))
    assert [len(part) for part in parts] == [8, 1, 1]
    assert parts.held_out.how == "pieces"
    assert parts.held_out.seen
    assert not parts.test.parameters


def test_pieces_of_one_trajectory_are_not_independent():
    assert not HeldOut("pieces", (0, 0, 1)).independent
    assert HeldOut("time", (0, 1, 2)).independent
    assert HeldOut("simulated").independent


def test_the_largest_state_is_that_of_the_whole_trajectory():
    data = ragged(5, 7)
    assert largest(data, [1, 0]) == pytest.approx(((1 + 36) ** 0.5, 4))


def test_a_horizon_cuts_every_trajectory_and_leaves_at_least_two_snapshots():
    cut = until(ragged(5, 7, 2), 3.0)
    assert cut.lengths.tolist() == [4, 4, 2]
    assert until(ragged(5), 0.1).lengths.tolist() == [2]
    assert until(cut, None) is cut
