"""Rollouts in a compiled loop are those of torch, to their tolerance."""

import dataclasses
import time

import pytest
import torch

from dynred.dynamics import base
from dynred.dynamics._compiled import load
from dynred.dynamics._units import Standardisation
from dynred.dynamics.base import VectorFieldDynamics
from dynred.dynamics.ensemble import EnsembleSpec
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.parametric import ParametricSpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.dynamics.quadratic import QuadraticSpec
from dynred.dynamics.sindy import SindySpec
from dynred.dynamics.stabilised import StabilisedSpec
from dynred.errors import InputError, MissingExtraError
from dynred.models.load import load_model
from dynred.models.reduced import ReducedModel, on_reducer
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

pytest.importorskip("numba")
NEURAL = NeuralODESpec(width=8, depth=2, training=TrainingSpec(steps=20, batch_size=32, validations=2))
POLYNOMIAL = PolynomialODESpec(PolynomialSpec(degree=3))
KINDS = {
    "neural": NEURAL,
    "tanh": dataclasses.replace(NEURAL, activation="tanh", start=None),
    "polynomial": POLYNOMIAL,
    "quadratic": QuadraticSpec(),
    "sparse": SindySpec(),
    "linear": LinearSpec(),
    "stabilised": StabilisedSpec(POLYNOMIAL),
    "ensemble": EnsembleSpec(NEURAL, members=2),
    "parametric": ParametricSpec(POLYNOMIAL),
}
T = torch.linspace(0, 3, 31, dtype=torch.float64)


@pytest.fixture(scope="module")
def spirals():
    system = find_system("stuart_landau")
    return simulate(system, 8, torch.linspace(0, 4, 21).double(), rng=generator(0), transient=0.0)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_field_goes_where_torch_takes_it(name, spirals):
    dynamics = KINDS[name].fit(spirals[:6], spirals[6:], rng=generator(0))
    if not isinstance(dynamics, VectorFieldDynamics):
        return
    z0 = spirals.initial[:3]
    found = dynamics.rollout_compiled(dynamics.compiled(), z0, T)
    assert torch.allclose(found, dynamics.rollout(z0, T), atol=2e-4)
    assert torch.equal(found[:, 0], dynamics.units.latent(dynamics.units.standard(z0)))


class Plain(VectorFieldDynamics):
    """A field as a function of t and z, in units that are standard already."""

    def __init__(self, function, dim=2):
        super().__init__()
        self.function, self.latent_space, self.units = function, LatentSpace(lines=dim), Standardisation.empty(dim)

    def field(self, t, z):
        return self.function(t, z)

    def sizes(self):
        return {}


def rotation(t, z):
    return torch.stack([-z[..., 1], z[..., 0]], -1)


def robertson(t, z):
    a, b, c = z.unbind(-1)
    return torch.stack([1e4 * b * c - 0.04 * a, 0.04 * a - 1e4 * b * c - 3e7 * b * b, 3e7 * b * b], -1)


def compiled(function, z0, t, dim=2):
    dynamics = Plain(function, dim)
    return dynamics.rollout_compiled(dynamics.compiled(), z0, t), dynamics.rollout(z0, t)


def test_a_rollout_that_blows_up_is_nan_from_then_on():
    z0, t = torch.tensor([[1.0, 1.0], [0.25, 0.25]]).double(), torch.linspace(0, 2, 41).double()
    found, whole = compiled(lambda t, z: z * z, z0, t)
    assert torch.equal(found.isnan(), whole.isnan())
    assert found[0, t < 0.9] == pytest.approx(whole[0, t < 0.9], rel=1e-4)
    assert found[1] == pytest.approx(whole[1], rel=1e-4)
    assert compiled(lambda t, z: z * z, z0.fill_(torch.nan), t)[0][:, 1:].isnan().all()


def test_times_count_and_outputs_may_be_few_or_one():
    z0 = torch.tensor([[1.0, 0.0]]).double()
    t = torch.tensor([1.0, 400.0, 401.5]).double()
    found, whole = compiled(lambda t, z: rotation(t, z) + 0.1 * torch.cos(t)[..., None] * torch.ones_like(z), z0, t)
    assert found == pytest.approx(whole, abs=2e-2)  # 400 turns near resonance, between two outputs
    assert torch.equal(compiled(rotation, z0, t[:1])[0], z0[:, None])


def test_a_stiff_row_is_handed_over():
    z0, t = torch.tensor([[1.0, 0.0, 0.0]]).double(), torch.tensor([0.0, 10.0, 40.0]).double()
    start = time.monotonic()
    found, whole = compiled(robertson, z0, t, 3)
    assert time.monotonic() - start < 60
    assert found == pytest.approx(whole, abs=1e-4)
    assert float(found[0, -1, 0]) == pytest.approx(0.7158, abs=1e-3)  # Hairer & Wanner


# -- models ----------------------------------------------------------------------------------------------------------


def model_of(data, spec):
    return on_reducer(PODSpec(2).fit(data, data, rng=generator(0)), spec, data, data, rng=generator(0))


def test_a_model_predicts_few_trajectories_compiled_when_told_or_when_they_are_long(lifted, monkeypatch, tmp_path):
    model, used = model_of(lifted, POLYNOMIAL), []
    run = VectorFieldDynamics.rollout_compiled
    monkeypatch.setattr(
        VectorFieldDynamics, "rollout_compiled", lambda self, *rest: used.append(len(rest[1])) or run(self, *rest)
    )
    before = model.predict(lifted.initial[:2], T).stacked()
    assert used == []
    assert model.compile() is model
    after = model.predict(lifted.initial[:2], T).stacked()
    assert used == [2]
    assert torch.allclose(before, after, atol=1e-4)
    model.predict(lifted.initial[:2], T, time_limit=100.0)  # a limit is torch's
    model.predict(lifted.states[: base.FEW + 1], T)
    assert used == [2]
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    again.predict(lifted.initial[:1], torch.linspace(0, 3, base.LONG).double())
    assert used == [2, 1]
    again.predict(lifted.initial[:1], T)  # what was predicted before decides nothing
    assert used == [2, 1]


def test_parameters_are_those_that_were_filled_in():
    system = find_system("graph_lift", dim=8)
    mu = torch.linspace(0.8, 1.2, 8, dtype=torch.float64)
    name = next(iter(system.parameters))
    data = simulate(
        system, 8, torch.linspace(0, 4, 21).double(), rng=generator(0), transient=0.0, parameters={name: mu}
    )
    model = model_of(data, ParametricSpec(POLYNOMIAL))
    for value in (0.9, 1.1):
        there = model.at({name: value})
        expected = there.predict(data.initial[:2], T).stacked()
        assert torch.allclose(there.compile().predict(data.initial[:2], T).stacked(), expected, atol=1e-4)
    each = model.at({name: mu[:2]})
    assert torch.isfinite(each.predict(data.initial[:2], torch.linspace(0, 3, base.LONG).double()).states).all()


def test_what_cannot_be_compiled_says_why_and_predicts_as_before(lifted, monkeypatch):
    reducer = PODSpec(2).fit(lifted, lifted, rng=generator(0))
    model = ReducedModel(reducer, Plain(lambda t, z: z * float(z.sum() * 0 - 1)))
    with pytest.raises(InputError, match="must consist of known operations, got _local_scalar_dense"):
        model.compile()
    long = torch.linspace(0, 3, base.LONG).double()
    assert model.predict(lifted.initial[:1], long).states.isfinite().all()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dynred\[fast\]'"):
        load("compiled")
    assert model_of(lifted, LinearSpec()).predict(lifted.initial[:1], long).states.isfinite().all()
