"""Every kind of file, as its own library writes it, holds the same trajectories as an .npz of dynred's."""

import importlib
import os
import zlib
from contextlib import contextmanager

import numpy as np
import pandas
import pytest
import scipy.io
import torch
import xarray
import zarr
from data.material import EVEN, NAMES, UNEVEN, T, dataset, even, frame, uneven, write_plain_hdf5
from extras import extra

from dynred import memory
from dynred.data import screening
from dynred.data.readers.base import is_data, reader_of, suffixes
from dynred.data.readers.npy import NpyReader
from dynred.data.reading import ReadingSpec
from dynred.data.storage import load_trajectories
from dynred.data.trajectories import Trajectories
from dynred.errors import DynredError, FileFormatError, InputError, MissingExtraError
from dynred.testing import check_reader

h5py = extra("h5py")


def plain(states, times):
    lengths = torch.tensor([len(t) for t in times])
    return Trajectories(np.concatenate(states), np.concatenate(times), lengths)


def assert_same(trajectories, states, times):
    expected = plain(states, times)
    assert torch.equal(trajectories.lengths, expected.lengths)
    assert torch.equal(trajectories.states, expected.states)
    assert torch.allclose(trajectories.t, expected.t, rtol=1e-15, atol=0)
    assert trajectories.attributes["reading"].startswith(f"Read as {len(times)} trajectories of")


@pytest.mark.parametrize("name", EVEN)
def test_trajectories_on_one_grid_are_read_as_they_were_written(tmp_path, name):
    states, t = even()
    EVEN[name](tmp_path / name, states, t)
    assert_same(load_trajectories(tmp_path / name), list(states), [t, t])


@pytest.mark.parametrize("name", UNEVEN)
def test_trajectories_of_different_lengths_are_read_as_they_were_written(tmp_path, name):
    states, times = uneven()
    UNEVEN[name](tmp_path / name, states, times)
    assert_same(load_trajectories(tmp_path / name), states, times)


@pytest.mark.parametrize("name", [*EVEN, *UNEVEN])
def test_every_reader_keeps_its_contract(tmp_path, name):
    if name in EVEN:
        states, t = even()
        EVEN[name](tmp_path / name, states, t)
        expected = plain(list(states), [t, t])
    else:
        UNEVEN[name](tmp_path / name, *uneven())
        expected = plain(*uneven())
    check_reader(reader_of(tmp_path / name, ReadingSpec()), tmp_path / name, expected)


class Careless(NpyReader):
    suffixes = (".npy",)

    @contextmanager
    def content(self, path):
        with super().content(path) as content:
            path.write_bytes(path.read_bytes() + b" ")
            yield content


def test_a_reader_that_breaks_its_contract_is_told(tmp_path):
    np.save(tmp_path / "a.npy", np.ones(9))
    ones, zeros = (plain([np.full((9, 1), value)], [np.arange(9.0)]) for value in (1.0, 0.0))
    check_reader(NpyReader(), tmp_path / "a.npy", ones, ReadingSpec(dt=1.0))
    with pytest.raises(AssertionError, match="NpyReader: the states must be those of the file"):
        check_reader(NpyReader(), tmp_path / "a.npy", zeros, ReadingSpec(dt=1.0))
    with pytest.raises(AssertionError, match="Careless: the file must stay as it is"):
        check_reader(Careless(), tmp_path / "a.npy", ones, ReadingSpec(dt=1.0))


def test_a_bare_array_is_read_with_the_time_between_its_snapshots(tmp_path):
    states, _ = even()
    np.save(tmp_path / "a.npy", states)
    trajectories = load_trajectories(tmp_path / "a.npy", ReadingSpec(dt=0.25))
    assert_same(trajectories, list(states), [0.25 * np.arange(25)] * 2)
    assert "dt = 0.25" in trajectories.attributes["reading"]
    with pytest.raises(InputError, match=r"a.npy: data must be to hold the times `t`, got states\. .*--dt"):
        load_trajectories(tmp_path / "a.npy")


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".h5", ".zarr", ".nc"])
def test_columns_and_rows_are_told_apart_by_the_number_of_times(tmp_path, suffix):
    x = np.random.default_rng(0).normal(size=(3, 40))
    arrays = {"X": x, "t": np.arange(40.0)}
    path = tmp_path / f"a{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    elif suffix == ".mat":
        scipy.io.savemat(path, arrays)
    elif suffix in (".h5", ".nc"):
        write_plain_hdf5(path, **arrays)
    else:
        EVEN["plain.zarr"](path, x, arrays["t"])
    if suffix == ".nc":  # where every axis has a name, if only a number
        trajectories = load_trajectories(path, ReadingSpec(dims=("component", "time")))
    else:
        trajectories = load_trajectories(path)
        assert "snapshots are columns" in trajectories.attributes["reading"]
    assert np.array_equal(trajectories.states.numpy(), x.T)


