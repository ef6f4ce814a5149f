"""How results show themselves: plots into given axes, short escaped tables, and tables of other libraries."""

import subprocess
import sys
from contextlib import contextmanager
from html.parser import HTMLParser
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from dynred.cli import base
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.evaluation.certify import certify
from dynred.evaluation.compare import compare
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.pipeline import reduce
from dynred.files import is_page
from dynred.geometry.inspection import inspect
from dynred.models.load import load_model
from dynred.ode.system import System
from dynred.reducers.pod import PODSpec
from dynred.rng import generator

DATA = DataSpec(train=8, validation=2, test=6, duration=6.0, sampling=0.2, transient=4.0)


@pytest.fixture(scope="module")
def reduction():
    return reduce("stuart_landau", 1, data=DATA, reducer=PODSpec(1), dynamics=LinearSpec())


@pytest.fixture(scope="module")
def results(reduction):
    """A result of every class that shows itself."""
    truth = reduction.forecast.truth
    rng = generator(0)
    certificate = certify(reduction.model, truth, rng=rng)
    wide = truth.map(lambda x: torch.cat([x, x**2, x**3, x[:, :1] * x[:, 1:]], -1))
    return {
        "trajectories": truth,
        "fields": wide,
        "forecast": reduction.forecast,
        "evaluation": reduction.evaluation,
        "certificate": certificate,
        "verdict": inspect(truth, rng=rng),
        "comparison": compare([reduction.model, reduction.model], truth),
        "model": reduction.model,
        "system": reduction.source.full,
        "reduction": reduction,
    }


PLOTTED = ("trajectories", "fields", "forecast", "evaluation", "certificate", "verdict", "comparison")
SHOWN = (*PLOTTED, "model", "system", "reduction")


