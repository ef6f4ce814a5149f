"""Two processes on one folder or store: the second is refused in a sentence, the first ends as if it were alone."""

import os
import shutil
import signal
import time

import pytest

from dynred.experiments.certify_run import certify_run
from dynred.experiments.evaluate_run import evaluate_run
from faults.children import Child, failures, in_child
from faults.material import content, files, make_run, plain_spec, result, store, trained_spec
from faults.operations import at_operation, operations
from faults.sentences import check_sentence
from faults.test_kills import consistent


def paused(folder, number, call, *arguments):
    """A call that waits before its `number`-th file operation until the file `go` is there."""

    def wait(path):
        (folder.parent / "waiting").touch()
        while not (folder.parent / "go").exists():
            time.sleep(0.01)

    at_operation(folder, number, wait)
    call(*arguments)


def started(folder, number, call, *arguments):
    """The child of a paused call, once it waits; None where it came to its end before: checkpoints go by time, so that
    not every run has as many operations."""
    folder.mkdir(parents=True, exist_ok=True)
    child = Child(paused, folder, number, call, *arguments)
    while not (folder.parent / "waiting").exists():
        if child.ended():
            child.wait().returned()
            return None
        time.sleep(0.01)
    return child


def let_go(folder, child):
    (folder.parent / "go").touch()
    ended = child.wait()
    for name in ("go", "waiting"):
        (folder.parent / name).unlink()
    return ended


SECONDS = {
    "the same run": lambda out: make_run(trained_spec(), out, resume=True),
    "a run of another seed": lambda out: make_run(trained_spec(seed=1), out),
    "an overwriting run": lambda out: make_run(trained_spec(seed=1), out, overwrite=True),
    "evaluate": evaluate_run,
    "certify": lambda out: certify_run(out, samples=50),
}


@pytest.mark.few(2)
@pytest.mark.parametrize("name", SECONDS)
def test_a_second_process_on_a_run_folder_is_refused(whole, share, tmp_path, name):
    first = tmp_path / "first" / "run"
    every = in_child(operations, first.parent, make_run, trained_spec(), first).returned()
    # Its settings are written first, under the lock.
    begun = next(i for i, operation in enumerate(every, 1) if operation.startswith("os.rename")) + 4

    def attempt(number):
        out = tmp_path / str(number) / "place" / "run"
        child = started(out.parent, number, make_run, trained_spec(), out)
        if child is None:
            return
        second = in_child(SECONDS[name], out, seconds=10)
        ended = let_go(out.parent, child)
        ended.returned()
        assert second.refused, second.trace or f"the second ended with {second.code}"
        scores = name in ("evaluate", "certify")  # of these, a model that is not there yet is a reason as well
        check_sentence(second.error.replace(str(tmp_path), ""), () if scores else ("process",))
        assert result(out) == whole

    assert not failures(share.some(range(begun, len(every) + 1), 2), attempt)


@pytest.mark.parametrize("name", ["evaluate", "certify"])
def test_a_run_is_refused_where_another_process_scores_it(tmp_path, name):
    out = tmp_path / "place" / "run"
    in_child(make_run, plain_spec(), out).returned()
    before, copy = result(out), tmp_path / "copy" / "run"
    shutil.copytree(out, copy)
    every = in_child(operations, copy, SECONDS[name], copy).returned()
    child = started(out, next(i for i, said in enumerate(every, 1) if said.startswith("os.rename")), SECONDS[name], out)
    second = in_child(make_run, plain_spec(seed=1), out)
    third = in_child(lambda: make_run(plain_spec(seed=1), out, overwrite=True))
    let_go(out, child).returned()
    assert second.refused
    assert third.refused, third.trace
    check_sentence(third.error.replace(str(tmp_path), ""), ("process",))
    after = result(out)
    assert {**after, "certificate": 0} == {**before, "certificate": 0}


def test_a_second_process_on_a_store_is_refused(share, tmp_path):
    calm = tmp_path / "calm" / "d.zarr"
    calm.parent.mkdir()
    every = in_child(operations, calm.parent, store, calm).returned()

    def attempt(number):
        path = tmp_path / str(number) / "place" / "d.zarr"
        child = started(path.parent, number, store, path)
        second = in_child(store, path, seconds=10)
        let_go(path.parent, child).returned()
        assert second.refused, second.trace or f"the second ended with {second.code}"
        check_sentence(second.error.replace(str(tmp_path), ""), ("process",))
        assert files(path) == files(calm)

    assert not failures(share.some(range(6, len(every) + 1), 2), attempt)


def test_what_a_killed_process_held_is_free(whole, tmp_path):
    out = tmp_path / "place" / "run"
    child = started(out.parent, 30, make_run, trained_spec(), out)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    in_child(lambda: make_run(trained_spec(), out, resume=True)).returned()
    assert result(out) == whole


def test_processes_that_begin_together_leave_the_result_of_one(whole, share, tmp_path):
    def attempt(number):
        out, other = tmp_path / str(number) / "run", trained_spec(seed=1)
        out.parent.mkdir()
        children = [Child(make_run, spec, out) for spec in (trained_spec(), other, trained_spec())]
        ends = [child.wait() for child in children]
        assert all(end.fine for end in ends), [end.trace for end in ends]
        assert any(end.error is None for end in ends), "all were refused"
        assert consistent(out)
        if result(out)["seed"] == 0:
            assert result(out) == whole
        shutil.rmtree(out.parent)

    assert not failures(range(share.of(30, 1)), attempt)


def test_stores_that_begin_together_hold_the_result_of_one(share, tmp_path):
    calm = content(in_child(lambda: store(tmp_path / "calm.zarr").load()).returned())

    def attempt(number):
        path = tmp_path / str(number) / "d.zarr"
        path.parent.mkdir()
        ends = [child.wait() for child in [Child(lambda: store(path) and None) for _ in range(3)]]
        assert all(end.fine for end in ends), [end.trace for end in ends]
        assert content(in_child(lambda: store(path).load()).returned()) == calm

    assert not failures(range(share.of(30, 2)), attempt)
