import gc
import pkgutil
import subprocess
import sys
from functools import _lru_cache_wrapper

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from dynred import plugins
from dynred.dynamics.acceleration import AccelerationSpec
from dynred.dynamics.auto import AutoDynamicsSpec
from dynred.dynamics.base import DynamicsSpec
from dynred.dynamics.driven import DrivenSpec
from dynred.dynamics.ensemble import EnsembleSpec
from dynred.dynamics.equivariant import EquivariantODESpec
from dynred.dynamics.fourier import FourierSpec
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.local import LocalDynamicsSpec
from dynred.dynamics.map import MapSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.parametric import ParametricSpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.dynamics.quadratic import QuadraticSpec
from dynred.dynamics.sindy import SindySpec
from dynred.dynamics.stabilised import StabilisedSpec
from dynred.errors import FileFormatError, InputError
from dynred.models.export import as_numpy, exported
from dynred.models.numpy_model import load_numpy_model
from dynred.models.reduced import on_reducer
from dynred.numerics import monomials
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.reducers.auto import AutoReducerSpec
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import ReducerSpec
from dynred.reducers.equivariant import EquivariantManifoldSpec
from dynred.reducers.identity import IdentitySpec
from dynred.reducers.irmae import IRMAESpec
from dynred.reducers.local import LocalReducerSpec
from dynred.reducers.pod import PODSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.reducers.second_order import SecondOrderSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec
from dynred.training.nets import ACTIVATIONS, MLP

TINY = TrainingSpec(steps=20, batch_size=64, validations=2)
NET = NeuralODESpec(width=16, depth=2, training=TINY)
REDUCERS = {
    "pod": PODSpec(2),
    "autoencoder": AutoencoderSpec(2, width=16, training=TINY),
    "angles": AutoencoderSpec(2, angles=1, width=16, training=TINY),
    "polynomial": PolynomialManifoldSpec(2, PolynomialSpec(degree=3)),
    "irmae": IRMAESpec(2, bottleneck=4, width=16, training=TINY),
}
DYNAMICS = {
    "neural_ode": NET,
    "stabilised": StabilisedSpec(member=NET),
    "acceleration": AccelerationSpec(member=NET),
    "ensemble": EnsembleSpec(member=NET, members=2),
    "linear": LinearSpec(),
    "quadratic": QuadraticSpec((1e-6,)),
    "sindy": SindySpec(thresholds=(1e-2,)),
    "parametric": ParametricSpec(member=NET),
    "driven": DrivenSpec(member=NET),
    "polynomial": PolynomialODESpec(PolynomialSpec(degree=2)),
}
FIRST = {
    "export": lambda whole, path: whole.export(path / "m"),
    "to_numpy": lambda whole, _: whole.to_numpy(),
}


@pytest.fixture(scope="module")
def states():
    """Lifted cycles of several radii."""
    times = torch.linspace(0, 3, 16, dtype=torch.float64)
    parameters = {"mu": torch.linspace(0.6, 1.4, 12, dtype=torch.float64)}
    return simulate(find_system("graph_lift", dim=8), 12, times, rng=generator(0), parameters=parameters, transient=2.0)


@pytest.fixture(scope="module")
def reducers(states):
    return {name: spec.fit(states[:9], states[9:], rng=generator(0)) for name, spec in REDUCERS.items()}


def model(reducer, spec, states):
    return on_reducer(reducer, spec, states[:9], states[9:], rng=generator(0))


def agree(ours, theirs, tolerance):
    theirs = theirs.detach().double().numpy()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * max(1.0, np.abs(theirs).max())


@pytest.mark.parametrize("name", REDUCERS)
def test_numpy_encoders_and_decoders_agree_with_torch_to_round_off(name, reducers, states):
    whole = model(reducers[name], SindySpec(thresholds=(1e-2,)), states)
    plain, x = whole.to_numpy(), states.states[:6].reshape(2, 3, -1)
    agree(plain.encode(x.numpy()), whole.encode(x), 2e-6)
    agree(plain.decode(plain.encode(x.numpy())), whole.reconstruct(x), 5e-6)
    agree(plain.encode(x[0, 0].numpy()), whole.encode(x[0, 0]), 2e-6)


