"""Run folders: nothing of a user's is lost, nothing of another run is mixed in, one process writes at a time."""

import contextlib
import multiprocessing
import os
import shutil
import warnings

import pytest
import torch

from dynred.data.storage import save_trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.errors import DynredWarning, FileFormatError, InputError
from dynred.evaluation.evaluation import Evaluation
from dynred.experiments.certify_run import certify_run
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.evaluate_run import evaluate_run
from dynred.experiments.folder import CHECKPOINTS, FILES, RunFolder
from dynred.experiments.run import run
from dynred.experiments.spec import ExperimentSpec
from dynred.experiments.stored_run import opened
from dynred.files import read_json, read_tensors, write_json, write_tensors
from dynred.locks import locked
from dynred.models.load import load_model
from dynred.ode.find import find_system
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec, minimise

SYSTEM = """
dim = 3
duration = 6.0
sampling = 0.1


def sample_initial(n, rng):
    import torch

    angle = 6 * torch.rand(n, generator=rng, dtype=torch.float64)
    return torch.stack([angle.cos(), angle.sin(), 0 * angle], -1)


def rhs(t, x):
    import torch

    return torch.stack([-RATE * x[..., 1], RATE * x[..., 0], -x[..., 2]], -1)
"""


@pytest.fixture(autouse=True)
def own_state(tmp_path_factory, monkeypatch):
    """A user who has run nothing yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def file(tmp_path):
    """A system of the user's own."""
    path = tmp_path / "turning.py"
    path.write_text(SYSTEM.replace("RATE", "1.0"))
    return path


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A finished run."""
    out = tmp_path_factory.mktemp("original") / "run"
    run(settings("stuart_landau"), out)
    return out


@pytest.fixture
def finished(original, tmp_path):
    """A copy of a finished run of `settings("stuart_landau")`."""
    return shutil.copytree(original, tmp_path / "run")


def settings(source, seed=0):
    data = DataSpec(train=8, validation=2, test=2, duration=6.0, sampling=0.2, transient=1.0)
    return ExperimentSpec(str(source), 1, seed=seed, data=data, reducer=PODSpec(1), dynamics=LinearSpec())


def content(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- files of the user's ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*FILES, CHECKPOINTS])
def test_a_file_of_the_users_that_has_a_runs_name_stops_the_run_and_stays(tmp_path, name):
    (tmp_path / "mine").mkdir()
    target = tmp_path / "mine" / name
    if name == CHECKPOINTS:
        target.mkdir()
        target = target / "thesis.txt"
    target.write_text("ten years of work")
    for choice in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(InputError, match=f"which has {name} and no run. Nothing was changed"):
            run(settings("stuart_landau"), tmp_path / "mine", **choice)
    assert content(tmp_path / "mine") == {target.name: b"ten years of work"}


def test_other_files_in_a_run_folder_stay_when_it_is_overwritten(finished, tmp_path):
    (tmp_path / "run" / "notes.txt").write_text("mine")
    (tmp_path / "run" / CHECKPOINTS).mkdir()
    (tmp_path / "run" / CHECKPOINTS / "mine.txt").write_text("mine")
    write_tensors(tmp_path / "run" / CHECKPOINTS / "reducer.safetensors", {}, {"kind": "checkpoint"})
    run(settings("stuart_landau", seed=1), tmp_path / "run", overwrite=True)
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert [path.name for path in (tmp_path / "run" / CHECKPOINTS).iterdir()] == ["mine.txt"]


def test_a_model_or_an_export_replaces_none_of_the_users_files(finished, tmp_path):
    model = load_model(tmp_path / "run")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table.csv").write_text("1,2")
    (tmp_path / "notes.txt").write_text("mine")
    for write in (model.save, model.export):
        for name in ("results", "notes.txt"):
            with pytest.raises(InputError, match="which dynred did not write. Nothing was changed"):
                write(tmp_path / name)
    model.export(tmp_path / "programs")
    model.export(tmp_path / "programs")
    (tmp_path / "programs" / "table.csv").write_text("1,2")
    with pytest.raises(InputError, match="the folder .*programs, which dynred did not write"):
        model.export(tmp_path / "programs")
    assert (tmp_path / "programs" / "table.csv").read_text() == "1,2"
    model.save(tmp_path / "again.safetensors")
    model.save(tmp_path / "again.safetensors")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a\0b", "out must be a path, got"),
        ("x" * 300, "names of at most 255 bytes, got one of 300"),
        ("file/run", "must be in a folder, got .*file is a file"),
        ("file", "which dynred did not write"),
        ("fifo", "must be a file or a folder, got .*which is neither"),
    ],
)
def test_an_impossible_folder_is_refused_before_anything_is_computed(tmp_path, monkeypatch, name, message):
    monkeypatch.setattr("dynred.experiments.run.reduce", lambda *a, **k: pytest.fail("computed"))
    (tmp_path / "file").write_text("mine")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError, match=message):
        run(settings("stuart_landau"), f"{tmp_path}/{name}")


def test_an_error_before_anything_is_computed_leaves_no_folder(tmp_path, monkeypatch):
    def full(*arguments, **others):
        raise MemoryError

    monkeypatch.setattr("dynred.experiments.run.reduce", full)
    with pytest.raises(MemoryError):
        run(settings("stuart_landau"), tmp_path / "new" / "run")
    assert list(tmp_path.iterdir()) == []


# -- contents ---------------------------------------------------------------------------------------------------------


def test_an_edited_system_is_refused_and_the_restored_one_is_not(tmp_path, file):
    found = run(settings(file), tmp_path / "run")
    file.write_text(SYSTEM.replace("RATE", "1.5"))
    for again in (evaluate_run, certify_run):
        with pytest.raises(InputError, match="turning.py, which the run in .* must be as it was, got .* was changed"):
            again(tmp_path / "run")
    with pytest.raises(InputError, match="got a changed one. Changed: .*turning.py, its equation"):
        run(settings(file), tmp_path / "run", resume=True)
    assert find_system(str(file)).at()(torch.zeros(()), torch.eye(3).double())[0, 1] == 1.5
    file.write_text(SYSTEM.replace("RATE", "1.0"))
    assert evaluate_run(tmp_path / "run").rollout == found.rollout


def test_what_an_equation_reads_from_elsewhere_is_noticed_too(tmp_path, file):
    (tmp_path / "rate.txt").write_text("1.0")
    rate = f"float(open({str(tmp_path / 'rate.txt')!r}).read())"
    file.write_text(SYSTEM.replace("RATE", rate))
    run(settings(file), tmp_path / "run")
    (tmp_path / "rate.txt").write_text("1.001")
    with pytest.raises(InputError, match="the system of the run in .* they differ in equation"):
        evaluate_run(tmp_path / "run")


def data_file(path, seed):
    times = torch.linspace(0, 6, 61, dtype=torch.float64)
    save_trajectories(simulate(find_system("stuart_landau"), 12, times, rng=generator(seed)), path)


def test_another_data_file_of_the_same_name_never_stands_in_for_the_data_of_a_run(tmp_path, monkeypatch):
    for i, name in enumerate(("here", "there")):
        (tmp_path / name).mkdir()
        data_file(tmp_path / name / "data.npz", i)
    monkeypatch.chdir(tmp_path / "here")
    found = run(settings("data.npz"), "run")
    before = content(tmp_path / "here" / "run")
    monkeypatch.chdir(tmp_path / "there")
    assert evaluate_run(tmp_path / "here" / "run").rollout == found.rollout
    (tmp_path / "here" / "data.npz").unlink()
    with pytest.raises(InputError, match="the data of the run in .* must be as they were, got data.npz, whose content"):
        evaluate_run(tmp_path / "here" / "run")
    assert content(tmp_path / "here" / "run").keys() == before.keys()
    data_file(tmp_path / "here" / "data.npz", 5)
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="Changed: its digest"):
        run(settings("data.npz"), "run", resume=True)


def test_a_run_that_moved_together_with_its_data_is_evaluated_where_it_is(tmp_path):
    (tmp_path / "project").mkdir()
    data_file(tmp_path / "project" / "data.npz", 0)
    found = run(settings(tmp_path / "project" / "data.npz"), tmp_path / "project" / "runs" / "one")
    (tmp_path / "project").rename(tmp_path / "elsewhere")
    assert evaluate_run(tmp_path / "elsewhere" / "runs" / "one").rollout == found.rollout


def test_the_model_of_another_run_beside_the_settings_is_refused(finished, tmp_path):
    run(settings("stuart_landau", seed=1), tmp_path / "other")
    shutil.copy(tmp_path / "other" / "model.safetensors", finished)
    with pytest.raises(FileFormatError, match="the model of one run beside the settings of another"):
        evaluate_run(finished)


def test_a_checkpoint_of_other_work_is_refused(tmp_path):
    def train(identity):
        net = torch.nn.Linear(1, 1)
        runtime = Runtime(checkpoints=tmp_path, identity=identity)
        spec = TrainingSpec(steps=3, validations=1)
        minimise(
            net, lambda i: net.weight.sum() ** 2, 4, lambda: 1.0, spec, rng=generator(0), stage="a", runtime=runtime
        )

    train("one")
    train("one")
    with pytest.raises(FileFormatError, match="a checkpoint of other settings, another seed or another source"):
        train("two")


def test_settings_that_were_changed_by_hand_are_refused(finished, tmp_path):
    path = tmp_path / "run" / "experiment.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(FileFormatError, match="was changed or damaged after dynred wrote it"):
        evaluate_run(tmp_path / "run")


def test_another_number_of_threads_is_told(finished, tmp_path):
    path = tmp_path / "run" / "experiment.json"
    stored = read_json(path)
    assert stored["threads"] == torch.get_num_threads()
    write_json(path, {**stored, "threads": stored["threads"] + 1})
    with pytest.warns(DynredWarning, match="threads instead of .* the result may differ in its last digits"):
        run(settings("stuart_landau"), tmp_path / "run", resume=True)


def make_older(out):
    """Takes from a run folder what earlier versions did not write."""
    stored = read_json(out / "experiment.json")
    write_json(out / "experiment.json", {key: stored[key] for key in ("schema", "digest", "seed", "versions", "spec")})
    tensors, metadata = read_tensors(out / "model.safetensors")
    del metadata["about"]["experiment"], metadata["code"]
    write_tensors(out / "model.safetensors", tensors, metadata)


def test_a_run_of_an_earlier_version_is_evaluated_as_far_as_it_says_what_it_was(finished):
    found = Evaluation.from_dict(read_json(finished / "evaluation.json"))
    make_older(finished)
    assert run(settings("stuart_landau"), finished, resume=True) == found
    assert evaluate_run(finished).rollout == found.rollout


# -- two at once ------------------------------------------------------------------------------------------------------


def hold(folder, ready, done):
    with RunFolder(folder).locked():
        ready.set()
        done.wait(60)


def test_a_second_process_is_refused_and_a_killed_one_hinders_nobody(finished, tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / "run", ready, done))
    other.start()
    ready.wait(60)
    calls = [
        lambda: run(settings("stuart_landau"), tmp_path / "run", overwrite=True),
        lambda: run(settings("stuart_landau"), tmp_path / "run", resume=True),
        lambda: evaluate_run(tmp_path / "run"),
        lambda: certify_run(tmp_path / "run"),
    ]
    for call in calls:
        with pytest.raises(InputError, match=f"used by one process at a time, .* by process {other.pid} on"):
            call()
    other.kill()
    other.join()
    evaluate_run(tmp_path / "run")
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_lock_is_released_by_an_error(tmp_path):
    with pytest.raises(ValueError, match="mine"), locked("out", tmp_path, tmp_path / "lock"):
        raise ValueError("mine")
    with locked("out", tmp_path, tmp_path / "lock"):
        pass


# -- code -------------------------------------------------------------------------------------------------------------


def planted(finished, tmp_path, **changes):
    """A run whose settings somebody changed, checksum and all."""
    path = tmp_path / "run" / "experiment.json"
    stored = read_json(path)
    stored["spec"] = {**stored["spec"], **changes}
    write_json(path, stored)
    return tmp_path / "run"


EVIL = "import pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()\ndim = 50\ndef rhs(t, x): return -x\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "EVIL"},
        {"source": "EVIL:rhs"},
        {"source": "evil"},
        {"source": "evil:rhs"},
        {"source": "os:system", "arguments": {"command": "touch evil.ran"}},
        {"source": "subprocess:run", "arguments": {"args": ["touch", "evil.ran"]}},
        {"source": "dynred.files:write_text", "arguments": {"path": "evil.ran", "text": ""}},
        {"arguments": {"base": "EVIL"}},
        {"arguments": {"base": "os:getcwd"}},
        {"data": {"solver": "EVIL"}},
        {"data": {"solver": "evil:rhs"}},
        {"reducer": {"kind": "evil:Spec"}},
        {"reducer": {"kind": "user_file_evil:Spec"}},
    ],
    ids=lambda changes: "-".join(map(str, changes.values()))[:40],
)
def test_settings_of_a_run_make_no_code_run(finished, tmp_path, monkeypatch, changes):
    evil = tmp_path / "evil.py"
    evil.write_text(EVIL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    changes = {k: v.replace("EVIL", str(evil)) if isinstance(v, str) else v for k, v in changes.items()}
    changes = {
        k: {a: str(evil) if b == "EVIL" else b for a, b in v.items()} if isinstance(v, dict) else v
        for k, v in changes.items()
    }
    if "data" in changes:
        changes["data"] = {**settings("stuart_landau").data.to_dict(), **changes["data"]}
    if "arguments" in changes and "source" not in changes:
        changes["source"] = "graph_lift"  # which takes the name of another system
    out = planted(finished, tmp_path, **changes)
    for again in (evaluate_run, certify_run):
        with pytest.raises((InputError, FileFormatError)):
            again(out)
    assert not list(tmp_path.rglob("*.ran"))


def test_one_has_to_say_that_code_of_others_may_run(tmp_path, file, monkeypatch):
    found = run(settings(file), tmp_path / "run")
    assert evaluate_run(tmp_path / "run").rollout == found.rollout  # one's own: it ran before
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody else"))
    with pytest.raises(InputError, match="must be code that you ran before.*`--plugin .*` or `--trust` runs it"):
        evaluate_run(tmp_path / "run")
    assert evaluate_run(tmp_path / "run", plugins=[file]).rollout == found.rollout
    assert evaluate_run(tmp_path / "run", trust=True).rollout == found.rollout


PLUGIN = """
from dataclasses import dataclass