# -- what is guessed, and what is asked -------------------------------------------------------------------------------


def test_what_cannot_be_guessed_can_be_said(tmp_path):
    draw = np.random.default_rng(0)
    u, v = draw.normal(size=(2, 30, 5, 4))
    np.savez(tmp_path / "a.npz", u=u, v=v, when=0.1 * np.arange(30.0), junk=draw.normal(size=(30, 5, 4)))
    with pytest.raises(InputError, match=r"states must be named where several .*, got u \[30, 5, 4\], v .*--states"):
        load_trajectories(tmp_path / "a.npz")
    reading = ReadingSpec(("u", "v"), time="when", dims=("time", "y", "x"))
    trajectories = load_trajectories(tmp_path / "a.npz", reading)
    assert np.array_equal(trajectories.states.numpy(), np.concatenate([u.reshape(30, -1), v.reshape(30, -1)], 1))
    assert trajectories.attributes["grid"]["components"] == ["u", "v"]
    assert "left out: junk" in trajectories.attributes["reading"]


def test_dates_become_seconds_and_the_unit_is_told(tmp_path):
    table = pandas.DataFrame({"when": pandas.date_range("2024-05-01 12:00", periods=5, freq="90min"), "x": range(5)})
    table.to_csv(tmp_path / "a.csv", index=False)
    xarray.Dataset({"x": ("time", range(5))}, {"time": table["when"].to_numpy()}).to_netcdf(tmp_path / "a.nc")
    for name, reading in (("a.csv", ReadingSpec(time="when")), ("a.nc", None)):
        trajectories = load_trajectories(tmp_path / name, reading)
        assert trajectories.t.tolist() == [0, 5400, 10800, 16200, 21600]
        assert trajectories.attributes["time_unit"] == "s"


def test_a_table_without_heads_is_one_of_numbered_columns(tmp_path):
    (tmp_path / "a.csv").write_text("# made by hand\n0,1.5,2\n1,2.5,3\n\n2,3.5,5\n")
    trajectories = load_trajectories(tmp_path / "a.csv", ReadingSpec(time="column 0"))
    assert trajectories.states.tolist() == [[1.5, 2], [2.5, 3], [3.5, 5]]


