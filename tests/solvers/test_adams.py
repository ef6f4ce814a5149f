"""The Adams method: its order, rows that keep to themselves, outputs at any times, and rows that are lost."""

import math

import pytest
import torch

from dynred.ode.system import System
from dynred.rng import generator
from dynred.solvers import adams
from dynred.solvers.adams import HIGHEST, Adams
from dynred.solvers.base import Deadline
from dynred.solvers.explicit import Explicit
from dynred.testing import check_solver

X0 = torch.tensor([[1.0, 0.0], [0.0, 0.5], [-2.0, 1.0]], dtype=torch.float64)


class Field:
    """A field of a function of t [n] and x [n, D], with a frequency for each row; it counts its evaluations."""

    differentiable, dim = True, 2

    def __init__(self, function, frequency=None, counts=None):
        self.function, self.frequency, self.counts = function, frequency, [] if counts is None else counts

    def __call__(self, t, x):
        self.counts.append(len(x))
        return self.function(t, x) if self.frequency is None else self.frequency[:, None] * self.function(t, x)

    def rows(self, index):
        return Field(self.function, None if self.frequency is None else self.frequency[index], self.counts)


def rotation(t, x):
    return torch.stack([-x[..., 1], x[..., 0]], -1)


def rotated(x0, angle):
    """[N, T, 2] of angles [T] or [N, T]."""
    c, s = angle.cos(), angle.sin()
    return torch.stack([x0[:, :1] * c - x0[:, 1:] * s, x0[:, :1] * s + x0[:, 1:] * c], -1)


@pytest.mark.parametrize("order", range(1, HIGHEST + 1))
def test_a_method_of_k_values_has_order_k_plus_one(order):
    """Steps are held: k values of the velocity, and the corrector is of one order more than the predictor."""
    end = 4.0

    def error(h):
        grid = torch.tensor([0.0, end], dtype=torch.float64)
        states = X0.new_full((3, 2, 2), torch.nan)
        settings, t = Adams(atol=1.0, order=order), torch.zeros(3, dtype=torch.float64)
        rows = adams._AdamsRows(settings, Field(rotation), torch.arange(3), t, X0, grid, states)
        rows.order[:], rows.wait, rows.h = order, 10**9, torch.full_like(rows.h, h)
        rows.z = taylor(order, h)
        rows._gain()
        while len(rows.index):
            rows.step()
            rows.retire(1e9)
        return float((states[:, 1] - rotated(X0, torch.tensor([end]).double())[:, 0]).abs().max())

    def taylor(k, h):
        """The polynomial through the state and k exact velocities at 0, -h, -2 h ..."""
        nodes = -torch.arange(k, dtype=torch.float64)
        velocities = rotation(None, rotated(X0, h * nodes)).transpose(0, 1).reshape(k, -1)
        slopes = torch.linalg.solve(nodes[:, None] ** torch.arange(k), h * velocities)
        return torch.cat([X0[None], (slopes / torch.arange(1, k + 1)[:, None]).reshape(k, *X0.shape)])

    h = 0.1 if order < 5 else 0.05
    assert math.log2(error(h) / error(h / 2)) == pytest.approx(order + 1, abs=0.15)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-8, 1e-10])
def test_errors_follow_the_tolerance_at_times_that_have_nothing_to_do_with_the_steps(tolerance):
    times = torch.cat(
        [torch.zeros(1), torch.rand(200, generator=generator(0)).sort().values * 20, torch.tensor([20.0])]
    )
    times = times.double()
    states = Adams(rtol=tolerance, atol=tolerance, order=6).solve(Field(rotation), X0, times)
    assert float((states - rotated(X0, times)).abs().max()) < 300 * tolerance


def test_it_takes_less_than_half_of_the_evaluations_of_dopri5_at_equal_error():
    times, work = torch.linspace(0, 20, 11, dtype=torch.float64), {}
    for name, solver in {"adams": Adams(rtol=1e-6, atol=1e-6), "dopri5": Explicit(rtol=1e-5, atol=1e-5)}.items():
        field = Field(rotation)
        error = float((solver.solve(field, X0, times) - rotated(X0, times)).abs().max())
        work[name] = (error, len(field.counts))
    assert work["adams"][0] < 1.5 * work["dopri5"][0]
    assert work["adams"][1] < 0.8 * work["dopri5"][1]


