"""Figures as files for a paper: legible at every width, each beside the numbers that it shows."""

import json
import re
from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from test_report import CASES, line, scored, waves

from dynred.cli.app import main
from dynred.data.storage import save_trajectories
from dynred.errors import InputError
from dynred.evaluation.certify import certify
from dynred.geometry.inspection import inspect
from dynred.report.figure_data import COLUMNS as DATA_COLUMNS
from dynred.report.figure_data import data_of
from dynred.report.figure_files import COLUMNS, PAPER, fit_legends, write_figures
from dynred.report.figures.base import STYLE, plain_ticks
from dynred.report.figures.error_growth import ErrorGrowth
from dynred.report.figures.valid_times import ValidTimes
from dynred.report.inspection_page import FOLDER as INSPECTION
from dynred.report.model_page import FOLDER
from dynred.report.page import _coded, find_figures
from dynred.rng import generator

FIGURES = {type(figure).__name__: figure for folder in (FOLDER, INSPECTION) for figure in find_figures(folder)}
SLOW = pytest.mark.slow  # drawing takes a second
SLACK = 1.5  # pixels by which letters may stand out of the picture: their boxes are larger than their ink


@pytest.fixture(scope="module")
def field():
    context = scored(waves(steps=60), line())
    certificate = certify(context.model, context.forecast.truth, rng=generator(0))
    return type(context)(context.model, context.evaluation, context.forecast, context.grid, certificate)


@pytest.fixture(scope="module")
def cases(field):
    """What the figures of each folder are drawn from."""
    others = {name: CASES[name]() for name in ("a field in two dimensions", "a trained reducer")}
    verdict = inspect(field.forecast.truth, rng=generator(0))
    return {FOLDER: {"field": field, **others}, INSPECTION: {"verdict": verdict}}


def drawn(figure, context, columns):
    with matplotlib.rc_context({**STYLE, **PAPER, **COLUMNS[columns]}):
        drawing = figure.draw(context)
        plain_ticks(drawing)
        fit_legends(drawing)
        drawing.draw_without_rendering()
    return drawing


def shown_ticks(axis):
    """The labels of an axis that are within its limits; matplotlib keeps others, which it does not draw."""
    low, high = sorted(axis.get_view_interval())
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
        if low - 1e-9 <= tick.get_loc() <= high + 1e-9:
            yield from (label for label in (tick.label1, tick.label2) if label.get_visible() and label.get_text())


def words(drawing):
    """Every text that is drawn, and the box that it takes."""
    axes = drawing.findobj(Axis)
    ticks = {id(label) for axis in axes for which in ("major", "minor") for label in axis.get_ticklabels(which=which)}
    drawn = {id(label) for axis in axes for label in shown_ticks(axis)}
    for text in drawing.findobj(Text):
        hidden = not text.get_visible() or (text.axes is not None and not text.axes.get_visible())
        if text.get_text().strip() and not hidden and (id(text) in drawn or id(text) not in ticks):
            yield text, text.get_window_extent()


@pytest.mark.parametrize(("columns", "most"), [(1, 1), pytest.param(1, 3, marks=SLOW), pytest.param(2, 3, marks=SLOW)])
@pytest.mark.parametrize("name", FIGURES)
def test_no_letter_is_cut_off_and_no_two_ticks_overlap(cases, name, columns, most):
    subjects = cases[type(FIGURES[name]).__module__.rpartition(".")[0]]
    applicable = {case: subject for case, subject in subjects.items() if FIGURES[name].applies(subject)}
    for case, context in list(applicable.items())[:most]:
        drawing = drawn(FIGURES[name], context, columns)
        assert drawing.get_figwidth() == pytest.approx({1: 3.4, 2: 7.0}[columns])
        for text, box in words(drawing):
            inside = box.x0 >= -SLACK and box.y0 >= -SLACK
            inside &= box.x1 <= drawing.bbox.width + SLACK and box.y1 <= drawing.bbox.height + SLACK
            assert inside, f"{case}: {text.get_text()!r} is cut off: {box} in {drawing.bbox}"
        for ax in drawing.axes:
            for axis, side in ((ax.xaxis, 0), (ax.yaxis, 1)):
                spans = [label.get_window_extent().get_points()[:, side].tolist() for label in shown_ticks(axis)]
                for (_, end), (start, _) in pairwise(sorted(spans)):
                    assert start >= end - SLACK, f"{case}: ticks of {ax.get_xlabel()!r} {ax.get_ylabel()!r} overlap"


