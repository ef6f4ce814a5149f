import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from dynred.cli.app import main
from dynred.data.storage import load_trajectories

DATA = [
    *("--set", "data.train=8", "--set", "data.validation=2", "--set", "data.test=4", "--set", "data.duration=6.0"),
    *("--set", "data.horizon=6.0", "--set", "data.transient=4.0", "--set", "data.sampling=0.2"),
]
SMALL = [
    *DATA,
    *("--set", "reducer.width=8", "--set", "reducer.training.steps=20", "--set", "reducer.training.batch_size=32"),
    *("--set", "dynamics.width=8", "--set", "dynamics.training.steps=20", "--set", "dynamics.training.batch_size=32"),
]


def call(*tokens):
    """Runs a command in this process; returns its exit code."""
    try:
        main([str(token) for token in tokens])
    except SystemExit as stop:
        return stop.code
    return 0


def refused(capsys, *tokens):
    """What a refused command says on standard error, in one line; nothing goes to standard output."""
    assert call(*tokens) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1, err
    return lines[0]


def test_help_is_answered_without_importing_torch():
    script = (
        "import sys\nfrom dynred.cli.app import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'scipy', 'matplotlib', 'xarray'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in ("reduce", "simulate", "evaluate", "systems"))


def test_reduce_and_evaluate_print_tables_or_json(capsys, tmp_path):
    assert call("reduce", "stuart_landau", "--latent-dim", 1, "--out", tmp_path / "run", *SMALL, "--json") == 0
    out, err = capsys.readouterr()
    first = json.loads(out)
    assert first["system"] == "stuart_landau"
    assert "report.html" in err
    assert call("evaluate", tmp_path / "run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rollout"] == first["rollout"]
    assert call("evaluate", tmp_path / "run") == 0
    assert "nmse" in capsys.readouterr().out


def test_several_runs_are_shown_side_by_side(capsys, tmp_path):
    for seed in (0, 1):
        out = tmp_path / str(seed)
        linear = ("--reducer", "pod", "--dynamics", "linear", *DATA)
        assert call("reduce", "stuart_landau", "--latent-dim", 1, "--out", out, "--seed", seed, *linear) == 0
    capsys.readouterr()
    assert call("evaluate", tmp_path / "0", tmp_path / "1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["seed"] for one in found["evaluations"]] == [0, 1]
    assert found["comparison"]["models"] == ["0", "1"]
    first, second = found["comparison"]["quantities"][0]["entries"]
    assert first["difference"] is None
    assert second["difference"] == second["value"] - first["value"]


def test_simulate_writes_trajectories_that_reduce_takes(capsys, tmp_path):
    data = tmp_path / "data.zarr"
    options = ("--n", 14, "--duration", 3, "--sampling", 0.1, "--set", "mu=2.0")
    assert call("simulate", "stuart_landau", "--out", data, *options, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    found = load_trajectories(data)
    assert told["snapshots"] == len(found.states) == 14 * 31
    assert (found.parameters["mu"] == 2.0).all()
    assert torch.allclose(found.states.norm(dim=1), torch.tensor(2.0).double().sqrt(), atol=1e-6)
    assert call("reduce", data, "--latent-dim", 1, "--out", tmp_path / "run", *SMALL, "--json") == 0


def test_the_catalogue_lists_every_system_and_shows_one(capsys):
    assert call("systems", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"kuramoto_sivashinsky", "lorenz63", "stuart_landau", "mean_field_wake", "graph_lift"} <= {
        entry["name"] for entry in listed
    }
    assert all(entry["equation"] for entry in listed)
    assert call("systems", "kuramoto_sivashinsky", "--with", "length=44", "--json") == 0
    assert json.loads(capsys.readouterr().out)["time_scale"] == pytest.approx(12.3)
    assert call("systems") == 0
    assert "[y; w]" in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_a_users_own_numpy_equation_is_reduced_from_its_file(capsys, tmp_path):
    file = tmp_path / "my_system.py"
    file.write_text(
        "import numpy as np\n\ndim = 3\ntransient = 10.0\n\n\n"
        "def rhs(t, x):\n    return np.array([x[1], -x[0], x[0] ** 2 - 5 * x[2]])\n"
    )
    assert call("reduce", file, "--latent-dim", 2, "--out", tmp_path / "run", *SMALL, "--json") == 0
    assert json.loads(capsys.readouterr().out)["system"] == "my_system"


def test_lyapunov_exponents_are_printed_as_table_or_json(capsys):
    options = ("--n", 2, "--duration", 5, "--interval", 0.5)
    assert call("lyapunov", "stuart_landau", *options, "--json") == 0
    assert json.loads(capsys.readouterr().out)["exponents"] == pytest.approx([0, -2], abs=1e-2)
    assert call("lyapunov", "stuart_landau", *options) == 0
    assert "Kaplan-Yorke dimension" in capsys.readouterr().out


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("x = 1\n", "defines no system: it must define `system`"),
        ("import nothing_of_that_name\n", "could not be imported: .*ModuleNotFoundError"),
        ("dim = 3\ndef rhs(t, x:\n", "could not be imported: SyntaxError"),
        ("dim = 3\ndef rhs(t, x):\n    return x[:2]\n", r"rhs\(t, x\) must be of shape \[3\], like x, got shape \[2\]"),
        (
            "dim = 3\ndef rhs(t, x):\n    return x.float()\n",
            "must be of dtype torch.float64, like x, got torch.float32",
        ),
        ("dim = 3\ndef rhs(t, x):\n    return x * float('nan')\n", "must be finite at an initial state, got nan"),
        ("dim = 3\ndef rhs(t, x):\n    x[0] = 1\n    return x\n", "leaves its input x alone, got one that changes it"),
        (
            "import torch\ndim = 3\ndef rhs(t, x):\n    return -x\n"
            "def sample_initial(n, rng):\n    return torch.zeros(n, 4)\n",
            r"sample_initial must be a function that returns finite states \[4, 3\], got shape \[4, 4\]",
        ),
        ("dim = 0\ndef rhs(t, x):\n    return x\n", "dim must be an integer >= 1, got 0"),
        ("dim = 3\ndef rhs(t, x):\n    return 1 + x**2\n", "diverged after t = .* Try"),
    ],
)
def test_bad_systems_are_refused_in_one_sentence_and_nothing_is_written(capsys, tmp_path, body, message):
    file = write(tmp_path / "mine.py", body)
    said = refused(capsys, "reduce", file, "--latent-dim", 1, "--out", tmp_path / "run", *SMALL)
    assert re.search(message, said), said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"states": np.zeros((12, 5, 4))}, "must be to hold the times"),
        ({"t": np.arange(5.0)}, "array `states`"),
        (
            {"states": np.full((12, 5, 4), np.nan), "t": np.arange(5.0)},
            "states must be finite, got nan in trajectory 0",
        ),
        ({"states": np.ones((12, 1, 4)), "t": np.zeros(1)}, "trajectories of at least 2 snapshots, got of 1 each"),
        ({"states": np.zeros((12, 5, 4)), "t": np.zeros(5)}, "t must be strictly increasing"),
        ({"states": np.zeros((0, 5, 4)), "t": np.zeros(5)}, "states must be not empty"),
    ],
)
def test_bad_data_files_are_refused_in_one_sentence(capsys, tmp_path, arrays, message):
    np.savez(tmp_path / "data.npz", **arrays)
    said = refused(capsys, "reduce", tmp_path / "data.npz", "--latent-dim", 1, "--out", tmp_path / "run", *SMALL)
    assert message in said
    assert not (tmp_path / "run").exists()