@pytest.mark.parametrize("name", DYNAMICS)
def test_numpy_fields_agree_with_torch_to_round_off(name, reducers, states):
    whole = model(reducers["pod"], DYNAMICS[name], states)
    whole = whole.at({"mu": 0.9}) if name == "parametric" else whole
    z = torch.cat([whole.encode(states.states[:5]), 40 * torch.ones(1, 2).double()])  # and one far outside
    agree(whole.to_numpy().rhs(0.5, z.numpy()), whole.rhs(0.5, z), 5e-6)


def test_scipy_integrates_the_numpy_field_to_the_same_end(reducers, states):
    whole = model(reducers["pod"], SindySpec(thresholds=(1e-2,)), states)
    plain = whole.to_numpy()
    z0 = plain.encode(states.initial[0].numpy())
    end = solve_ivp(plain.rhs, (0, 2), z0, rtol=1e-9, atol=1e-9).y[:, -1]
    found = whole.dynamics.rollout(torch.from_numpy(z0)[None], torch.tensor([0.0, 2.0], dtype=torch.float64))
    assert np.allclose(end, found[0, -1].numpy(), atol=1e-5)


def test_a_saved_numpy_model_runs_without_torch(reducers, states, tmp_path):
    whole = model(reducers["autoencoder"], NET, states)
    plain, x = whole.to_numpy(), states.states[:4].numpy()
    plain.save(tmp_path / "m.npz")
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, numpy as np\n"
        "from dynred.models.numpy_model import load_numpy_model\n"
        f"m = load_numpy_model({str(tmp_path / 'm.npz')!r})\n"
        f"z = m.encode(np.load({str(tmp_path / 'x.npy')!r}))\n"
        f"np.savez({str(tmp_path / 'out.npz')!r}, z=z, x=m.decode(z), v=m.rhs(0.0, z))\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    out = np.load(tmp_path / "out.npz")
    z = plain.encode(x)
    for name, expected in (("z", z), ("x", plain.decode(z)), ("v", plain.rhs(0.0, z))):
        assert np.array_equal(out[name], expected)


def test_exported_programs_give_the_same_for_any_number_of_rows(reducers, states, tmp_path):
    whole = model(reducers["autoencoder"], NET, states)
    whole.export(tmp_path / "programs")
    files = {"decode.pt2", "encode.pt2", "manifest.json", "rhs.pt2"}
    assert {p.name for p in (tmp_path / "programs").iterdir()} == files
    encode, decode, rhs = (
        torch.export.load(tmp_path / "programs" / f"{name}.pt2").module() for name in ("encode", "decode", "rhs")
    )
    x, now = states.states[:7], torch.zeros((), dtype=torch.float64)
    z = encode(x)
    assert torch.allclose(z, whole.encode(x), atol=1e-6)
    assert torch.allclose(decode(z.double()), whole.decode(z), atol=1e-6)
    assert torch.allclose(rhs(now, z.double()), whole.rhs(0.0, z.double()), atol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_known_in_numpy(activation):
    net = MLP(3, 2, [8, 8], activation, rng=generator(0)).requires_grad_(False)
    x = 4 * torch.randn(20, 3, generator=generator(1))
    agree(as_numpy(exported("net", net, [net], {"x": x[:2]}))(x.numpy()), net(x), 2e-6)


def test_parameters_that_are_missing_and_operations_that_are_unknown_are_named(reducers, states):
    whole = model(reducers["pod"], DYNAMICS["parametric"], states)
    with pytest.raises(InputError, match="rhs must be traceable by torch.export.*parameters must be given for mu"):
        whole.to_numpy()
    program = exported("special", torch.special.i0, [], {"x": torch.zeros(2, 1)})
    with pytest.raises(InputError, match="operations that are known in NumPy, got .*i0"):
        as_numpy(program)


def test_a_file_that_holds_no_numpy_model_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="does not exist"):
        load_numpy_model(tmp_path / "nothing.npz")
    np.savez(tmp_path / "other.npz", x=np.zeros(2))
    with pytest.raises(FileFormatError, match="holds no NumPy model"):
        load_numpy_model(tmp_path / "other.npz")


