"""The method for stiff rows: its order, its accuracy, and the rows that Adams hands over to it."""

import itertools
import math

import pytest
import torch

from dynred.errors import InputError
from dynred.solvers import adams
from dynred.solvers._rosenbrock import RosenbrockRows, jacobian
from dynred.solvers.adams import Adams
from dynred.solvers.explicit import Explicit
from dynred.solvers.rosenbrock import Rosenbrock
from dynred.solvers.stiff import Stiff


class Field:
    """A field that counts its evaluations."""

    dim = 3

    def __init__(self, function, differentiable=True):
        self.function, self.differentiable, self.calls = function, differentiable, 0

    def __call__(self, t, x):
        self.calls += 1
        return self.function(t, x)

    def rows(self, index):
        return self


def robertson(t, x):
    a, b, c = x.unbind(-1)
    forward, back, twice = 0.04 * a, 1e4 * b * c, 3e7 * b * b
    return torch.stack([back - forward, forward - back - twice, twice], -1)


def forced(t, x):
    """Relaxes to (cos t, sin t, 0) within 1e-3; at t = 0 every solution is cos t + (x0 - 1) exp(-1000 t) ..."""
    t = t.expand(x.shape[:-1])
    path = torch.stack([t.cos(), t.sin(), 0 * t], -1)
    return -1000 * (x - path) + torch.stack([-t.sin(), t.cos(), 0 * t], -1)


def pendulum(t, x):
    return torch.stack([x[..., 1], -x[..., 0].sin() + 0.1 * torch.cos(t + 0 * x[..., 2]), -x[..., 2]], -1)


X0 = torch.tensor([[1.0, 0.0, 0.0], [0.9, 1e-6, 0.1]], dtype=torch.float64)


def test_rodas_has_order_four_also_where_the_field_depends_on_time(monkeypatch):
    times = torch.tensor([0.0, 2.0], dtype=torch.float64)
    exact = Explicit("dopri8", rtol=1e-13, atol=1e-13).solve(Field(pendulum), X0, times)[:, 1]

    def error(h):
        states = X0.new_full((2, 2, 3), torch.nan)
        settings = Rosenbrock(rtol=1e9, atol=1e9)
        start = torch.zeros(2, dtype=torch.float64)
        rows = RosenbrockRows(settings, Field(pendulum), torch.arange(2), start, X0, times, states)
        while len(rows.index):
            rows.h = torch.full_like(rows.h, h)
            rows.step()
            rows.retire(1e9)
        return float((states[:, 1] - exact).abs().max())

    errors = [error(0.2 / 2**i) for i in range(1, 4)]
    for coarse, fine in itertools.pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(4, abs=0.15)


@pytest.mark.parametrize(("kind", "outputs"), [(Rosenbrock, 9), (Adams, 9), (Adams, 801)])
def test_stiff_kinetics_take_few_evaluations_in_every_row_however_many_outputs_there_are(kind, outputs):
    times, field = torch.linspace(0, 40, outputs, dtype=torch.float64), Field(robertson)
    exact = Stiff(rtol=1e-10).solve(Field(robertson), X0, times)
    error = (kind(rtol=1e-6, atol=1e-8).solve(field, X0, times) - exact).abs() / exact.abs().amax((0, 1))
    assert float(error.max()) < 1e-4
    assert field.calls < 2000


def test_a_fast_decay_is_handed_over_and_a_fast_oscillation_is_not(monkeypatch):
    handed = []
    stiff_rows = adams._AdamsRows.stiff_rows
    monkeypatch.setattr(
        adams._AdamsRows, "stiff_rows", lambda self, field: [stiff_rows(self, field), handed.append(len(self.stiff))][0]
    )
    times = torch.tensor([0.0, 5.0], dtype=torch.float64)
    x = Adams(rtol=1e-6, atol=1e-6).solve(Field(forced), X0, times)[:, 1]
    assert x[:, :2] == pytest.approx(torch.tensor([[math.cos(5), math.sin(5)]] * 2).double(), abs=2e-5)
    assert handed.pop() > 1
    fast = Field(lambda t, x: 200 * torch.stack([-x[..., 1], x[..., 0], 0 * x[..., 2]], -1))
    Adams(rtol=1e-4, atol=1e-4).solve(fast, X0, times)
    assert fast.calls > 1000
    assert handed.pop() == 1


def test_jacobians_are_exact_or_differences():
    t, x = torch.zeros(2, dtype=torch.float64), torch.randn(2, 3, generator=torch.Generator().manual_seed(0)).double()
    exact, estimated = (jacobian(Field(pendulum, known), t, x) for known in (True, False))
    assert torch.allclose(exact, estimated, atol=1e-5)
    assert exact[0, 1, 0] == pytest.approx(-float(x[0, 0].cos()))


def test_states_of_many_values_are_refused():
    with pytest.raises(InputError, match=r"states must be of at most 500 values, got 501\. Use `stiff`"):
        Rosenbrock().solve(Field(pendulum), torch.zeros(1, 501).double(), torch.tensor([0.0, 1.0]))
