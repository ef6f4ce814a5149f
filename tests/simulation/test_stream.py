"""Ensembles larger than memory: `simulate_to`."""

import dataclasses
import errno
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import torch
import xarray
import zarr

from dynred.data.storage import load_trajectories
from dynred.data.store import StoredTrajectories
from dynred.data.store_layout import progress_path
from dynred.errors import DivergenceError, FileFormatError, InputError
from dynred.ode.find import find_system
from dynred.ode.observe import observe
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation import stream
from dynred.simulation.events import Event
from dynred.simulation.integrate import integrate
from dynred.simulation.simulate import simulate, simulate_to
from dynred.solvers.base import Deadline
from dynred.solvers.explicit import Explicit

TIMES = torch.linspace(0, 4, 41, dtype=torch.float64)
CYCLE = find_system("stuart_landau")
FAST = Explicit(method="rk4", step=0.05)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 8 trajectories of 41 snapshots in the plane."""
    monkeypatch.setattr(stream, "VALUES", 656)
    monkeypatch.setattr(stream, "ROWS", 4)


def content(path):
    """Digest of every file of a store."""
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def write(path, n=20, seed=0, system=CYCLE, times=TIMES, solver=FAST, transient=0.5, **others):
    return simulate_to(path, system, n, times, rng=generator(seed), solver=solver, transient=transient, **others)


class Interrupted(Exception):
    """Stands for a kill."""


def interrupted_after(monkeypatch, blocks):
    count = 0

    def integrate_a_few(*arguments, **others):
        nonlocal count
        count += 1
        if count > blocks:
            raise Interrupted
        return integrate(*arguments, **others)

    monkeypatch.setattr(stream, "integrate", integrate_a_few)


def test_a_store_holds_all_trajectories_with_their_velocities_and_parameters(tmp_path):
    found = write(tmp_path / "a.zarr", parameters={"mu": torch.linspace(0.5, 2, 20)}, transient=30.0, solver="auto")
    assert found.complete
    assert len(found) == 20
    data = load_trajectories(tmp_path / "a.zarr")
    assert data.stacked().shape == (20, 41, 2)
    assert torch.equal(data.times(7), TIMES)
    field = CYCLE.at({k: v[data.owner] for k, v in data.parameters.items()})
    assert torch.allclose(data.velocities, field(data.t, data.states), atol=1e-14)
    assert torch.allclose(data.parameters["mu"], torch.linspace(0.5, 2, 20).double())
    assert torch.allclose(data.states.norm(dim=-1), data.parameters["mu"][data.owner].sqrt(), atol=1e-6)
    assert len(torch.unique(data.initial[:, 0])) == 20
    assert not progress_path(tmp_path / "a.zarr").exists()


def test_a_store_is_read_part_by_part_and_by_xarray(tmp_path, monkeypatch):
    monkeypatch.setattr("dynred.data.store.PART_BYTES", 5 * 41 * 16)
    found = write(tmp_path / "a.zarr")
    parts = list(StoredTrajectories(tmp_path / "a.zarr"))
    whole = load_trajectories(tmp_path / "a.zarr")
    assert [len(part) for part in parts] == [5, 5, 5, 5]
    assert torch.equal(torch.cat([part.states for part in parts]), whole.states)
    assert torch.equal(found[[3, 17]].states, whole[[3, 17]].states)
    assert torch.equal(found[-1].states, whole[19].states)
    with xarray.open_zarr(tmp_path / "a.zarr", consolidated=False, chunks=None) as opened:
        assert opened["states"].dims == ("snapshot", "component")
        assert torch.equal(torch.from_numpy(opened["states"].to_numpy()), whole.states)


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_an_interrupted_store_goes_on_to_the_same_store_bit_for_bit(tmp_path, monkeypatch, blocks):
    write(tmp_path / "whole.zarr")
    with monkeypatch.context() as patch:
        interrupted_after(patch, blocks)
        with pytest.raises(Interrupted):
            write(tmp_path / "cut.zarr")
    half = StoredTrajectories(tmp_path / "cut.zarr")
    assert (half.complete, len(half)) == (False, 8 * blocks)
    assert write(tmp_path / "cut.zarr").complete
    assert content(tmp_path / "cut.zarr") == content(tmp_path / "whole.zarr")


@pytest.mark.parametrize("blocks", [0, 3, 7])
def test_long_trajectories_are_followed_span_by_span_and_go_on_within_one(tmp_path, monkeypatch, blocks):
    times = torch.linspace(0, 30, 301, dtype=torch.float64)
    found = write(tmp_path / "whole.zarr", n=6, times=times)
    alone = simulate(CYCLE, times=times, initial=found[:].initial, rng=generator(0), solver=FAST)
    assert torch.allclose(found[:].states, alone.states, atol=1e-12)
    with monkeypatch.context() as patch:
        interrupted_after(patch, blocks)
        with pytest.raises(Interrupted):
            write(tmp_path / "cut.zarr", n=6, times=times)
    if blocks:
        half = load_trajectories(tmp_path / "cut.zarr")
        done = 4 + 2 if blocks == 7 else 4  # the first block takes four spans of 82 snapshots
        assert len(half) == done
        assert torch.equal(half[0].states, found[0].states[: int(half.lengths[0])])
        assert torch.equal(half[-1].states, found[done - 1].states[: int(half.lengths[-1])])
    assert write(tmp_path / "cut.zarr", n=6, times=times).complete
    assert content(tmp_path / "cut.zarr") == content(tmp_path / "whole.zarr")


def test_a_finished_store_is_returned_as_it_is(tmp_path, monkeypatch):
    write(tmp_path / "a.zarr")
    interrupted_after(monkeypatch, 0)
    assert write(tmp_path / "a.zarr").complete


CHANGES = {
    "seed": {"seed": 1},
    "trajectories": {"n": 21},
    "times": {"times": TIMES * 1.01},
    "solver": {"solver": Explicit(rtol=1e-7)},
    "transient": {"transient": 3.0},
    "parameters given": {"parameters": {"mu": 2.0}},
    "equation": {"system": dataclasses.replace(CYCLE, rhs=lambda t, x, **p: -x)},
    "system": {"system": dataclasses.replace(CYCLE, name="another")},
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("finished", [True, False])
def test_a_store_of_another_system_settings_or_seed_is_refused(tmp_path, monkeypatch, what, finished):
    with monkeypatch.context() as patch:
        if not finished:
            interrupted_after(patch, 1)
        with pytest.raises(Interrupted) if not finished else monkeypatch.context():
            write(tmp_path / "a.zarr")
    before = content(tmp_path / "a.zarr")
    with pytest.raises(InputError, match=f"path must be .* they differ in .*{what}"):
        write(tmp_path / "a.zarr", **CHANGES[what])
    assert content(tmp_path / "a.zarr") == before


def test_what_is_no_store_of_a_simulation_is_never_overwritten(tmp_path):
    path = tmp_path / "mine.zarr"
    path.mkdir()
    (path / "thesis.txt").write_text("ten years of work")
    with pytest.raises(InputError, match="path must be a new one, or a store of the same simulation"):
        write(path)
    assert (path / "thesis.txt").exists()


def test_a_full_disk_leaves_what_was_written_readable_and_the_same_call_goes_on(tmp_path, monkeypatch):
    write(tmp_path / "whole.zarr")
    writes, put = 0, zarr.Array.__setitem__

    def full(array, selection, value):
        nonlocal writes
        writes += 1
        if writes > 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(array, selection, value)

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Array, "__setitem__", full)
        with pytest.raises(
            FileFormatError, match="No space left on device. What was written of it stays readable. Make"
        ):
            write(tmp_path / "full.zarr")
    assert torch.equal(
        load_trajectories(tmp_path / "full.zarr").states, load_trajectories(tmp_path / "whole.zarr")[:8].states
    )
    assert write(tmp_path / "full.zarr").complete
    assert content(tmp_path / "full.zarr") == content(tmp_path / "whole.zarr")


def test_a_time_limit_interrupts_and_a_later_call_goes_on(tmp_path, monkeypatch):
    write(tmp_path / "whole.zarr")

    class OneBlock(Deadline):
        """Passes when it has been asked once."""

        asked = 0

        def passed(self):
            self.asked += 1
            return self.asked > 1

    monkeypatch.setattr(stream, "Deadline", OneBlock)
    found = [write(tmp_path / "cut.zarr", time_limit=1000.0) for _ in range(3)]
    assert [(len(one), one.complete) for one in found] == [(8, False), (16, False), (20, True)]
    assert content(tmp_path / "cut.zarr") == content(tmp_path / "whole.zarr")


def test_a_block_that_the_time_limit_cuts_is_not_kept(tmp_path):
    found = write(tmp_path / "a.zarr", n=2, times=torch.linspace(0, 1e6, 41), solver=Explicit(), time_limit=0.3)
    assert (len(found), found.complete) == (0, False)
    with pytest.raises(FileFormatError, match="interrupted before the first"):
        load_trajectories(tmp_path / "a.zarr")


def test_terminal_events_give_ragged_trajectories_without_gaps(tmp_path):
    decay = System("decay", 1, lambda t, x: -x, lambda n, rng: 1 + 9 * torch.rand(n, 1, generator=rng).double())
    event = Event(lambda t, x: x[..., 0] - 0.5, "low", terminal=True)
    found = write(tmp_path / "a.zarr", n=30, system=decay, events=[event], solver=Explicit())
    data = found.load()
    assert len(data) == 30
    assert torch.allclose(torch.stack([one.states[-1, 0] for one in data]), torch.tensor(0.5).double(), atol=1e-6)
    assert len(set(data.lengths.tolist())) > 5
    assert zarr.open_group(tmp_path / "a.zarr", mode="r")["states"].shape == (int(data.lengths.sum()), 1)
    with pytest.raises(InputError, match="event count must be terminal in a store"):
        write(tmp_path / "b.zarr", events=[Event(lambda t, x: x[..., 0], "count")])


def test_an_observed_system_is_stored_as_it_is_seen_and_goes_on_from_its_states(tmp_path, monkeypatch):
    seen = observe(CYCLE, lambda x: x.prod(-1, keepdim=True))
    times = torch.linspace(0, 40, 801, dtype=torch.float64)
    whole = write(tmp_path / "whole.zarr", n=2, system=seen, times=times)
    with monkeypatch.context() as patch:
        interrupted_after(patch, 2)
        with pytest.raises(Interrupted):
            write(tmp_path / "cut.zarr", n=2, system=seen, times=times)
    assert torch.equal(write(tmp_path / "cut.zarr", n=2, system=seen, times=times)[:].states, whole[:].states)
    assert whole.dim == 1


def test_a_divergence_names_the_trajectory_by_its_number_in_the_ensemble(tmp_path):
    system = System("explosion", 1, lambda t, x: x * x)
    x0 = torch.full((20, 1), -1.0, dtype=torch.float64)
    x0[17] = 1.0
    with pytest.raises(DivergenceError, match="Trajectory 17 diverged after t = 0.9"):
        simulate_to(tmp_path / "a.zarr", system, times=TIMES, initial=x0, rng=generator(0))
    assert len(StoredTrajectories(tmp_path / "a.zarr")) == 16


def test_stores_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(InputError, match="times must be one vector for all trajectories of a store, got 2 of them"):
        simulate_to(tmp_path / "a.zarr", CYCLE, times=[TIMES, TIMES[:9]], rng=generator(0))
    with pytest.raises(InputError, match="path must be one ending in .zarr, got"):
        write(tmp_path / "a.npz")
    with pytest.raises(FileFormatError, match="none.zarr does not exist"):
        StoredTrajectories(tmp_path / "none.zarr")


SCRIPT = """
import sys
import torch
from dynred.memory import peak_memory_mb
from dynred.rng import generator
from dynred.simulation.simulate import simulate_to
from dynred.ode.find import find_system
path, n = sys.argv[1], int(sys.argv[2])
system = find_system("lorenz96")
simulate_to(path, system, n, torch.linspace(0, 1, 21), rng=generator(0), transient=0.1, solver="explicit")
print(peak_memory_mb())
"""


def peak_megabytes(path, trajectories):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    arguments = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(path), str(trajectories)]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=True)
    return float(done.stdout)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_ensemble(tmp_path):
    # 40 dimensions, 21 snapshots, states and velocities: 13 kB a trajectory; 80 MB and 800 MB of data.
    small, large = peak_megabytes(tmp_path / "a.zarr", 6_000), peak_megabytes(tmp_path / "b.zarr", 60_000)
    assert large < 1000
    assert large - small < 150


@pytest.mark.slow
def test_a_killed_process_leaves_a_store_that_the_same_call_completes(tmp_path):
    arguments = [sys.executable, "-c", textwrap.dedent(SCRIPT)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*arguments, str(tmp_path / "whole.zarr"), "20000"], env=environment, check=True)
    cut, kills = tmp_path / "cut.zarr", 0
    while kills < 4:
        process = subprocess.Popen([*arguments, str(cut), "20000"], env=environment)
        while process.poll() is None and not (cut / "states").exists():
            time.sleep(0.05)
        time.sleep(0.7 * (kills + 1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    subprocess.run([*arguments, str(cut), "20000"], env=environment, check=True)
    assert content(cut) == content(tmp_path / "whole.zarr")