# -- a model that was exported before it was used ---------------------------------------------------------------------


def test_every_reducer_and_dynamics_is_among_those_that_are_exported_here():
    reducers = {type(spec) for spec in REDUCERS.values()}
    # One chooses among the others; those that not all states suit have tests of their own: of symmetric states in
    # test_equivariant_models.py and test_local_models.py, and in test_reduced_maps.py and test_second_order.py.
    elsewhere = {AutoReducerSpec, EquivariantManifoldSpec, IdentitySpec, LocalReducerSpec, SecondOrderSpec}
    assert reducers == set(plugins.classes("dynred.reducers", ReducerSpec)) - elsewhere
    dynamics = {type(spec) for spec in DYNAMICS.values()}
    dynamics |= {FourierSpec, EquivariantODESpec, LocalDynamicsSpec}  # of angles, of charges, on a lattice
    dynamics |= {MapSpec}  # which has no field
    assert dynamics == set(plugins.classes("dynred.dynamics", DynamicsSpec)) - {AutoDynamicsSpec}


def predicted_after(first, whole, states, path):
    """Predictions before, and after nothing but `first` was done in a process."""
    whole = whole.at({"mu": 0.9})
    expected = whole.predict(states.initial[:3], torch.linspace(0, 1, 5)).states
    monomials._steps.cache_clear()
    FIRST[first](whole, path)
    return expected, whole.predict(states.initial[:3], torch.linspace(0, 1, 5)).states


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("name", REDUCERS)
def test_a_model_predicts_the_same_where_its_reducer_was_exported_before(name, first, reducers, states, tmp_path):
    whole = model(reducers[name], SindySpec(thresholds=(1e-2,)), states)
    expected, found = predicted_after(first, whole, states, tmp_path)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("name", DYNAMICS)
def test_a_model_predicts_the_same_where_its_dynamics_were_exported_before(name, first, reducers, states, tmp_path):
    expected, found = predicted_after(first, model(reducers["pod"], DYNAMICS[name], states), states, tmp_path)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("first", FIRST)
def test_a_model_of_an_angle_predicts_the_same_where_it_was_exported_before(first, states, tmp_path):
    reducer = AutoencoderSpec(1, angles=1, width=16, training=TINY, trials=1).fit(
        states[:9], states[9:], rng=generator(0)
    )
    whole = on_reducer(reducer, FourierSpec(4), states[:9], states[9:], rng=generator(0))
    expected, found = predicted_after(first, whole, states, tmp_path)
    assert torch.equal(found, expected)


def test_no_cache_of_a_process_holds_tensors(reducers, states):
    model(reducers["polynomial"], DYNAMICS["polynomial"], states).to_numpy()
    cached = [
        value
        for module in pkgutil.walk_packages(__import__("dynred").__path__, "dynred.")
        if module.name in sys.modules
        for value in vars(sys.modules[module.name]).values()
        if isinstance(value, _lru_cache_wrapper)
    ]
    assert monomials._steps in cached
    for function in cached:
        assert not any(isinstance(item, torch.Tensor) for item in held(function))


def held(function):
    """Everything in the cache of a function, containers opened."""
    found, new = [], [item for item in gc.get_referents(function) if item is not function.__wrapped__]
    new = [item for item in new if item is not function.__dict__ and not isinstance(item, type)]
    while new:
        found += new
        new = [
            inner
            for item in new
            if isinstance(item, dict | list | tuple) or "lru" in type(item).__name__
            for inner in gc.get_referents(item)
            if not isinstance(inner, type)
        ]
        new = [item for item in new if not any(item is other for other in found)]
    return found