from dynred.reducers.pod import PODSpec


@dataclass(frozen=True)
class MineSpec(PODSpec):
    weight: float = 1.0
"""


def reopened(out, plugins):
    """In an interpreter that has never seen the plug-in."""
    with warnings.catch_warnings(), opened(out, plugins=plugins) as stored:
        return type(stored.model.reducer.spec).__name__


def test_a_run_with_a_plug_in_of_ones_own_opens_again_in_a_fresh_interpreter(tmp_path, monkeypatch):
    from dynred.plugins import load_class
    from dynred.reducers.base import ReducerSpec

    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN)
    spec = settings("stuart_landau").updated("reducer", load_class("dynred.reducers", str(plugin), ReducerSpec)(1))
    run(spec, tmp_path / "run")
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        assert pool.apply(reopened, (tmp_path / "run", [])) == "MineSpec"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody else"))
    with context.Pool(1) as pool:
        with pytest.raises(InputError, match="mine.py, which the run in .* must be code that you ran before"):
            pool.apply(reopened, (tmp_path / "run", []))
        assert pool.apply(reopened, (tmp_path / "run", [plugin])) == "MineSpec"
    plugin.write_text(PLUGIN + "\n")
    with (
        context.Pool(1) as pool,
        pytest.raises(InputError, match="mine.py, which .* must be as it was, got .* changed"),
    ):
        pool.apply(reopened, (tmp_path / "run", [plugin]))
    plugin.write_text(PLUGIN)
    make_older(tmp_path / "run")
    refused = pytest.raises(InputError, match="the name of a known Spec class")
    with context.Pool(1) as pool, refused:  # it does not say where its code is
        pool.apply(reopened, (tmp_path / "run", []))
    with context.Pool(1) as pool:
        assert pool.apply(reopened, (tmp_path / "run", [plugin])) == "MineSpec"


@pytest.mark.parametrize(
    "change",
    [
        *({"versions": 1.5}, {"versions": {"torch": 3}}, {"seed": "x"}, {"seed": None}, {"threads": []}, {"folder": 3}),
        *({"source": 3}, {"source": None}, {"source": {"kind": "system", "initial states": ["x"]}}),
        *(
            {"source": {"path": 3}},
            {"code": {}},
            {"code": [3]},
            {"code": [{"name": 3}]},
            {"files": "all"},
            {"spec": []},
        ),
        *({"schema": "one"}, {"schema": 2}, {"digest": 3}),
    ],
    ids=str,
)
def test_a_manifest_of_other_types_is_refused_or_harmless(finished, change):
    path = finished / "experiment.json"
    write_json(path, {**read_json(path), **change})
    with contextlib.suppress(InputError, FileFormatError):  # and no other
        evaluate_run(finished)


def test_a_report_tells_nothing_of_where_the_run_was_made(finished, original):
    report = (finished / "report.html").read_text()
    assert str(original.parent) in (finished / "experiment.json").read_text()
    assert str(original.parent) not in report
    assert "threads" in report