def test_missing_empty_and_truncated_data_files_are_refused(capsys, tmp_path):
    path = tmp_path / "data.npz"
    command = ("reduce", path, "--latent-dim", 1, "--out", tmp_path / "run")
    assert "does not exist" in refused(capsys, *command)
    path.write_bytes(b"")
    assert "empty, truncated" in refused(capsys, *command)
    np.savez(path, states=np.zeros((12, 50, 4)), t=np.arange(50.0))
    path.write_bytes(path.read_bytes()[:2000])
    assert "empty, truncated" in refused(capsys, *command)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["reduce", "lorentz63", "--latent-dim", 2], "Did you mean lorenz63?"),
        (["reduce", "lorenz63", "--latent-dim", 3], "latent_dim must be an integer in [1, 2], got 3"),
        (["reduce", "lorenz63", "--latent-dim", 0], "latent_dim must be an integer >= 1, got 0"),
        (["reduce", "lorenz63", "--latent-dim", 2, "--reducer", "pdo"], "Did you mean pod?"),
        (["reduce", "lorenz63", "--latent-dim", 2, "--set", "reducer.widht=3"], "Did you mean width?"),
        (["reduce", "lorenz63", "--latent-dim", 2, "--set", "reducer"], "of the form name=value, got 'reducer'"),
        (["reduce", "lorenz63", "--latent-dim", 2, "--with", "rho=3"], "argument of lorenz63 must be one of"),
        (["reduce", "lorenz63", "--latent-dim", "two"], "latent-dim"),
        (["reduce", "lorenz63"], "latent-dim"),
        (["evaluate", "no_such_run"], "holds no run"),
        (["simulate", "lorenz63", "--out", "data.csv"], "a file ending in one of .zarr, .npz, .nc"),
        (["simulate", "lorenz63", "--set", "roh=3", "--out", "new.zarr"], "Did you mean rho?"),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(capsys, tmp_path, monkeypatch, tokens, message):
    monkeypatch.chdir(tmp_path)
    more = ["--out", "run"] if tokens[0] == "reduce" else []
    said = refused(capsys, *tokens, *more)
    assert message in said
    assert list(tmp_path.iterdir()) == []
