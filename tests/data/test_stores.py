"""Stores lose nothing: killed at any file operation, called any number of times, in any state that files can be in."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import zarr

from dynred.data.storage import load_trajectories, save_trajectories
from dynred.data.store import StoredTrajectories
from dynred.data.store_layout import Mark, lock_path, progress_path, write_mark
from dynred.data.store_writer import StoreWriter
from dynred.errors import FileFormatError, InputError
from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation import stream
from dynred.simulation.events import Event
from dynred.simulation.simulate import simulate_to
from dynred.solvers.explicit import Explicit

CYCLE = find_system("stuart_landau")
FAST = Explicit(method="rk4", step=0.05)
TIMES = torch.linspace(0, 1, 11, dtype=torch.float64)
LOW = Event(lambda t, x: x[..., 0] - 2.0 * t + 1, "low", terminal=True)
CASES = {  # what is written, and in which pieces: blocks of trajectories, spans of time, ragged ones that are cut
    "blocks": {"values": 4 * 11 * 2, "n": 6},
    "spans": {"values": 4 * 6 * 2, "n": 5},
    "events": {"values": 4 * 11 * 2, "n": 6, "events": [LOW]},
}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Processes that are forked from this one must not wait for its threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(stream, "ROWS", 4)
    monkeypatch.setattr(stream, "SPAN", 2)
    yield
    torch.set_num_threads(before)


def content(path):
    """Digest of every file of a store."""
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def write(path, seed=0, values=88, n=7, **others):
    before, stream.VALUES = stream.VALUES, values
    try:
        return simulate_to(path, CYCLE, n, TIMES, rng=generator(seed), solver=FAST, transient=0.1, **others)
    finally:
        stream.VALUES = before


CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "shutil.rmtree"}


def killed(k, path, **case):
    """Whether a process that writes a store was killed before its k-th change of the file system."""
    child = os.fork()
    if child == 0:
        left = k

        def hook(event, arguments):
            nonlocal left
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if event in CHANGES or writes:
                left -= 1
                if left < 0:
                    os._exit(9)

        sys.addaudithook(hook)
        try:
            write(path, **case)
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 9


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("every", [23, pytest.param(1, marks=pytest.mark.slow)])
def test_a_store_killed_before_any_change_of_the_file_system_ends_as_if_it_had_not_been(tmp_path, case, every):
    write(tmp_path / "whole.zarr", **case)
    whole, k = content(tmp_path / "whole.zarr"), 0
    while killed(k, tmp_path / f"{k}.zarr", **case):
        path = tmp_path / f"{k}.zarr"
        if path.exists():
            half = StoredTrajectories(path)
            assert torch.equal(half[:].states, StoredTrajectories(tmp_path / "whole.zarr")[: len(half)].states) or (
                case == CASES["spans"]
            )
        killed(k // 2, path, **case)  # a second kill on the way
        for _ in range(2):
            assert write(path, **case).complete
            assert content(path) == whole
        assert not progress_path(path).exists()
        assert not lock_path(path).exists()
        shutil.rmtree(path)
        k += every
    assert k > 60


def test_a_complete_store_is_returned_without_a_change_even_where_nothing_can_be_written(tmp_path, monkeypatch):
    write(tmp_path / "a.zarr")
    before = content(tmp_path / "a.zarr")

    def refuse(*arguments, **others):
        raise AssertionError("opened for writing")

    monkeypatch.setattr(StoreWriter, "__init__", refuse)
    monkeypatch.setattr(stream, "locked", refuse)
    for _ in range(3):
        assert len(write(tmp_path / "a.zarr")) == 7
    with pytest.raises(InputError, match="they differ in seed"):
        write(tmp_path / "a.zarr", seed=1)
    assert content(tmp_path / "a.zarr") == before


def half_done(path, monkeypatch, spans=8):
    """A store of seven trajectories, four of them complete and three begun, that was interrupted."""
    integrate, calls = stream.integrate, 0

    def few(*arguments, **others):
        nonlocal calls
        calls += 1
        if calls > spans:
            raise KeyboardInterrupt
        return integrate(*arguments, **others)

    with monkeypatch.context() as patch:
        patch.setattr(stream, "integrate", few)
        with pytest.raises(KeyboardInterrupt):
            write(path, values=16)
    assert progress_path(path).exists()


def test_without_its_progress_file_a_store_goes_on_after_its_last_complete_trajectory(tmp_path, monkeypatch):
    write(tmp_path / "whole.zarr", values=16)
    path = tmp_path / "a.zarr"
    half_done(path, monkeypatch, spans=8)
    assert len(StoredTrajectories(path)) == 7
    progress_path(path).unlink()
    assert (len(StoredTrajectories(path)), StoredTrajectories(path).complete) == (4, False)
    assert write(path, values=16).complete
    assert content(path) == content(tmp_path / "whole.zarr")


def test_a_damaged_progress_file_is_told_and_can_be_deleted(tmp_path, monkeypatch):
    write(tmp_path / "whole.zarr", values=16)
    path = tmp_path / "a.zarr"
    half_done(path, monkeypatch)
    whole = progress_path(path).read_bytes()
    for damaged in (b"", whole[:40], whole[:-3] + b"abc", b"something else"):
        progress_path(path).write_bytes(damaged)
        for act in (lambda: write(path, values=16), lambda: load_trajectories(path)):
            with pytest.raises(FileFormatError, match="Delete .*progress: the same call then goes on"):
                act()
    progress_path(path).unlink()
    assert write(path, values=16).complete
    assert content(path) == content(tmp_path / "whole.zarr")


def test_a_progress_file_without_its_store_hinders_nobody(tmp_path, monkeypatch):
    write(tmp_path / "whole.zarr")
    half_done(tmp_path / "a.zarr", monkeypatch)
    shutil.rmtree(tmp_path / "a.zarr")
    with pytest.raises(FileFormatError, match="a.zarr does not exist"):
        load_trajectories(tmp_path / "a.zarr")
    assert write(tmp_path / "a.zarr").complete
    assert content(tmp_path / "a.zarr") == content(tmp_path / "whole.zarr")


def test_a_stale_progress_file_beside_a_complete_store_changes_nothing(tmp_path):
    path = tmp_path / "a.zarr"
    write(path)
    before, identity = content(path), json.loads(zarr.open_group(path, mode="r").attrs["dynred_identity"])
    write_mark(path, Mark(done=4, snapshots=44), identity)
    assert StoredTrajectories(path).complete
    assert write(path).complete
    assert content(path) == before
    assert not progress_path(path).exists()


def test_a_progress_file_of_another_store_is_told(tmp_path, monkeypatch):
    half_done(tmp_path / "a.zarr", monkeypatch)
    half_done(tmp_path / "b.zarr", monkeypatch)
    write_mark(tmp_path / "a.zarr", Mark(), {"seed": 5})
    with pytest.raises(FileFormatError, match="belongs to another store. Delete"):
        write(tmp_path / "a.zarr", values=16)


@pytest.mark.parametrize("there", ["a folder", "a file", "a link", "another zarr", "nothing but an empty folder"])
def test_what_is_no_store_of_a_simulation_stays_as_it_is(tmp_path, there):
    path, other = tmp_path / "d.zarr", tmp_path / "thesis"
    other.mkdir()
    (other / "thesis.txt").write_text("ten years of work")
    make = {
        "a folder": lambda: shutil.copytree(other, path),
        "a file": lambda: path.write_text("ten years of work"),
        "a link": lambda: path.symlink_to(other),
        "another zarr": lambda: zarr.create_group(path).create_array("mine", data=np.arange(5.0)),
        "nothing but an empty folder": path.mkdir,
    }
    make[there]()
    before = content(tmp_path)
    for with_progress in (False, True):
        if with_progress:
            write_mark(path, Mark(), {})
            before = content(tmp_path)
        with pytest.raises(InputError, match="path must be a new one, or a store of the same simulation"):
            write(path)
        assert content(tmp_path) == before


def test_a_store_of_an_earlier_version_is_read_but_never_mixed(tmp_path, monkeypatch):
    for name, complete in (("a.zarr", True), ("b.zarr", False)):
        path = tmp_path / name
        write(path) if complete else half_done(path, monkeypatch)
        root = json.loads((path / "zarr.json").read_text())
        identity = json.loads(root["attributes"]["dynred_identity"])
        del identity["streams"], root["attributes"]["dynred_sha256"], root["attributes"]["dynred_layout"]
        root["attributes"]["dynred_identity"] = json.dumps(identity)
        (path / "zarr.json").write_text(json.dumps(root))
        if not complete:
            write_mark(path, Mark(done=4, snapshots=44), identity)
        assert len(load_trajectories(path)) == (7 if complete else 4)
        with pytest.raises(InputError, match="An earlier version of dynred wrote it, which drew initial states otherw"):
            write(path, values=16)
        assert len(load_trajectories(path)) == (7 if complete else 4)


HOLD = """
import sys, time
from pathlib import Path
from dynred.locks import locked
with locked("path", Path(sys.argv[1]), Path(sys.argv[1] + ".lock")):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_and_reading_is_free(tmp_path, monkeypatch):
    path = tmp_path / "a.zarr"
    half_done(path, monkeypatch)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        before = content(path)
        with pytest.raises(InputError, match=f"path must be used by one process at a time, .*by process {holder.pid}"):
            write(path, values=16)
        with pytest.raises(InputError, match="path must be used by one process at a time"):
            save_trajectories(load_trajectories(path), path)
        assert len(load_trajectories(path)) == 7
        assert content(path) == before
    finally:
        holder.kill()
        holder.wait()
    assert write(path, values=16).complete  # a killed holder hinders nobody
    assert not lock_path(path).exists()


