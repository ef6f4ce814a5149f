"""Whatever holds trajectories in Python gives the same as the plain arrays."""

import numpy as np
import pandas
import pytest
import torch
import xarray
from data.material import NAMES, T, dataset, even, frame, uneven
from hypothesis import given, settings
from hypothesis import strategies as st

from dynred.data.grid import remembered_grid
from dynred.data.trajectories import Trajectories
from dynred.errors import DynredWarning, InputError


def assert_same(trajectories, states, times):
    assert trajectories.lengths.tolist() == [len(t) for t in times]
    assert np.array_equal(trajectories.states.numpy(), np.concatenate(states))
    assert np.array_equal(trajectories.t.numpy(), np.concatenate(times))


def as_dates(table):
    return table.assign(time=pandas.Timestamp("2020-02-28") + pandas.to_timedelta(table["time"], unit="s"))


EVEN = {
    "array": lambda x, t: Trajectories.of(x, t=t),
    "tensor": lambda x, t: Trajectories.of(torch.from_numpy(x), t=torch.from_numpy(t)),
    "nested lists": lambda x, t: Trajectories.of(x.tolist(), t=t.tolist()),
    "times of each": lambda x, t: Trajectories.of(x, t=np.stack([t, t])),
    "turned": lambda x, t: Trajectories.of(x.transpose(2, 0, 1), t=t, dims=("component", "trajectory", "time")),
    "by name": lambda x, t: Trajectories.of({"position": x, "time": t}),
    "dataset": lambda x, t: Trajectories.of(dataset(x, t)),
    "data array": lambda x, t: Trajectories.of(dataset(x, t)["u"].transpose("x", "time", "member")),
    "unnamed": lambda x, t: Trajectories.of(xarray.DataArray(x, dims=("run", "time", "x"), coords={"time": t})),
    "variables": lambda x, t: Trajectories.of(
        xarray.Dataset({n: (("member", "t"), x[..., i]) for i, n in enumerate(NAMES)}, {"t": t})
    ),
    "a list": lambda x, t: Trajectories.of(list(x), t=t),
    "columns": lambda x, t: Trajectories.of([part.T for part in x], t=t),
    "table": lambda x, t: Trajectories.of(frame(x, [t, t])),
}
UNEVEN = {
    "arrays": lambda x, t: Trajectories.of(x, t=t),
    "tensors": lambda x, t: Trajectories.of(list(map(torch.from_numpy, x)), t=list(map(torch.from_numpy, t))),
    "table": lambda x, t: Trajectories.of(frame(x, t)),
    "shuffled groups": lambda x, t: Trajectories.of(frame(x, t).sort_values("time", kind="stable")),
    "index": lambda x, t: Trajectories.of(frame(x, t).set_index(["run", "time"])),
    "index of times": lambda x, t: Trajectories.of(frame(x, t).set_index("time")),
    "tables": lambda x, t: Trajectories.of([f.drop(columns="run") for _, f in frame(x, t).groupby("run")]),
    "categories": lambda x, t: Trajectories.of(frame(x, t).astype({"run": "category"})),
    "named otherwise": lambda x, t: Trajectories.of(
        frame(x, t).rename(columns={"time": "when", "run": "which"}), time="when", group="which", states=NAMES
    ),
    "ragged dataset": lambda x, t: Trajectories.of(
        xarray.Dataset(
            {"u": (("obs", "component"), np.concatenate(x))},
            {"time": ("obs", np.concatenate(t)), "trajectory": ("obs", np.repeat([5, 3, 8, 1], list(map(len, t))))},
        )
    ),
}


@pytest.mark.parametrize("name", EVEN)
def test_what_holds_trajectories_on_one_grid_gives_them(name):
    x, t = even()
    assert_same(EVEN[name](x, t), list(x), [t, t])


