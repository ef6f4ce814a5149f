"""`dynred simulate` and `dynred lyapunov`: large results go on after an interruption, runs have exponents too."""

import json

import pytest

from dynred.cli.app import main
from dynred.store_layout import progress_path

OPTIONS = ("-n", 3, "--duration", 2, "--transient", 0.5, "--json")


def call(capsys, *tokens):
    main([str(token) for token in tokens])
    return capsys.readouterr().out


def test_a_large_zarr_is_streamed_and_the_same_command_completes_it(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("dynred.cli.simulate.LARGE", 0)
    out = tmp_path / "a.zarr"
    cut = json.loads(call(capsys, "simulate", "stuart_landau", "--out", out, *OPTIONS, "--time-limit", 1e-9))
    assert (cut["complete"], cut["trajectories"]) == (False, 0)
    assert progress_path(out).exists()
    whole = json.loads(call(capsys, "simulate", "stuart_landau", "--out", out, *OPTIONS))
    assert (whole["complete"], whole["trajectories"], whole["snapshots"]) == (True, 3, whole["snapshots"])
    assert not progress_path(out).exists()


def test_an_unfinished_store_is_begun_anew_only_when_told_so(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("dynred.cli.simulate.LARGE", 0)
    out = tmp_path / "a.zarr"
    call(capsys, "simulate", "stuart_landau", "--out", out, *OPTIONS, "--time-limit", 1e-9)
    with pytest.raises(SystemExit):
        main(["simulate", "stuart_landau", "--out", str(out), "--seed", "7", *map(str, OPTIONS)])
    assert "they differ in seed" in " ".join(capsys.readouterr().err.split())
    anew = ("--seed", 7, "--overwrite")
    assert json.loads(call(capsys, "simulate", "stuart_landau", "--out", out, *OPTIONS, *anew))["complete"]


def test_the_model_of_a_run_has_exponents(capsys, tmp_path):
    out = tmp_path / "run"
    sizes = [f"data.{key}={value}" for key, value in (("train", 6), ("validation", 2), ("test", 2), ("duration", 4))]
    plain = ("--reducer", "pod", "--dynamics", "linear", "--json")
    changes = [word for size in sizes for word in ("--set", size)]
    call(capsys, "reduce", "stuart_landau", "--latent-dim", 1, "--out", out, *plain, *changes)
    found = json.loads(call(capsys, "lyapunov", out, "-n", 2, "--duration", 2, "--json"))
    assert len(found["exponents"]) == 1
    assert found["system"] == "stuart_landau, reduced to 1"
