"""A wrong data file is refused in one sentence that names it and what is wrong."""

import shutil
import warnings

import pytest

from dynred.cli.app import main
from dynred.data.storage import load_trajectories, save_trajectories
from faults.broken_data import GOOD, WRITERS, cases
from faults.children import GIGABYTE, in_child
from faults.material import small_data
from faults.sentences import check_sentence


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_same_file_without_fault_is_read(tmp_path, suffix):
    WRITERS[suffix](tmp_path / f"data{suffix}", GOOD)
    ended = in_child(lambda: load_trajectories(tmp_path / f"data{suffix}").states.shape == (15, 2))
    assert ended.returned()
    assert not ended.err, ended.err


@pytest.mark.few(25)
@pytest.mark.parametrize(
    ("make", "suffix", "words"), [pytest.param(m, s, w, id=f"{name}{s}") for name, s, m, w in cases()]
)
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path, make, suffix, words):
    path = tmp_path / f"data{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make(path)
    ended = in_child(load_trajectories, path, seconds=10, memory=GIGABYTE)
    assert ended.code == 0, f"ended with {ended.code}: {ended.err[-300:]}"
    assert ended.error, "it was accepted"
    assert ended.refused, f"not an error of dynred: {ended.error[:300]}"
    check_sentence(ended.error.replace(str(tmp_path), ""), (path.name, *words))
    assert ended.seconds < 5


CUTS = [0.0, 0.02, 0.3, 0.6, 0.9, 0.99]


@pytest.mark.few(3)
@pytest.mark.parametrize("kept", CUTS)
@pytest.mark.parametrize("suffix", [".npz", ".nc"])
def test_a_file_that_was_cut_is_refused(tmp_path, suffix, kept):
    path = tmp_path / f"data{suffix}"
    save_trajectories(small_data(), path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    ended = in_child(main, ["inspect", str(path)], folder=tmp_path, memory=GIGABYTE)
    assert ended.code == 2, ended.trace or ended.err
    check_sentence(ended.err.replace(str(tmp_path), ""), (path.name,))


@pytest.mark.parametrize(
    "part", ["zarr.json", "states/zarr.json", "t/zarr.json", "lengths/zarr.json", "states/c", "t/c"]
)
@pytest.mark.few(2)
def test_a_store_without_a_part_of_it_is_refused(tmp_path, part):
    path = tmp_path / "data.zarr"
    save_trajectories(small_data(), path)
    lost = path / part
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    ended = in_child(load_trajectories, path)
    assert ended.refused, f"accepted: {ended.value}" if not ended.error else ended.trace
    check_sentence(ended.error, ("data.zarr",))
