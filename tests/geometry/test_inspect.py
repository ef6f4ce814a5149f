"""`dynred inspect`: the command, what it reads, and its page."""

import importlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from geometry_sets import draw

import dynred
from dynred.cli.app import main
from dynred.data.points import load_data
from dynred.data.trajectories import Trajectories
from dynred.errors import DynredWarning, InputError
from dynred.report import inspection_page, model_page
from dynred.report.inspection_page import render, write_inspection
from dynred.report.page import find_figures
from dynred.rng import generator

pytestmark = pytest.mark.usefixtures("figures")


@pytest.fixture(scope="module")
def torus():
    return dynred.inspect(draw("torus", 0), rng=generator(0))


def titles(verdict):
    return [figure.title for figure in find_figures(inspection_page.FOLDER) if figure.applies(verdict)]


def call(*tokens):
    try:
        main([str(token) for token in tokens])
    except SystemExit as stop:
        return stop.code
    return 0


def refused(capsys, *tokens):
    assert call(*tokens) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1, err
    return lines[0]


def test_a_system_is_inspected_from_its_name(capsys):
    assert call("inspect", "stuart_landau", "--n", 12, "--latent-dim", 3, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["components"], found["betti"], found["closed"]) == (1, [1, 1, 0], True)
    assert [found["verdict"][k]["possible"] for k in "123"] == [False, True, True]
    assert found["verdict"]["1"]["lower_bound"] == pytest.approx(1, rel=0.06)
    assert found["recommended"] == {"angles": 1, "lines": 0, "charts": 1}


def test_points_without_times_are_inspected_and_shown_in_words_and_on_a_page(capsys, tmp_path):
    np.savez(tmp_path / "points.npz", states=draw("circle", 0, n=800).numpy())
    assert call("inspect", tmp_path / "points.npz", "--out", tmp_path / "page.html") == 0
    out, err = capsys.readouterr()
    words = " ".join(re.sub("[│┃]", " ", out).split())
    assert "Recommended latent space: 1 angle." in words
    assert "Confidence: high: rests on 800 snapshots" in words
    assert "page.html" in err
    assert "data:image/svg+xml;base64" in (tmp_path / "page.html").read_text()


def test_a_data_file_gives_points_or_trajectories(tmp_path):
    states = torch.randn(60, 4, generator=generator(0)).numpy()
    np.savez(tmp_path / "points.npz", states=states)
    np.savez(tmp_path / "flat.npz", states=states, t=np.arange(60.0))
    np.savez(tmp_path / "stacked.npz", states=states.reshape(3, 20, 4), t=np.arange(20.0))
    assert load_data(tmp_path / "points.npz").shape == (60, 4)
    for name in ("flat", "stacked"):
        found = load_data(tmp_path / f"{name}.npz")
        assert isinstance(found, Trajectories)
        assert found.states.shape == (60, 4)


def test_as_many_points_as_components_are_asked_about_and_fewer_are_doubted(tmp_path):
    path, states = tmp_path / "bare.npz", torch.randn(60, 60, generator=generator(0)).numpy()
    np.savez(path, states=states)
    with pytest.raises(InputError, match="rows are snapshots and columns components, got a square 60"):
        load_data(path)
    np.savez(path, states=states, t=np.arange(60.0))
    with pytest.raises(InputError, match=r"got a square 60\. Add `lengths = \[60\]`"):
        load_data(path)
    np.savez(path, states=states, t=np.arange(60.0), lengths=[60])
    assert len(load_data(path)) == 1
    np.savez(path, states=states[:20])
    with pytest.warns(DynredWarning, match="20 rows, taken for snapshots, and 60 columns"):
        assert load_data(path).shape == (20, 60)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"states": np.zeros((20, 3))}, "points must be at least 50 to be inspected, got 20"),
        ({"states": np.full((80, 3), np.nan)}, "points must be finite everywhere, got nan"),
        ({"states": np.zeros((4, 5, 3))}, "must be to hold the times"),
        ({}, "array `states`"),
        (
            {"a": np.zeros((80, 3)), "b": np.zeros((80, 2))},
            "states must be named where several arrays may be the state",
        ),
        ({"states": np.zeros((80, 3), dtype=complex)}, "must be"),
    ],
)
def test_bad_data_are_refused_in_one_sentence(capsys, tmp_path, arrays, message):
    np.savez(tmp_path / "data.npz", **arrays)
    assert message in refused(capsys, "inspect", tmp_path / "data.npz")


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["inspect", "lorentz63"], "Did you mean lorenz63?"),
        (["inspect", "stuart_landau", "--n", 4, "--latent-dim", 0], "latent_dim must be an integer >= 1, got 0"),
        (["inspect", "stuart_landau", "--out", "page.pdf"], "out must be a file ending in .html, got page.pdf"),
        (["inspect", "nothing.npz"], "does not exist"),
        (["inspect", "nothing.npz", "--set", "mu=2"], "must be left out for data"),
    ],
)
def test_bad_commands_are_refused_in_one_sentence(capsys, tokens, message):
    assert message in refused(capsys, *tokens)


def test_without_the_extra_the_command_that_brings_it_is_named(capsys, monkeypatch):
    def absent(name, package=None):
        if name in ("skdim", "ripser"):
            raise ImportError(name)
        return load(name, package)

    load = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", absent)
    assert "pip install 'dynred[geometry]'" in refused(capsys, "inspect", "stuart_landau", "--n", 4)


def test_importing_the_verdict_loads_neither_estimators_nor_figures():
    code = (
        "import sys, dynred; dynred.inspect; bad = {'skdim', 'ripser', 'sklearn', 'matplotlib'} & set(sys.modules);"
        " assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_page_shows_every_picture_and_every_answer(torus, tmp_path):
    write_inspection(tmp_path / "page.html", torus, "my <torus>")
    text = (tmp_path / "page.html").read_text()
    assert "my &lt;torus&gt;" in text
    assert titles(torus) == [
        *("Dimension against scale", "Persistence: holes against sampling noise", "POD spectrum"),
    ]
    assert len(re.findall('src="data:image/svg', text)) == 3
    assert re.findall(r'class="(no|yes|unknown)"', text) == ["no", "no", "yes"]
    assert "http" not in re.sub(r'src="data:[^"]*"', "", text)
    assert render(torus, "my <torus>") == text


def test_the_page_of_isolated_points_leaves_out_what_they_do_not_have():
    found = dynred.inspect(draw("points", 0, n=400), rng=generator(0))
    assert titles(found) == ["POD spectrum"]
    assert "7 points" in render(found, "wells")


def test_figures_of_an_inspection_are_not_figures_of_the_model_report():
    own, others = find_figures(inspection_page.FOLDER), find_figures(model_page.FOLDER)
    assert own
    assert others
    assert not {type(figure) for figure in own} & {type(figure) for figure in others}


def test_a_right_hand_side_that_depends_on_time_is_a_grave_doubt():
    torus = draw("torus", 0)
    states = torch.as_tensor(torus[:600] if not isinstance(torus, Trajectories) else torus.states[:600])
    forced = Trajectories(states, torch.arange(600.0), torch.tensor([600]), attributes={"time_dependent": 0.25})
    verdict = dynred.inspect(forced, rng=generator(0))
    doubts = [doubt for doubt in verdict.doubts if "depends on time (by up to 25 % of itself" in doubt.says]
    assert [doubt.grave for doubt in doubts] == [True]
