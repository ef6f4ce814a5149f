"""A wrong command line is answered by one sentence with the words that matter, exit code 2, and nothing left behind."""

import os
import shutil

import numpy as np
import pytest

from dynred.storage import save_trajectories
from faults.children import GIGABYTE, command, in_child
from faults.cli_table import table
from faults.material import files, leave_notes, make_run, plain_spec, small_data
from faults.operations import at_operation, die
from faults.system_files import FILES

LONGEST = 600  # characters of an answer; the list of all systems takes 400
INTERNALS = ("Traceback", "NoneType", "state_dict", " object at 0x", "Tensor(", "tensor(", "<class", "Errno", "size_t")


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


@pytest.mark.few(45)
@pytest.mark.parametrize(("tokens", "words"), table(), ids=lambda value: " ".join(value)[-80:])
def test_a_wrong_command_is_answered_in_one_sentence(workshop, tmp_path, tokens, words):
    folder = tmp_path / "here"
    shutil.copytree(workshop, folder)
    for name in ("fifo", "fifo.npz"):
        os.mkfifo(folder / name)
    before, listed = files(folder), sorted(folder.rglob("*"))
    ended = command(*tokens, folder=folder, seconds=20, memory=2 * GIGABYTE)
    lines = [line for line in ended.err.splitlines() if line.strip()]
    assert ended.error is None, ended.trace[-600:]
    assert ended.code == 2, f"ended with {ended.code}: {ended.err[-300:]} {ended.out[-200:]}"
    assert len(lines) == 1, ended.err[-600:]
    assert len(lines[0]) <= LONGEST, lines[0]
    assert not ended.out
    missing = [word for word in words if word.lower() not in ended.err.lower()]
    assert not missing, f"{missing} not in: {ended.err}"
    assert not [word for word in INTERNALS if word in ended.err], ended.err
    assert sorted(folder.rglob("*")) == listed, "something was left behind"
    assert files(folder) == before
