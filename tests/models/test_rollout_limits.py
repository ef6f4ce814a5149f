"""Rollouts of latent vector fields end: within a number of evaluations and a time, wherever they are then."""

import time
import warnings
from dataclasses import replace

import pytest
import torch

from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import VectorFieldDynamics
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.quadratic import QuadraticSpec
from dynred.errors import DynredWarning, InputError
from dynred.evaluation import lyapunov
from dynred.evaluation.evaluate import evaluate
from dynred.evaluation.lyapunov import lyapunov_spectrum
from dynred.models.atlas import AtlasSpec
from dynred.models.load import load_model
from dynred.models.partition import PartitionSpec
from dynred.models.reduced import ReducedModel, on_reducer
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.polynomials import factors, monomials, rescaled
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.base import Deadline
from dynred.solvers.explicit import Explicit

T = torch.arange(0, 201, 1.0, dtype=torch.float64)
Z0 = torch.tensor([[1.0, 0.0], [0.0, 0.5]], dtype=torch.float64)


class Rotation(VectorFieldDynamics):
    """z' = (-z2, z1), which takes `pause` seconds to say so."""

    def __init__(self, pause=0.0):
        super().__init__()
        self.latent_space, self.units, self.pause, self.calls = LatentSpace(lines=2), Standardisation.empty(2), pause, 0

    def field(self, t, z):
        self.calls += 1
        time.sleep(self.pause)
        return torch.stack([-z[..., 1], z[..., 0]], -1)

    def sizes(self):
        return {}


def test_a_rollout_that_uses_up_its_evaluations_is_nan_from_there_on_and_right_before():
    limited, whole = Rotation(), Rotation().rollout(Z0, T)
    limited.max_evaluations = 400
    found = limited.rollout(Z0, T)
    lost = found.isnan().all(-1)
    first = int(lost[0].int().argmax())
    assert 5 < first < 150
    assert lost[:, first:].all()
    assert torch.allclose(found[:, :first], whole[:, :first], atol=1e-6)
    assert limited.calls < 600


def test_a_rollout_that_uses_up_its_time_returns_soon():
    slow = Rotation(pause=0.01)
    slow.time_limit = 0.5
    start = time.monotonic()
    found = slow.rollout(Z0, T)
    assert time.monotonic() - start < 20
    assert torch.equal(found[:, 0], Z0)
    assert found[:, -1].isnan().all()


def test_without_reaching_a_limit_nothing_changes():
    whole = Rotation().rollout(Z0, T[:20])
    exact = torch.stack([torch.cos(T[:20]), torch.sin(T[:20])], -1)
    assert torch.allclose(whole[0], exact, atol=1e-2)
    assert whole.isfinite().all()


def test_a_field_without_parameters_is_its_own_whatever_is_bound():
    field = Rotation()
    assert field.at({"mu": torch.ones(2)}) is field


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_polynomials_in_other_units_have_the_same_values(degree):
    rng = generator(0, degree)
    terms = factors(3, degree)
    coefficients = torch.randn(len(terms), 2, generator=rng, dtype=torch.float64)
    shift, unit = torch.tensor([0.5, 0.0, -2.0]).double(), torch.tensor([2.0, 0.1, 5.0]).double()
    z = torch.randn(10, 3, generator=rng, dtype=torch.float64)
    there = monomials((z - shift) / unit, terms) @ coefficients
    here = monomials(z, terms) @ rescaled(coefficients, terms, shift, unit)
    assert torch.allclose(here, there, rtol=1e-9, atol=1e-9)


# -- what predict and lyapunov_spectrum make of limits ----------------------------------------------------------------


def slow_model(pause):
    reducer = PODSpec(2).fit(CYCLES, CYCLES, rng=generator(0))
    return ReducedModel(reducer, Rotation(pause))


CYCLES = simulate(find_system("graph_lift", dim=8), 8, torch.linspace(0, 6, 30).double(), rng=generator(0))


def test_a_prediction_ends_at_its_time_limit_with_what_it_has_and_says_so():
    reports = []
    model, start = slow_model(0.005), time.monotonic()
    with pytest.warns(DynredWarning, match=r"stopped at its time limit of 0.5 s; from t = \d"):
        found = model.predict(CYCLES.initial, T, time_limit=0.5, progress=lambda *told: reports.append(told)).stacked()
    assert time.monotonic() - start < 20
    assert found[:, 0].isfinite().all()
    assert found[:, -1].isnan().all()
    assert reports
    assert all(stage == "rollout" and 0 <= done <= total == 100 for stage, done, total in reports)


