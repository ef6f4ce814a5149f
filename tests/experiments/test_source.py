"""What every source answers, a system and data alike, and that a reduction is the same by whatever way it is named."""

import dataclasses
import json

import pytest
import torch

from dynred.data.storage import save_trajectories
from dynred.data.trajectories import Trajectories
from dynred.dynamics.linear import LinearSpec
from dynred.errors import InputError
from dynred.experiments.data_source import DataSource
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.open_source import open_source, source_of
from dynred.experiments.pipeline import reduce
from dynred.experiments.system_source import SystemSource
from dynred.ode.find import find_system
from dynred.ode.known_set import KnownSet
from dynred.ode.observe import observe
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate

DATA, RUNTIME = DataSpec(train=6, validation=2, test=3, duration=4.0, sampling=0.2, transient=4.0), Runtime()
PLAIN = {"reducer": PODSpec(1), "dynamics": LinearSpec()}


def measured(n=12):
    """Trajectories on the limit cycle, without velocities."""
    times = torch.linspace(0, 6, 61, dtype=torch.float64)
    return dataclasses.replace(simulate(find_system("stuart_landau"), n, times, rng=generator(0)), velocities=None)


def same(a, b):
    return torch.equal(a.states, b.states) and torch.equal(a.t, b.t) and torch.equal(a.velocities, b.velocities)


each_kind = pytest.mark.parametrize("kind", ["system", "data"])


@pytest.fixture
def source(kind):
    return source_of(find_system("stuart_landau") if kind == "system" else measured())


@each_kind
def test_a_source_of_a_source_is_itself(source):
    assert source_of(source) is source


@each_kind
def test_parts_are_trajectories_with_velocities_that_share_no_state_and_are_decided_by_the_seed(source):
    parts = source.parts(DATA, 0, RUNTIME)
    assert all(part.dim == source.dim and part.velocities is not None for part in parts)
    starts = torch.cat([part.initial for part in parts])
    assert len(torch.unique(starts, dim=0)) == len(starts)
    assert all(map(same, parts, source.parts(DATA, 0, RUNTIME)))
    assert not same(parts.train, source.parts(DATA, 1, RUNTIME).train)


@each_kind
def test_sizes_are_at_least_those_of_the_parts(source):
    sizes, parts = source.sizes(DATA), source.parts(DATA, 0, RUNTIME)
    assert sizes.dim >= source.dim
    assert sizes.trajectories >= max(len(part) for part in parts)
    assert all(
        getattr(sizes, name) >= 0.5 * len(part.states)
        for name, part in zip(("train", "validation", "test"), parts, strict=True)
    )


@each_kind
def test_what_is_unseen_shares_no_state_with_training_and_validation(source):
    train, validation, _ = source.parts(DATA, 0, RUNTIME)
    fresh = source.unseen(DATA, 0, 50, sample_seed=1, runtime=RUNTIME)
    assert len(fresh.states) >= (50 if source.known.sample is None and source.simulated else 1)
    assert torch.cdist(fresh.initial, torch.cat([train.states, validation.states])).min() > 0


@each_kind
def test_states_on_k_are_as_many_as_asked_for(source):
    states = source.states(5, rng=generator(0))
    assert states.shape == (5, source.dim)
    assert torch.allclose(states.norm(dim=1), torch.ones(5, dtype=torch.float64), atol=1e-3)
    assert torch.equal(states, source.states(5, rng=generator(0)))


@each_kind
def test_a_fingerprint_is_plain_and_agrees_with_itself_alone(source, kind):
    known = source.fingerprint()
    assert json.loads(json.dumps(known)) == known
    assert known["kind"] == kind
    assert source.changes(known) == []
    assert source.changes({}) == []
    other = source_of(find_system("stuart_landau", mu=2.0) if kind == "data" else measured())
    assert source.changes(other.fingerprint()) == ["kind"]


@each_kind
def test_a_model_remembers_its_source_in_plain_words(source):
    about = source.about(source.parts(DATA, 0, RUNTIME), 7)
    assert json.loads(json.dumps(about)) == about
    assert {"system": "stuart_landau", "seed": 7}.items() <= about.items()
    assert ("solver" if source.simulated else "velocities") in about


@each_kind
def test_what_only_an_equation_tells_is_there_with_one_alone(source):
    assert (source.system is not None) == source.simulated
    assert (source.known.sample is not None) == source.simulated
    assert source.grid is None


def test_the_grid_of_a_field_is_that_of_its_system():
    system = find_system("kuramoto_sivashinsky")
    assert source_of(system).grid is system.grid is not None


def test_nothing_is_known_of_k_where_the_system_draws_its_parameters():
    system = find_system("stuart_landau")
    drawing = dataclasses.replace(system, sample_parameters=lambda n, rng: {"mu": 0.5 + torch.rand(n, generator=rng)})
    assert source_of(system).known is system.known
    assert source_of(drawing).known == KnownSet()


