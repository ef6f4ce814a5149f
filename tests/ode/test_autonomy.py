"""A right-hand side that depends on time is told."""

import math

import numpy as np
import pytest
import torch

from dynred import plugins
from dynred.data.trajectories import Trajectories
from dynred.experiments.origin import data_notes
from dynred.ode.autonomy import time_words
from dynred.ode.find import PACKAGE, find_system
from dynred.ode.observe import observe
from dynred.ode.semilinear import Semilinear
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.simulate import simulate, simulate_to


@pytest.mark.parametrize("name", plugins.names(PACKAGE))
def test_the_systems_of_the_catalogue_are_autonomous(name):
    assert find_system(name).time_dependence == 0


def torch_forcing(t, x):
    return 0.01 * torch.cos(t)[..., None] - x


def numpy_forcing(t, x):
    return np.array([-x[0], 0.01 * math.sin(2 * math.pi * t) - x[1]])


def weak(t, x):
    return -x * (1 + 1e-6 * torch.as_tensor(t)[..., None])


def late(t, x):
    return -x + (1.0 if t > 45 else 0.0)


@pytest.mark.parametrize("rhs", [torch_forcing, numpy_forcing, weak, late], ids=lambda rhs: rhs.__name__)
@pytest.mark.parametrize("unit", [1.0, 1e-12, 1e12])
def test_forcing_is_seen_in_any_form_and_units(rhs, unit):
    def scaled(t, x):
        return unit * rhs(t, x / unit)

    system = System("forced", 2, scaled, lambda n, rng: unit * torch.rand(n, 2, generator=rng).double())
    assert 1e-8 < system.time_dependence <= 2
    assert observe(system, lambda x: x[..., :1]).time_dependence == system.time_dependence


@pytest.mark.parametrize("duration", [1e-6, 0.7, 10 * math.pi, 50.0, 1e5])
def test_a_periodic_forcing_is_seen_whatever_its_period_in_the_duration(duration):
    for periods in (1, 2, 3, 5, 10, 50, 1000):

        def forced(t, x, frequency=2 * math.pi * periods / duration):
            return torch.sin(frequency * t)[..., None] - x

        assert System("forced", 2, forced, duration=duration).time_dependence > 0.01


def test_a_semilinear_system_is_looked_at_too():
    split = Semilinear(
        lambda x: x, lambda v: v, lambda: -torch.ones(2).double(), lambda t, v: t[..., None] + 0 * v, 0.1
    )
    assert System("forced", 2, semilinear=split).time_dependence > 0.5


def test_a_velocity_that_is_not_defined_everywhere_is_no_reason_to_fail():
    def only_late(t, x):
        return torch.where(torch.as_tensor(t)[..., None] > 0.2, -x, torch.nan)

    def fails_late(t, x):
        if float(torch.as_tensor(t).max()) > 20:
            raise ValueError("the table of inputs ends at 20")
        return -x

    def nowhere(t, x):
        return x * torch.nan if float(x.abs().max()) > 1e3 else -x

    assert System("late", 2, only_late).time_dependence == 1
    assert System("short", 2, fails_late).time_dependence == 0
    assert System("ok", 2, nowhere).time_dependence == 0
    assert System("rest", 2, lambda t, x: 0 * x).time_dependence == 0


def test_trajectories_and_models_say_so_in_one_sentence(tmp_path):
    system = System("forced", 2, torch_forcing)
    times = torch.linspace(0, 1, 5, dtype=torch.float64)
    truth = simulate(system, 2, times, rng=generator(0))
    stored = simulate_to(tmp_path / "a.zarr", system, 2, times, rng=generator(0))
    for attributes in (truth.attributes, stored.attributes, truth.split(0.5, 0.5, rng=generator(0))[0].attributes):
        assert attributes["time_dependent"] == system.time_dependence
        assert "with period 6.28319: the cosine and sine of its phase are inputs of the model" in time_words(attributes)
    (line,) = [line for line in data_notes(truth.attributes) if "depends on time" in line]
    assert line.startswith("The right-hand side depends on time (by up to ")
    assert line.endswith(".")


def test_of_autonomous_systems_and_of_data_nothing_is_said():
    truth = simulate(find_system("lorenz63"), 1, [0.0, 0.1], rng=generator(0), transient=0.0)
    assert "time_dependent" not in truth.attributes
    assert time_words(truth.attributes) is None
    assert time_words(Trajectories(torch.zeros(1, 1), torch.zeros(1), torch.ones(1).long()).attributes) is None
