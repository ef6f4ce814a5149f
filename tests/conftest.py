"""Small material that several tests share."""

import functools
import gc
import importlib
import sys

import pytest
import shapes  # noqa: F401 # before dynred, whose functions it has checked
import torch
from extras import lacks_extra

from dynred import systems, user_code
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import MissingExtraError
from dynred.experiments import system_source
from dynred.experiments.data_spec import DataSpec
from dynred.ode.find import find_system
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.report import page
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

user_code.LIBRARIES |= {"shapes"}  # its lines are none of a user's


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory):
    """A state folder of the tests' own: what they run is not remembered as the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def drawing():
    """Reports without figures: drawing takes longer than a small run. What draws them is given back."""
    with pytest.MonkeyPatch.context() as patch:
        draw = page.pictures
        patch.setattr(page, "pictures", lambda figures, subject: [])
        yield draw


@pytest.fixture(scope="module")
def figures(drawing):
    """Reports with figures, for modules that look at them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "pictures", drawing)
        yield


TRUTHS = {}


@pytest.fixture(scope="module")
def truths_once():
    """Runs of two small systems are simulated once in a process: for modules whose claims are about what follows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system_source, "simulate", functools.partial(remembered, system_source.simulate))
        yield


def remembered(simulate, system, n, times, *, rng, solver, transient, progress):
    if system.name not in ("stuart_landau", "lorenz63") or system.observation is not None:
        return simulate(system, n, times, rng=rng, solver=solver, transient=transient, progress=progress)
    asked = (system.name, *system.parameters.items(), n, *times.tolist(), repr(solver), transient)
    key = (asked, rng.get_state().numpy().tobytes())
    if key not in TRUTHS:
        TRUTHS[key] = simulate(system, n, times, rng=rng, solver=solver, transient=transient, progress=progress)
    return TRUTHS[key]


@pytest.fixture(scope="session")
def circle():
    """Stuart-Landau trajectories on its limit cycle: 12 of 41 snapshots in the plane, with exact velocities."""
    system = find_system("stuart_landau")
    return simulate(system, 12, torch.linspace(0, 6.28, 41, dtype=torch.float64), rng=generator(0, "circle"))


@pytest.fixture(scope="session")
def lifted():
    """The same cycle, bent into 12 dimensions by the graph lift."""
    system = find_system("graph_lift", dim=12)
    return simulate(system, 12, torch.linspace(0, 6.28, 41, dtype=torch.float64), rng=generator(0, "lifted"))


@pytest.fixture
def small_data():
    """Few and short trajectories."""
    return DataSpec(train=8, validation=2, test=4, duration=6.0, sampling=0.2, transient=4.0)


@pytest.fixture
def small_reducer():
    """An autoencoder that trains in a second."""
    return AutoencoderSpec(2, width=16, training=TrainingSpec(steps=60, batch_size=64, validations=3))


@pytest.fixture
def small_dynamics():
    """A neural ODE that trains in a second."""
    return NeuralODESpec(width=16, depth=2, training=TrainingSpec(steps=60, batch_size=64, validations=3))


def pytest_collection_finish(session):
    """What is loaded by now stays: collections of garbage, a twentieth of all time, need not look at it again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A test of something that needs an extra is skipped where the extra is not installed."""
    return (yield from skipped_without_extras())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """So is one whose material needs it."""
    return (yield from skipped_without_extras())


def skipped_without_extras():
    try:
        return (yield)
    except ImportError as error:
        if isinstance(error, MissingExtraError) or lacks_extra(error):
            pytest.skip(str(error))
        raise


def pytest_addoption(parser):
    text = "share of the full campaign of faults that is tried, e.g. 1; default: as much as takes less than a minute"
    parser.addoption("--faults", type=float, default=None, help=text)


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    """A folder whose files are of the catalogue too."""
    monkeypatch.setattr(systems, "__path__", [*systems.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield tmp_path
    for file in tmp_path.glob("*.py"):
        if sys.modules.pop(f"dynred.systems.{file.stem}", None):
            delattr(systems, file.stem)