@pytest.mark.parametrize(
    "text",
    [
        "t,x,y\n0,1,2\n1,3,4\n",
        "\ufefft,x,y\n0,1,2\n1,3,4\n",
        "# t,x,y\n0,1,2\n1,3,4\n",
        "# by hand\n\nt; x; y\n0;1,0;2\n1;3,0;4\n",
        "t,x,y,\n0,1,2,\n1,3,4,\n",
        ",x,y\n2024-01-01 00:00:00,1,2\n2024-01-01 00:00:01,3,4\n",
        "t\tx\ty\r\n0\t1\t2\r\n1\t3\t4\r\n",
        "# t x y\n0.0 1.0 2.0\n1.0 3.0 4.0\n",
        "Time (µs),Sample #1,y\n0,1,2\n1,3,4\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_tables_are_read_as_programs_write_them(tmp_path, text, encoding):
    (tmp_path / "a.csv").write_bytes(text.encode(encoding, errors="ignore"))
    trajectories = load_trajectories(tmp_path / "a.csv")
    assert trajectories.states.tolist() == [[1, 2], [3, 4]]
    assert trajectories.t.tolist() == [0, 1]


def test_a_file_of_another_suffix_is_read_by_the_reader_that_is_named(tmp_path):
    (tmp_path / "a.txt").write_text("t x\n0 1\n1 2\n")
    assert load_trajectories(tmp_path / "a.txt", ReadingSpec(reader="csv")).states.tolist() == [[1], [2]]
    with pytest.raises(InputError, match="reader must be one of csv, hdf5, mat, .*got 'cvs'. Did you mean csv"):
        load_trajectories(tmp_path / "a.txt", ReadingSpec(reader="cvs"))


def test_one_array_is_a_store_too(tmp_path):
    states, t = even()
    for version in (2, 3):
        zarr.save_array(tmp_path / f"{version}.zarr", states, zarr_format=version)
        assert_same(load_trajectories(tmp_path / f"{version}.zarr", ReadingSpec(dt=t[1])), list(states), [t, t])


def test_a_group_that_holds_itself_is_read_once(tmp_path):
    states, t = even()
    write_plain_hdf5(tmp_path / "a.h5", X=states, t=t)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["again"], file["and again"] = file["/"], file["/"]
    assert_same(load_trajectories(tmp_path / "a.h5"), list(states), [t, t])


@pytest.mark.parametrize(
    ("text", "reading", "words"),
    [
        ("", {}, "is empty, truncated or no .csv file"),
        ("\n\n", {}, "is empty, truncated or no .csv file"),
        ("t,x\n", {}, "states must be not empty"),
        ("t,x\n0,1\n1,2,3\n", {}, "is empty, truncated or no .csv file: .*Expected 2 fields in line 3, saw 3"),
        ("a,b\n0,1\n1,2\n", {}, "hold the times `t`, got a, b. .*--time NAME.*--dt"),
        ("a,b\n0,1\n1,2\n", {"time": "c"}, r"time \(--time\) must be one of a, b, got 'c'"),
        ("a,b\n0,1\n1,2\n", {"time": "a", "states": ("bb",)}, "must be one of a, b, got 'bb'. Did you mean b"),
        ("a,b\n0,1\n1,2\n", {"dt": 0.0}, "dt must be a finite number > 0"),
        ("a,b\n0,1\n1,2\n", {"dt": 1.0, "time": "a"}, "the times must be given in one way"),
        ("t,x\n0,1\n1,oops\n", {}, "hold columns of numbers beside time and trajectory, got t, x"),
        ("t,x\n0,1\n1,oops\n", {"states": ("x",)}, "states x must be real numbers, got"),
        ("t,x\n0,1\n1,\n", {}, "states must be finite, got nan in trajectory 0 at time 1"),
        ("t,x\n0,1\nsoon,2\n", {}, "time t must be numbers or dates, got 'soon'"),
        ("t,x\n0,1\n,2\n", {}, "time t must be a number or date in every row, got a missing one"),
        ("t,x\nred,1\nblue,2\n", {}, "time t must be numbers or dates, got 'red'"),
        ("t,x\n0,1\n0,2\n", {}, "time t must be strictly increasing .* got 0 in row 0 and then 0 in row 1. .*--group"),
        ("t,x\n0,1\n1,2\n0,3\n1,4\n", {}, "time t must be strictly increasing in every trajectory, got 1 in row 1 and"),
        ("t,g,x\n0,a,1\n1,b,2\n2,c,3\n", {"group": "g"}, "group g must be the name of .* two rows .* got 3 groups of"),
        (
            "t,g,x\n0,a,1\n1,a,2\n2,,3\n",
            {"group": "g"},
            "group g must be .* in every row, got none in row 2",
        ),
        ("t,g,x\n0,a,1\n1,a,2\n", {"group": "h"}, r"group \(--group\) must be one of t, g, x, got 'h'"),
    ],
)
def test_a_table_that_says_too_little_is_asked_about(tmp_path, text, reading, words):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DynredError, match=words) as caught:
        load_trajectories(tmp_path / "a.csv", ReadingSpec(**reading))
    assert "\n" not in str(caught.value)


def test_a_unit_of_time_that_nobody_can_parse_is_told(tmp_path):
    given = dataset(*even())
    given["time"].attrs["units"] = "moons since the flood"
    given.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="time in .*a.nc must have a unit that is known, got another: "):
        load_trajectories(tmp_path / "a.nc")


