"""A damaged file gives the same answer or is refused; a file that was edited by hand never ends in another error."""

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynred.data.storage import load_trajectories, save_trajectories
from dynred.experiments.evaluate_run import evaluate_run
from dynred.files import read_json, read_tensors, write_json, write_tensors
from dynred.models.load import load_model
from faults.children import GIGABYTE, failures, in_child
from faults.material import content, digest, make_run, result, small_data, small_model, store, trained_spec
from faults.mutants import damaged, edited
from faults.operations import at_operation, die, operations


@dataclass(frozen=True)
class Victim:
    """Something on disk that is damaged.

    Attributes:
        make: writes it into a folder.
        read: what it says.
        hit: the pattern of the files that are damaged.
        tries: of the full campaign, and by default.
    """

    make: Callable[[Path], Any]
    read: Callable[[Path], Any]
    hit: str
    tries: tuple[int, int]


def model_content(folder):
    found = load_model(folder / "model")
    tensors, metadata = read_tensors(folder / "model")
    predicted = content(found.predict([[1.0, 0.0]], [0.0, 0.5, 1.0]))
    return {name: digest(tensor) for name, tensor in tensors.items()}, metadata, predicted


def saves(suffix):
    return lambda folder: save_trajectories(small_data(), folder / f"data{suffix}")


def reads(suffix):
    return lambda folder: content(load_trajectories(folder / f"data{suffix}"))


def whole_run(folder):
    make_run(trained_spec(), folder / "run")


def evaluated(folder):
    evaluate_run(folder / "run")
    return result(folder / "run")


def half_a_run(folder):
    """A run that was killed after the checkpoints of its first training and some of the second."""
    every = in_child(operations, folder, whole_run, folder).returned()
    shutil.rmtree(folder / "run")
    last = max(i for i, name in enumerate(every) if "dynamics.safetensors" in name and name.startswith("os.rename"))
    in_child(_until, folder, last + 2)
    assert list((folder / "run" / "checkpoints").glob("*.safetensors"))


def _until(folder, number):
    at_operation(folder, number, die)
    whole_run(folder)


def resumed(folder):
    make_run(trained_spec(), folder / "run", resume=True)
    return result(folder / "run")


def half_a_store(folder):
    store(folder / "data.zarr", n=40, time_limit=1e9)
    every = in_child(operations, folder, store, folder / "again.zarr", 40).returned()
    shutil.rmtree(folder / "data.zarr")
    in_child(lambda: (at_operation(folder, int(0.8 * len(every)), die), store(folder / "data.zarr", 40)))
    shutil.rmtree(folder / "again.zarr")


def store_completed(folder):
    return content(store(folder / "data.zarr", 40).load())


VICTIMS = {
    "a model": Victim(
        lambda folder: small_model(small_data()).save(folder / "model"), model_content, "model", (1500, 12)
    ),
    ".npz": Victim(saves(".npz"), reads(".npz"), "data.npz", (800, 8)),
    ".zarr": Victim(saves(".zarr"), reads(".zarr"), "data.zarr/**/*", (800, 8)),
    ".nc": Victim(saves(".nc"), reads(".nc"), "data.nc", (800, 8)),
    "the settings of a run": Victim(whole_run, evaluated, "run/experiment.json", (150, 1)),
    "the scores of a run": Victim(whole_run, evaluated, "run/evaluation.json", (150, 1)),
    "a checkpoint": Victim(half_a_run, resumed, "run/checkpoints/*.safetensors", (200, 2)),
    "an unfinished store": Victim(half_a_store, store_completed, "data.zarr.progress", (100, 2)),
}


@pytest.mark.parametrize("name", VICTIMS)
def test_a_damaged_file_gives_the_same_answer_or_is_refused(name, share, tmp_path):
    victim, draw, original = VICTIMS[name], random.Random(name), tmp_path / "original"
    original.mkdir()
    in_child(victim.make, original).returned()
    truth = in_child(victim.read, _copied(original, tmp_path / "read")).returned()
    hit = sorted(path.relative_to(original) for path in original.glob(victim.hit) if path.is_file())

    def attempt(number):
        folder, path = _copied(original, tmp_path / str(number)), draw.choice(hit)
        (folder / path).write_bytes(damaged((folder / path).read_bytes(), draw))
        ended = in_child(victim.read, folder, seconds=20, memory=2 * GIGABYTE)
        assert ended.code == 0, f"{path}: ended with {ended.code}: {ended.err[-200:]}"
        assert ended.fine, f"{path}: {ended.trace}"
        assert ended.error or ended.value == truth, f"{path}: another answer without a word"
        shutil.rmtree(folder)

    assert not failures(range(share.of(*victim.tries)), attempt)


def _copied(original, folder):
    shutil.copytree(original, folder)
    return folder


def edit_model(folder, draw):
    tensors, metadata = read_tensors(folder / "model")
    write_tensors(folder / "model", tensors, edited(metadata, draw))


def edit_json(name):
    def edit(folder, draw):
        data = edited(read_json(folder / name), draw)
        write_json(folder / name, data)

    return edit


def edit_attributes(folder, draw):
    with np.load(folder / "data.npz") as opened:
        arrays = dict(opened)
    about = edited(json.loads(str(arrays.pop("attributes"))), draw)
    np.savez(folder / "data.npz", attributes=json.dumps(about), **arrays)


EDITS = {
    "a model": (edit_model, (300, 6)),
    ".npz": (edit_attributes, (50, 2)),
    "the settings of a run": (edit_json("run/experiment.json"), (150, 4)),
    "the scores of a run": (edit_json("run/evaluation.json"), (100, 2)),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_file_is_read_or_refused_and_never_ends_otherwise(name, share, tmp_path):
    """The checksum is the right one here, as in a file whose maker means harm or knows how to make one."""
    (edit, tries), victim, draw = EDITS[name], VICTIMS[name], random.Random(name)
    original = tmp_path / "original"
    original.mkdir()
    in_child(victim.make, original).returned()

    def attempt(number):
        folder = _copied(original, tmp_path / str(number))
        edit(folder, draw)
        ended = in_child(victim.read, folder, seconds=20, memory=2 * GIGABYTE)
        assert ended.code == 0, f"ended with {ended.code}: {ended.err[-200:]}"
        assert ended.fine, ended.trace
        shutil.rmtree(folder)

    assert not failures(range(share.of(*tries)), attempt)
