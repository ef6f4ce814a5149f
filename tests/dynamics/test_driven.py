"""Inputs u(t): from the simulation through latent dynamics to predictions."""

import math
from dataclasses import replace

import pytest
import torch

from dynred.data.clean import clean
from dynred.data.cleaning.gaps import GapsSpec
from dynred.data.cleaning.resampling import ResamplingSpec
from dynred.data.signals import Sampled
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.delays import DelaysSpec
from dynred.dynamics.auto import AutoDynamicsSpec
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.map import MapSpec
from dynred.dynamics.neural_ode import NeuralODESpec, RefinementSpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.dynamics.quadratic import QuadraticSpec
from dynred.dynamics.sindy import SindySpec
from dynred.errors import InputError
from dynred.models.forecast import forecast
from dynred.models.joint import JointSpec
from dynred.models.load import load_model
from dynred.models.reduced import ReducedModel, ReducedSpec
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.drawn_signals import Multisine, Steps
from dynred.ode.system import System
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

TIMES = 0.25 * torch.arange(33, dtype=torch.float64)
CUBIC = PolynomialODESpec(PolynomialSpec(degree=3))


def pushed(t, x, u):
    q, v, w = x.unbind(-1)
    return torch.stack([v, -q - 0.5 * v + 2 * u[..., 0], -3 * w + 3 * (q + v)], -1)


SYSTEM = System("pushed", 3, pushed, inputs={"force": (-1.0, 1.0)}, signal=Multisine(fastest=2.0), time_scale=2.0)


@pytest.fixture(scope="module")
def parts():
    """Training and validation with multisines, test with steps."""
    train, validation = (simulate(SYSTEM, n, TIMES, rng=generator(n)) for n in (10, 2))
    return train, validation, simulate(SYSTEM, 3, TIMES, rng=generator(1), inputs=Steps(hold=1.0))


@pytest.fixture(scope="module")
def model(parts):
    reducer = PODSpec(2).fit(*parts[:2], rng=generator(0))
    spec = PolynomialODESpec(PolynomialSpec(degree=1))
    return ReducedModel(reducer, spec.fit(*map(reducer.latents, parts[:2]), rng=generator(0)))


def test_velocities_are_exact_and_a_second_simulation_with_the_same_inputs_is_the_same(parts):
    for part in parts:
        assert torch.equal(part.velocities, pushed(part.t, part.states, part.inputs))
        again = simulate(SYSTEM, times=TIMES, initial=part.initial, inputs=part.given, rng=generator(5))
        assert torch.equal(again.inputs, part.inputs)
        torch.testing.assert_close(again.states, part.states, rtol=0, atol=1e-5)


@pytest.mark.parametrize("spec", [LinearSpec(), CUBIC, QuadraticSpec()], ids=lambda spec: type(spec).__name__)
def test_dynamics_fitted_with_multisines_predict_steps(parts, spec):
    dynamics = spec.fit(*parts[:2], rng=generator(0))  # of the states themselves: the field is exact then
    test = parts[2]
    z = dynamics.rollout(test.initial, TIMES, test.given)
    torch.testing.assert_close(z, test.stacked(), rtol=0, atol=1e-3)


def test_rows_do_not_mix_and_a_rollout_can_be_cut_where_the_input_jumps(parts):
    dynamics, test = LinearSpec().fit(*parts[:2], rng=generator(0)), parts[2]
    together = dynamics.rollout(test.initial, TIMES, test.given)
    alone = torch.cat([dynamics.rollout(each.initial, TIMES, each.given) for each in test])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    first = dynamics.rollout(test.initial, TIMES[:9], test.given)
    rest = dynamics.rollout(first[:, -1], TIMES[8:], test.given)
    torch.testing.assert_close(torch.cat([first, rest[:, 1:]], 1), together, rtol=0, atol=1e-4)


def test_a_forecast_takes_the_inputs_of_each_trajectory_and_so_does_predict(parts, model, tmp_path):
    test = parts[2]
    predictions = forecast(model, test)
    assert float(predictions.rollout_error().mean()) < 0.2
    given = model.predict(test.initial, TIMES, inputs=test.inputs.reshape(3, -1, 1))
    later = model.predict(test.initial, TIMES, inputs={"force": test.given["force"]})
    assert torch.equal(later.states, predictions.predicted.states)
    # values are linear between times as in training, where those of the test are held
    assert not torch.equal(given.states, later.states)
    model.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded.inputs == ("force",)
    same = loaded.predict(test.initial, TIMES, inputs=0.3 * torch.ones(33))
    constant = model.at({"force": 0.3}).predict(test.initial, TIMES)
    torch.testing.assert_close(same.states, constant.states, rtol=0, atol=1e-4)
    z, u = torch.randn(4, 2, dtype=torch.float64), torch.rand(4, 1, dtype=torch.float64)
    exact = model.at({"force": u[:, 0]}).rhs(0.0, z)
    torch.testing.assert_close(torch.from_numpy(model.to_numpy().rhs(0.0, z.numpy(), u.numpy())), exact)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (None, "inputs must be given for force, got none"),
        (torch.zeros(33, 2), r"inputs must be values \[..., 1\] of force"),
        (torch.full((33,), torch.nan), "input force must be finite"),
        ({"farce": 1.0}, "Did you mean force"),
        ({"force": Sampled(TIMES[None, :9], torch.zeros(1, 9).double(), held=True, shared=True)}, "known until t = 8"),
    ],
)
def test_bad_inputs_are_refused_in_one_sentence(parts, model, inputs, words):
    with pytest.raises(InputError, match=words):
        model.predict(parts[2].initial, TIMES, inputs=inputs)


