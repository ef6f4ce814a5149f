"""Every system of the catalogue in other units of its states gives the same result in those units."""

import dataclasses

import pytest
import torch

from dynred import plugins
from dynred.ode.find import PACKAGE, find_system
from dynred.ode.semilinear import Semilinear
from dynred.rng import generator
from dynred.simulation.simulate import simulate

SCALES = [1e-12, 1e-6, 1e6, 1e12]
SMALL = {"kuramoto_network": {"oscillators": 20}, "burgers_inviscid": {"points": 101}}
TOLERANCE = 1e-10  # relative to the largest state


def scaled(system, s):
    """y = s x obeys y' = s f(t, y / s)."""
    split = system.semilinear

    def rhs(t, y, **parameters):
        return s * system.rhs(t, y / s, **parameters)

    def nonlinear(t, v, **parameters):
        return s * split.nonlinear(t, v / s, **parameters)

    def sample_initial(n, rng, **parameters):
        return s * system.initial(n, rng, parameters)

    return dataclasses.replace(
        system,
        rhs=None if system.rhs is None else rhs,
        semilinear=split and Semilinear(split.to_modes, split.from_modes, split.linear, nonlinear, step=split.step),
        sample_initial=sample_initial,
        jacobian_sparsity=None if system.jacobian_pattern is None else system.jacobian_pattern.entries,
    )


def errors(name, spans):
    """The relative error of the simulation at every scale after some time scales, and all solvers that were chosen."""
    system = find_system(name, **SMALL.get(name, {})).underlying
    parameters = system.draw_parameters(2, generator(0, "parameters"))
    x0 = system.initial(2, generator(0, "states"), parameters)
    times = torch.linspace(0, spans * min(system.time_scale, system.duration), 6, dtype=torch.float64)

    def solved(system, s):
        found = simulate(system, times=times, initial=s * x0, parameters=parameters, rng=generator(0))
        return found.stacked() / s, found.attributes["solver"]["kind"]

    truth, solver = solved(system, 1.0)
    results = [solved(scaled(system, s), s) for s in SCALES]
    errors = [float((x - truth).norm(dim=-1).max() / truth.norm(dim=-1).max()) for x, _ in results]
    return errors, {solver, *(chosen for _, chosen in results)}


@pytest.mark.parametrize("name", ["lorenz63", "davis_skodje", "oscillator_chain", "kuramoto_sivashinsky"])
def test_a_system_in_other_units_gives_the_same_in_those_units(name):
    found, solvers = errors(name, 0.1)
    assert max(found) < TOLERANCE
    assert len(solvers) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", plugins.names(PACKAGE))
def test_a_system_in_other_units_gives_the_same_in_those_units_for_long(name):
    found, solvers = errors(name, 2)
    assert max(found) < TOLERANCE
    assert len(solvers) == 1


def test_what_is_recognised_of_a_right_hand_side_does_not_depend_on_units():
    forms = [scaled(find_system("lorenz63"), s).right_hand_side for s in SCALES]
    assert {(form.form, form.differentiable) for form in forms} == {("torch", True)}
