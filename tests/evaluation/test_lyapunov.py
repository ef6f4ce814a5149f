import dataclasses

import pytest
import torch

from dynred.dynamics.linear import LinearSpec
from dynred.errors import DivergenceError, InputError
from dynred.evaluation.lyapunov import kaplan_yorke_dimension, lyapunov_spectrum
from dynred.models.reduced import ReducedModel
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.etdrk4 import ETDRK4
from dynred.solvers.explicit import Explicit

FAST = Explicit(method="rk4", step=0.02)


def linear_system(matrix, **others):
    matrix = torch.tensor(matrix, dtype=torch.float64)
    return System("linear", len(matrix), lambda t, x: x @ matrix.T, time_scale=1.0, **others)


def test_a_linear_system_has_its_eigenvalues():
    system = linear_system([[-0.1, 1.0, 0.3], [0.0, -0.5, 0.2], [0.0, 0.0, -2.0]])
    found = lyapunov_spectrum(system, rng=generator(0), n=2, duration=60.0, interval=1.0, solver=FAST)
    assert torch.allclose(found.exponents, torch.tensor([-0.1, -0.5, -2.0]).double(), atol=0.03)
    assert found.kaplan_yorke_dimension == 0.0


def test_exponents_of_directions_along_which_growth_is_bounded_are_zero():
    # Two phases of uneven speed. Growth over time alone would give ln(3) / 60 = .018, one above and one below zero.
    system = System("phases", 2, lambda t, x: 2 + torch.sin(x), time_scale=1.0)
    initial = 6.3 * torch.rand(4, 2, generator=generator(1), dtype=torch.float64)
    found = lyapunov_spectrum(system, rng=generator(0), initial=initial, duration=60.0, interval=0.3, solver=FAST)
    assert float(found.exponents.abs().max()) < 1.5e-3


@pytest.mark.slow
def test_a_limit_cycle_has_one_zero_and_its_radial_rate():
    system = find_system("stuart_landau")
    found = lyapunov_spectrum(system, rng=generator(0), n=2, duration=20.0, interval=0.5, solver=FAST)
    assert torch.allclose(found.exponents, torch.tensor([0.0, -2.0]).double(), atol=1e-3)


@pytest.mark.slow
def test_the_exponents_of_lorenz_sum_to_its_divergence_exactly():
    found = lyapunov_spectrum(
        find_system("lorenz63"),
        rng=generator(0),
        n=16,
        duration=15.0,
        interval=0.2,
        solver=Explicit(method="rk4", step=0.01),
    )
    assert float(found.exponents.sum()) == pytest.approx(-41 / 3, abs=1e-3)
    assert float(found.exponents[0]) == pytest.approx(0.906, abs=0.08)
    assert abs(float(found.exponents[1])) < 0.05


def test_two_routes_agree_the_scheme_differentiated_and_the_extended_equation():
    system = find_system("kuramoto_sivashinsky", points=32)
    x = simulate(system, 2, torch.zeros(1), rng=generator(0), transient=50.0).states
    frame = torch.linalg.qr(torch.randn(2, 32, 3, generator=generator(1), dtype=torch.float64))[0].transpose(1, 2)
    a = ETDRK4(step=0.01).flow_with_tangents(system.at(), x, frame, 0.3)
    b = Explicit(rtol=1e-9, atol=1e-9).flow_with_tangents(system.at(), x, frame, 0.3)
    assert torch.allclose(a[0], b[0], atol=1e-6)
    assert torch.allclose(a[1], b[1], atol=1e-6)


def test_a_reduced_vector_field_is_taken_as_well():
    system = linear_system([[-0.1, 1.0], [-1.0, -0.1]])
    data = simulate(system, 4, torch.linspace(0, 3, 31), rng=generator(0))
    reduced = LinearSpec().fit(data, data, rng=generator(0))
    found = lyapunov_spectrum(reduced, rng=generator(0), initial=data.initial, duration=20.0, interval=1.0)
    assert torch.allclose(found.exponents, torch.tensor([-0.1, -0.1]).double(), atol=1e-2)


def linear_model(matrix, **about):
    system = linear_system(matrix)
    data = simulate(system, 6, torch.linspace(0, 3, 31), rng=generator(0))
    reducer = PODSpec(2).fit(data, data, rng=generator(0))
    latents = data.map(reducer.encode)
    return ReducedModel(reducer, LinearSpec().fit(latents, latents, rng=generator(0)), about), data


PLANE = [[-0.1, 1.0, 0.0], [-1.0, -0.1, 0.0], [0.0, 0.0, -30.0]]


def test_a_reduced_model_is_followed_in_its_latents_and_with_its_time_scale():
    model, data = linear_model(PLANE, time_scale=2.0)
    start = data.states[data.starts + 20]
    settings = {"rng": generator(0), "duration": 0.5}  # ten orthogonalisations, at least
    a, b = (lyapunov_spectrum(model, initial=x, **settings) for x in (start, model.encode(start)))
    assert a.time == pytest.approx(6 * 10 * 0.1 * 2.0)
    assert torch.allclose(a.exponents, torch.tensor([-0.1, -0.1]).double(), atol=2e-2)
    assert torch.allclose(a.exponents, b.exponents, atol=1e-2)
    with pytest.raises(InputError, match="latents of 2 or states of 3 values, got shape"):
        lyapunov_spectrum(model, rng=generator(0), initial=torch.zeros(2, 5))