def test_rows_go_at_their_own_pace_and_do_not_depend_on_their_neighbours():
    frequency = torch.tensor([0.1, 1.0, 30.0], dtype=torch.float64)
    times, solver = torch.linspace(0, 3, 7, dtype=torch.float64), Adams(rtol=1e-7, atol=1e-7)
    field = Field(rotation, frequency)
    together = solver.solve(field, X0, times)
    exact = rotated(X0, frequency[:, None] * times)
    assert float((together - exact).abs().max()) < 2e-4
    assert sum(field.counts) < 1.5 * len(field.counts)  # the fast row is alone most of the time
    for i in range(3):
        alone = solver.solve(field.rows(slice(i, i + 1)), X0[i : i + 1], times)
        assert float((together[i] - alone[0]).abs().max()) < 1e-4 * (1 if i == 2 else 0.01)


def test_it_goes_backward_in_time():
    times = torch.tensor([3.0, 2.5, 0.0, -1.0], dtype=torch.float64)
    states = Adams().solve(Field(rotation), X0, times)
    assert float((states - rotated(X0, times - 3)).abs().max()) < 1e-6


def test_times_of_a_field_that_depends_on_time_are_those_of_each_row():
    def forced(t, x):
        return torch.cos(t)[..., None] * torch.ones_like(x) * (1 + 0 * x)

    times = torch.linspace(0, 10, 5, dtype=torch.float64)
    states = Adams().solve(Field(forced), X0, times)
    assert float((states - (X0[:, None] + times.sin()[None, :, None])).abs().max()) < 1e-6


def test_no_step_leads_beyond_the_last_time():
    def until_one(t, x):
        assert (t <= 1).all()
        return rotation(t, x)

    times = torch.linspace(0, 1, 4, dtype=torch.float64)
    assert float((Adams().solve(Field(until_one), X0, times) - rotated(X0, times)).abs().max()) < 1e-6


def test_rows_that_rest_or_are_lost_or_undefined_harm_no_others():
    def mixed(t, x):
        return torch.stack([x[..., 0] ** 2, torch.where(x[..., 1] > 2, torch.nan, 1.0)], -1)

    x0 = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.1, 1.5], [torch.nan, 0.0], [torch.inf, 0.0]], dtype=torch.float64)
    times = torch.linspace(0, 1.5, 16, dtype=torch.float64)
    states = Adams().solve(Field(mixed), x0, times)
    assert torch.allclose(states[0, :, 1], times)
    assert states[0, :, 0].abs().max() == 0
    assert states[1, times < 0.95, 0] == pytest.approx((1 / (1 - times[times < 0.95])).tolist(), rel=1e-5)
    assert states[1, times > 1.05].isnan().all()
    assert states[2, times < 0.45].isfinite().all()
    assert states[2, times > 0.5].isnan().all()
    assert states[3:, 1:].isnan().all()


def test_a_row_that_takes_too_many_steps_counts_as_diverged_and_a_deadline_leaves_what_is_not_reached_infinite(
    monkeypatch,
):
    times = torch.tensor([0.0, 1.0, 1000.0], dtype=torch.float64)
    states = Adams(max_steps=500).solve(Field(rotation), X0, times)
    assert states[:, 1].isfinite().all()
    assert states[:, 2].isnan().all()

    class Soon(Deadline):
        asked = 0

        def passed(self):
            self.asked += 1
            return self.asked > 300

    monkeypatch.setattr(adams, "Deadline", Soon)
    states = Adams(time_limit=1.0).solve(Field(rotation), X0, times)
    assert states[:, 1].isfinite().all()
    assert states[:, 2].isinf().all()


def test_it_keeps_the_contract_of_solvers_and_the_dtype_of_its_states():
    check_solver(Adams())
    check_solver(Adams(order=2, rtol=1e-5), accuracy=1e-3)
    single = Adams(rtol=1e-4, atol=1e-4).solve(Field(rotation), X0.float(), torch.linspace(0, 1, 3))
    assert single.dtype == torch.float32
    system = System("decay", 2, lambda t, x, a: -a[..., None] * x, parameters={"a": 1.0})
    times = torch.linspace(0, 2, 5, dtype=torch.float64)
    a = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    decayed = Adams().solve(system.at({"a": a}), X0, times)
    assert torch.allclose(decayed, X0[:, None] * torch.exp(-a[:, None, None] * times[:, None]), atol=1e-6)
