"""Stores that are larger than memory: compressed while they are read, and otherwise reduced like all data."""

import json
import shutil

import pytest
import torch

import dynred
from dynred.data import large
from dynred.data.store import StoredTrajectories
from dynred.data.transforms import compression as compressions
from dynred.data.transforms.compression import CompressionSpec
from dynred.errors import InputError
from dynred.experiments.data_source import DataSource
from dynred.experiments.open_source import open_source
from dynred.experiments.store_source import StoreSource
from dynred.runtime import Runtime

DIM = 60


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Waves that travel and decay, of 60 numbers, as a function of two amplitudes, in a store."""
    path = tmp_path_factory.mktemp("stores") / "waves.zarr"
    x = torch.linspace(0, 6, DIM, dtype=torch.float64)
    t = torch.linspace(0, 6, 61, dtype=torch.float64)[:, None]
    parts = []
    for i in range(6):
        size, angle = (0.5 + 0.1 * i) * torch.exp(-0.1 * t), t + i
        a, b = size * torch.cos(angle), size * torch.sin(angle)
        states = 1 + a * torch.sin(x) + b * torch.cos(2 * x) + 0.1 * a * b * torch.sin(3 * x)
        va, vb = -0.1 * a - b, -0.1 * b + a
        velocities = va * torch.sin(x) + vb * torch.cos(2 * x) + 0.1 * (va * b + a * vb) * torch.sin(3 * x)
        parts.append(dynred.Trajectories(states, t[:, 0], torch.tensor([len(t)]), velocities))
    dynred.save_trajectories(dynred.Trajectories.concatenate(parts), path)
    return path


@pytest.fixture
def all_are_large(monkeypatch):
    monkeypatch.setattr(large, "LARGE", 1)
    monkeypatch.setattr(compressions, "BLOCK_BYTES", 7 * 8 * DIM)


def settings(**changes):
    return {"reducer": dynred.PODSpec(2), "dynamics": dynred.LinearSpec(), "seed": 0, **changes}


def test_a_small_store_is_read_and_a_large_one_is_compressed(store, all_are_large, monkeypatch):
    assert isinstance(open_source(str(store), {}), StoreSource)
    monkeypatch.setattr(large, "LARGE", 2**30)
    assert not isinstance(open_source(str(store), {}), StoreSource)


def test_blocks_are_the_snapshots_that_are_chosen(store):
    stored = StoredTrajectories(store)
    whole, chosen = stored.load(), torch.zeros(int(stored.lengths.sum()), dtype=torch.bool)
    chosen[[0, 1, 5, 6, 7, 100, 365]] = True
    read = torch.cat(list(stored.blocks("states", 3 * 8 * stored.dim, chosen)))
    assert torch.equal(read, whole.states[chosen])
    assert torch.equal(torch.cat(list(stored.blocks("velocities", 2**20))), whole.velocities)
    assert torch.equal(stored.snapshots(torch.tensor([3, 3, 0])), whole.states[[3, 3, 0]])


def test_the_compressed_parts_are_those_of_the_whole_data(store, all_are_large):
    spec = CompressionSpec(tolerance=1e-10, limit=20)
    small, rest = open_source(str(store), {}).compressing([spec])
    assert not rest
    parts = small.parts(dynred.DataSpec(), 0, Runtime())
    whole = dynred.load_trajectories(store)
    expected = DataSource(whole).parts(dynred.DataSpec(), 0, Runtime())
    for compressed, same in zip(parts, expected, strict=True):
        back = parts.compression.undo(compressed.states)
        torch.testing.assert_close(back, same.states, rtol=0, atol=1e-3)
        torch.testing.assert_close(compressed.velocities, same.velocities @ parts.compression.modes.basis)


def test_the_model_is_that_of_the_data_in_memory(store, all_are_large, monkeypatch):
    spec = CompressionSpec(tolerance=1e-10, limit=20)
    on_disk = dynred.reduce(str(store), 2, transforms=[spec], **settings())
    monkeypatch.setattr(large, "LARGE", 2**30)
    in_memory = dynred.reduce(str(store), 2, transforms=[spec], **settings())
    x0 = dynred.load_trajectories(store)[0].initial
    first, second = (made.model.predict(x0, torch.linspace(0, 5, 11)).states for made in (on_disk, in_memory))
    torch.testing.assert_close(first, second, rtol=0, atol=1e-5)
    assert on_disk.evaluation.reconstruction.nmse == pytest.approx(in_memory.evaluation.reconstruction.nmse, rel=1e-3)
    assert any("POD modes" in note for note in on_disk.model.notes())


def test_a_run_is_made_resumed_and_scored_again_from_the_store(store, all_are_large, tmp_path):
    spec = dynred.ExperimentSpec(str(store), 2, **settings())
    first = dynred.run(spec, tmp_path / "run")
    again = dynred.evaluate_run(tmp_path / "run")
    assert again.reconstruction.nmse == pytest.approx(first.reconstruction.nmse, rel=1e-12)
    assert again.rollout.valid_time == first.rollout.valid_time
    model = dynred.load_model(tmp_path / "run")
    assert model.state_dim == DIM
    assert (tmp_path / "run" / "report.html").exists()
    assert json.loads((tmp_path / "run" / "experiment.json").read_text())["source"]["kind"] == "store"


def test_a_changed_store_is_refused(store, all_are_large, tmp_path):
    copy = tmp_path / "copy.zarr"
    shutil.copytree(store, copy)
    before = StoredTrajectories(copy).digest()
    assert before == StoredTrajectories(store).digest()
    chunk = next(file for file in sorted((copy / "states").rglob("*")) if file.is_file() and file.suffix != ".json")
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"\0")
    assert StoredTrajectories(copy).digest() != before


def test_compression_comes_first(store, all_are_large):
    with pytest.raises(InputError, match=r"transforms must be compression first, for data that do not fit into memory"):
        dynred.reduce(str(store), 2, transforms=[dynred.CentringSpec(), CompressionSpec()], **settings())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [({"tolerance": 0.0}, "tolerance must be between 0 and 1"), ({"limit": 0}, "limit must be at least 1")],
)
def test_wrong_settings_are_refused(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        CompressionSpec(**changes)