def test_the_table_holds_the_numbers_of_the_evaluation(field):
    table = data_of(drawn(ErrorGrowth(), field, 1))
    assert list(table) == list(DATA_COLUMNS)
    median = table[table["series"] == "prediction, median"]
    assert set(median["kind"]) == {"line"}
    assert np.allclose(median["x"], field.evaluation.rollout.error.t)
    error = field.forecast.rollout_error().reshape(5, -1).double().numpy()
    high = np.maximum(np.quantile(error, 0.9, axis=0, method="higher"), 1e-8)
    band = table[table["series"] == "10 to 90 % of trajectories"]
    assert np.allclose(band["high"], high)
    assert table[table["kind"] == "level"]["y"].tolist() == [0.5]
    steps = data_of(drawn(ValidTimes(), field, 1))
    assert set(steps["kind"]) == {"line", "points", "level"}


def test_the_table_of_a_field_holds_its_values(field):
    table = data_of(drawn(FIGURES["SpaceTime"], field, 1))
    truth = field.forecast.truth.states[field.rows(field.typical)].numpy()
    panel = table[table["panel"].str.startswith("1: truth") & (table["kind"] == "image")]
    assert np.allclose(panel["value"].to_numpy().reshape(truth.T.shape), truth.T)
    x = panel["y"].to_numpy().reshape(truth.T.shape)[:, 0]
    assert np.allclose(x, field.grid.axes[0].coordinates)


def test_every_kind_of_drawing_is_read():
    ax = Figure().subplots()
    ax.plot([0, 1], [2, 3], label="a line")
    ax.scatter([1, 2], [3, 4], c=[5, 6], label="a cloud")
    ax.imshow(np.array([[1.0, 2.0], [3.0, 4.0]]), extent=(0, 2, 0, 2), origin="lower")
    ax.errorbar([1], [2], yerr=[[0.5], [1.0]], label="bars")
    ax.fill_between([0, 1, 2, 3], [0, 0, np.nan, 0], [1, 2, np.nan, 3], label="a band")
    ax.hist([0.1, 0.2, 0.9], [0, 0.5, 1], histtype="step", label="a histogram")
    table = data_of(ax.figure)
    kinds = {kind: rows for kind, rows in table.groupby("kind")}
    assert set(kinds) == {"line", "points", "image", "segment", "band", "outline"}
    assert kinds["points"][kinds["points"]["series"] == "a cloud"]["value"].tolist() == [5, 6]
    image = kinds["image"].set_index(["x", "y"])["value"]
    assert (image[0.5, 0.5], image[1.5, 0.5], image[0.5, 1.5]) == (1, 2, 3)
    assert kinds["segment"]["y"].tolist() == [1.5, 3]
    assert kinds["band"][["x", "high"]].to_numpy().tolist()[:2] == [[0, 1], [1, 2]]
    assert kinds["outline"]["y"].max() == 2


@pytest.mark.parametrize("suffix", ["pdf", "svg", "png"])
def test_the_same_figure_gives_the_same_file_and_replaces_only_its_own(field, tmp_path, suffix):
    figures = [ValidTimes()]
    (tmp_path / "notes.txt").write_text("mine")
    (path,) = write_figures(tmp_path, figures, field, suffix=suffix)
    assert path.name == f"valid_times.{suffix}"
    first = path.read_bytes()
    write_figures(tmp_path, figures, field, suffix=suffix, columns=2)
    assert path.read_bytes() != first
    write_figures(tmp_path, figures, field, suffix=suffix)
    assert path.read_bytes() == first
    other = tmp_path / "other"
    other.mkdir()
    (other / "valid_times.csv").write_text("mine")
    with pytest.raises(InputError, match="which dynred did not write"):
        write_figures(other, figures, field, suffix=suffix)
    assert sorted(path.name for path in other.iterdir()) == ["valid_times.csv"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_command_draws_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("dynred.report.page.pictures", lambda figures, subject: [])
    save_trajectories(waves(n=6), tmp_path / "waves.npz")
    words = ("--latent-dim", "2", "--reducer", "pod", "--dynamics", "linear", "--out", str(tmp_path / "run"))
    main(["reduce", str(tmp_path / "waves.npz"), *words])
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    capsys.readouterr()
    monkeypatch.setattr("dynred.experiments.draw_run.find_figures", lambda folder: [ValidTimes(), ErrorGrowth()])
    main(["figures", str(tmp_path / "run"), "--out", str(tmp_path / "figs"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert [entry["figure"] for entry in told["figures"]] == ["valid_times.pdf", "error_growth.pdf"]
    content = (tmp_path / "figs" / "valid_times.pdf").read_bytes()
    assert re.search(rb"/MediaBox \[ ?0 0 244", content)  # 3.4 inches of 72 points
    assert not pd.read_csv(tmp_path / "figs" / "error_growth.csv").empty
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    with pytest.raises(SystemExit):
        main(["figures", str(tmp_path / "run"), "--out", str(tmp_path / "waves.npz")])
    assert "must be a folder" in capsys.readouterr().err


def test_plain_text_between_backticks_is_code_on_the_page():
    assert _coded("take `--reducer <pod>` & go") == "take <code>--reducer &lt;pod&gt;</code> &amp; go"
