import json

import pytest

from dynred.cli._studies import ranges_of, values_of
from dynred.cli.app import main
from dynred.errors import InputError
from dynred.experiments.spec import ExperimentSpec
from dynred.studies.grid import grid
from dynred.studies.study_folder import Failure, Manifest, StudyFolder

SMALL = ["--set", "data.train=4", "--set", "data.validation=2", "--set", "data.test=2", "--set", "data.duration=2"]
SMALL += ["--set", "data.horizon=1", "--set", "data.seed=0", "--set", "data.transient=0"]


def said(capsys, *tokens):
    main(tokens)
    return capsys.readouterr()


def refused(capsys, *tokens):
    with pytest.raises(SystemExit) as ended:
        main(tokens)
    assert ended.value.code == 2
    return capsys.readouterr().err.strip()


def test_a_study_is_made_gone_on_with_shown_and_reported(tmp_path, capsys):
    out = str(tmp_path / "study")
    command = ["study", "stuart_landau", "--vary", "seed=0:1", "--vary", "dynamics=linear,polynomial", *SMALL]
    command += ["--reducer", "pod", "--latent-dim", "1", "--out", out]
    first = said(capsys, *command)
    assert "4 runs over seed, dynamics: 4 done" in first.out
    assert "polynomial" in first.out
    again = json.loads(said(capsys, *command, "--json").out)
    assert again["counts"] == {"done": 4}
    assert [run["dynamics"] for run in again["runs"]] == ["linear", "polynomial"] * 2
    shown = said(capsys, "study", out, "--report")
    assert "4 done" in shown.out
    assert "The page is" in shown.err
    page = (tmp_path / "study" / "study.html").read_text()
    assert page.count(">report</a>") == 4
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_failures_are_told(tmp_path, capsys):
    design = grid(ExperimentSpec("stuart_landau", 1), {"seed": [0, 1]})
    folder = StudyFolder(tmp_path / "study")
    folder.begin(Manifest.of(design))
    folder.fail(design[1].digest(), Failure("The sky fell."))
    shown = said(capsys, "study", str(folder.path))
    assert "1 to do, 1 failed" in shown.out
    assert shown.err.splitlines() == ["failed: seed=1: The sky fell."]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (
            ["--vary", "latnt_dim=1:2", "--latent-dim", "1"],
            "row 1 of the study (latnt_dim=1): setting of",
        ),
        (["--vary", "latent_dm=1:2"], "got 'latent_dm'. Did you mean latent_dim?"),
        (["--vary", "latent_dim=1:2"], "row 2 of the study: latent_dim must be an integer in [1, 1], got 2"),
        (["--vary", "seed", "--latent-dim", "1"], "an axis must be of the form name=values, got 'seed'"),
        (
            ["--vary", "seed=0.5:2", "--latent-dim", "1"],
            "the values of seed must be first:last or first:last:step",
        ),
        (["--latent-dim", "1"], "--vary and --out must say what varies and where runs are kept"),
        (
            ["--vary", "seed=0:1", "--latent-dim", "1", "--dask", "tcp://127.0.0.1:9"],
            "dask must be the address of a dask scheduler that answers within 1 s, got tcp://127.0.0.1:9",
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(tmp_path, capsys, monkeypatch, tokens, message):
    monkeypatch.setattr("dynred.studies.cluster.PATIENCE", 1)
    text = refused(capsys, "study", "stuart_landau", *tokens, "--out", str(tmp_path / "study"))
    error = text.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "study").exists()


def test_values_and_ranges_are_read_from_text():
    texts = ["a=4:7", "b=0:6:3", "c=.5,1", "d=pod,autoencoder", "e=3"]
    expected = {"a": [4, 5, 6, 7], "b": [0, 3, 6], "c": [0.5, 1], "d": ["pod", "autoencoder"], "e": [3]}
    assert values_of(texts) == expected
    ranges = ranges_of(["a=32:512:log", "b=1e-4:.1", "c=linear,sindy"])
    assert ranges == {"a": (32, 512, "log"), "b": (1e-4, 0.1), "c": ("linear", "sindy")}
    for text, message in [("a=1:2:lg", "low:high:log"), ("a", "name=values")]:
        with pytest.raises(InputError, match=message):
            ranges_of([text])


def test_a_search_is_made_and_names_its_best(tmp_path, capsys):
    pytest.importorskip("optuna")
    command = [
        "search",
        "stuart_landau",
        "--latent-dim",
        "1",
        "--reducer",
        "pod",
        "--over",
        "dynamics=linear,polynomial",
    ]
    done = said(capsys, *command, "--metric", "nmse", "--trials", "2", "--out", str(tmp_path / "s"), *SMALL)
    assert "The best is" in done.err
    error = refused(capsys, *command, "--metric", "nmze", "--out", str(tmp_path / "t"), *SMALL)
    assert "Did you mean nmse" in error
