import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name):
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_published_model_is_compared_with_ours(tmp_path, capsys):
    found = load("linot_graham_2022").main(tmp_path / "run", steps=100, train=32, test=8, terms=200)
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"model.safetensors", "evaluation.json"}
    assert "1.12e-06" in capsys.readouterr().out
    # Even this little training beats POD by far; the full one is measured in the README.
    assert found.reconstruction.nmse < 0.1 * found.baselines["pod"]["reconstruction"].nmse
    assert found.rollout.valid_time.median > 2 * found.baselines["linear"]["rollout"].valid_time.median


@pytest.mark.slow
def test_the_same_goes_without_the_equation_from_samples_alone(tmp_path):
    main = load("linot_graham_2022").main
    found = main(tmp_path / "run", steps=50, train=20, terms=200, from_data=True, duration=40.0)
    assert found.test.trajectories == 2
    assert found.rollout.valid_time.median > 10


@pytest.mark.slow
def test_an_ensemble_says_how_often_its_band_holds(tmp_path, capsys):
    main = load("linot_graham_2022").main
    found = main(tmp_path / "run", steps=20, train=32, test=16, terms=200, members=2)
    # Four validation trajectories calibrate a short band; the table ends where it ends.
    assert f"90 % band holds at t = {found.band.t[-1]:g}" in capsys.readouterr().out
    assert all(0.7 < held < 1 for held in found.band.holds[5:])


@pytest.mark.slow
def test_the_ring_of_oscillators_is_carried_by_two_coordinates(tmp_path):
    found = load("own_system").main(tmp_path / "run", train=8, steps=300)
    assert found.state_dim == 80
    assert found.rollout.valid_time_scaled.median > 0.5


@pytest.mark.slow
def test_kuramoto_sivashinsky_reaches_what_the_readme_says(tmp_path):
    found = load("linot_graham_2022").main(tmp_path / "run")
    assert found.reconstruction.nmse <= 1e-7
    assert found.rollout.valid_time.median >= 100
    assert found.rollout.diverged == 0


@pytest.mark.slow
def test_lorenz_in_128_dimensions_is_exact_but_for_the_noise(tmp_path):
    found = load("champion_2019").main(
        "lorenz", tmp_path / "run", train=128, test=8
    )  # 64 are too few in one draw of three
    assert found["x, in distribution"] < 1e-9
    assert found["x, out of distribution"] < 1e-6
    assert found["valid time, median, in Lyapunov times"] > 6


def test_the_spiral_is_carried_by_two_coordinates(tmp_path):
    found = load("champion_2019").main("spiral", tmp_path / "run", points=32, duration=250.0)
    assert found["x"] < 3e-3  # on a coarse grid and half the time; the full one is measured in the README


def test_the_normal_form_is_recovered_in_the_latent_space_of_the_lift_to_one_percent(tmp_path):
    found = load("lifted_stuart_landau").main(tmp_path / "run")
    exact = {"mu": 1.0, "omega": 1.5, "shear": 0.4, "coefficient of |z|^2 z": 1.0}
    assert found == pytest.approx(exact, rel=0.01)


PLAIN = pytest.param({}, marks=pytest.mark.slow, id="plain")
PARAMETRIC = pytest.param({"latent_dim": 1, "parametric": True}, id="parametric", marks=pytest.mark.slow)


@pytest.mark.parametrize("given", [PLAIN, PARAMETRIC])
def test_burgers_runs_of_unseen_amplitude_and_width_are_predicted(tmp_path, given):
    found = load("he_2023").main(tmp_path / "run", points=101, train=4, test=3, samples=26, **given)
    assert found["worst error, %"] < 1.5


@pytest.mark.slow
def test_a_line_that_says_the_symmetry_makes_models_of_the_same_size_better(tmp_path, capsys):
    before, after = load("symmetry").main(tmp_path, train=6, test=4, terms=60)
    assert after.reconstruction.nmse < 0.1 * before.reconstruction.nmse
    assert "before" in capsys.readouterr().out


def test_a_study_says_how_the_error_falls_with_the_latent_dimension(tmp_path, capsys):
    main = load("a_study").main
    size = {"dims": range(2, 5, 2), "seeds": range(1), "trajectories": 4, "steps": 20, "duration": 20.0}
    medians = main(tmp_path / "study", **size, workers=1, progress=False)
    assert list(medians) == [2, 4]
    assert "2 done" in capsys.readouterr().out
    assert {"study.html", "figure.pdf", "study.json"} <= {path.name for path in (tmp_path / "study").iterdir()}


def test_a_local_model_predicts_a_longer_field_than_it_was_trained_on(tmp_path):
    example = load("local_model")
    short, longer = example.main(out=tmp_path, **example.SMALL[False])
    assert short >= 20
    assert longer >= 15


def test_a_local_model_of_a_square_predicts_a_larger_one(tmp_path):
    example = load("local_model")
    short, larger = example.main(plane=True, out=tmp_path, **example.SMALL[True])
    assert min(short, larger) >= 5
    assert {path.name for path in tmp_path.iterdir()} == {"prediction.png", "results.json"}


@pytest.mark.slow
def test_kolmogorov_flow_is_predicted_from_stored_trajectories_as_from_simulated_ones(tmp_path, capsys):
    example = load("kolmogorov_flow")
    data = tmp_path / "data"
    found = example.main(tmp_path, data=data, **example.SMALL)
    assert example.main(tmp_path, data=data, **example.SMALL) == found  # read from the folder
    assert (tmp_path / "densities.png").stat().st_size > 10_000
    assert "in Lyapunov times" in capsys.readouterr().out
