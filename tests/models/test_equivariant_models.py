"""Models of equivariant parts: predictions move with the symmetries, exactly."""

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch

from dynred.data.symmetries import Phase, Reflection, Shift, Sign, Translation, remembered_symmetries
from dynred.data.symmetry_group import Group
from dynred.data.trajectories import Trajectories
from dynred.dynamics import equivariant
from dynred.dynamics.equivariant import EquivariantODESpec
from dynred.errors import InputError
from dynred.models.load import load_model
from dynred.models.reduced import on_reducer
from dynred.numerics.equivariant_fits import EquivariantPolynomialSpec
from dynred.numerics.equivariant_map import EquivariantMap
from dynred.ode.find import find_system
from dynred.reducers.equivariant import EquivariantManifoldSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers.adams import fastest_decay
from dynred.solvers.fixed_adams import FixedAdams, stable_decay

SMALL = EquivariantPolynomialSpec(terms=60)
FLOWS = {  # name: arguments, latent_dim, snapshots
    "kuramoto_sivashinsky": ({"length": 16.0, "points": 32}, 8, 60),
    "lorenz63": ({}, 2, 60),
    "lorenz96": ({"dim": 8}, 6, 60),
    "mean_field_wake": ({}, 2, 60),
    "complex_ginzburg_landau": ({"length": 8.0, "points": 24}, 8, 30),
    "kolmogorov_flow": ({"points": 16, "wave_number": 2, "reynolds": 4.0}, 6, 20),
}


def simulated(name):
    arguments, latent_dim, snapshots = FLOWS[name]
    system = find_system(name, **arguments)
    times = system.sampling * torch.arange(snapshots, dtype=torch.float64)
    return system, latent_dim, simulate(system, 12, times, rng=generator(0), transient=10 * system.sampling)


def fitted(truth, latent_dim):
    reducer = EquivariantManifoldSpec(latent_dim, SMALL).fit(truth[:9], truth[9:], rng=generator(0))
    return on_reducer(reducer, EquivariantODESpec(SMALL), truth[:9], truth[9:], rng=generator(0))


@pytest.fixture(scope="module")
def waves():
    system, latent_dim, truth = simulated("kuramoto_sivashinsky")
    return system, truth, fitted(truth, latent_dim)


@pytest.mark.parametrize("name", FLOWS)
def test_predictions_move_with_every_symmetry_of_which_the_model_knows(name):
    system, latent_dim, truth = simulated(name)
    model, group = fitted(truth, latent_dim), Group.of(system.symmetries, system.grid, system.dim)
    x0, t = group.resolved(truth.initial[:4]), 3 * system.sampling * torch.arange(4, dtype=torch.float64)
    plain = model.predict(x0, t).stacked()
    size = float(plain.abs().max())
    angles = [2 * math.pi / order if order else 0.618 for order in group.orders]
    moved = model.predict(group.turned(x0, angles), t).stacked()
    assert (moved - group.turned(plain, angles)).abs().max() < 1e-10 * size
    if (mirror := group.mirror) is not None:
        moved = model.predict(group.image(mirror, x0), t).stacked()
        assert (moved - group.image(mirror, plain)).abs().max() < 1e-10 * size
    for sign in group.signs:
        moved = model.predict(group.images(sign, x0), t).stacked()
        assert (moved - group.images(sign, plain)).abs().max() < 1e-10 * size


def test_a_translation_by_any_length_and_a_reflection_move_a_prediction_to_round_off(waves):
    system, truth, model = waves
    group, t = Group.of(system.symmetries, system.grid, system.dim), torch.arange(41, dtype=torch.float64)
    x0 = truth.initial[:3]
    plain = model.predict(x0, t).stacked()
    shifted = model.predict(group.turned(x0, [1.0]), t).stacked()  # no whole number of points
    assert (shifted - group.turned(plain, [1.0])).abs().max() < 1e-9
    one_point = group.turned(x0, [2 * math.pi / 32])
    torch.testing.assert_close(one_point, x0.roll(-1, -1), rtol=0, atol=1e-9)
    mirrored = model.predict(-x0.flip(-1).roll(1, -1), t).stacked()
    assert (mirrored + plain.flip(-1).roll(1, -1)).abs().max() < 1e-9


