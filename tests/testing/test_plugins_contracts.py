"""Every plug-in that dynred finds keeps the contract of its kind."""

import pytest

from dynred import plugins
from dynred.data.transforms.base import TransformSpec
from dynred.dynamics.base import DynamicsSpec
from dynred.metrics.base import Metric, Statistic
from dynred.numerics.latent_space import LatentSpace
from dynred.ode.find import find_system
from dynred.reducers.base import ReducerSpec
from dynred.solvers.base import Solver
from dynred.spec import Spec
from dynred.testing import (
    check_dynamics,
    check_metric,
    check_reducer,
    check_solver,
    check_statistic,
    check_system,
    check_transform,
)

FIRST_ORDER = {"backward_euler"}  # solvers that would need very small steps for the usual accuracy
SPACES = {"fourier": LatentSpace(angles=2, lines=0)}  # of dynamics that do not take lines


def small(spec):
    """The spec, with every training that it holds cut down to thirty steps, and every ensemble to two members."""
    for name, value in vars(spec).items():
        if isinstance(value, Spec):
            spec = spec.updated(name, small(value))
    for name, few in (("steps", 30), ("members", 2)):
        spec = spec.updated(name, few) if name in vars(spec) else spec
    return spec


def made(package, name, base):
    return plugins.load_class(package, name, base)()


@pytest.mark.parametrize("name", plugins.names("dynred.systems"))
def test_system(name):
    check_system(find_system(name))


@pytest.mark.parametrize("name", plugins.names("dynred.solvers"))
def test_solver(name):
    solver = made("dynred.solvers", name, Solver)
    if name in FIRST_ORDER:
        check_solver(solver.updated("step", 0.02), accuracy=0.02)
    else:
        check_solver(solver)


@pytest.mark.parametrize("name", plugins.names("dynred.reducers"))
def test_reducer(name):
    check_reducer(small(made("dynred.reducers", name, ReducerSpec)))


@pytest.mark.parametrize("name", ["autoencoder", "polynomial"])
def test_reducer_that_sees_parameters(name):
    check_reducer(small(made("dynred.reducers", name, ReducerSpec).updated("parametric", True)))


@pytest.mark.parametrize("name", plugins.names("dynred.dynamics"))
def test_dynamics(name):
    check_dynamics(small(made("dynred.dynamics", name, DynamicsSpec)), latent_space=SPACES.get(name))


@pytest.mark.parametrize("name", plugins.names("dynred.data.transforms"))
def test_transform(name):
    check_transform(made("dynred.data.transforms", name, TransformSpec))


@pytest.mark.parametrize("metric", plugins.classes("dynred.metrics", Metric))
def test_metric(metric):
    check_metric(metric())


@pytest.mark.parametrize("statistic", plugins.classes("dynred.metrics", Statistic))
def test_statistic(statistic):
    check_statistic(statistic())
