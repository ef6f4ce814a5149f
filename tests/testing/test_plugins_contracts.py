"""Every plug-in that dynred finds keeps the contract of its kind."""

import pytest
import torch

from dynred import plugins
from dynred.data.cleaning.base import CleaningSpec
from dynred.data.symmetries import Translation
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.base import TransformSpec
from dynred.dynamics.base import DynamicsSpec
from dynred.metrics.base import Metric, Statistic
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.lattice import Lattice
from dynred.numerics.representation import Representation
from dynred.ode.find import find_system
from dynred.reducers.base import ReducerSpec
from dynred.solvers.base import Solver
from dynred.spec import Spec
from dynred.testing import (
    check_cleaning,
    check_dynamics,
    check_metric,
    check_reducer,
    check_solver,
    check_statistic,
    check_system,
    check_transform,
)
from dynred.testing.samples import spirals

FIRST_ORDER = {"backward_euler"}  # solvers that would need very small steps for the usual accuracy
TURNED = LatentSpace(lines=2, representation=Representation(complex_charges=((1,),), orders=(0,)))
PAIR = LatentSpace(lines=2, lattice=Lattice((1,), components=2))  # two components at one point
SPACES = {
    "fourier": LatentSpace(angles=2, lines=0),
    "equivariant": TURNED,
    "local": PAIR,
}  # of dynamics that do not take lines


def travelling_waves():
    """Eight waves on a ring of sixteen points, of different heights, with the translation that turns them."""
    x = 2 * torch.pi / 16 * torch.arange(16, dtype=torch.float64)
    t, start = torch.linspace(0, 1.5, 12, dtype=torch.float64), torch.arange(8, dtype=torch.float64)[:, None, None]
    angle, height = x - t[:, None] - 0.8 * start, 1 + start / 8
    states = height * torch.cos(angle) + height**2 / 5 * torch.cos(2 * angle) + height**3 / 9 * torch.sin(3 * angle)
    velocities = (
        height * torch.sin(angle) + 2 * height**2 / 5 * torch.sin(2 * angle) - height**3 / 3 * torch.cos(3 * angle)
    )
    symmetries = [Translation("x").to_dict()]
    return Trajectories.from_stacked(states, t, velocities, attributes={"symmetries": symmetries})


def swings():
    """Eight swings along a bent line in R^3, with their velocities: of second order."""
    t, height = torch.linspace(0, 3, 25, dtype=torch.float64), torch.linspace(0.6, 1.2, 8, dtype=torch.float64)
    s, v = height[:, None] * torch.cos(t), -height[:, None] * torch.sin(t)
    place, speed, bend = (torch.stack(rows, -1) for rows in ((s, s**2), (v, 2 * s * v), (-s, 2 * v**2 - 2 * s**2)))
    states, velocities = torch.cat([place, speed], -1), torch.cat([speed, bend], -1)
    return Trajectories.from_stacked(states, t, velocities)


STATES = {  # for reducers that not all states suit
    "equivariant": travelling_waves(),
    "local": travelling_waves(),
    "identity": spirals(),
    "second_order": swings(),
}


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
    check_reducer(small(made("dynred.reducers", name, ReducerSpec)), STATES.get(name))


@pytest.mark.parametrize("name", ["autoencoder", "polynomial"])
def test_reducer_that_sees_parameters(name):
    check_reducer(small(made("dynred.reducers", name, ReducerSpec).updated("parametric", True)))


@pytest.mark.parametrize("name", plugins.names("dynred.dynamics"))
def test_dynamics(name):
    check_dynamics(small(made("dynred.dynamics", name, DynamicsSpec)), latent_space=SPACES.get(name))


@pytest.mark.parametrize("name", plugins.names("dynred.data.cleaning"))
def test_cleaning(name):
    needed = {"resampling": {"step": 0.03}}
    check_cleaning(plugins.load_class("dynred.data.cleaning", name, CleaningSpec)(**needed.get(name, {})))


@pytest.mark.parametrize("name", plugins.names("dynred.data.transforms"))
def test_transform(name):
    check_transform(made("dynred.data.transforms", name, TransformSpec))


@pytest.mark.parametrize("metric", plugins.classes("dynred.metrics", Metric))
def test_metric(metric):
    check_metric(metric())


@pytest.mark.parametrize("statistic", plugins.classes("dynred.metrics", Statistic))
def test_statistic(statistic):
    check_statistic(statistic())