def test_it_is_better_than_a_complete_polynomial_of_the_same_size(waves):
    _, truth, model = waves
    plain = PolynomialManifoldSpec(8).fit(truth[:9], truth[9:], rng=generator(0))
    x = truth[9:].states
    error, other = (float((part.reconstruct(x) - x).pow(2).mean()) for part in (model, plain))
    assert error < 0.1 * other


def test_the_coordinates_say_their_charges(waves):
    _, _, model = waves
    representation = model.latent_space.representation
    assert sorted(representation.complex_charges) == [(1,), (2,), (3,), (4,)]
    assert (representation.mirrored, representation.orders) == (True, (0,))


def test_a_model_from_a_file_predicts_the_same_bit_for_bit(waves, tmp_path):
    _, truth, model = waves
    model.save(tmp_path / "m.safetensors")
    again, t = load_model(tmp_path / "m.safetensors"), torch.arange(5.0)
    assert torch.equal(again.predict(truth.initial, t).states, model.predict(truth.initial, t).states)
    assert again.latent_space == model.latent_space


def test_coefficients_count_as_numbers_that_were_fitted(waves):
    _, _, model = waves
    polynomials = (model.reducer.decoder, model.dynamics.polynomial)
    assert model.parameter_count == sum(len(each.coefficients) for each in polynomials) > 0


def test_numpy_functions_agree_with_torch_to_round_off(waves):
    _, truth, model = waves
    plain, x = model.to_numpy(), truth.states[:6]
    z = model.encode(x)
    assert np.abs(plain.encode(x.numpy()) - z.numpy()).max() < 1e-12
    assert np.abs(plain.decode(z.numpy()) - model.decode(z).numpy()).max() < 1e-12
    assert np.abs(plain.rhs(0.5, z.numpy()) - model.rhs(0.5, z).numpy()).max() < 1e-12


@pytest.mark.parametrize("solver", [FixedAdams(4, 0.05), FixedAdams(5, 0.2, 2), FixedAdams(1, 0.01)])
def test_a_compiled_rollout_is_that_of_torch_for_one_row_and_for_many(waves, solver):
    pytest.importorskip("numba")
    _, truth, model = waves
    dynamics = copy.copy(model.dynamics)
    dynamics.solver = solver
    z0, t = model.encode(truth.states[:150]), torch.tensor([0.0, 0.013, 0.3, 1.0, 1.1, 4.0], dtype=torch.float64)
    plain, field = dynamics.rollout(z0, t), dynamics.compiled()
    many = dynamics.rollout_compiled(field, z0, t)
    torch.testing.assert_close(many, plain, rtol=0, atol=1e-11)
    torch.testing.assert_close(dynamics.rollout_compiled(field, z0[:1], t), plain[:1], rtol=0, atol=1e-11)
    again = torch.cat([dynamics.rollout_compiled(field, part, t) for part in z0.split(40)])
    assert torch.equal(again, many)  # a row does not depend on the others


def test_a_compiled_model_predicts_the_same_to_round_off(waves, tmp_path):
    pytest.importorskip("numba")
    _, truth, model = waves
    model.save(tmp_path / "model.safetensors")
    quick, t = load_model(tmp_path / "model.safetensors").compile(), torch.arange(6, dtype=torch.float64)
    plain, other = (each.predict(truth.initial, t).states for each in (model, quick))
    assert not torch.equal(plain, other)  # it does take other ways
    torch.testing.assert_close(other, plain, rtol=0, atol=1e-11)