class Reader(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("name", PLOTTED)
def test_a_plot_takes_axes_and_returns_them(results, name):
    ax = Figure().subplots()
    before = plt.get_fignums()
    assert results[name].plot(ax) is ax
    assert plt.get_fignums() == before  # no figure of its own
    assert ax.lines or ax.collections
    assert ax.get_xlabel() or name == "comparison"
    assert ax.get_ylabel()
    own = results[name].plot()
    assert plt.get_fignums() != before
    plt.close(own.figure)


def test_plots_show_the_numbers_of_the_result(results):
    truth, evaluation = results["trajectories"], results["evaluation"]
    line = truth[2].plot(Figure().subplots()).lines[1]
    assert np.array_equal(line.get_ydata(), truth[2].states[:, 1])
    assert np.array_equal(line.get_xdata(), truth[2].t)
    curve = evaluation.plot(Figure().subplots()).lines[0]
    assert np.allclose(curve.get_ydata(), evaluation.rollout.error.median)


def test_a_prediction_that_diverged_is_plotted_as_far_as_it_goes(results):
    truth = results["fields"][0]
    gone = truth.states.clone()
    gone[10:] = torch.nan
    for states in (gone, gone[:, :2], torch.full_like(gone, torch.nan)):
        Trajectories(states, truth.t, truth.lengths).plot(Figure().subplots())


@pytest.mark.parametrize("name", SHOWN)
def test_a_notebook_shows_a_short_table(results, name):
    reader = Reader(results[name]._repr_html_())
    assert reader.tags.count("table") == 1
    assert reader.tags.count("tr") <= 13
    assert not set(reader.tags) & {"script", "img", "a"}


def test_names_from_files_are_escaped():
    evil = "<script>alert(1)</script>"
    system = System(evil, 2, rhs=lambda t, x: -x, sample_initial=lambda n, rng: torch.zeros(n, 2), reference=evil)
    data = Trajectories.from_stacked(torch.zeros(1, 3, 2), torch.arange(3.0), attributes={"system": evil})
    for result in (system, data):
        text = result._repr_html_()
        assert "<script>" not in text
        assert evil in Reader(text).text


def test_trajectories_are_tables_of_pandas_and_xarray(results):
    truth = results["trajectories"]
    frame, dataset = truth.to_pandas(), truth.to_xarray()
    assert list(frame)[:2] == ["trajectory", "t"]
    assert np.array_equal(frame[["x1", "x2"]], truth.states)
    assert np.array_equal(frame[["velocity_x1", "velocity_x2"]], truth.velocities)
    assert np.array_equal(frame.groupby("trajectory")["parameter_mu"].first(), truth.parameters["mu"])
    assert np.array_equal(dataset["states"], truth.stacked())
    assert dataset["states"].dims == ("trajectory", "time", "component")
    assert np.array_equal(dataset["time"], truth.times(0))


def test_tables_are_taken_for_the_trajectories_that_they_were_made_of(results):
    truth = results["trajectories"]
    for table in (truth.to_pandas(), truth.to_xarray()):
        again = Trajectories.of(table)
        assert again.digest() == truth.digest()


def test_ragged_trajectories_end_with_nan(results):
    truth = results["trajectories"]
    short = truth.where(torch.arange(len(truth.t)) % 31 < 20 + truth.owner)
    dataset = short.to_xarray()
    assert dataset["states"].shape == (6, 25, 2)
    for i in range(len(short)):
        row = dataset["states"][i].to_numpy()
        assert np.array_equal(row[: short.lengths[i]], short[i].states)
        assert np.isnan(row[short.lengths[i] :]).all()
        assert np.array_equal(dataset["t"][i, : short.lengths[i]], short.times(i))


def test_scores_are_tables_of_pandas_and_xarray(results):
    evaluation = results["evaluation"]
    frame, curves = evaluation.to_pandas(), evaluation.to_xarray()
    assert frame.loc["nmse", "model"] == evaluation.reconstruction.nmse
    assert frame.loc["valid_time.median", "model"] == evaluation.rollout.valid_time.median
    assert frame.loc["valid_time.mean", "low"] == evaluation.rollout.valid_time.mean_interval[0]
    assert frame.loc["valid_time.mean", "linear"] == evaluation.baselines["linear"]["rollout"].valid_time.mean
    assert np.array_equal(curves["median"], evaluation.rollout.error.median)
    assert np.array_equal(curves["t"], evaluation.rollout.error.t)


def test_a_reduction_is_saved_and_reported(reduction, results, tmp_path, monkeypatch):
    monkeypatch.setattr("dynred.report.page.pictures", lambda figures, subject: [])
    reduction.save(tmp_path / "saved")
    model, x0 = load_model(tmp_path / "saved"), reduction.forecast.truth.initial
    t = torch.arange(5.0)
    assert torch.equal(model.predict(x0, t).states, reduction.model.predict(x0, t).states)
    reduction.save(tmp_path / "saved")  # what it wrote itself it may replace
    assert is_page(tmp_path / "saved" / "report.html")
    (tmp_path / "mine.html").write_text("mine")
    with pytest.raises(ValueError, match="which dynred did not write"):
        reduction.report(tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_a_bar_is_shown_where_it_is_asked_for(monkeypatch):
    told = []

    @contextmanager
    def bar():
        yield lambda stage, done, total, **figures: told.append(stage)

    monkeypatch.setattr("dynred.cli.base.bar", bar)
    data = DataSpec(train=2, validation=1, test=1, duration=1.0, sampling=0.2)
    words = {"data": data, "reducer": PODSpec(1), "dynamics": LinearSpec()}
    reduce("stuart_landau", 1, **words)
    assert not told
    reduce("stuart_landau", 1, **words, progress=True)
    assert told[-1] == "evaluate"


def test_a_notebook_shows_bars_without_further_packages(monkeypatch):
    shown = []
    handle = SimpleNamespace(update=shown.append)
    fake = SimpleNamespace(HTML=str, display=lambda content, display_id: handle)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=fake))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    monkeypatch.setattr(base.stderr, "is_jupyter", True)
    with base.bar() as progress:
        progress("train <b>", 3, 10, loss=0.25)
        progress("evaluate", 1, 2)
    assert shown[0] == 'train &lt;b&gt; <progress value="3" max="10"></progress> 3/10 loss 0.25'
    assert shown[1].count("<progress") == 2
    assert shown[-1] == ""


def test_results_import_neither_matplotlib_nor_pandas():
    code = (
        "import sys, dynred.data.trajectories, dynred.models.forecast, dynred.geometry.verdict, dynred.ode.system\n"
        "heavy = {'matplotlib', 'pandas', 'xarray', 'rich'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
