"""A store equals the uninterrupted one whatever interrupts its calls, however often they are made."""

import random
import shutil

import pytest

from dynred.data.store import StoredTrajectories
from dynred.simulation import stream
from faults.children import HUNG, failures, in_child
from faults.material import content, files, store
from faults.operations import KILLED, at_operation, die, die_torn, operations


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    """Stores of 20 trajectories are written in several blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "VALUES", 400)
        patch.setattr(stream, "ROWS", 4)
        yield


@pytest.fixture(scope="module")
def calm(workplace, tmp_path_factory):
    """The store that nothing interrupted: its path, the digests of its files, and the operations of its making."""
    path = tmp_path_factory.mktemp("calm") / "calm.zarr"
    every = in_child(operations, path.parent, store, path).returned()
    return path, files(path), every


def told(path, **options):
    """Whether a call gives the store as complete, and what it holds."""
    found = store(path, **options)
    return read(found.path)


def read(path):
    """The same of a store that is there."""
    found = StoredTrajectories(path)
    return found.complete, len(found), content(found.load()) if len(found) else {}


def killed(path, number, way):
    at_operation(path.parent, number, way)
    store(path)


def test_repeated_calls_interrupted_anywhere_give_the_uninterrupted_store(calm, share, tmp_path):
    original, whole, every = calm
    draw, seen = random.Random(0), in_child(read, original).returned()
    assert seen[:2] == (True, 20)

    def interrupted(path):
        way = draw.choice(["kill", "torn", "moment", "limit"])
        if way == "moment":
            return in_child(store, path, seconds=draw.uniform(0.01, 0.3))
        if way == "limit":
            return in_child(lambda: store(path, time_limit=1e-4) and None)
        return in_child(killed, path, draw.randint(1, len(every)), die if way == "kill" else die_torn)

    def attempt(number):
        path = tmp_path / str(number) / "store.zarr"
        path.parent.mkdir()
        for _ in range(draw.randint(0, 4)):
            ended = interrupted(path)
            assert ended.code in (0, HUNG, KILLED), ended.err
            # A limit too short for anything may be refused; nothing else is an error.
            assert ended.error is None or "time_limit" in ended.error, ended.trace
        for _ in range(draw.randint(1, 3)):
            assert in_child(told, path).returned() == seen
            assert files(path) == whole, "the files of the store are others"

    assert not failures(range(share.of(200, 6)), attempt)


@pytest.mark.parametrize("changes", [{"n": 12}, {"n": 40}, {"seed": 1}, {"parameters": {"mu": 2.0}}], ids=str)
def test_a_call_of_other_settings_is_refused_and_leaves_a_complete_store_as_it_is(calm, changes, tmp_path):
    path = tmp_path / "store.zarr"
    shutil.copytree(calm[0], path)
    asked = in_child(lambda: told(path, **changes))
    assert asked.refused, asked.trace
    assert "the same simulation" in asked.error
    assert files(path) == calm[1]


def test_a_call_on_a_complete_store_opens_none_of_its_files_for_writing(calm, tmp_path):
    path = tmp_path / "store.zarr"
    shutil.copytree(calm[0], path)
    touched = in_child(operations, path, store, path).returned()
    assert not touched
    assert files(path) == calm[1]


def test_a_limit_on_time_never_harms_a_complete_store(calm, tmp_path):
    path = tmp_path / "store.zarr"
    shutil.copytree(calm[0], path)
    for limit in (1e-9, 1e-3, 10.0):
        assert in_child(lambda limit=limit: told(path, time_limit=limit)).returned()[:2] == (True, 20)
        assert files(path) == calm[1]
