"""Data of any kind are reduced in one line, to the same model as from an .npz; what was said of them is remembered."""

import json

import numpy as np
import pytest
import torch
from data.material import EVEN, UNEVEN, dataset, even, frame, uneven

from dynred.cli.app import main
from dynred.data.reading import ReadingSpec
from dynred.data.storage import save_trajectories
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.errors import InputError
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.earlier import todays
from dynred.experiments.evaluate_run import evaluate_run
from dynred.experiments.inspect_source import inspect_source
from dynred.experiments.open_source import source_of
from dynred.experiments.pipeline import reduce
from dynred.experiments.run import stored_spec
from dynred.experiments.spec import ExperimentSpec
from dynred.geometry.inspection import inspect
from dynred.models.load import load_model
from dynred.numerics.digest import content_digest
from dynred.ode.system import System
from dynred.reducers.pod import PODSpec

PLAIN = {"reducer": PODSpec(1), "dynamics": LinearSpec(), "data": DataSpec(split="time")}
WORDS = ("--latent-dim", "1", "--reducer", "pod", "--dynamics", "linear", "--split", "time")


def model_digest(source, **options):
    """The numbers of the model that a source gives."""
    tensors = reduce(source, 1, **PLAIN, **options).model.parts()[0]
    return content_digest({name: tensor.contiguous() for name, tensor in tensors.items()})


@pytest.fixture(scope="module")
def of_npz(tmp_path_factory):
    """The models of an .npz in dynred's own layout: of trajectories on one grid, and of different lengths."""
    folder = tmp_path_factory.mktemp("npz")
    states, t = even()
    np.savez(folder / "even.npz", states=states, t=t)
    x, times = uneven()
    lengths = [len(part) for part in times]
    np.savez(folder / "uneven.npz", states=np.concatenate(x), t=np.concatenate(times), lengths=lengths)
    return {name: model_digest(str(folder / f"{name}.npz")) for name in ("even", "uneven")}


@pytest.mark.parametrize("name", [*EVEN, *UNEVEN])
def test_every_kind_of_file_gives_the_model_that_npz_gives(of_npz, tmp_path, name):
    kind, write, material = ("even", EVEN, even()) if name in EVEN else ("uneven", UNEVEN, uneven())
    write[name](tmp_path / name, *material)
    assert model_digest(str(tmp_path / name)) == of_npz[kind]


@pytest.mark.parametrize("name", ["array", "tensor", "dataset", "data array", "lists", "table"])
def test_every_object_gives_the_model_that_npz_gives(of_npz, name):
    (states, t), (x, times) = even(), uneven()
    source, options = {
        "array": (states, {"t": t}),
        "tensor": (torch.from_numpy(states), {"t": t}),
        "dataset": (dataset(states, t), {}),
        "data array": (dataset(states, t)["u"], {}),
        "lists": (x, {"t": times}),
        "table": (frame(x, times), {}),
    }[name]
    assert model_digest(source, **options) == of_npz["uneven" if name in ("lists", "table") else "even"]


def test_what_is_said_of_data_is_stored_and_said_again(capsys, tmp_path):
    x, t = even()
    np.savez(tmp_path / "a.npz", odd=x, when=t, other=2 * x)
    options = ("--states", "odd", "--time", "when", "--dims", "run,time,component")
    main(["reduce", str(tmp_path / "a.npz"), *WORDS, "--out", str(tmp_path / "run"), *options, "--json"])
    out, err = capsys.readouterr()
    told = "a.npz: Read as 2 trajectories of 50 snapshots in all: states odd (run 2, time 25, component 3); time when"
    assert told in err
    assert stored_spec(tmp_path / "run").reading == ReadingSpec(("odd",), "when", dims=("run", "time", "component"))
    (tmp_path / "a.npz").rename(tmp_path / "b.npz")
    (tmp_path / "b.npz").rename(tmp_path / "a.npz")
    again = evaluate_run(tmp_path / "run").to_dict()
    assert again["rollout"] == json.loads(out)["rollout"]


READER = """
from contextlib import contextmanager
import numpy as np
from dynred.data.content import Content, NamedArray
from dynred.data.readers.base import Reader

class Words(Reader):
    suffixes = (".words",)

    @contextmanager
    def content(self, path):
        rows = np.loadtxt(path)
        yield Content({"t": NamedArray.of(rows[:, 0]), "x": NamedArray.of(rows[:, 1:])})
"""


def test_a_reader_of_ones_own_is_code_that_a_run_remembers(tmp_path):
    x, t = even()
    np.savetxt(tmp_path / "a.words", np.column_stack([t, x[0]]))
    (tmp_path / "mine.py").write_text(READER)
    reader = str(tmp_path / "mine.py")
    main(["reduce", str(tmp_path / "a.words"), *WORDS, "--out", str(tmp_path / "run"), "--reader", reader])
    assert evaluate_run(tmp_path / "run").state_dim == 3
    assert [code["name"] for code in json.loads((tmp_path / "run" / "experiment.json").read_text())["code"]] == [reader]
    (tmp_path / "mine.py").write_text(READER.replace("rows[:, 1:]", "-rows[:, 1:]"))
    with pytest.raises(InputError, match="mine.py, which the run in .* names, must be as it was"):
        evaluate_run(tmp_path / "run")


