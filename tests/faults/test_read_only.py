"""Folders that may not be written to: refused before anything is computed, and nothing is changed."""

import ctypes
import os
import shutil

import pytest

from dynred.cli.app import main
from dynred.models.load import load_model
from faults.children import in_child
from faults.material import files
from faults.sentences import check_sentence
from faults.stages import STAGES, prepare, warm

OVERRIDE = 0b1111  # the capabilities of root to pass over owners and permissions of files


def obey_permissions():
    """Gives up root's right to pass over permissions, where this is root; other users have none."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        assert libc.capget(header, data) == 0
        for i in range(3):
            data[i] &= ~OVERRIDE
        assert libc.capset(header, data) == 0


def work(folder, stage):
    obey_permissions()
    os.chdir(folder)
    STAGES[stage](folder)


def predict(path):
    obey_permissions()
    load_model(path).predict([[1.0, 0.0]], [0.0, 1.0])


@pytest.fixture(scope="module")
def original(workplace, tmp_path_factory):
    warm()
    folder = tmp_path_factory.mktemp("original")
    in_child(prepare, folder).returned()
    return folder


@pytest.mark.few(4)
@pytest.mark.parametrize("whole", [True, False], ids=["all of it", "the top alone"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_folder_that_may_not_be_written_to_is_refused_in_a_sentence(original, tmp_path, stage, whole):
    folder = tmp_path / "here"
    shutil.copytree(original, folder)
    before = files(folder)
    closed = [folder, *(path for path in folder.rglob("*") if path.is_dir() and whole)]
    for path in closed:
        path.chmod(0o555)
    ended = in_child(work, folder, stage, seconds=20)
    for path in closed:
        path.chmod(0o755)
    inside = not whole and stage in ("evaluate", "certify", "reduce --overwrite")  # these write into `run` alone
    if not (inside and ended.code == 0):
        assert ended.code == 2 or ended.refused, ended.trace or f"ended with {ended.code}: {ended.err[-300:]}"
        check_sentence((ended.err or ended.error).replace(str(tmp_path), ""), ("writ",))
        assert files(folder) == before


@pytest.mark.parametrize("name", ["run", "model"])
def test_what_may_not_be_written_to_can_be_read(original, tmp_path, name):
    folder = tmp_path / "here"
    shutil.copytree(original, folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    ended = in_child(predict, folder / name)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    ended.returned()


@pytest.mark.parametrize("place", ["model", "run/experiment.json", "run/model.safetensors"])
def test_what_may_not_be_read_is_told_in_a_sentence(original, tmp_path, place):
    folder = tmp_path / "here"
    shutil.copytree(original, folder)
    (folder / place).chmod(0)
    call = (
        (lambda: load_model(folder / "model")) if place == "model" else lambda: main(["certify", str(folder / "run")])
    )
    ended = in_child(lambda: (obey_permissions(), call()))
    assert ended.code == 2 or ended.refused, ended.trace or ended.err
    check_sentence((ended.err or ended.error).replace(str(tmp_path), ""), ("denied",))
