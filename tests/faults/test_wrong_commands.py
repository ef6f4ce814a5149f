"""A wrong command line is answered by one sentence with the words that matter, exit code 2, and nothing left behind."""

import os
import shutil

import numpy as np
import pytest

from dynred.data.storage import save_trajectories
from faults.children import GIGABYTE, command, in_child
from faults.material import files, leave_notes, make_run, plain_spec, small_data
from faults.operations import at_operation, die
from faults.sentences import check_sentence
from faults.system_files import FILES
from faults.tables import table, tokens


@pytest.fixture(scope="module")
def workshop(workplace, tmp_path_factory):
    """A folder with everything that the table names; fifos are added to the copies."""
    folder = tmp_path_factory.mktemp("workshop")
    in_child(make_run, plain_spec(), folder / "run").returned()
    in_child(_killed_run, folder / "half")
    (folder / "half" / "experiment.json").unlink(missing_ok=True)
    for suffix in (".npz", ".zarr", ".nc"):
        save_trajectories(small_data(), folder / f"data{suffix}")
    for name in ("mine", "folder.npz", "folder.zarr", "folder.html"):
        (folder / name).mkdir()
        leave_notes(folder / name)
    for name in ("note.txt", "data.csv", "file.zarr", "other.npz", "other.html"):
        (folder / name).write_text("mine\n")
    np.savez(folder / "few.npz", states=np.zeros((3, 2)))
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def _killed_run(out):
    at_operation(out, 12, die)
    make_run(plain_spec(), out)


@pytest.mark.few(30)
@pytest.mark.parametrize(("line", "words"), table("wrong_commands.txt"), ids=str)
def test_a_wrong_command_is_answered_in_one_sentence(workshop, tmp_path, line, words):
    folder = tmp_path / "here"
    shutil.copytree(workshop, folder)
    for name in ("fifo", "fifo.npz"):
        os.mkfifo(folder / name)
    before, listed = files(folder), sorted(folder.rglob("*"))
    ended = command(*tokens(line), folder=folder, seconds=20, memory=2 * GIGABYTE)
    assert ended.error is None, f"a traceback: {ended.error[:300]}"
    assert ended.code == 2, f"ended with {ended.code}: {ended.err[-300:]} {ended.out[-200:]}"
    check_sentence(ended.err, words)
    assert not ended.out
    assert sorted(folder.rglob("*")) == listed, "something was left behind"
    assert files(folder) == before