def test_runs_of_before_say_nothing_of_reading():
    settings = ExperimentSpec("x", 2).to_dict()
    del settings["reading"]
    assert ExperimentSpec.from_dict(todays(settings)) == ExperimentSpec("x", 2)


def test_coordinates_of_data_draw_the_figures_of_fields(tmp_path, drawing, monkeypatch):
    monkeypatch.setattr("dynred.report.page.pictures", drawing)
    rng, t = np.random.default_rng(0), np.linspace(0, 6, 40)
    wave = np.cos(t[:, None, None] + rng.uniform(0, 6, 4)[:, None] + np.arange(5.0))
    dataset(np.tile(wave.transpose(1, 0, 2)[:2, :, :3], (1, 1, 1)), t).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    main(["reduce", str(tmp_path / "a.nc"), *WORDS, "--out", str(tmp_path / "run")])
    assert "A typical prediction in space and time" in (tmp_path / "run" / "report.html").read_text()
    source = source_of(str(tmp_path / "a.nc"))
    assert source.grid.axes[0].coordinates.tolist() == [0.0, 0.5, 1.0]


def test_the_unit_of_dates_is_that_of_the_report():
    x, times = uneven()
    table = frame(x, times)
    table["time"] = np.datetime64("2024-01-01") + (1e9 * table["time"]).astype("timedelta64[ns]")
    assert reduce(table, 1, **PLAIN).model.about["time_unit"] == "s"


def test_a_grid_survives_being_saved(tmp_path):
    trajectories = Trajectories.of(dataset(*even()))
    for suffix in (".npz", ".zarr", ".nc"):
        save_trajectories(trajectories, tmp_path / f"a{suffix}")
        assert source_of(str(tmp_path / f"a{suffix}")).grid.components == ("u",)


# -- functions --------------------------------------------------------------------------------------------------------


def swirl(t, x):
    r = x[0] ** 2 + x[1] ** 2
    return np.array([x[0] - x[1] - r * x[0], x[0] + x[1] - r * x[1], -x[2]])


def test_a_function_is_a_system():
    small = DataSpec(train=4, validation=2, test=2, duration=3.0)
    reduction = reduce(swirl, 2, dim=3, reducer=PODSpec(2), dynamics=LinearSpec(), data=small)
    assert reduction.model.about["system"] == "swirl"
    assert reduction.model.state_dim == 3
    with pytest.raises(InputError, match=r"dim must be an integer >= 1, got None. A function f\(t, x\) needs it"):
        reduce(swirl, 2)


def test_whatever_is_reduced_is_inspected(tmp_path, monkeypatch):
    monkeypatch.setattr("dynred.geometry.inspection._verdict", lambda data, *_: data)
    monkeypatch.setattr("dynred.geometry.inspection.TRAJECTORIES", 3)
    t = np.linspace(0, 4, 80)
    circle = np.stack([np.cos(t), np.sin(t)], -1)
    np.savetxt(tmp_path / "points.csv", circle, delimiter=",", header="x,y", comments="")
    np.savetxt(tmp_path / "timed.csv", np.column_stack([t, circle]), delimiter=",", header="t,x,y", comments="")
    for given, options in (
        (circle, {"t": t}),
        (circle, {"dt": t[1]}),
        ({"x": circle, "t": t}, {}),
        (str(tmp_path / "timed.csv"), {}),
        (tmp_path / "points.csv", {"dt": t[1]}),
    ):
        trajectories = inspect(given, **options)
        assert trajectories.lengths.tolist() == [80]
        assert np.allclose(trajectories.t, t)
        assert np.allclose(trajectories.states, circle)
    assert inspect(circle) is circle
    assert np.allclose(inspect(str(tmp_path / "points.csv")), circle)
    turn = System("turn", 2, lambda t, x: torch.stack([-x[..., 1], x[..., 0]], -1), duration=1.0)
    for given, options in ((turn, {}), (swirl, {"dim": 3}), ("stuart_landau", {})):
        assert len(inspect(given, **options)) == 3


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "data.xyz",
            r"source must be the name of a system, a .py file, or data in a file ending in one of .*'data.xyz'",
        ),
        ("some/where.dat", r"source must be the name of a system, a .py file, or data in a file ending"),
        ("lorentz63", "Did you mean lorenz63"),
        ("missing.csv", "missing.csv does not exist"),
    ],
)
def test_a_source_that_is_none_is_answered_with_what_can_be_one(source, words):
    with pytest.raises((InputError, OSError), match=words):
        reduce(source, 2)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: reduce("lorenz63", 2, dt=0.1),
        lambda: reduce("lorenz63", 2, reading=ReadingSpec(states=("x",))),
        lambda: ExperimentSpec("lorenz63", 2, reading=ReadingSpec(dt=0.1)).open(),
        lambda: inspect("lorenz63", dt=0.1),
        lambda: inspect_source("lorenz63", reading=ReadingSpec(group="run")),
    ],
)
def test_what_is_said_of_data_is_refused_where_there_are_none(ask):
    with pytest.raises(InputError, match="reading .* must be left out where there are no data, got some for"):
        ask()


def test_a_model_of_a_file_is_read_again(tmp_path):
    x, times = uneven()
    UNEVEN["table.csv"](tmp_path / "a.csv", x, times)
    reduce(str(tmp_path / "a.csv"), 1, **PLAIN).model.save(tmp_path / "m")
    assert load_model(tmp_path / "m").about["system"] == "a"
