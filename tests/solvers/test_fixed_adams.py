"""Adams methods of one order and one step, against solutions that are known."""

import math
from dataclasses import dataclass

import pytest
import torch

from dynred.errors import InputError
from dynred.ode.vector_field import WrappedField
from dynred.solvers.explicit import Explicit
from dynred.solvers.fixed_adams import FixedAdams, stable_decay

UNEVEN = torch.tensor([0.0, 0.003, 0.01, 0.5, 0.77777, 1.3], dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class Decay:
    """x' = -rate x cos(t), whose solution is x0 exp(-rate sin t); without `waves` x' = -rate x."""

    rate: float = 1.0
    waves: bool = True
    differentiable = True
    dim = 1

    def __call__(self, t, x):
        return -self.rate * x * (torch.cos(t).reshape(*t.shape, *[1] * (x.ndim - t.ndim)) if self.waves else 1.0)

    def rows(self, index):
        return self


EVEN = torch.linspace(0, 2, 11, dtype=torch.float64)


def error(solver, times):
    x = solver.solve(Decay(), torch.ones(1, 1, dtype=torch.float64), times)[0, :, 0]
    return float((x - torch.exp(-torch.sin(times))).abs().max())


@pytest.mark.parametrize("evaluations", [1, 2])
@pytest.mark.parametrize("order", range(1, 6))
def test_the_error_falls_with_the_order_that_is_one_more_than_the_velocities(order, evaluations):
    coarse, fine = (error(FixedAdams(order, step, evaluations), EVEN) for step in (0.02, 0.01))
    assert math.log2(coarse / fine) > order + 1 - 0.15


@pytest.mark.parametrize("order", range(2, 6))
def test_outputs_between_steps_are_as_right_as_those_at_steps(order):
    solver = FixedAdams(order, 0.02)
    assert error(solver, UNEVEN) < 3 * error(solver, EVEN)


@pytest.mark.parametrize(("order", "evaluations"), [(k, e) for k in range(1, 7) for e in (1, 2)])
def test_steps_are_stable_up_to_the_decay_that_is_said(order, evaluations):
    limit, times = stable_decay(order, evaluations), torch.tensor([0.0, 3000.0], dtype=torch.float64)
    x0 = torch.ones(1, 1, dtype=torch.float64)
    calm, wild = (
        FixedAdams(order, 1.0, evaluations).solve(Decay(factor * limit, waves=False), x0, times, limit=1e3)[0, 1, 0]
        for factor in (0.97, 1.03)
    )
    assert abs(calm) < 1
    assert not abs(wild) < 10


def test_two_evaluations_bear_faster_decay():
    assert all(stable_decay(k, 2) > 2 * stable_decay(k, 1) for k in range(2, 7))


def test_a_span_shorter_than_the_first_steps_and_one_output_are_right():
    x0, times = torch.ones(2, 1, dtype=torch.float64), torch.tensor([0.0, 0.01], dtype=torch.float64)
    x = FixedAdams(5, 0.1).solve(Decay(), x0, times)
    torch.testing.assert_close(x[:, 1, 0], torch.exp(-torch.sin(times[1])).expand(2), rtol=0, atol=1e-13)


def test_it_is_differentiable_in_the_initial_state():
    x0 = torch.ones(1, 1, dtype=torch.float64, requires_grad=True)
    end = FixedAdams(4, 0.01).solve(Decay(), x0, UNEVEN)[0, -1, 0]
    (slope,) = torch.autograd.grad(end, x0)
    torch.testing.assert_close(float(slope), math.exp(-math.sin(1.3)), rtol=0, atol=1e-8)


def test_tangents_are_carried_along_as_by_runge_kutta():
    x, v = torch.ones(1, 1, dtype=torch.float64), torch.ones(1, 1, 1, dtype=torch.float64)
    ours, other = (
        s.flow_with_tangents(Decay(), x, v, 1.0) for s in (FixedAdams(5, 0.01), Explicit(method="dopri8", rtol=1e-10))
    )
    torch.testing.assert_close(ours, other, rtol=0, atol=1e-8)


def test_at_a_deadline_outputs_that_are_not_reached_are_infinite():
    @dataclass(frozen=True, eq=False)
    class Slow(WrappedField):
        def __call__(self, t, x):
            torch.linalg.eigvals(torch.randn(60, 60))
            return self.field(t, x)

    times = torch.linspace(0, 100, 11, dtype=torch.float64)
    x = FixedAdams(4, 0.01, time_limit=0.2).solve(Slow(Decay()), torch.ones(1, 1, dtype=torch.float64), times)
    assert x[0, -1].isinf()
    assert x[0, 0] == 1


def test_settings_out_of_range_are_refused():
    for settings in ({"order": 7}, {"order": 0}, {"step": 0.0}, {"evaluations": 3}):
        with pytest.raises(InputError, match=f"{next(iter(settings))} must be"):
            FixedAdams(**settings)