@pytest.mark.parametrize("name", UNEVEN)
def test_what_holds_trajectories_of_different_lengths_gives_them(name):
    x, t = uneven()
    assert_same(UNEVEN[name](x, t), x, t)


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(2, 7), min_size=1, max_size=4),
    width=st.integers(1, 3),
    kind=st.sampled_from(["float32", "float64", "int64"]),
    seed=st.integers(0, 99),
)
def test_lists_and_tables_of_any_lengths_widths_and_numbers_agree(lengths, width, kind, seed):
    draw = np.random.default_rng(seed)
    states = [(100 * draw.normal(size=(length, width))).astype(kind) for length in lengths]
    times = [np.cumsum(draw.uniform(0.1, 1, length)) for length in lengths]
    table = pandas.concat(
        pandas.DataFrame(x, columns=[f"x{i}" for i in range(width)]).assign(t=t, run=i)
        for i, (x, t) in enumerate(zip(states, times, strict=True))
    )
    dims = ("time", "component")
    expected = [x.astype(kind if kind != "int64" else "float64") for x in states]
    for trajectories in (Trajectories.of(states, t=times, dims=dims), Trajectories.of(table)):
        assert_same(trajectories, expected, times)
        assert trajectories.states.dtype == (torch.float32 if kind == "float32" else torch.float64)


def test_one_trajectory_and_one_signal_need_no_axis_for_their_number():
    x, t = even()
    assert_same(Trajectories.of(x[0], t=t), [x[0]], [t])
    assert_same(Trajectories.of(x[0, :, 0], t=t), [x[0, :, :1]], [t])
    assert_same(Trajectories.of(pandas.Series(x[0, :, 0], index=t)), [x[0, :, :1]], [t])
    assert_same(Trajectories.of(x, dt=0.5), list(x), [0.5 * np.arange(25)] * 2)
    assert_same(Trajectories.of(list(x[:, :, 0]), dt=0.5), list(x[..., :1]), [0.5 * np.arange(25)] * 2)


def test_names_may_be_a_text():
    x, t = even()
    assert_same(Trajectories.of(frame(x, [t, t]), states="z, x"), list(x[..., [2, 0]]), [t, t])
    assert_same(Trajectories.of(x, t=t, dims="run,time,component"), list(x), [t, t])


def test_trajectories_are_their_own():
    trajectories = Trajectories.of(*even()[:1], dt=1.0)
    assert Trajectories.of(trajectories) is trajectories


def test_dates_are_seconds_since_the_first(tmp_path):
    x, t = uneven()
    trajectories = Trajectories.of(as_dates(frame(x, t)))
    assert np.allclose(trajectories.t.numpy(), np.concatenate(t), atol=1e-6)
    assert trajectories.attributes["time_unit"] == "s"
    zoned = as_dates(frame(x, t)).set_index("time").tz_localize("Europe/Berlin")
    assert np.allclose(Trajectories.of(zoned).t.numpy(), np.concatenate(t), atol=1e-6)


# -- fields -----------------------------------------------------------------------------------------------------------


def test_coordinates_become_the_grid_and_variables_its_components():
    draw = np.random.default_rng(0)
    uneven_y, x = np.array([3.0, 2.0, 0.5]), np.arange(4.0)
    fields = {name: (("time", "y", "x"), draw.normal(size=(9, 3, 4))) for name in ("u", "v")}
    given_ = xarray.Dataset(fields, {"time": np.arange(9.0), "y": ("y", uneven_y, {"units": "m"}), "x": x})
    trajectories = Trajectories.of(given_)
    grid = remembered_grid(trajectories.attributes, trajectories.dim)
    assert (grid.components, grid.shape) == (("u", "v"), (2, 3, 4))
    assert [(axis.name, axis.unit, axis.coordinates.tolist()) for axis in grid.axes] == [
        ("y", "m", uneven_y.tolist()),
        ("x", "", x.tolist()),
    ]
    layout = trajectories.states.reshape(9, *grid.shape)
    assert np.array_equal(layout[:, 1].numpy(), fields["v"][1])
    assert "states u (time 9, y 3, x 4); states v (time 9, y 3, x 4)" in trajectories.attributes["reading"]


def test_components_that_have_no_place_in_space_make_no_grid():
    x, t = even()
    stations = xarray.DataArray(x[0], dims=("time", "station"), coords={"time": t, "station": ["a", "b", "c"]})
    for made in (Trajectories.of(x, t=t), Trajectories.of(stations), Trajectories.of(frame(x, [t, t]))):
        assert remembered_grid(made.attributes, made.dim) is None
    named = Trajectories.of(x[0], t=t, dims=("time", "x"))
    assert remembered_grid(named.attributes, 3).axes[0].coordinates.tolist() == [0, 1, 2]
    assert remembered_grid(named.attributes, 6) is None