def test_a_model_of_a_system_in_the_catalogue_finds_its_own_initial_states():
    model, _ = linear_model(PLANE, system="no_such_system")
    with pytest.raises(InputError, match="initial must be states on K, got None. The catalogue has no system"):
        lyapunov_spectrum(model, rng=generator(0))
    known, _ = linear_model(PLANE, system="mean_field_wake", time_scale=5.0)
    found = lyapunov_spectrum(known, rng=generator(0), n=3, duration=5.0)
    assert torch.allclose(found.exponents, torch.tensor([-0.1, -0.1]).double(), atol=5e-2)


@pytest.mark.parametrize(
    ("exponents", "dimension"),
    [([0.906, 0.0, -14.572], 2 + 0.906 / 14.572), ([-1.0, -2.0], 0.0), ([1.0, 0.5], None), ([0.0, -2.0], 1.0)],
)
def test_kaplan_yorke_dimension_of_known_spectra(exponents, dimension):
    found = kaplan_yorke_dimension(torch.tensor(exponents, dtype=torch.float64))
    assert found == (None if dimension is None else pytest.approx(dimension))


def test_bad_arguments_are_named():
    system = find_system("lorenz63")
    with pytest.raises(InputError, match=r"k must be an integer in \[1, 3\], got 4"):
        lyapunov_spectrum(system, 4, rng=generator(0))
    with pytest.raises(InputError, match="interval must be a finite number > 0"):
        lyapunov_spectrum(system, rng=generator(0), interval=-1.0)
    with pytest.raises(InputError, match="no System must be given with initial, interval and duration, got no"):
        lyapunov_spectrum(system.at(), rng=generator(0))
    in_numpy = System("numpy", 2, lambda t, x: [x[1], -x[0]])
    with pytest.raises(InputError, match="must be differentiable by torch, got one in NumPy"):
        lyapunov_spectrum(in_numpy, rng=generator(0), duration=1.0)


def test_a_diverging_trajectory_is_named():
    system = dataclasses.replace(linear_system([[30.0]]), rhs=lambda t, x: x * x)
    start = torch.ones(2, 1, dtype=torch.float64)
    with pytest.raises(DivergenceError, match="Trajectory 0 diverged after t = 0"):
        lyapunov_spectrum(system, rng=generator(0), initial=start, duration=3.0, interval=0.5)


@pytest.mark.slow
def test_kuramoto_sivashinsky_has_its_eight_leading_exponents_and_no_spurious_zero():
    found = lyapunov_spectrum(
        find_system("kuramoto_sivashinsky"), 11, rng=generator(0), n=16, duration=3000.0, interval=1.0
    )
    known = torch.tensor([0.0454, 0.0009, 0, -0.0007, -0.190, -0.257, -0.291, -0.311, -1.962, -1.967, -5.605]).double()
    assert torch.allclose(found.exponents, known, atol=6e-3)
    assert found.kaplan_yorke_dimension == pytest.approx(4.24, abs=0.06)


@pytest.mark.slow
def test_lorenz_has_its_known_exponents():
    found = lyapunov_spectrum(
        find_system("lorenz63"), rng=generator(0), n=32, duration=300.0, interval=0.5, solver=FAST
    )
    assert torch.allclose(found.exponents, torch.tensor([0.906, 0.0, -14.572]).double(), atol=5e-3)
    assert found.kaplan_yorke_dimension == pytest.approx(2.062, abs=2e-3)


@pytest.mark.slow
def test_roessler_has_its_known_exponents():
    # REFERENCE: .071, 0, -5.394, slow to converge. Contraction is fast in bursts, so that steps must be short.
    found = lyapunov_spectrum(
        find_system("rossler"),
        rng=generator(0),
        n=256,
        duration=150.0,
        interval=0.5,
        solver=Explicit("rk4", step=0.025),
    )
    assert torch.allclose(found.exponents, torch.tensor([0.071, 0.0, -5.394]).double(), atol=6e-3)
    assert found.kaplan_yorke_dimension == pytest.approx(2.013, abs=2e-3)


@pytest.mark.slow
def test_lorenz_96_has_its_known_spectrum():
    # REFERENCE: the first is 1.67-1.70, 13 are positive, D_KY 27.16, and the sum is -40 exactly. Three streams gave
    # 27.03, 27.10 and 27.08 here.
    found = lyapunov_spectrum(
        find_system("lorenz96"),
        40,
        rng=generator(0),
        n=32,
        duration=200.0,
        interval=0.2,
        solver=Explicit("rk4", step=0.04),
    )
    assert 1.66 < float(found.exponents[0]) < 1.72
    assert int((found.exponents > 0.01).sum()) == 13
    assert found.kaplan_yorke_dimension == pytest.approx(27.16, abs=0.15)
    assert float(found.exponents.sum()) == pytest.approx(-40.0, abs=1e-3)
