"""Few words become the settings of an experiment, the same from Python as from the command line."""

import pytest

from dynred.cli.reduce import reduce as command
from dynred.dynamics.fourier import FourierSpec
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import InputError
from dynred.experiments.choose_experiment import choose_experiment
from dynred.experiments.spec import ExperimentSpec
from dynred.numerics.latent_space import LatentSpace
from dynred.reducers.pod import PODSpec


def test_the_defaults_are_those_of_the_settings():
    assert choose_experiment("lorenz63", 2) == ExperimentSpec("lorenz63", 2)


@pytest.mark.parametrize(
    ("words", "space", "dynamics"),
    [
        ({"latent_dim": 2}, LatentSpace(lines=2), NeuralODESpec),
        ({"angles": 1}, LatentSpace(angles=1, lines=0), FourierSpec),
        ({"latent_dim": 2, "angles": 1}, LatentSpace(angles=1, lines=1), NeuralODESpec),
        ({"angles": 1, "dynamics": "neural_ode"}, LatentSpace(angles=1, lines=0), NeuralODESpec),
    ],
)
def test_angles_alone_move_by_a_fourier_series_unless_told_otherwise(words, space, dynamics):
    spec = choose_experiment("torus_flow", **words)
    assert spec.reducer.latent_space == space
    assert isinstance(spec.dynamics, dynamics)


def test_names_of_plug_ins_and_further_settings_are_taken():
    changes = {"data.train": 3, "latent_dim": 1}
    spec = choose_experiment("lorenz63", 2, reducer="pod", dynamics="linear", charts=2, seed=4, changes=changes)
    assert (spec.reducer, spec.dynamics) == (PODSpec(1), LinearSpec())
    assert (spec.partition.charts, spec.seed, spec.data.train) == (2, 4, 3)


def test_a_latent_space_must_be_told_somehow():
    with pytest.raises(InputError, match=r"latent_dim \(--latent-dim\) must be a number of coordinates, got none"):
        choose_experiment("lorenz63")


def test_the_command_runs_what_python_chooses_into_the_folder_that_python_takes(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("dynred.experiments.run.run", lambda spec, out, **options: asked.append((spec, out)) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command("lorenz63", latent_dim=1, reducer="pod", set_=["data.train=4"])
    spec = choose_experiment("lorenz63", 1, reducer="pod", changes={"data.train": 4})
    assert asked == [(spec, spec.default_out)]
