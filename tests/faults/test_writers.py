"""Whatever writes files and is killed leaves what was there or what comes, and can be called again."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dynred.data.storage import load_trajectories, save_trajectories
from dynred.data.store import StoredTrajectories
from dynred.experiments.certify_run import certify_run
from dynred.experiments.evaluate_run import evaluate_run
from dynred.models.load import load_model
from faults.children import failures, in_child
from faults.material import content, files, make_run, plain_spec, result, small_data, small_model, store
from faults.operations import KILLED, kills, operations


@dataclass(frozen=True)
class Writer:
    """Something that writes into a folder.

    Attributes:
        call: writes.
        read: what can be read of it; an error of dynred where there is nothing.
        prepare: what must be there before.
        again: whether the call may be made again where its result is there.
    """

    call: Callable[[Path], Any]
    read: Callable[[Path], Any]
    prepare: Callable[[Path], Any] = lambda folder: folder.mkdir()
    again: bool = True


def first_run(folder):
    make_run(plain_spec(), folder / "run")


def run_result(folder):
    return result(folder / "run")


def model_of_seed(seed):
    return lambda folder: small_model(small_data(), seed).save(folder / "model")


def first_model(folder):
    folder.mkdir()
    model_of_seed(1)(folder)


def saves(suffix):
    path = "data" + suffix
    return Writer(
        lambda folder: save_trajectories(small_data(), folder / path),
        lambda folder: content(load_trajectories(folder / path)),
        again=False,
    )


def complete_store(folder):
    found = StoredTrajectories(folder / "store.zarr")
    assert found.complete, "unfinished"
    return content(found.load())


WRITERS = {
    "simulate into a store": Writer(lambda folder: store(folder / "store.zarr"), complete_store),
    "save .npz": saves(".npz"),
    "save .zarr": saves(".zarr"),
    "save .nc": saves(".nc"),
    "save a model": Writer(
        model_of_seed(0),
        lambda folder: content(load_model(folder / "model").predict([[1.0, 0.0]], [0.0, 1.0])),
        first_model,
    ),
    "export a model": Writer(
        lambda folder: small_model(small_data()).export(folder / "programs"),
        lambda folder: sorted(files(folder / "programs")),
        again=False,
    ),
    "evaluate a run": Writer(lambda folder: evaluate_run(folder / "run"), run_result, first_run),
    "certify a run": Writer(lambda folder: certify_run(folder / "run", samples=50), run_result, first_run),
}


@pytest.mark.few(4)
@pytest.mark.parametrize("name", WRITERS)
def test_a_killed_writer_leaves_what_was_there_or_what_comes(name, share, tmp_path):
    writer, calm, at_first = WRITERS[name], tmp_path / "calm", tmp_path / "at first"
    in_child(writer.prepare, at_first).returned()
    shutil.copytree(at_first, calm)
    before = in_child(writer.read, calm)
    every = in_child(operations, calm, writer.call, calm).returned()
    after = in_child(writer.read, calm).returned()

    def attempt(kill):
        folder = tmp_path / f"{kill.number} {kill.way.__name__}"
        shutil.copytree(at_first, folder)
        ended = in_child(kill.of, folder, writer.call, folder)
        assert ended.code in (KILLED, 0), ended.trace
        seen = in_child(writer.read, folder)
        assert seen.value in (before.value, after), f"something else is there: {seen.trace}"
        if writer.again or seen.value != after:
            in_child(writer.call, folder).returned()
        assert in_child(writer.read, folder).returned() == after

    assert not failures(share.some(kills(every), 2), attempt)