def test_a_prediction_within_its_limit_is_the_same_as_without():
    model = slow_model(0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        limited = model.predict(CYCLES.initial, T[:20], time_limit=1000.0).states
    assert torch.equal(limited, model.predict(CYCLES.initial, T[:20]).states)
    with pytest.raises(InputError, match="time_limit must be a finite number > 0, got 0"):
        model.predict(CYCLES.initial, T[:20], time_limit=0)


def test_dynamics_that_know_no_limits_predict_without_them():
    class Plain(Rotation):
        def rollout(self, z0, t, parameters=None):
            return super().rollout(z0, t, parameters)

    model = replace(slow_model(0.0), dynamics=Plain())
    assert model.predict(CYCLES.initial, T[:5]).states.isfinite().all()


def test_an_atlas_ends_at_its_time_limit():
    spec = AtlasSpec.of(PartitionSpec(3), PODSpec(1), LinearSpec())
    model = spec.fit(CYCLES, CYCLES, rng=generator(0))
    with pytest.warns(DynredWarning, match="stopped at its time limit"):
        found = model.predict(CYCLES.initial, T, time_limit=1e-6).stacked()
    assert found[:, 0].isfinite().all()
    assert found[:, -1].isnan().all()


class AfterCalls(Deadline):
    """A deadline that is passed after 60 questions."""

    def passed(self):
        self.asked = getattr(self, "asked", 0) + 1
        return self.asked > 60


def test_exponents_end_at_their_time_limit_with_what_was_averaged(monkeypatch):
    saddle = System("saddle", 2, lambda t, x: x * torch.tensor([0.3, -1.0]).double())
    x0, rk4 = torch.ones(2, 2, dtype=torch.float64), Explicit("rk4", step=0.05)
    options = {"initial": x0, "duration": 20.0, "interval": 0.1, "solver": rk4}
    whole = lyapunov_spectrum(saddle, rng=generator(0), **options)
    limited = lyapunov_spectrum(saddle, rng=generator(0), time_limit=1000.0, **options)
    assert torch.equal(limited.exponents, whole.exponents)
    with pytest.raises(InputError, match="time_limit must be long enough for two intervals .*, got 1e-09 s"):
        lyapunov_spectrum(saddle, rng=generator(0), time_limit=1e-9, **options)
    monkeypatch.setattr(lyapunov, "Deadline", AfterCalls)
    for duration, intervals in ((20.0, 60 - 20), (1e6, 60 - 3)):  # a tenth of all, or of what was done, not counted
        found = lyapunov_spectrum(saddle, rng=generator(0), time_limit=1.0, **{**options, "duration": duration})
        assert found.time == pytest.approx(2 * intervals * 0.1)
        assert found.exponents.tolist() == pytest.approx([0.3, -1.0], abs=0.15)


# -- states from elsewhere --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["model", "atlas"])
def known(request):
    if request.param == "atlas":
        return AtlasSpec.of(PartitionSpec(3), PODSpec(1), LinearSpec()).fit(CYCLES, CYCLES, rng=generator(0))
    reducer = PODSpec(2).fit(CYCLES, CYCLES, rng=generator(0))
    return on_reducer(reducer, QuadraticSpec(), CYCLES, CYCLES, rng=generator(0))


def test_states_far_from_the_training_data_are_told_by_a_model_and_its_copy_in_a_file(known, tmp_path):
    known.save(tmp_path / "m.safetensors")
    for model in (known, load_model(tmp_path / "m.safetensors")):
        x0 = CYCLES.initial.clone()
        x0[3] *= 10
        words = (
            r"x0 of trajectory 3 lies \d[\d.]* times the spread of the training data .* (wrong by|no reconstruction)"
        )
        with pytest.warns(DynredWarning, match=words):
            model.predict(x0, T[:3])
        with pytest.warns(DynredWarning, match="trajectory 3 .*, and 1 of the 7 others: predictions from there"):
            model.predict(torch.where(torch.arange(8)[:, None] == 5, 5 * x0, x0), T[:3])


def test_states_off_the_set_are_told_by_their_reconstruction():
    known = on_reducer(PODSpec(4).fit(CYCLES, CYCLES, rng=generator(0)), LinearSpec(), CYCLES, CYCLES, rng=generator(0))
    x = CYCLES.states
    across = torch.linalg.svd(x - x.mean(0))[2][-1]
    x0 = x.mean(0) + torch.stack([across, -across]) * (x - x.mean(0)).norm(dim=1).mean()
    with pytest.warns(
        DynredWarning, match=r"is not like the training data, whose spread is .*: its reconstruction is wrong by \d"
    ):
        known.predict(x0, T[:3])


def test_states_like_the_training_data_are_not_told_nor_those_of_a_model_that_knows_none(known):
    fresh = simulate(find_system("graph_lift", dim=8), 20, torch.linspace(0, 6, 30).double(), rng=generator(7))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DynredWarning)
        known.predict(fresh.states, T[:2])
        evaluate(known, fresh, train=CYCLES)
        replace(known, about={}).predict(100 * fresh.initial, T[:2])
    assert "domain" not in known.predict(fresh.initial, T[:2]).attributes