def test_a_model_without_inputs_refuses_them(parts):
    still = [replace(part, inputs=None, input_names=()) for part in parts]
    model = ReducedModel(
        PODSpec(2).fit(*still[:2], rng=generator(0)),
        LinearSpec().fit(*map(PODSpec(2).fit(*still[:2], rng=generator(0)).latents, still[:2]), rng=generator(0)),
    )
    with pytest.raises(InputError, match="left out for a model without inputs"):
        model.predict(still[2].initial, TIMES, inputs=torch.zeros(33))


def test_a_period_is_found_and_its_phase_makes_the_model_follow_the_forcing():
    def forced(t, x):
        return torch.stack([x[..., 1], -0.5 * x[..., 1] - x[..., 0] + torch.cos(1.7 * t) + 0 * x[..., 0]], -1)

    system = System("forced", 2, forced, duration=40.0)
    (course, _) = system.clocks.values()
    assert course["period"] == pytest.approx(2 * math.pi / 1.7, rel=1e-7)
    train, validation, test = (simulate(system, n, TIMES, rng=generator(n)) for n in (8, 2, 3))
    dynamics = LinearSpec().fit(train, validation, rng=generator(0))
    times = 100 + TIMES  # inputs that are functions of time need not be given
    late = simulate(system, times=times, initial=test.initial, rng=generator(0))
    torch.testing.assert_close(dynamics.rollout(test.initial, times), late.stacked(), rtol=0, atol=1e-4)
    pieces = late.windows(9)
    z = dynamics.rollout(pieces.initial, TIMES[:9], pieces.given)
    torch.testing.assert_close(z, pieces.stacked(), rtol=0, atol=1e-4)


def test_a_right_hand_side_without_a_period_takes_time_as_input_and_a_wrong_period_is_refused():
    def drifting(t, x):
        return -x + torch.as_tensor(t)[..., None] / 50

    assert System("drifting", 2, drifting).clocks == {"time": {"clock": "time"}}
    with pytest.raises(InputError, match="a time after which the right-hand side repeats"):
        _ = System("drifting", 2, drifting, period=3.0).clocks


def test_inputs_travel_with_their_rows():
    t = torch.cat([TIMES[:9], TIMES[:5] + 3])
    inputs = torch.stack([torch.sin(t), (t // 1) % 2], 1)
    whole = Trajectories(t[:, None], t, torch.tensor([9, 5]), inputs=inputs, input_names=("b", "a"))
    assert whole.attributes["inputs"] == {"b": {"between": "linear"}, "a": {"between": "held"}}
    for part in (whole[1], whole.windows(3, 2), whole.where(t > 1), Trajectories.concatenate([whole, whole])):
        assert torch.equal(part.inputs[:, 0], torch.sin(part.t))
        signals, elapsed = part.given, torch.zeros(len(part)).double()
        torch.testing.assert_close(signals["b"](elapsed), torch.sin(part.t[part.starts]))
        assert torch.equal(signals["a"](elapsed), part.inputs[part.starts, 1])
    with pytest.raises(InputError, match="input b must be finite"):
        replace(whole, inputs=torch.full_like(inputs, torch.nan))


def test_refinements_whose_rollouts_would_see_no_inputs_are_refused(parts):
    reducer = PODSpec(2).fit(*parts[:2], rng=generator(0))
    latents = [reducer.latents(part) for part in parts[:2]]
    with pytest.raises(InputError, match="refinement must be None for maps and for trajectories with inputs"):
        NeuralODESpec(refinement=RefinementSpec()).fit(*latents, rng=generator(0))
    spec = ReducedSpec(PODSpec(2), CUBIC, JointSpec())
    with pytest.raises(InputError, match="joint must be None for trajectories with inputs"):
        spec.fit_coordinates(*parts[:2], rng=generator(0))


def test_delays_cut_inputs_as_they_cut_states(parts):
    train = parts[0]
    moved = DelaysSpec(count=3, lag=2).fit(train).transformed(train)
    assert moved.inputs.shape == (len(moved.states), 1)
    assert torch.equal(moved[1].inputs, train[1].inputs[4:])


def test_cleaning_keeps_inputs_between_samples_as_they_are(parts):
    data = parts[2]
    states = data.states.clone()
    states[5] = torch.nan
    gappy = replace(data, states=states, velocities=None)
    split = clean(gappy, [GapsSpec("split")])
    assert torch.equal(split.inputs, data.inputs[torch.isfinite(states).all(1)])
    finer = clean(replace(data, velocities=None), [ResamplingSpec(0.125)])
    assert torch.equal(finer[0].inputs[::2], data[0].inputs)
    assert set(finer[0].inputs.ravel().tolist()) == set(data[0].inputs.ravel().tolist())  # held, never smoothed


def test_sparse_dynamics_say_by_name_what_the_input_does(parts):
    pytest.importorskip("pysindy")
    train, validation, _ = parts
    notes = SindySpec(degree=1).fit(train, validation, rng=generator(0)).notes()
    assert "2 force" in notes[1]


def test_a_map_refuses_inputs_in_a_sentence(parts):
    with pytest.raises(InputError, match="for a map must be without inputs, got force"):
        MapSpec(CUBIC).fit(*parts[:2], rng=generator(0))


def test_a_chosen_member_is_stored_as_what_was_chosen(parts, tmp_path):
    reducer = PODSpec(2).fit(*parts[:2], rng=generator(0))
    spec = AutoDynamicsSpec(PolynomialODESpec(PolynomialSpec(degree=1)))  # what the default reducer brings
    fitted = ReducedModel(reducer, spec.fit(*map(reducer.latents, parts[:2]), rng=generator(0)))
    fitted.save(tmp_path / "model.safetensors")
    a, b = (forecast(each, parts[2]) for each in (fitted, load_model(tmp_path / "model.safetensors")))
    assert torch.equal(a.predicted.states, b.predicted.states)