def test_two_processes_that_write_one_store_leave_the_store_of_one(tmp_path):
    write(tmp_path / "whole.zarr")
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            for _ in range(50):
                try:
                    write(tmp_path / "a.zarr")
                    os._exit(0)
                except InputError as error:
                    if "one process at a time" not in str(error):
                        os._exit(1)
                    time.sleep(0.05)
            os._exit(2)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    assert content(tmp_path / "a.zarr") == content(tmp_path / "whole.zarr")


@pytest.mark.parametrize("name", ["states", "velocities", "t", "parameter_mu", "lengths"])
def test_a_missing_or_damaged_chunk_is_told(tmp_path, name):
    path = tmp_path / "a.zarr"
    write(path)
    chunk = path / name / ("c/0/0" if name in ("states", "velocities") else "c/0")
    whole = chunk.read_bytes()
    for i in range(0, len(whole), 1 + len(whole) // 9):
        chunk.write_bytes(whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :])
        with pytest.raises(FileFormatError, match="was changed or damaged after dynred wrote it"):
            load_trajectories(path)
    chunk.unlink()
    told = f"a part of {name} is missing" if name != "lengths" else "holds no trajectory yet"
    with pytest.raises(FileFormatError, match=told):
        load_trajectories(path)


def test_a_change_of_what_a_store_says_of_itself_is_told_or_changes_nothing(tmp_path):
    path = tmp_path / "a.zarr"
    write(path)
    digest, attributes = load_trajectories(path).digest(), load_trajectories(path).attributes
    draw = np.random.default_rng(0)
    silent = []
    for file in sorted(path.rglob("zarr.json")):
        whole = file.read_bytes()
        for i in draw.choice(len(whole), 12, replace=False):
            file.write_bytes(whole[:i] + bytes([whole[i] ^ (1 << draw.integers(8))]) + whole[i + 1 :])
            try:
                found = load_trajectories(path)
            except (FileFormatError, InputError):
                continue
            if (found.digest(), found.attributes) != (digest, attributes):
                silent.append((file.parent.name, whole[max(0, i - 20) : i + 20]))
        file.write_bytes(whole)
    assert not silent
    states = path / "states" / "zarr.json"
    states.write_text(states.read_text().replace('"little"', '"big"'))
    with pytest.raises(FileFormatError, match="its arrays are not those that it was made with"):
        load_trajectories(path)


def test_a_full_disk_is_told_and_with_more_room_the_same_call_goes_on(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o"]
    if subprocess.run([*mount, "size=64k", "none", small], capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted")
    try:
        write(tmp_path / "whole.zarr", n=40)
        with pytest.raises(
            FileFormatError, match="a.zarr could not be written: No space left on device. What was writt"
        ):
            write(small / "a.zarr", n=40)
        done = len(StoredTrajectories(small / "a.zarr")) if (small / "a.zarr").exists() else 0
        assert done < 40
        subprocess.run([*mount, "remount,size=10m", "none", small], check=True)
        assert write(small / "a.zarr", n=40).complete
        assert content(small / "a.zarr") == content(tmp_path / "whole.zarr")
        assert sorted(os.listdir(small)) == ["a.zarr"]
    finally:
        subprocess.run(["umount", small], check=True)
