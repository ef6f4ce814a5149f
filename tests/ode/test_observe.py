"""Systems seen through a map: `observe`."""

import dataclasses
import math

import pytest
import torch

from dynred.data.grid import Axis, Grid
from dynred.dynamics.linear import LinearSpec
from dynred.errors import InputError
from dynred.evaluation.lyapunov import lyapunov_spectrum
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.pipeline import reduce
from dynred.ode.catalogue import solver_kind
from dynred.ode.find import find_system
from dynred.ode.known_set import KnownSet
from dynred.ode.observe import observe
from dynred.ode.system import Observation, System
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.explicit import Explicit
from dynred.testing import check_system

TIMES = torch.linspace(0, 2, 41, dtype=torch.float64)
MATRIX = torch.randn(5, 2, generator=generator(0, "matrix"), dtype=torch.float64)


def linear(x):
    return x @ MATRIX.T.to(x)


def bent(x):
    return torch.cat([torch.sin(x), x.prod(-1, keepdim=True), torch.exp(0.1 * x)], -1)


@pytest.fixture
def cycle():
    return find_system("stuart_landau")


def test_a_linear_map_gives_the_mapped_states_and_the_mapped_velocities(cycle):
    plain = simulate(cycle, 3, TIMES, rng=generator(0))
    seen = simulate(observe(cycle, linear), 3, TIMES, rng=generator(0))
    assert seen.dim == 5
    assert torch.allclose(seen.states, plain.states @ MATRIX.T, rtol=1e-14, atol=1e-14)
    assert torch.allclose(seen.velocities, plain.velocities @ MATRIX.T, rtol=1e-12, atol=1e-12)
    assert seen.attributes["system"] == "observed_stuart_landau"
    assert torch.equal(seen.parameters["mu"], plain.parameters["mu"])


def test_velocities_seen_through_a_nonlinear_map_are_the_derivatives_of_what_is_seen(cycle):
    h = 1e-3
    times = torch.arange(5, dtype=torch.float64) * h
    found = simulate(observe(cycle, bent), 4, times, rng=generator(0), solver=Explicit(rtol=1e-12, atol=1e-12))
    y, v = found.stacked(), found.velocities.reshape(4, 5, -1)
    slope = (y[:, 0] - 8 * y[:, 1] + 8 * y[:, 3] - y[:, 4]) / (12 * h)  # of fourth order
    assert torch.allclose(v[:, 2], slope, atol=1e-8)


def test_parameters_per_trajectory_and_initial_states_are_those_of_the_ode(cycle):
    seen = observe(cycle, linear)
    mu, x0 = torch.tensor([0.5, 2.0]), torch.tensor([[0.3, 0.0], [0.0, 0.2]], dtype=torch.float64)
    a = simulate(seen, times=TIMES, initial=x0, parameters={"mu": mu}, rng=generator(0))
    b = simulate(cycle, times=TIMES, initial=x0, parameters={"mu": mu}, rng=generator(0))
    assert torch.allclose(a.states, linear(b.states), rtol=1e-14, atol=1e-14)
    with pytest.raises(InputError, match=r"initial must be of shape \[2, 2\], got \[2, 5\]. Start from states of the"):
        simulate(seen, times=TIMES, initial=a.initial, rng=generator(0))
    changed = dataclasses.replace(seen, parameters={**seen.parameters, "mu": 2.0})
    assert torch.equal(changed.at().parameters["mu"], torch.tensor(2.0).double())


def test_an_observed_system_is_the_same_ode_for_solvers_and_exponents():
    system = find_system("kuramoto_sivashinsky", points=32)
    seen = observe(system, lambda u: torch.tanh(u[..., ::2]))
    assert seen.underlying is system
    assert seen.dim == 16
    assert solver_kind(seen) == "exponential_adams"
    assert simulate(seen, 2, TIMES, rng=generator(0)).attributes["solver"]["kind"].endswith("exponential_adams")
    settings = {"n": 2, "duration": 8.0, "interval": 1.0, "k": 2}
    exponents = [lyapunov_spectrum(s, rng=generator(0), **settings).exponents for s in (system, seen)]
    assert torch.equal(*exponents)


