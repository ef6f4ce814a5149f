import dataclasses

import numpy as np
import pytest
import torch

import dynred
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.errors import DivergenceError, InputError
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.open_source import source_of
from dynred.experiments.pipeline import _chosen, reduce
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate


def test_the_ten_lines_of_the_design_run_as_written():
    system = find_system("stuart_landau")
    rng = generator(0, "ten lines")
    truth = dynred.simulate(system, n=20, times=torch.linspace(0, 6, 31), rng=rng)
    train, validation, test = truth.split(0.8, 0.1, 0.1, rng=rng)
    reducer = dynred.PODSpec(latent_dim=1).fit(train, validation, rng=rng)
    latents = train.map(reducer.encode)
    dynamics = dynred.LinearSpec().fit(latents, validation.map(reducer.encode), rng=rng)
    model = dynred.ReducedModel(reducer, dynamics)
    assert "valid time" in str(dynred.evaluate(model, test))


def test_the_same_seed_gives_the_same_model_bit_for_bit(small_data, small_reducer, small_dynamics):
    settings = {"data": small_data, "reducer": small_reducer, "dynamics": small_dynamics}
    system = find_system("graph_lift", dim=8)
    a, b, c = (reduce(system, 2, seed=seed, **settings).model for seed in (0, 0, 1))
    x, t = system.initial(3, generator(9)), torch.linspace(0, 2, 5)
    assert torch.equal(a.predict(x, t).states, b.predict(x, t).states)
    assert not torch.equal(a.predict(x, t).states, c.predict(x, t).states)


def test_test_trajectories_are_never_training_trajectories(small_data, small_reducer, small_dynamics):
    found = reduce("graph_lift", 2, data=small_data, reducer=small_reducer, dynamics=small_dynamics)
    starts = [part.initial for part in (found.train, found.validation, found.forecast.truth)]
    everything = torch.cat(starts)
    gaps = torch.cdist(everything, everything) + torch.eye(len(everything))
    assert gaps.min() > 0


def measured(n=12, steps=61):
    """Sampled trajectories on the lifted cycle, without velocities."""
    system = find_system("graph_lift", dim=8)
    times = torch.linspace(0, 6, steps, dtype=torch.float64)
    return dataclasses.replace(simulate(system, n, times, rng=generator(0)), velocities=None, attributes={})


def test_data_without_an_equation_are_reduced_and_the_velocity_error_is_kept(small_reducer, small_dynamics):
    found = reduce(measured(), 2, reducer=small_reducer, dynamics=small_dynamics)
    assert found.model.about["velocities"].endswith("spline")
    assert 0 < found.model.about["velocity_error"] < 1e-3
    assert found.evaluation.speedup.full_s_per_time_unit is None
    assert found.evaluation.rollout.diverged == 0


def test_one_long_trajectory_is_divided_in_time_into_parts_that_share_no_snapshot():
    parts = source_of(measured(1, 400)).parts(DataSpec(), 0, Runtime())
    assert [len(part) for part in parts] == [1, 1, 1]
    times = torch.cat([part.t for part in parts])
    assert (torch.diff(times) > 0).all()
    assert len(times) == 400


def test_velocities_that_come_with_the_data_are_used_as_they_are():
    data = dataclasses.replace(measured(), velocities=torch.ones(12 * 61, 8, dtype=torch.float64))
    train, _, _ = source_of(data).parts(DataSpec(), 0, Runtime())
    assert (train.velocities == 1).all()
    assert "velocity_error" not in train.attributes


def test_the_horizon_cuts_test_trajectories_of_data():
    _, _, test = source_of(measured()).parts(DataSpec(horizon=2.0), 0, Runtime())
    assert float((test.t.reshape(len(test), -1)[:, -1] - test.t.reshape(len(test), -1)[:, 0]).max()) <= 2.0 + 1e-9


@pytest.mark.parametrize(("latent_dim", "span"), [(0, r"\[1, 7\], got 0"), (8, r"\[1, 7\], got 8"), (True, "got True")])
def test_a_latent_dimension_that_reduces_nothing_is_refused(latent_dim, span):
    with pytest.raises(InputError, match=f"latent_dim must be an integer in .*{span}"):
        reduce(find_system("graph_lift", dim=8), latent_dim)


def test_settings_that_contradict_the_latent_dimension_are_refused(small_reducer):
    with pytest.raises(InputError, match="latent_dim must be that of the reducer's settings, 2, got 3"):
        reduce("graph_lift", 3, reducer=small_reducer)


def test_a_truth_that_diverges_names_trajectory_and_time():
    system = System("explosive", 3, lambda t, x: x**2, lambda n, rng: torch.ones(n, 3, dtype=torch.float64))
    with pytest.raises(DivergenceError, match=r"Trajectory 0 diverged after t = 0\.9.*Try"):
        reduce(system, 1, data=DataSpec(train=2, validation=1, test=1, duration=3.0))


def test_a_numpy_equation_in_scipys_form_is_reduced_as_it_is():
    def rhs(t, x):
        return [x[1], -x[0], x[0] ** 2 - x[2]]

    system = System("columns", 3, rhs, transient=10.0)
    data = DataSpec(train=8, validation=2, test=2, duration=6.0)
    found = reduce(system, 2, data=data, reducer=PODSpec(2), dynamics=LinearSpec())
    exact = np.stack(rhs(0.0, found.train.states.numpy().T), 1)
    assert np.array_equal(found.train.velocities.numpy(), exact)
    assert found.evaluation.state_dim == 3


def test_gaps_in_data_are_refused_with_their_place():
    data = measured()
    data.states[70, 3] = torch.nan
    with pytest.raises(InputError, match="states must be finite, got nan in trajectory 1 at time 0.9, component 3"):
        reduce(data, 2)


def test_single_snapshots_have_no_dynamics():
    one = Trajectories.from_stacked(torch.randn(12, 1, 4, dtype=torch.float64), torch.zeros(1))
    with pytest.raises(InputError, match="data must be trajectories of at least 2 snapshots, got of 1 each"):
        reduce(one, 2)


def test_symmetries_are_used_unless_dynamics_are_named():
    source = source_of("kuramoto_sivashinsky", None)
    by_default, _ = _chosen(source, 8, None, None, None, ())
    named, dynamics = _chosen(source, 8, None, NeuralODESpec(), None, ())
    assert by_default.symmetry
    assert not named.symmetry
    assert dynamics == NeuralODESpec()


def test_states_of_one_value_are_refused_with_what_to_do():
    t = np.linspace(0, 5, 60)
    with pytest.raises(InputError, match=r"states must be of 2 values or more, .*, got 1\. .*`--delays auto`"):
        reduce(np.sin(t)[:, None], 1, t=t)
