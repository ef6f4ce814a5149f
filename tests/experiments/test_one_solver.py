"""All sets of a system are solved alike, however few trajectories one has."""

from dynred.experiments.data_spec import DataSpec
from dynred.experiments.open_source import open_source
from dynred.runtime import Runtime


def test_the_test_is_solved_by_the_solver_of_training():
    data = DataSpec(train=5, validation=2, test=2, duration=1.0, horizon=1.0, transient=0.0)
    parts = open_source("lorenz63", {}).parts(data, 0, Runtime())
    solvers = [part.attributes["solver"] for part in (parts.train, parts.validation, parts.test)]
    assert solvers == 3 * [parts.train.attributes["solver"]]
    assert solvers[0]["kind"] == "explicit"
