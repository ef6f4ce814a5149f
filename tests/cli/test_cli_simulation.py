"""`dynred simulate` and `dynred lyapunov`: large results go on after an interruption, runs have exponents too."""

import json
import os

import pytest

from dynred.cli.app import main
from dynred.data.store_layout import progress_path

OPTIONS = ("-n", 3, "--duration", 2, "--transient", 0.5, "--json")


def call(capsys, *tokens):
    main([str(token) for token in tokens])
    return capsys.readouterr().out


def test_a_large_zarr_is_streamed_and_the_same_command_completes_it(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("dynred.simulation.into_file.LARGE", 0)
    out = tmp_path / "a.zarr"
    cut = json.loads(call(capsys, "simulate", "stuart_landau", "--out", out, *OPTIONS, "--time-limit", 1e-9))
    assert (cut["complete"], cut["trajectories"]) == (False, 0)
    assert progress_path(out).exists()
    whole = json.loads(call(capsys, "simulate", "stuart_landau", "--out", out, *OPTIONS))
    assert (whole["complete"], whole["trajectories"], whole["snapshots"]) == (True, 3, whole["snapshots"])
    assert not progress_path(out).exists()


def test_an_unfinished_store_is_begun_anew_only_when_told_so(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("dynred.simulation.into_file.LARGE", 0)
    out = tmp_path / "a.zarr"
    call(capsys, "simulate", "stuart_landau", "--out", out, *OPTIONS, "--time-limit", 1e-9)
    with pytest.raises(SystemExit):
        main(["simulate", "stuart_landau", "--out", str(out), "--seed", "7", *map(str, OPTIONS)])
    assert "they differ in seed" in " ".join(capsys.readouterr().err.split())
    anew = ("--seed", 7, "--overwrite")
    assert json.loads(call(capsys, "simulate", "stuart_landau", "--out", out, *OPTIONS, *anew))["complete"]


def test_a_file_of_the_catalogue_with_an_equation_alone_is_listed_and_simulated(capsys, catalogue):
    (catalogue / "bare.py").write_text('dim = 2\ndef rhs(t, x):\n    """x\' = -x"""\n    return -x\n')
    listed = [line.split() for line in call(capsys, "systems").splitlines()]
    assert listed[listed.index(["x'", "=", "-x"]) - 1][:3] == ["bare", "2", "auto"]
    assert json.loads(call(capsys, "systems", "bare", "--json"))["dim"] == 2
    done = json.loads(call(capsys, "simulate", "bare", "--out", catalogue / "a.npz", *OPTIONS))
    assert (done["system"], done["trajectories"], done["state_dim"]) == ("bare", 3, 2)


def content(path):
    return {str(file): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def test_the_same_command_on_a_complete_store_is_told_and_changes_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("dynred.simulation.into_file.LARGE", 0)
    call(capsys, "simulate", "stuart_landau", "--out", tmp_path / "a.zarr", *OPTIONS)
    before = content(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", "stuart_landau", "--out", str(tmp_path / "a.zarr"), *map(str, OPTIONS)])
    assert "out must be a new file" in capsys.readouterr().err
    assert content(tmp_path) == before


def test_overwrite_replaces_a_store_and_puts_it_back_where_nothing_came_instead(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("dynred.simulation.into_file.LARGE", 0)
    out = tmp_path / "a.zarr"
    call(capsys, "simulate", "stuart_landau", "--out", out, *OPTIONS)
    before = content(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", "stuart_landau", "--out", str(out), "--overwrite", "--set", "nu=3", *map(str, OPTIONS)])
    assert content(tmp_path) == before
    call(capsys, "simulate", "stuart_landau", "--out", out, "--overwrite", "--seed", 1, *OPTIONS)
    assert content(tmp_path).keys() == before.keys()
    assert content(tmp_path) != before
    (out / "thesis.txt").write_text("ten years of work")
    before = content(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", "stuart_landau", "--out", str(out), "--overwrite", *map(str, OPTIONS)])
    assert "which dynred did not write" in capsys.readouterr().err
    assert content(tmp_path) == before


@pytest.mark.parametrize("suffix", [".zarr", ".npz", ".nc"])
def test_a_file_is_replaced_only_when_told_so(capsys, tmp_path, suffix):
    out = tmp_path / f"a{suffix}"
    call(capsys, "simulate", "stuart_landau", "--out", out, *OPTIONS)
    before = content(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", "stuart_landau", "--out", str(out), *map(str, OPTIONS)])
    assert content(tmp_path) == before
    call(capsys, "simulate", "stuart_landau", "--out", out, "--seed", 1, "--overwrite", *OPTIONS)
    assert content(tmp_path) != before


WRONG = [  # tokens after `simulate stuart_landau`, expected words
    (["--out", ""], "must be a path, got ''"),
    (["--out", "file/a.npz"], "out must be in a folder, got file/a.npz, but"),
    (["--out", "folder.npz"], "got the folder folder.npz, which dynred did not write"),
    (["--out", "folder.npz", "--overwrite"], "got the folder folder.npz, which dynred did not write"),
    (["--out", "folder.zarr", "--overwrite"], "got the folder folder.zarr, which dynred did not write"),
    (["--out", "folder.nc", "--overwrite"], "got the folder folder.nc, which dynred did not write"),
    (["--out", "text.npz", "--overwrite"], "got the file text.npz, which dynred did not write"),
    (["--out", "text.zarr", "--overwrite"], "got the file text.zarr, which dynred did not write"),
    (["--out", "pipe.npz", "--overwrite"], "out must be a file or a folder, got pipe.npz, which is neither"),
    (["--out", "pipe.zarr"], "out must be a file or a folder, got pipe.zarr, which is neither"),
    (["--out", "a\0.npz"], "out must be a path"),
    (["--out", "x" * 300 + ".nc"], "out must be a path of names of at most 255 bytes"),
    (["--out", "/dev/full"], "path must be a file ending in one of .zarr, .npz, .nc"),
    (["--out", "/proc/a.npz"], "out must be in a folder that can be written to"),
    (["--out", "a.csv"], "path must be a file ending in one of .zarr, .npz, .nc"),
    (["-n", "0"], "n must be an integer >= 1, got 0"),
    (["-n", "-3"], "n must be an integer >= 1, got -3"),
    (["-n", "1.5"], "must be an integer, got '1.5'"),
    (["-n", "many"], "must be an integer, got 'many'"),
    (["--seed", "-1"], "seed must be an integer >= 0, got -1"),
    (["--seed", "0.5"], "must be an integer, got '0.5'"),
    (["--duration", "0"], "duration must be a finite number > 0, got 0"),
    (["--duration", "-1"], "duration must be a finite number > 0"),
    (["--duration", "nan"], "duration must be a finite number > 0, got nan"),
    (["--duration", "inf"], "duration must be a finite number > 0, got inf"),
    (["--duration", "1e300"], "snapshots of a trajectory must fit into the memory that is available"),
    (["--duration", "1e-3"], "sampling must be in (0, duration]"),
    (["--sampling", "0"], "sampling must be a finite number > 0, got 0"),
    (["--sampling", "-1"], "sampling must be a finite number > 0"),
    (["--sampling", "nan"], "sampling must be a finite number > 0, got nan"),
    (["--sampling", "1e-320"], "snapshots of a trajectory must fit into the memory that is available"),
    (["--transient", "-1"], "transient must be a finite number >= 0, got -1"),
    (["--transient", "nan"], "transient must be a finite number >= 0, got nan"),
    (["--transient", "inf"], "transient must be a finite number >= 0, got inf"),
    (["--time-limit", "0"], "time_limit must be a finite number > 0, got 0"),
    (["--time-limit", "nan"], "time_limit must be a finite number > 0, got nan"),
    (["-n", "1000000000", "--duration", "1e5"], "out must be on a disk with"),
    (["-n", "100000000000", "--out", "a.zarr"], "snapshots must fit into the memory"),
]


@pytest.mark.parametrize(("tokens", "words"), WRONG, ids=[" ".join(tokens)[:40] for tokens, _ in WRONG])
def test_what_cannot_be_simulated_is_refused_before_anything_is_computed(capsys, tmp_path, monkeypatch, tokens, words):
    monkeypatch.chdir(tmp_path)
    for suffix in (".npz", ".zarr", ".nc"):
        (tmp_path / f"folder{suffix}").mkdir()
        (tmp_path / f"folder{suffix}" / "thesis.txt").write_text("ten years of work")
        (tmp_path / f"text{suffix}").write_text("ten years of work")
        os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / "file").write_text("ten years of work")
    names = sorted(os.listdir(tmp_path))
    for module in ("collect", "stream"):
        monkeypatch.setattr(f"dynred.simulation.{module}.integrate", None)
    out = [] if "--out" in tokens else ["--out", "a.npz"]
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", "stuart_landau", *tokens, *out])
    said = " ".join(capsys.readouterr().err.split())
    assert words in said
    assert "Traceback" not in said
    assert "--resume" not in said
    assert sorted(os.listdir(tmp_path)) == names


def test_the_model_of_a_run_has_exponents(capsys, tmp_path):
    out = tmp_path / "run"
    given = {"train": 6, "validation": 2, "test": 2, "duration": 4, "horizon": 4, "transient": 4, "sampling": 0.2}
    sizes = [f"data.{key}={value}" for key, value in given.items()]
    plain = ("--reducer", "pod", "--dynamics", "linear", "--json")
    changes = [word for size in sizes for word in ("--set", size)]
    call(capsys, "reduce", "stuart_landau", "--latent-dim", 1, "--out", out, *plain, *changes)
    found = json.loads(call(capsys, "lyapunov", out, "-n", 2, "--duration", 2, "--json"))
    assert len(found["exponents"]) == 1
    assert found["system"] == "stuart_landau, reduced to 1"