@pytest.mark.parametrize(
    "entry", [3, {}, {"axes": 3}, {"axes": [], "components": ["u"]}, {"axes": [{"name": "x"}], "components": ["u"]}]
)
def test_a_grid_that_is_none_is_not_taken_on_trust(entry):
    assert remembered_grid({"grid": entry}, 3) is None


def test_a_field_that_is_called_t_is_no_time():
    x, t = even()
    given_ = xarray.Dataset({"t": (("time", "x"), x[0])}, {"time": t})
    assert_same(Trajectories.of(given_), [x[0]], [t])


# -- what is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Trajectories.of(None), "x must be an array .* or an xarray DataArray or Dataset, got None"),
        (lambda: Trajectories.of(len), "x must be an array .*, got a builtin_function"),
        (lambda: Trajectories.of(3.0), "x must be an array"),
        (lambda: Trajectories.of([]), "x must be an array .*, got an empty list"),
        (lambda: Trajectories.of(np.float64(1)), "x must be an array"),
        (lambda: Trajectories.of(np.ones((3, 2))), "data must be to hold the times `t`, got states.*`dt`"),
        (lambda: Trajectories.of(np.ones((3, 2)), t=np.arange(3), dt=1.0), "the times must be given in one way"),
        (lambda: Trajectories.of(np.ones((3, 2)), dt=-1.0), "dt must be a finite number > 0, got -1.0"),
        (lambda: Trajectories.of(np.ones((3, 2)), t=np.arange(7.0)), "t must be one time for each of 3 rows or 2 col"),
        (lambda: Trajectories.of(np.ones((4, 4)), t=np.arange(4.0)), "columns components, got a square 4. .*--dims"),
        (lambda: Trajectories.of(np.ones((4, 4)), dt=1.0), "columns components, got a square 4"),
        (lambda: Trajectories.of(np.ones((5, 6, 7)), t=np.arange(7.0)), r"states must be of shape \[N, T, D\], or"),
        (lambda: Trajectories.of(np.ones((2, 3, 2)), t=np.arange(9.0)), "time t must be 3 values, one for each snap"),
        (lambda: Trajectories.of(np.ones((3, 2)) * 1j, dt=1.0), "complex ones. Give real and imaginary parts"),
        (lambda: Trajectories.of(torch.ones(3, 2) * 1j, dt=1.0), "states must be real numbers, got complex64"),
        (lambda: Trajectories.of(np.ones((3, 2), bool), dt=1.0), "states must be real numbers, got booleans"),
        (lambda: Trajectories.of([np.ones((3, 2)), np.ones((3, 4))], dt=1.0), "trajectories must be of one dimension"),
        (lambda: Trajectories.of([np.ones((3, 2))] * 2, t=[np.arange(3.0)]), "t must be one array of times for each"),
        (lambda: Trajectories.of([[1.0, 2], [3.0]], dt=1.0), "states must be an array, got lists of different lengths"),
        (lambda: Trajectories.of(frame(*uneven()), t=T), "t must be left out beside names, .*A column or the index"),
        (lambda: Trajectories.of(dataset(*even()), t=T), "t must be left out beside names, .*A coordinate"),
        (lambda: Trajectories.of(dataset(*even()), states="v"), r"states \(--states\) must be one of .*, got 'v'"),
        (lambda: Trajectories.of(dataset(*even()), states=3), "states must be a list of names, got 3"),
        (lambda: Trajectories.of(dataset(*even())["u"].isel(time=0)), "with one that is time, got member, x"),
        (lambda: Trajectories.of(frame(*uneven()).drop(columns="run")), "time time must be strictly increasing"),
        (lambda: Trajectories.of(np.ones((3, 2)), t=["now", "soon", "later"]), "time t must be numbers or dates"),
    ],
)
def test_what_says_too_little_is_asked_about(make, words):
    with pytest.raises(InputError, match=words) as caught:
        make()
    assert len(str(caught.value)) < 600


def test_fewer_rows_than_columns_are_doubted():
    with pytest.warns(DynredWarning, match="states has 3 rows, taken for snapshots, and 5 columns; --dims component"):
        assert Trajectories.of(np.ones((3, 5)), dt=1.0).dim == 5