@pytest.mark.parametrize(
    ("dims", "words"),
    [
        (("time", "x"), r"dims \(--dims\) must be 3 names, for X \[2, 25, 3\], got time,x"),
        (("y", "x", "z"), "the axes of the states must be with one that is time, got y, x, z"),
        (("run", "member", "time"), "dims must be with one axis of trajectories, got run, member"),
        (("time", "x", "x"), "dims must be different names of axes"),
        (("x", "time", "y"), None),
        (("time", "x", "y"), "time t must be 2 values, one for each snapshot"),
    ],
)
def test_dims_must_fit_the_states(tmp_path, dims, words):
    states, t = even()
    np.savez(tmp_path / "a.npz", X=states, t=t)
    if words is None:
        trajectories = load_trajectories(tmp_path / "a.npz", ReadingSpec(dims=dims))
        assert np.array_equal(trajectories.states.numpy(), states.transpose(1, 0, 2).reshape(25, 6))
        return
    with pytest.raises(InputError, match=words):
        load_trajectories(tmp_path / "a.npz", ReadingSpec(dims=dims))


def test_complex_numbers_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", psi=np.ones((5, 2), complex), t=np.arange(5.0))
    with pytest.raises(InputError, match="states psi must be real numbers, got complex ones"):
        load_trajectories(tmp_path / "a.npz")


# -- kinds of files ---------------------------------------------------------------------------------------------------


def test_a_kind_that_is_not_known_is_answered_with_those_that_are(tmp_path):
    assert {".csv", ".tsv", ".npy", ".npz", ".mat", ".h5", ".nc", ".zarr", ".parquet"} <= set(suffixes())
    (tmp_path / "a.xyz").write_text("0 1")
    with pytest.raises(
        InputError, match=r"path must be a file ending in one of \.csv, .*\.zarr, got .*a\.xyz.*--reader"
    ):
        load_trajectories(tmp_path / "a.xyz")


READER = """
from contextlib import contextmanager
import numpy as np
from dynred.data.content import Content, NamedArray
from dynred.data.readers.base import Reader

class Words(Reader):
    suffixes = (".words",)

    @contextmanager
    def content(self, path):
        rows = np.array([[float(x) for x in line.split()] for line in path.read_text().splitlines()])
        yield Content({"t": NamedArray.of(rows[:, 0]), "x": NamedArray.of(rows[:, 1:])})
"""


def test_a_reader_of_ones_own_is_a_file(tmp_path):
    (tmp_path / "mine.py").write_text(READER)
    (tmp_path / "a.words").write_text("0 1 2\n1 3 4\n2 5 7\n")
    reading = ReadingSpec(reader=str(tmp_path / "mine.py"))
    assert is_data("a.words", reading)
    assert not is_data("a.words")
    assert load_trajectories(tmp_path / "a.words", reading).states.tolist() == [[1, 2], [3, 4], [5, 7]]
    (tmp_path / "mine.py").write_text(READER.replace("rows[:, 1:]", "columns"))
    with pytest.raises(InputError, match=r"reader Words failed at .*a\.words: .*name 'columns' is not defined"):
        load_trajectories(tmp_path / "a.words", reading)


@pytest.mark.parametrize(
    ("name", "extra"), [("table.parquet", "parquet"), ("named.nc", "netcdf"), ("plain.h5", "netcdf")]
)
def test_a_library_that_is_missing_is_named_with_what_installs_it(tmp_path, monkeypatch, name, extra):
    write = (EVEN | UNEVEN)[name]
    write(tmp_path / name, *(even() if name in EVEN else uneven()))
    found = importlib.import_module

    def missing(module, package=None):
        if module.partition(".")[0] in ("pyarrow", "h5py"):
            raise ImportError(module)
        return found(module, package)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(MissingExtraError, match=rf"pip install 'dynred\[{extra}\]'"):
        load_trajectories(tmp_path / name)


@pytest.mark.parametrize("name", [*EVEN, *UNEVEN])
def test_a_file_that_memory_does_not_hold_is_refused_before_it_is_read(tmp_path, monkeypatch, name):
    (EVEN | UNEVEN)[name](tmp_path / name, *(even() if name in EVEN else uneven()))
    monkeypatch.setattr(memory, "available_bytes", lambda: 100)
    with pytest.raises(InputError, match=r"Reading .* must fit into the memory that is available"):
        load_trajectories(tmp_path / name)


