"""Data files made to do harm run no code, read no other file, and cost neither memory nor time."""

import numpy as np
import pytest

from dynred.cli.app import main
from dynred.data.points import load_data
from dynred.data.storage import load_trajectories, save_trajectories
from dynred.data.store import StoredTrajectories
from dynred.data.trajectories import Trajectories
from faults.broken_data import write_nc
from faults.children import GIGABYTE, in_child
from faults.hostile_data import COLUMNS, HOSTILE, ROWS, SECRET
from faults.material import files, small_data
from faults.watch import watched


def numbers(path):
    """Every number that is read from a file, as one array."""
    found = load_trajectories(path)
    values = [found.states, found.t, *found.parameters.values()]
    return np.concatenate([np.asarray(value, dtype=float).reshape(-1) for value in values])


def leaks(path):
    assert not np.any(numbers(path) == SECRET), "another file was read"


def read_it(folder):
    path = next((folder / "own").iterdir())
    small = "--latent-dim 1 --reducer pod --dynamics linear --out out"
    commands = {"inspect": ["inspect", str(path)], "reduce": ["reduce", str(path), *small.split(" ")]}
    actions = {"load_trajectories": lambda: leaks(path), "load_data": lambda: load_data(path)}
    actions |= {name: lambda tokens=tokens: main(tokens) for name, tokens in commands.items()}
    if path.suffix == ".zarr":
        actions["StoredTrajectories"] = lambda: StoredTrajectories(path)[:1]
    return watched([folder / "own", folder / "out"], actions)


@pytest.mark.few(8)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_data_file_does_no_harm(tmp_path, name):
    (tmp_path / "own").mkdir()
    (tmp_path / "secret.bin").write_bytes(np.full(ROWS * COLUMNS, SECRET).tobytes())
    write_nc(tmp_path / "secret.h5", {"states": np.full((ROWS, COLUMNS), SECRET)})
    HOSTILE[name](tmp_path)
    ended = in_child(read_it, tmp_path, seconds=20, memory=GIGABYTE // 2, folder=tmp_path)
    assert not (tmp_path / "marker").exists(), "code was run"
    assert ended.code == 0, f"ended with {ended.code}: {ended.err[-300:]}"
    assert not ended.returned()
    assert ended.seconds < 8


@pytest.mark.few(3)
@pytest.mark.parametrize("suffix", [".npz", ".zarr", ".nc"])
@pytest.mark.parametrize("name", ["../evil", "../../evil", "a/../../evil", "/tmp/evil", "a/b", "", ".", ".."])
def test_a_name_of_a_parameter_is_no_path(tmp_path, suffix, name):
    data, folder = small_data(), tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    parameters = {name: data.lengths.double()}

    def named():
        return Trajectories(data.states, data.t, data.lengths, data.velocities, parameters)

    ended = in_child(lambda: save_trajectories(named(), folder / f"d{suffix}"), folder=folder)
    assert ended.fine, ended.trace
    assert all(path.startswith(f"a/b/d{suffix}") for path in files(tmp_path)), "a file was written elsewhere"
    if not ended.error:
        assert in_child(lambda: sorted(load_trajectories(folder / f"d{suffix}").parameters)).returned() == [name]
