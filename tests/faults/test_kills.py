"""A run that is killed at any file operation or moment goes on to the same result, and nothing else is lost."""

import random
import shutil

import pytest

from dynred.errors import FileFormatError, InputError
from dynred.experiments.run import stored_spec
from dynred.files import read_tensors
from faults.children import HUNG, failures, in_child
from faults.material import kept, leave_notes, make_run, result, trained_spec
from faults.operations import KILLED, kills, operations


def consistent(out):
    """Whether weights and settings that lie in one folder belong together."""
    if not ((out / "model.safetensors").exists() and (out / "experiment.json").exists()):
        return True
    return read_tensors(out / "model.safetensors")[1]["about"]["seed"] == stored_spec(out).seed


def went_on(out, spec):
    """The result after a kill: by `--resume`, or from the start where no settings were written yet."""
    try:
        make_run(spec, out, resume=True)
    except (InputError, FileFormatError):
        if (out / "experiment.json").exists():
            raise
        make_run(spec, out)
    return result(out)


def overwritten(out, spec):
    make_run(spec, out, overwrite=True)
    return result(out)


def test_a_run_killed_at_any_file_operation_resumes_to_the_same_result(whole, share, tmp_path):
    first = tmp_path / "first" / "run"
    every = in_child(operations, first.parent, make_run, trained_spec(), first).returned()

    def attempt(kill):
        out = tmp_path / f"{kill.number} {kill.way.__name__}" / "run"
        ended = in_child(kill.of, out.parent, make_run, trained_spec(), out)
        assert ended.code in (KILLED, 0), ended.trace  # 0: checkpoints go by time, so the number may not be reached
        assert consistent(out)
        notes = leave_notes(out) if (out / "experiment.json").exists() else {}
        assert in_child(went_on, out, trained_spec()).returned() == whole
        assert kept(out, notes), "a user's file was lost"

    assert not failures(share.some(kills(every), 3), attempt)


def test_a_run_killed_at_random_moments_again_and_again_resumes_to_the_same_result(whole, share, tmp_path):
    moments = random.Random(0)
    calm = in_child(make_run, trained_spec(), tmp_path / "calm").seconds

    def attempt(number):
        out = tmp_path / str(number) / "run"
        for _ in range(moments.randint(1, 3)):
            ended = in_child(went_on, out, trained_spec(), seconds=moments.uniform(0.05, calm))
            assert ended.code in (HUNG, 0)
            assert ended.error is None, ended.trace
            assert consistent(out)
        assert in_child(went_on, out, trained_spec()).returned() == whole

    assert not failures(range(share.of(300, 1)), attempt)


@pytest.mark.parametrize("then", [went_on, overwritten])
def test_an_overwriting_run_killed_at_any_file_operation_never_keeps_weights_of_the_other_seed(
    whole, then, share, tmp_path
):
    old, first = tmp_path / "old", tmp_path / "first" / "run"
    in_child(make_run, trained_spec(seed=1), old).returned()
    notes = leave_notes(old)
    shutil.copytree(old, first)
    every = in_child(operations, first.parent, overwritten, first, trained_spec()).returned()

    def attempt(kill):
        out = tmp_path / f"{kill.number} {kill.way.__name__}" / "run"
        shutil.copytree(old, out)
        ended = in_child(kill.of, out.parent, overwritten, out, trained_spec())
        assert ended.code in (KILLED, 0), ended.trace  # 0: checkpoints go by time, so the number may not be reached
        assert consistent(out), "weights of one seed beside settings of the other"
        last = in_child(then, out, trained_spec())
        if last.refused and stored_spec(out).seed == 1:  # nothing was replaced yet
            assert "differ in: seed" in last.error
            last = in_child(overwritten, out, trained_spec())
        assert last.returned() == whole
        assert kept(out, notes), "a user's file was lost"

    assert not failures(share.some(kills(every), 2), attempt)
