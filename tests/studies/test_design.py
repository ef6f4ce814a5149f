import numpy as np
import pytest

from dynred.dynamics.linear import LinearSpec
from dynred.errors import InputError
from dynred.experiments.spec import ExperimentSpec
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.runtime import Runtime
from dynred.studies.design import Design
from dynred.studies.grid import grid, sample

BASE = ExperimentSpec("lorenz63", 2)


def test_a_grid_has_every_combination_and_the_last_axis_moves_fastest():
    design = grid(BASE, {"latent_dim": range(1, 3), "seed": np.arange(3)})
    assert [(spec.latent_dim, spec.seed) for spec in design] == [(d, s) for d in (1, 2) for s in (0, 1, 2)]
    assert design.axes == ("latent_dim", "seed")
    assert all(spec.reducer.latent_dim == spec.latent_dim for spec in design)


def test_groups_may_be_given_by_name_and_settings_within_them_come_after_them_in_any_order():
    design = grid(
        BASE, {"reducer.width": [16, 32], "latent_dim": [1], "reducer": ["autoencoder"], "dynamics": [LinearSpec()]}
    )
    assert [spec.reducer for spec in design] == [AutoencoderSpec(1, width=16), AutoencoderSpec(1, width=32)]
    assert [point["dynamics"] for point in design.points] == ["linear", "linear"]


def test_parameters_and_structural_choices_are_axes():
    design = grid(BASE, {"parameters.rho": [20.0, 28.0], "arguments.size": [1, 2]})
    assert [dict(spec.parameters) for spec in design] == [{"rho": 20.0}] * 2 + [{"rho": 28.0}] * 2
    assert design[1].arguments == {"size": 2}
    assert ExperimentSpec("lorenz63", 2, parameters={"rho": 20.0}).open().system.parameters["rho"] == 20.0


def test_the_same_settings_are_one_run():
    assert len(grid(BASE, {"seed": [0, 0, 1]})) == 2


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"latnt_dim": [1]}, r"row 1 of the study \(latnt_dim=1\): .*Did you mean latent_dim\?"),
        ({"reducer.widht": [1], "reducer": ["autoencoder"]}, r"row 1 .*Did you mean width\?"),
        ({"seed": [0, -1]}, r"row 2 of the study \(seed=-1\): seed must be an integer >= 0, got -1"),
        ({"reducer": ["polynomal"]}, r"row 1 .*Did you mean polynomial\?"),
        ({"seed": "012"}, "the values of seed must be a list or a range, got '012'"),
        ({"seed": []}, "the values of seed must be at least one, got none"),
        ({}, "axes must be at least one setting with its values, got none"),
        (
            {"seed": range(1000), "data.train": range(1, 1000)},
            "axes must be of at most 100000 combinations, got 999000",
        ),
    ],
)
def test_what_is_wrong_with_a_grid_is_told_in_a_sentence(axes, message):
    with pytest.raises(InputError, match=message):
        grid(BASE, axes)


@pytest.mark.parametrize("method", ["sobol", "latin_hypercube"])
def test_a_sample_lies_between_its_bounds_evenly_and_its_seed_decides_it(method):
    ranges = {"threshold": (0.1, 10.0, "log"), "data.train": (5, 8), "dynamics": ["linear", "polynomial"]}
    design = sample(BASE, ranges, 64, method=method, seed=3)
    assert len(design) == 64
    thresholds = np.array([spec.threshold for spec in design])
    assert thresholds.min() >= 0.1
    assert thresholds.max() <= 10.0
    assert abs((thresholds < 1.0).mean() - 0.5) < 0.05
    assert {spec.data.train for spec in design} == {5, 6, 7, 8}
    assert {point["dynamics"] for point in design.points} == {"linear", "polynomial"}
    assert sample(BASE, ranges, 64, method=method, seed=3) == design
    assert sample(BASE, ranges, 64, method=method, seed=4) != design


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"threshold": (2.0, 1.0)}, "the range of threshold must be bounds with low < high"),
        ({"threshold": (0.0, 1.0, "log")}, "the range of threshold must be bounds with 0 < low < high"),
        ({"threshold": "ab"}, "the range of threshold must be"),
        ({"tresh": (1, 2)}, "row 1 .*Did you mean threshold"),
    ],
)
def test_what_is_wrong_with_a_sample_is_told_in_a_sentence(ranges, message):
    with pytest.raises(InputError, match=message):
        sample(BASE, ranges, 4)


def test_any_experiments_are_a_design_whose_axes_are_where_they_differ():
    specs = [*grid(BASE, {"latent_dim": [1, 2], "reducer": ["pod", "autoencoder"]})]
    assert Design.of(specs).axes == ("latent_dim", "reducer")
    widths = [*grid(BASE, {"reducer": ["autoencoder"], "reducer.width": [16, 32]}), specs[0]]
    assert Design.of(widths).axes == ("latent_dim", "reducer", "reducer.width")
    assert Design.of(widths).points[1] == {"latent_dim": 2, "reducer": "autoencoder", "reducer.width": 32}


def test_the_seed_of_the_data_is_its_own_where_it_is_set():
    alone = BASE.open_source()
    data = (
        BASE.updated("data.train", 2)
        .updated("data.duration", 0.2)
        .updated("data.transient", 0.0)
        .updated("data.validation", 1)
        .updated("data.test", 1)
        .data
    )
    first = alone.parts(data, 0, Runtime()).train.states
    fixed = alone.parts(data.updated("seed", 0), 5, Runtime()).train.states
    assert fixed.equal(first)
    assert not alone.parts(data, 5, Runtime()).train.states.equal(first)
