"""Wrong arguments of the functions that a user calls, as a table: what is called, and the words of the refusal."""

import dataclasses

import numpy as np
import pytest
import torch

import dynred
from dynred.checks import real
from dynred.data.trajectories import Trajectories
from dynred.dynamics.base import DynamicsSpec
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.parametric import ParametricSpec
from dynred.errors import InputError
from dynred.evaluation.certify import certify
from dynred.evaluation.evaluate import evaluate
from dynred.evaluation.long_time import long_time
from dynred.evaluation.lyapunov import lyapunov_spectrum
from dynred.experiments.pipeline import reduce
from dynred.models.bands import calibrate
from dynred.models.joint import JointSpec
from dynred.models.load import load_model
from dynred.models.reduced import ReducedModel
from dynred.ode.find import find_system
from dynred.plugins import classes
from dynred.reducers.base import ReducerSpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator, spawn
from dynred.simulation.simulate import simulate

T = torch.linspace(0, 2, 5, dtype=torch.float64)
X, Z = torch.zeros(3, 12, dtype=torch.float64), torch.zeros(3, 2, dtype=torch.float64)
NAN = float("nan")


@pytest.fixture(scope="module")
def model(lifted):
    reducer = PODSpec(2).fit(lifted[:9], lifted[9:], rng=generator(0))
    parts = (reducer.latents(part) for part in (lifted[:9], lifted[9:]))
    return ReducedModel(reducer, LinearSpec().fit(*parts, rng=generator(1)), {"system": "lifted"})


@pytest.fixture(scope="module")
def parametric(lifted):
    reducer = PODSpec(2).fit(lifted[:9], lifted[9:], rng=generator(0))
    numbered = dataclasses.replace(lifted, parameters={"a": torch.linspace(1, 2, 12, dtype=torch.float64)})
    latents = reducer.latents(numbered)
    return ReducedModel(reducer, ParametricSpec(LinearSpec()).fit(latents[:9], latents[9:], rng=generator(1)))


NO_NUMBERS = [
    (np.zeros((3, 12), dtype=complex), "real numbers, got complex ones"),
    (torch.zeros(3, 12, dtype=torch.complex128), "real numbers, got complex ones"),
    ([[0j] * 12], "real numbers, got complex ones"),
    (np.zeros((3, 12), dtype=bool), "real numbers, got booleans"),
    ("abc", "real numbers, got a str, 'abc'"),
    (np.array([["a"] * 12]), "real numbers, got an array of <U1"),
    (np.full((3, 12), None), "real numbers, got an array of object"),
    (None, "real numbers, got None"),
    ([[1.0], [1.0, 2.0]], "real numbers, got a list"),
    ({}, "real numbers, got a dict"),
    (object(), "real numbers, got a object"),
]


@pytest.mark.parametrize(("value", "words"), NO_NUMBERS)
def test_what_is_no_array_of_real_numbers_is_refused_everywhere(model, value, words):
    calls = [model.encode, model.decode, model.reconstruct, lambda x: model.predict(x, T), lambda x: model.rhs(0.0, x)]
    calls += [lambda x: model.rollout(x, T), lambda t: model.predict(X, t), lambda t: model.rollout(Z, t)]
    calls += [lambda p: model.at({"a": p}), lambda t: model.rhs(t, Z)]
    calls += [lambda x: Trajectories(x, T, torch.tensor([5])), lambda x: Trajectories.from_stacked(x, T)]
    if value is not None:
        system = find_system("stuart_landau")
        calls.append(lambda v: Trajectories.from_stacked(torch.zeros(1, 5, 3), T, v))
        calls.append(lambda x: simulate(system, times=T, initial=x, rng=generator(0)))
    for call in calls:
        with pytest.raises(InputError, match=words):
            call(value)