def test_rollouts_of_many_evaluations_take_loops_by_themselves_whatever_was_before(waves):
    pytest.importorskip("numba")
    _, truth, model = waves
    dynamics, z0 = model.dynamics, model.encode(truth.states[:3])
    short, long = (torch.linspace(0, n * dynamics.solver.step, 3).double() for n in (8, 2.2 * equivariant.MANY))
    before, found = dynamics.rollout(z0, short), dynamics.rollout(z0, long)
    assert torch.equal(found, dynamics.rollout_compiled(dynamics.compiled(), z0, long))
    assert torch.equal(dynamics.rollout(z0, short), before)


def test_a_time_limit_ends_a_compiled_rollout_where_it_is_and_progress_is_told(waves):
    pytest.importorskip("numba")
    _, truth, model = waves
    z0, told = model.encode(truth.states[:40]), []
    t = torch.linspace(0, 3e7 * model.dynamics.solver.step, 5).double()
    states = model.dynamics.rollout(z0, t, time_limit=0.5, progress=lambda *report: told.append(report))
    assert states[:, 0].isfinite().all()
    assert states[:, -1].isnan().all()
    assert {stage for stage, *_ in told} == {"rollout"}


def test_what_is_decoded_in_pieces_takes_loops_where_all_of_it_is_much(waves, monkeypatch):
    pytest.importorskip("numba")
    _, truth, model = waves
    taken, t = [], torch.arange(3, dtype=torch.float64)
    run = EquivariantMap._compiled_at
    monkeypatch.setattr(
        EquivariantMap, "_compiled_at", lambda self, points: taken.append(len(points)) or run(self, points)
    )
    monkeypatch.setattr(EquivariantMap, "many", 1025 * len(model.reducer.decoder.coefficients))
    x0 = truth.states[:350]
    model.predict(x0[:300], t)
    assert taken == []
    model.predict(x0, t)
    assert sum(taken) == 3 * 350
    model.decode(model.encode(x0))
    assert sum(taken) == 3 * 350


def test_a_row_that_diverges_in_a_compiled_rollout_is_nan_from_then_on(waves):
    pytest.importorskip("numba")
    _, truth, model = waves
    z0 = model.encode(truth.states[:2]) * torch.tensor([[1.0], [40.0]], dtype=torch.float64)
    states = model.dynamics.rollout_compiled(model.dynamics.compiled(), z0, torch.arange(9.0).double())
    assert states[0].isfinite().all()
    assert states[1, 1:].isnan().all()


def test_steps_bear_the_decay_of_the_field(waves):
    _, truth, model = waves
    z, solver = model.encode(truth.states[::20]), model.dynamics.solver
    decay = float(fastest_decay(model.dynamics, torch.zeros(len(z)).double(), z).max())
    assert decay * solver.step < stable_decay(solver.order, solver.evaluations)


def test_the_steps_add_little_to_the_error_of_the_field(waves):
    _, truth, model = waves
    dynamics, t = copy.copy(model.dynamics), torch.arange(9, dtype=torch.float64)
    z = model.encode(truth[9:].stacked()[:, :9])
    own = dynamics.rollout(z[:, 0], t)
    dynamics.solver = FixedAdams(6, dynamics.solver.step / 8, 2)
    assert (own - dynamics.rollout(z[:, 0], t)).norm() < 0.3 * (own - z).norm()


def test_a_file_of_before_there_were_orders_is_read(waves, tmp_path):
    _, truth, model = waves
    sizes = {**model.dynamics.sizes(), "step": 0.125}
    del sizes["order"], sizes["evaluations"]
    earlier = model.dynamics.spec.build(model.latent_space, **sizes)
    assert earlier.solver == FixedAdams(4, 0.0625, 2)  # as many evaluations as Runge-Kutta had


def test_the_derivative_of_the_field_is_its_slope(waves):
    _, truth, model = waves
    z, v = model.encode(truth.states[:5]), torch.randn(5, 8, generator=generator(0), dtype=torch.float64)
    _, exact = torch.func.jvp(lambda y: model.rhs(0.0, y), (z,), (v,))
    slope = (model.rhs(0.0, z + 1e-6 * v) - model.rhs(0.0, z - 1e-6 * v)) / 2e-6
    torch.testing.assert_close(exact, slope, rtol=1e-6, atol=1e-6)


