"""A disk that is full at any moment of any work: one sentence, nothing lost, and the same call works afterwards."""

import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from faults.children import failures, in_child
from faults.material import files, kept, leave_notes
from faults.operations import at_operation, operations
from faults.sentences import check_sentence
from faults.stages import COMMANDS, STAGES, prepare, warm

SIZE = 24 * 2**20


@pytest.fixture(scope="module")
def disk(workplace, tmp_path_factory):
    """A small disk of memory; None where this user may mount none."""
    warm()
    folder = tmp_path_factory.mktemp("disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    yield folder if mounted else None
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk):
    """Leaves no byte on the disk."""
    with (disk / "filler").open("wb", buffering=0) as file:
        for size in (2**16, 512, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def forbid_writing(path):
    """No file may grow from now on, which ends in an error like that of a full disk; needs no rights."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def full_from(number, act, folder, stage):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # here, because the operation may be one of another thread
    os.chdir(folder)
    at_operation(folder, number, act)
    STAGES[stage](folder)


def work(folder, stage):
    os.chdir(folder)
    STAGES[stage](folder)


def again(folder, stage):
    """The same call; of a run that had begun, with --resume as the message says."""
    try:
        work(folder, stage)
    except (SystemExit, Exception):
        for left in folder.glob("new*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        work(folder, stage)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", ["disk", "limit"])
@pytest.mark.few(4)
def test_a_full_disk_is_told_in_a_sentence_and_loses_nothing(disk, share, tmp_path, kind, stage):
    if kind == "disk" and disk is None:
        pytest.skip("this user may mount no disk")
    original = tmp_path / "original"
    original.mkdir()
    in_child(prepare, original).returned()
    notes = leave_notes(original)
    every = in_child(operations, *_first(shutil.copytree(original, tmp_path / "first"), stage)).returned()

    def attempt(number):
        base = disk if kind == "disk" else tmp_path
        folder = Path(shutil.copytree(original, base / f"{stage} {number}"))
        before = files(folder / "run")
        act = (lambda path: fill(disk)) if kind == "disk" else forbid_writing
        ended = in_child(full_from, number, act, folder, stage)
        (base / "filler").unlink(missing_ok=True)
        assert ended.code in (0, 2), f"ended with {ended.code}: {ended.err[-300:]}"
        if stage in COMMANDS:
            assert ended.error is None, ended.trace
        else:  # in Python, the system's own error says it as well
            assert ended.fine or "OSError" in ended.error, ended.trace
        if ended.code == 2 or ended.refused:
            check_sentence(ended.err or ended.error, ())
        assert kept(folder, notes), "a user's file was lost"
        assert (folder / "run" / "model.safetensors").exists() or "overwrite" in stage, "a file of the run was lost"
        assert stage.startswith(("evaluate", "certify", "reduce --over")) or files(folder / "run") == before
        assert in_child(again, folder, stage).code == 0
        shutil.rmtree(folder)

    assert not failures(share.some(range(1, len(every) + 1), 2), attempt)


def _first(folder, stage):
    return folder, work, folder, stage