def test_observing_twice_composes_the_maps(cycle):
    twice = observe(observe(cycle, linear), bent)
    assert twice.underlying is cycle
    x = cycle.initial(3, generator(0))
    assert torch.equal(twice.observation.map(x), bent(linear(x)))
    assert twice.dim == 11


def test_what_is_known_of_the_set_is_pushed_forward(cycle):
    assert observe(cycle, bent).known.dimension is None
    seen = observe(cycle, linear, embeds=True)
    assert (seen.known.dimension, seen.known.betti, seen.known.components) == (1, (1, 1), 1)
    assert (seen.known.reach, seen.known.distance) == (None, None)
    points = seen.known.sample(10, generator(0))
    assert torch.equal(points, linear(cycle.known.sample(10, generator(0))))
    assert observe(cycle, bent, known=KnownSet(dimension=1)).known == KnownSet(dimension=1)


def test_an_observed_system_passes_the_contract_of_systems(cycle):
    check_system(observe(cycle, bent))
    broken = dataclasses.replace(observe(cycle, linear), observation=Observation(cycle, lambda x: linear(x).detach()))
    with pytest.raises(AssertionError, match="map's derivative must agree"):
        check_system(broken)


def test_a_reduction_of_what_is_seen_compares_its_speed_with_the_ode(cycle):
    axis = Axis("pixel", torch.arange(5, dtype=torch.float64))
    seen = observe(cycle, linear, name="watched", grid=Grid((axis,), ("brightness",)))
    data = DataSpec(train=6, validation=2, test=2, duration=3.0, sampling=0.1)
    made = reduce(seen, 2, data=data, reducer=PODSpec(2), dynamics=LinearSpec())
    assert (made.evaluation.state_dim, made.evaluation.system) == (5, "watched")
    assert made.evaluation.reconstruction.nmse < 1e-20  # a plane, linearly embedded
    assert made.evaluation.speedup.full_s_per_time_unit > 0


def test_maps_that_break_the_contract_are_refused(cycle):
    def changing(x):
        x += 1
        return x

    refusals = [
        (
            lambda x: x.numpy().tolist(),
            r"function from states \[..., 2\] to tensors \[..., O\], got list",
        ),
        (lambda x: x.sum(), r"to tensors \[..., O\], got shape \[\]"),
        (
            lambda x: x @ torch.ones(3, 2).double(),
            "map failed: .*Write it in torch, acting along the last axis of states",
        ),
        (lambda x: x.float(), "of dtype torch.float64, like x, got torch.float32"),
        (lambda x: x / 0, "finite and of dtype"),
        (lambda x: x - x.reshape(-1, 2).mean(0), "the same for a state alone as among others"),
        (lambda x: x.detach() ** 2, "differentiable by torch"),
        (changing, "leaves its input alone"),
    ]
    for map, message in refusals:
        with pytest.raises(InputError, match=message):
            observe(cycle, map)


def test_an_observed_system_has_no_equation_of_its_own(cycle):
    seen = observe(cycle, linear)
    with pytest.raises(InputError, match="rhs must be None for an observed system"):
        dataclasses.replace(seen, rhs=lambda t, x: x)
    with pytest.raises(InputError, match="an ODE that is itself unobserved"):
        System("nested", 5, observation=Observation(seen, linear))


def test_a_harmonic_oscillator_seen_as_an_angle_has_a_constant_velocity():
    oscillator = System("oscillator", 2, lambda t, x: torch.stack([x[..., 1], -x[..., 0]], -1), transient=0.0)
    seen = observe(oscillator, lambda x: torch.atan2(x[..., 1:], x[..., :1]))
    found = simulate(seen, 5, torch.linspace(0, 2 * math.pi, 33, dtype=torch.float64), rng=generator(0))
    assert torch.allclose(found.velocities, torch.tensor(-1.0).double(), atol=1e-9)