def declared(truth, *symmetries, **others):
    attributes = {"symmetries": [symmetry.to_dict() for symmetry in symmetries], **others}
    return dataclasses.replace(truth, attributes={**truth.attributes, "symmetry_violations": None, **attributes})


def refusal(truth, latent_dim=4):
    with pytest.raises(InputError) as caught:
        EquivariantManifoldSpec(latent_dim, SMALL).fit(truth, truth, rng=generator(0))
    return str(caught.value)


def test_states_without_declared_symmetries_are_refused(waves):
    _, truth, _ = waves
    message = refusal(dataclasses.replace(truth, attributes={}))
    assert message.startswith("symmetries must be declared for equivariant models, got none.")


def test_an_equation_that_contradicts_a_declaration_is_refused_with_the_number():
    system = find_system("kuramoto_sivashinsky", length=16.0, points=32)
    wrong = dataclasses.replace(system, symmetries=(Translation("x"), Reflection("x")))
    truth = simulate(wrong, 4, torch.arange(5.0), rng=generator(0), transient=0.0)
    assert "a difference of 1.5 of the size of f" in refusal(truth)


def test_data_that_contradict_a_declaration_are_refused_with_the_number():
    rng, x = generator(0), torch.linspace(0, 6, 32, dtype=torch.float64)
    noise = torch.randn(20, 30, 32, generator=rng, dtype=torch.float64)
    lumpy = Trajectories.from_stacked(noise + torch.exp(-((x - 3) ** 2)), torch.arange(30.0), noise)
    assert "got one that it moves by 0.3" in refusal(declared(lumpy, Translation("x")))
    windy = Trajectories.from_stacked(noise * (1 + torch.exp(-((x - 2) ** 2))), torch.arange(30.0), noise)
    assert "whose mean square it leaves where it is" in refusal(declared(windy, Reflection("x"), Sign()))
    even = Trajectories.from_stacked(noise, torch.arange(30.0), noise)
    EquivariantManifoldSpec(4, SMALL).fit(
        declared(even, Translation("x"), Reflection("x")), even, rng=rng
    )  # holds: nothing to refuse


@pytest.mark.parametrize(
    ("symmetry", "words"),
    [
        (Translation("y"), "symmetry translation along y must be along an axis of the grid, x, got y"),
        (Translation("x", period=20.0), "period of the translation along x must be that of the grid, 16, got 20"),
        (Phase(0, 3), "must be of components among u, got 3"),
        (Reflection("x", along="x", shift=0.3), "must be by whole points of the grid, got 9.6 points"),
    ],
)
def test_a_symmetry_that_does_not_fit_the_grid_is_refused(waves, symmetry, words):
    system, truth, _ = waves
    assert words in refusal(declared(truth, symmetry))
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        dataclasses.replace(system, symmetries=(symmetry,))


def test_a_number_of_coordinates_that_modes_cannot_fill_is_refused(waves):
    _, truth, _ = waves
    assert "latent_dim must be filled by whole modes, as 6 is, got 7. Modes that a symmetry turns" in refusal(truth, 7)


def test_dynamics_of_latents_without_charges_are_refused(waves):
    _, truth, _ = waves
    reducer = PolynomialManifoldSpec(4).fit(truth[:9], truth[9:], rng=generator(0))
    with pytest.raises(InputError, match="latent space of equivariant dynamics must be one whose coordinates carry"):
        on_reducer(reducer, EquivariantODESpec(SMALL), truth[:9], truth[9:], rng=generator(0))


def test_attributes_that_hold_no_symmetries_give_none():
    for wrong in ({}, {"symmetries": 3}, {"symmetries": [{"kind": "pod"}]}, {"symmetries": [{"kind": "shift"}]}):
        assert remembered_symmetries(wrong) == ()
    assert remembered_symmetries({"symmetries": [Shift("site").to_dict()]}) == (Shift("site"),)