def test_without_a_sampler_of_k_as_many_snapshots_are_simulated_as_asked_for():
    source = open_source("lorenz63", {})
    fresh = source.unseen(DATA, 0, 700, sample_seed=1, runtime=RUNTIME)
    assert len(fresh.states) >= 700
    assert len(fresh) == -(-700 // int(fresh.lengths[0]))


def test_a_system_that_was_changed_is_told_by_what_differs():
    a, b = (source_of(find_system("stuart_landau", mu=mu)) for mu in (1.0, 2.0))
    assert "equation" in b.changes(a.fingerprint())
    data = measured()
    other = source_of(dataclasses.replace(data, states=data.states + 1))
    assert other.changes(source_of(data).fingerprint()) == ["digest"]


def test_a_name_is_a_system_or_a_data_file(tmp_path):
    save_trajectories(measured(), tmp_path / "data.npz")
    assert isinstance(source_of("stuart_landau"), SystemSource)
    assert isinstance(source_of(str(tmp_path / "data.npz")), DataSource)
    with pytest.raises(InputError, match=r"arguments \(--with\) must be none for data, got mu"):
        open_source(str(tmp_path / "data.npz"), {"mu": 1.0})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (None, "source must be a system, .* a data file, .* an array .*, got None"),
        (3, "source must be a system, .*, got 3"),
        (torch.zeros(3, 2), "data must be to hold the times `t`"),
        (["stuart_landau"], "x must be an array .*, got a str, 'stuart_landau'"),
    ],
)
def test_what_is_no_source_is_refused(wrong, words):
    with pytest.raises(InputError, match=words):
        source_of(wrong)


def scores(source):
    evaluation = reduce(source, 1, data=DATA, **PLAIN).evaluation.to_dict()
    return {name: value for name, value in evaluation.items() if name not in ("cost", "speedup")}


def test_a_system_its_name_and_its_file_give_the_same_scores(tmp_path):
    file = tmp_path / "stuart_landau.py"
    file.write_text("from dynred.ode.find import find_system\n\nsystem = find_system('stuart_landau')\n")
    expected = scores(find_system("stuart_landau"))
    assert scores("stuart_landau") == scores(str(file)) == scores(open_source("stuart_landau", {})) == expected


def test_trajectories_and_their_file_give_the_same_scores(tmp_path):
    data = measured()
    assert isinstance(data, Trajectories)
    save_trajectories(data, tmp_path / "data.npz")
    assert scores(str(tmp_path / "data.npz")) == scores(data)


def test_the_test_of_fixed_steps_is_finer_unless_somebody_chose_the_step():
    system = find_system("kuramoto_sivashinsky")
    few = DataSpec(train=1, validation=1, test=1, duration=4.0, horizon=4.0)
    steps = {}
    for solver in ("auto", "exponential_adams"):
        parts = SystemSource(system).parts(dataclasses.replace(few, solver=solver), 0, RUNTIME)
        steps[solver] = [part.attributes["solver"]["step"] for part in parts]
    assert steps["auto"][:2] == [None, None]
    assert steps["auto"][2] <= system.semilinear.step / 3
    assert steps["exponential_adams"] == [None, None, None]


def test_the_truth_of_what_is_seen_through_an_observation_is_checked_too():
    source = SystemSource(observe(find_system("lorenz63"), lambda x: x[..., :2]))
    data = DataSpec(
        train=2, validation=1, test=3, duration=2.0, horizon=30.0, sampling=0.5, transient=2.0, solver="dop853"
    )
    seen, whole = (
        each.trusted(each.parts(data, 0, RUNTIME), data, 0, 0.5, RUNTIME).held_out.trusted
        for each in (source, SystemSource(find_system("lorenz63")))
    )
    assert len(seen) == len(whole) == 3
    assert all(10 < time < 30 for time in (*seen, *whole))


def test_a_test_that_is_longer_than_its_trust_is_solved_more_finely_and_found_again():
    source = SystemSource(find_system("lorenz63"))
    data = DataSpec(train=2, validation=1, test=2, duration=2.0, horizon=16.0, sampling=0.5, transient=1.0)
    parts = source.parts(data, 0, RUNTIME)
    finer = source.trusted(parts, data, 0, 0.5, RUNTIME)
    assert finer.held_out.trusted == (16.0, 16.0)
    assert finer.test.attributes["solver"]["rtol"] < 0.1 * parts.test.attributes["solver"]["rtol"]
    again = source.as_before(source.about(finer, 0))
    before = again.parts(data, 0, RUNTIME)
    assert torch.equal(before.train.states, finer.train.states)
    assert torch.equal(before.test.states, finer.test.states)
    assert again.trusted(before, data, 0, 0.5, RUNTIME).held_out == finer.held_out
    chosen = dataclasses.replace(data, solver="dop853")  # by the user: the test stays as it is, and is told
    told = source.trusted(source.parts(chosen, 0, RUNTIME), chosen, 0, 0.5, RUNTIME)
    assert min(told.held_out.trusted) < 16
    assert "test_solver" not in source.about(told, 0)
