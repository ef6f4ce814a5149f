"""The contract checks find what they are for: each broken plug-in is named with the contract that it breaks."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from dynred.dynamics.linear import Linear, LinearSpec
from dynred.metrics.base import Metric
from dynred.ode.find import find_system
from dynred.ode.known_set import KnownSet
from dynred.ode.semilinear import Semilinear
from dynred.ode.system import System
from dynred.reducers.pod import POD, PODSpec
from dynred.solvers.explicit import Explicit
from dynred.testing import check_dynamics, check_metric, check_reducer, check_solver, check_system


def oscillator(**changes):
    return dataclasses.replace(find_system("stuart_landau"), **changes)


def known(**changes):
    return dataclasses.replace(find_system("stuart_landau").known, **changes)


def split(scale=1.0, twist=0.0):
    return Semilinear(
        to_modes=lambda x: x,
        from_modes=lambda v: v + twist,
        linear=lambda: -scale * torch.ones(2, dtype=torch.float64),
        nonlinear=lambda t, v: 0 * v,
        step=0.1,
    )


def decay(t, x):
    return -x


BROKEN_SYSTEMS = {
    "sample_initial must give other states from another stream": oscillator(
        sample_initial=lambda n, rng: torch.ones(n, 2, dtype=torch.float64) * torch.arange(1, n + 1)[:, None]
    ),
    "sample_initial must return float64": oscillator(sample_initial=lambda n, rng: torch.rand(n, 2, generator=rng)),
    "the semilinear split must give the right-hand side": System("d", 2, rhs=decay, semilinear=split(2.0)),
    "from_modes must be the inverse of to_modes": System("d", 2, rhs=decay, semilinear=split(twist=1.0)),
    r"betti\[0\] must be the number of components": oscillator(known=known(components=2)),
    "samples of K must be on K": oscillator(known=known(distance=lambda x: x.norm(dim=-1))),
    "states that start on K must stay on K": oscillator(
        known=KnownSet(
            sample=lambda n, rng: torch.rand(n, 2, generator=rng, dtype=torch.float64) * torch.tensor([1.0, 0.0]),
            distance=lambda x: x[..., 1].abs(),
        )
    ),
    "samples of K must be the same from the same stream": oscillator(
        known=known(sample=lambda n, rng: torch.nn.functional.normalize(torch.randn(n, 2, dtype=torch.float64)))
    ),
}


@pytest.mark.parametrize("contract", BROKEN_SYSTEMS)
def test_a_broken_system_is_told_which_contract_it_breaks(contract):
    with pytest.raises(AssertionError, match=contract):
        check_system(BROKEN_SYSTEMS[contract])


def test_a_state_that_depends_on_its_neighbours_is_found():
    def crowd(t, x):
        # Looks innocent at the states at which the form is tried: neighbours matter beyond six of them only.
        return -x + (x.mean(0) if x.ndim > 1 and len(x) >= 6 else 0)

    with pytest.raises(AssertionError, match="the right-hand side must take a single state"):
        check_system(System("crowd", 2, rhs=crowd))


def test_a_parameter_that_is_not_taken_per_trajectory_is_found():
    def rhs(t, x, a):
        return -x * (a if a.ndim == 0 else a.mean())

    with pytest.raises(AssertionError, match="a value of a per trajectory must be as one by one"):
        check_system(System("mean", 2, rhs=rhs, parameters={"a": 1.0}))


@dataclass(frozen=True)
class Changed(Explicit):
    """A solver that spoils what a good one gives."""

    fault: str = ""

    def solve(self, field, x0, times, limit=1e15):
        states = super().solve(field, x0, times, limit)
        if self.fault == "first":
            return torch.cat([states[:, :1] + 1e-8, states[:, 1:]], 1)
        if self.fault == "shape":
            return states.transpose(0, 1)
        if self.fault == "accuracy":
            return torch.cat([states[:, :1], 1.001 * states[:, 1:]], 1)
        if self.fault == "divergence":
            return states.nan_to_num(7.0)
        if self.fault == "neighbours":
            return torch.cat([states[:, :1], states[:, 1:] + (8e-5 if len(x0) > 1 else -8e-5)], 1)
        return states


@pytest.mark.parametrize(
    ("fault", "contract"),
    [
        ("first", "the first state must be x0 itself"),
        ("shape", r"solve must return states \[N, T, D\]"),
        ("accuracy", "must be right to 0.0001"),
        ("divergence", "a row must be NaN from the time on at which it diverges"),
        ("neighbours", "a row must not depend on the other rows of the batch"),
    ],
)
def test_a_broken_solver_is_told_which_contract_it_breaks(fault, contract):
    with pytest.raises(AssertionError, match=contract):
        check_solver(Changed(method="rk4", step=0.005, fault=fault))


class Worse(POD):
    """POD with one fault."""

    def encode(self, x):
        z = super().encode(x)
        if self.spec.fault == "batch":
            return z - z.mean(0) if z.ndim == 2 else z
        if self.spec.fault == "derivative":
            return z.detach()
        if self.spec.fault == "dtype":
            return z.to(x.dtype)
        return z

    def decode(self, z):
        return super().decode(z).float() if self.spec.fault == "single" else super().decode(z)


@dataclass(frozen=True)
class WorseSpec(PODSpec):
    fault: str = ""

    def _fit(self, train, validation, *, rng, runtime):
        if self.fault == "global":
            torch.rand(1)
        modes = super()._fit(train, validation, rng=rng, runtime=runtime).modes
        if self.fault == "random":
            modes.mean += torch.rand(1, generator=torch.Generator().manual_seed(id(modes) % 2**31))
        return Worse(PODSpec(self.latent_dim) if self.fault == "settings" else self, modes)

    def build(self, state_dim):
        return Worse(self, super().build(state_dim + (self.fault == "build")).modes)


@pytest.mark.parametrize(
    ("fault", "contract"),
    [
        ("batch", "encode must take a single state"),
        ("derivative", "encode's Jacobian-vector product must agree with finite differences"),
        ("dtype", "latents must have one dtype"),
        ("single", r"decode must return float64 states \[..., D\]"),
        ("global", "fit must not touch torch's global random state"),
        ("random", "two fits with the same stream must agree bit for bit"),
        ("settings", "what was fitted must keep the settings"),
        ("build", r"build\(\*\*sizes\) must have tensors of the names and shapes of the fitted, and of their dtypes"),
    ],
)
def test_a_broken_reducer_is_told_which_contract_it_breaks(fault, contract):
    with pytest.raises(AssertionError, match=contract):
        check_reducer(WorseSpec(fault=fault))


class WorseLinear(Linear):
    """Linear dynamics with one fault."""

    def field(self, t, z):
        return super().field(t, z) * (2.0 if self.spec.fault == "field" else 1.0)

    def rollout(self, z0, t, parameters=None):
        z = super().rollout(z0, t, parameters)
        if self.spec.fault == "single":
            return z.float()
        if self.spec.fault == "start":
            return z + 1e-3
        if self.spec.fault == "semigroup":
            return z[:, :1] + (z - z[:, :1]) * torch.linspace(1, 2, len(t))[:, None]
        if self.spec.fault == "diverged":
            return z.nan_to_num(0.0)
        return z


@dataclass(frozen=True)
class WorseLinearSpec(LinearSpec):
    fault: str = ""

    def _fit(self, data):
        good = super()._fit(data)
        return WorseLinear(self, good.latent_space, good.units, good.matrix)


@pytest.mark.parametrize(
    ("fault", "contract"),
    [
        ("field", "field must be the derivative of the rollout"),
        ("single", "rollout must return float64"),
        ("start", "a rollout must start with z0"),
        ("semigroup", "a rollout to t2 must be one to t1, and on from there"),
        ("diverged", "a rollout from NaN must be NaN"),
    ],
)
def test_broken_dynamics_are_told_which_contract_they_break(fault, contract):
    with pytest.raises(AssertionError, match=contract):
        check_dynamics(WorseLinearSpec(fault=fault))


@dataclass(frozen=True)
class WorseMetric(Metric):
    """Mean rollout error with one fault."""

    fault: str = ""
    higher_is_better: ClassVar[bool] = False

    def __call__(self, forecast):
        error = forecast.rollout_error().clamp_max(2.0)
        if self.fault == "infinite":
            error = forecast.rollout_error()
        if self.fault == "shape":
            return error
        sums = torch.zeros(len(forecast.truth), dtype=error.dtype).index_add(0, forecast.truth.owner, error)
        if self.fault == "order":
            return sums.sort().values
        return -sums if self.fault == "sign" else sums


@pytest.mark.parametrize(
    ("fault", "contract"),
    [
        ("infinite", "a metric must be finite, also where a prediction diverged"),
        ("shape", r"one number per trajectory \[N\]"),
        ("order", "permuted trajectories must permute the values"),
        ("sign", "a perfect forecast must have the best value"),
    ],
)
def test_a_broken_metric_is_told_which_contract_it_breaks(fault, contract):
    with pytest.raises(AssertionError, match=contract):
        check_metric(WorseMetric(fault=fault))


def test_the_unspoilt_plugins_pass():
    check_solver(Changed(method="rk4", step=0.005))
    check_reducer(WorseSpec())
    check_dynamics(WorseLinearSpec())
    check_metric(WorseMetric())