@pytest.mark.parametrize("rng", [None, 0, "x", np.random.default_rng(0), torch.Generator])
def test_a_stream_of_random_numbers_is_asked_for_wherever_one_is_taken(model, lifted, rng):
    system = find_system("stuart_landau")
    calls = [
        lambda: simulate(system, 2, T, rng=rng),
        lambda: system.initial(2, rng),
        lambda: lifted.split(0.5, 0.5, rng=rng),
        lambda: certify(model, lifted, rng=rng),
        lambda: lyapunov_spectrum(system, rng=rng),
        lambda: model.spec.updated("dynamics", LinearSpec()).fit_dynamics(model.coordinates, lifted, lifted, rng=rng),
        lambda: JointSpec().refine(model, lifted, lifted, rng=rng),
        lambda: spawn(rng, "x"),
        lambda: dynred.AtlasSpec(charts=2).fit(lifted, lifted, rng=rng),
    ]
    calls += [lambda cls=cls: cls().fit(lifted, lifted, rng=rng) for cls in classes("dynred.reducers", ReducerSpec)]
    calls += [lambda cls=cls: cls().fit(lifted, lifted, rng=rng) for cls in classes("dynred.dynamics", DynamicsSpec)]
    if rng is not None:
        calls.append(lambda: dynred.inspect(lifted, rng=rng))
        calls.append(lambda: long_time(model, find_system("graph_lift", dim=12), rng=rng))
    for call in calls:
        with pytest.raises(InputError, match=r"rng must be a torch.Generator, got .*. `dynred.generator\(seed\)`"):
            call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.encode(torch.zeros(3, 11)), r"x must be states of 12 values, got shape \[3, 11\]"),
        (lambda m: m.encode(torch.zeros(())), r"x must be states of 12 values, got shape \[\]"),
        (lambda m: m.decode(torch.zeros(3, 3)), r"z must be states of 2 values, got shape \[3, 3\]"),
        (lambda m: m.reconstruct(torch.zeros(12, 3)), "x must be states of 12 values"),
        (lambda m: m.rhs(0.0, torch.zeros(3)), "z must be states of 2 values"),
        (
            lambda m: m.predict(torch.zeros(2, 3, 12), T),
            r"x0 must be an array of at most 2 axes, got shape \[2,",
        ),
        (lambda m: m.predict(torch.full((12,), NAN), T), "x0 must be finite everywhere, got nan at index"),
        (lambda m: m.predict(torch.full((12,), np.inf), T), "x0 must be finite everywhere, got inf"),
        (lambda m: m.predict(X, T.flip(0)), "t must be strictly increasing, got 2 followed by 1.5"),
        (lambda m: m.predict(X, [0.0, 1.0, 1.0]), "t must be strictly increasing, got 1 followed by 1"),
        (lambda m: m.predict(X, []), "t must be a vector of times"),
        (lambda m: m.predict(X, 1.0), "t must be a vector of times"),
        (lambda m: m.predict(X, [[0.0, 1.0]]), "t must be a vector of times"),
        (lambda m: m.predict(X, [0.0, NAN]), "t must be finite everywhere, got nan"),
        (lambda m: m.rollout(Z, T.flip(0)), "t must be strictly increasing, got 2 followed by 1.5"),
        (lambda m: m.rollout(Z, []), "t must be a vector of times"),
        (lambda m: m.rollout(Z, [0.0, NAN]), "t must be finite everywhere"),
        (lambda m: m.rollout(Z, [0.0, 0.0]), "t must be strictly increasing"),
        (lambda m: m.rollout(Z[0], T), r"z0 must be latents \[N, 2\], got shape \[2\]"),
        (lambda m: m.rollout(Z[:, :1], T), "z0 must be states of 2 values"),
        (lambda m: m.at({"a": NAN}), "parameter a must be finite everywhere, got nan"),
        (
            lambda m: m.at({"a": [1.0, 2.0]}).predict(X, T),
            r"parameter a must be a number or 3 of them, got shape \[2\]",
        ),
        (lambda m: m.at([1.0]), "parameters must be of class Mapping, got a list, .*Give them by name"),
        (lambda m: m.at(3), "parameters must be of class Mapping, got 3"),
        (lambda m: m.at(None), "parameters must be of class Mapping, got None. Give them by name"),
        (lambda m: m.save(3), "path must be a path, got 3"),
        (lambda m: m.save(None), "path must be a path, got None"),
        (lambda m: m.save(""), "path must be a path, got ''"),
        (lambda m: load_model(3), "path must be a string or of class Path, got 3"),
        (lambda m: load_model("a\0b"), "path must be a path"),
    ],
)
def test_wrong_arguments_of_a_model_are_refused_in_a_sentence(model, call, words):
    with pytest.raises(InputError, match=words):
        call(model)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "parameters must be given for a, got none for a"),
        ({"b": 1.0}, "parameters must be given for a, got none for a"),
        ({"a": NAN}, "parameter a must be finite everywhere"),
        ({"a": [1.0, 2.0]}, "parameter a must be a number or 3 of them"),
        ({"a": "x"}, "parameter a must be real numbers, got a str, 'x'"),
        ({"a": True}, "parameter a must be real numbers, got booleans"),
    ],
)
def test_wrong_parameters_are_refused_by_name(parametric, parameters, words):
    with pytest.raises(InputError, match=words):
        parametric.at(parameters).predict(X, T)
    with pytest.raises(InputError, match=words):
        parametric.at(parameters).rollout(Z, T)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda d, m: d.windows(0), "length must be an integer >= 1, got 0"),
        (lambda d, m: d.windows(2.0), "length must be an integer >= 1, got 2.0"),
        (lambda d, m: d.windows(2, 0), "stride must be an integer >= 1, got 0"),
        (lambda d, m: d.split(2.0, rng=generator(0)), r"fractions must be positive and of sum at most 1, got \[2.0\]"),
        (lambda d, m: d.split("x", rng=generator(0)), "fractions must be positive"),
        (lambda d, m: d.split(NAN, rng=generator(0)), "fractions must be positive"),
        (lambda d, m: d.split(True, rng=generator(0)), "fractions must be positive"),
        (lambda d, m: evaluate(m, d, threshold=-1), "threshold must be a finite number > 0, got -1"),
        (lambda d, m: evaluate(m, d, threshold="x"), "threshold must be a finite number, got a str, 'x'"),
        (lambda d, m: evaluate(m, d, time_scale=0), "time_scale must be a finite number > 0, got 0"),
        (lambda d, m: evaluate(m, d.states), "test must be of class Trajectories, got a Tensor"),
        (lambda d, m: evaluate("m", d), "model must be of class Model, got a str"),
        (lambda d, m: calibrate(m, d, levels=()), "levels must be in"),
        (lambda d, m: calibrate(m, d, levels=("x",)), "levels must be in"),
        (lambda d, m: certify(m, d, rng=generator(0), confidence=1.5), r"confidence must be in \(0, 1\), got 1.5"),
        (
            lambda d, m: certify(m, d, rng=generator(0), confidence="x"),
            r"confidence must be a finite number, got a str, 'x'",
        ),
        (lambda d, m: reduce(d, 2.0), r"latent_dim must be an integer in \[1, 11\], got 2.0"),
        (lambda d, m: reduce(d, "2"), "latent_dim must be an integer in"),
        (lambda d, m: PODSpec(2.5), "PODSpec.latent_dim must be an integer, got 2.5"),
        (lambda d, m: generator(-1), "seed must be an integer >= 0, got -1"),
        (lambda d, m: generator(1.5), "seed must be an integer >= 0, got 1.5"),
        (lambda d, m: lyapunov_spectrum(m, rng=generator(0), duration=0), "duration must be a finite number > 0"),
        (lambda d, m: Trajectories([[1.0]], [0.0], [1.5]), "lengths must be integers, got numbers that are not"),
        (lambda d, m: Trajectories([[1.0]], [0.0], [2]), "lengths must be positive and of sum 1"),
        (lambda d, m: Trajectories([[1.0]], [0.0], [1], parameters=3), "parameters must be of class Mapping"),
        (lambda d, m: Trajectories([[1.0]], [0.0], [1], parameters={"a": "x"}), "parameter a must be real numbers"),
        (lambda d, m: Trajectories([[1.0]], [0.0], [1], attributes=3), "attributes must be of class Mapping"),
        (lambda d, m: Trajectories([1.0], [0.0], [1]), r"states must be real numbers \[M, D\]"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(lifted, model, call, words):
    with pytest.raises(InputError, match=words):
        call(lifted, model)


def test_arrays_of_numpy_and_lists_are_taken_for_trajectories():
    rows = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    tensors = Trajectories(torch.tensor(rows, dtype=torch.float64), torch.arange(3.0).double(), torch.tensor([2, 1]))
    for make in (lambda x: x, np.array):
        found = Trajectories(make(rows), make([0.0, 1.0, 2.0]), make([2, 1]), make(rows), {"a": make([1.0, 2.0])})
        assert torch.allclose(found.states.double(), tensors.states)
        assert found.lengths.dtype == torch.int64
    assert Trajectories.from_stacked(np.zeros((1, 3, 2)), np.arange(3)).states.dtype == torch.float64


def test_numbers_of_python_keep_all_their_digits():
    for value in (0.1, [0.1], [[0.1, 1], [2, 3]], [torch.tensor(0.1, dtype=torch.float64)]):
        found = real("x", value)
        assert found.dtype == torch.float64
        assert found.flatten()[0] == 0.1
    assert real("x", np.float32(0.1)).dtype == torch.float32


def test_arrays_that_torch_does_not_take_as_they_are_are_copied():
    whole = np.arange(6.0)
    fixed = whole.copy()
    fixed.flags.writeable = False
    for array in (whole[::-1], whole.astype(">f8"), fixed):
        assert np.array_equal(real("x", array).numpy(), array)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../evil", "a\\b", "a\0b"])
def test_a_name_of_a_parameter_is_no_path(circle, name):
    with pytest.raises(InputError, match="a parameter's name must be a word without /"):
        dataclasses.replace(circle, parameters={name: circle.lengths.double()})


def test_a_keyword_that_a_function_has_not_is_refused_with_the_nearest_or_with_what_the_function_is_for(circle):
    system = find_system("stuart_landau")
    with pytest.raises(InputError, match=r"an argument of simulate must be .*, got 'parameter'. Did you mean param"):
        simulate(system, 2, T, rng=generator(0), parameter={"mu": 2.0})
    with pytest.raises(InputError, match=r"argument of simulate must be .*, got 'colour'. simulate: Trajectories of a"):
        simulate(system, 2, T, rng=generator(0), colour="red")
    with pytest.raises(InputError, match=r"an argument of windows must be one of length, stride, got 'size'"):
        circle.windows(3, size=2)