def test_a_file_that_claims_far_more_than_it_has_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(screening, "FREE", 10**6)
    bomb = zlib.compress(np.array([14, 2 * 10**9], "<u4").tobytes() + bytes(1000))
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    (tmp_path / "a.mat").write_bytes(head + np.array([15, len(bomb)], "<u4").tobytes() + bomb)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (10**9, 2), "f8", chunks=(1000, 2))
    for name in ("a.mat", "a.h5"):
        with pytest.raises(FileFormatError, match="claims to hold arrays of .* bytes, but has only"):
            load_trajectories(tmp_path / name)


@pytest.mark.parametrize("name", [*EVEN, *UNEVEN])
def test_a_file_that_was_cut_is_told_in_a_sentence(tmp_path, name):
    path = tmp_path / name
    (EVEN | UNEVEN)[name](path, *(even() if name in EVEN else uneven()))
    if path.is_dir() or path.suffix in (".csv", ".tsv"):  # a table that ends early is a table
        return
    whole = path.read_bytes()
    for kept in (0.0, 0.1, 0.5):
        path.write_bytes(whole[: int(kept * len(whole))])
        with pytest.raises(DynredError, match=f"{name}|need an extra") as caught:
            load_trajectories(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".h5", ".mat", ".nc"])
def test_links_out_of_a_file_are_not_followed(tmp_path, suffix):
    write_plain_hdf5(tmp_path / "secret.h5", X=np.ones((5, 2)))
    for link in (h5py.ExternalLink(str(tmp_path / "secret.h5"), "X"), h5py.SoftLink("/t")):
        with h5py.File(tmp_path / f"a{suffix}", "w") as file:
            file["t"], file["X"] = np.arange(5.0), link
        with pytest.raises(FileFormatError, match="that could run code or read other files"):
            load_trajectories(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", suffixes())
def test_pipes_and_devices_are_no_files(tmp_path, suffix):
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"device{suffix}").symlink_to("/dev/zero")
    for name in ("pipe", "device"):
        with pytest.raises(FileFormatError, match=f"{name}{suffix} is no (file|folder)"):
            load_trajectories(tmp_path / f"{name}{suffix}")


def test_a_pickle_is_never_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object))
    np.savez(tmp_path / "a.npz", x=np.array([{"a": 1}], dtype=object))
    pandas.DataFrame({"t": [0.0, 1], "x": [1.0, 2]}).to_pickle(tmp_path / "a.parquet")
    for name in ("a.npy", "a.npz", "a.parquet"):
        with pytest.raises(FileFormatError, match=name):
            load_trajectories(tmp_path / name)


def test_parameters_of_trajectories_are_read(tmp_path):
    states, t = even()
    with_mu = dataset(states, t).assign(mu=("member", [0.5, 1.5]))
    with_mu.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    table = frame(states, [t, t]).assign(parameter_mu=lambda rows: np.where(rows["run"] == "run 0", 0.5, 1.5))
    table.to_csv(tmp_path / "a.csv", index=False)
    scipy.io.savemat(tmp_path / "a.mat", {"X": states, "t": t, "parameter_mu": [0.5, 1.5]})
    for name in ("a.nc", "a.csv", "a.mat"):
        trajectories = load_trajectories(tmp_path / name)
        assert trajectories.parameters["mu"].tolist() == [0.5, 1.5]
        assert trajectories.dim == len(NAMES)
        assert trajectories.times(0).tolist() == T.tolist()


@pytest.mark.parametrize("order", ["abc", "bca", "cab"])
def test_variables_of_a_zarr_folder_are_in_the_order_of_their_names_whatever_the_folder_lists_first(order, tmp_path):
    t = np.arange(8.0)
    values = {name: ("time", np.sin(t + shift)) for shift, name in enumerate("abc")}
    xarray.Dataset({name: values[name] for name in order}, {"time": t}).to_zarr(tmp_path / "d.zarr", consolidated=False)
    read = load_trajectories(tmp_path / "d.zarr")
    np.testing.assert_allclose(read.states.numpy(), np.sin(t[:, None] + np.arange(3)))
