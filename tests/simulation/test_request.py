"""What is asked of a simulation, checked and completed once, and what stores are known by."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from dynred.data.store_layout import identity_of, open_store
from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.events import Event
from dynred.simulation.request import Request
from dynred.simulation.simulate import simulate, simulate_to
from dynred.solvers.dop853 import Dop853
from dynred.solvers.explicit import Explicit

TIMES = torch.arange(3, dtype=torch.float64)
DECAY = System(
    "decay",
    2,
    lambda t, x, rate: -rate[..., None] * x,
    lambda n, rng: torch.ones(n, 2, dtype=torch.float64),
    parameters={"rate": 2.0},
    arguments={"length": 22.0},
)
X = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)


def request(system=DECAY, n=None, times=TIMES, rng=None, initial=None, parameters=None, solver="auto", **others):
    settings = {"transient": None, "events": (), "time_limit": None, **others}
    return Request.of(system, n, times, rng, initial, parameters, solver, **settings)


def after(rng):
    """A number that tells how far a stream has come."""
    return int(torch.randint(2**40, (1,), generator=rng))


def test_a_request_has_the_solver_and_the_transient_that_the_system_and_the_start_decide():
    system = find_system("lorenz63")
    drawn, given = request(system, 2, rng=generator(0)), request(system, initial=torch.ones(2, 3))
    assert (drawn.count, drawn.dropped, drawn.initial) == (2, system.transient, None)
    assert (given.count, given.dropped, given.key) == (2, 0.0, 0)
    assert isinstance(drawn.method, Dop853)
    assert drawn.attributes["solver_reason"] == drawn.reason == "declared not stiff; 2 trajectories of a small system"
    many = request(system, 32, rng=generator(0))
    assert (many.method, many.reason) == (Explicit(), "declared not stiff")
    with pytest.raises(dataclasses.FrozenInstanceError):
        drawn.count = 3


def test_a_request_counts_the_snapshots_of_all_its_trajectories():
    assert request(n=5, rng=generator(0)).snapshots == 15
    assert request(times=[TIMES, TIMES[:2]], rng=generator(0)).snapshots == 5


def test_the_blocks_of_a_request_are_the_parts_of_the_whole():
    system = find_system("burgers_inviscid", points=16)
    asked = request(system, 5, rng=generator(0), parameters={"w": torch.linspace(1, 2, 5)})
    values, states = asked.block(0, 5)
    part, x = asked.block(3, 2)
    assert torch.equal(states[3:], x)
    assert {name: value[3:].tolist() for name, value in values.items()} == {k: v.tolist() for k, v in part.items()}
    assert torch.equal(request(initial=X).block(1, 1)[1], X[1:])


def test_the_solver_is_the_same_whether_trajectories_go_to_memory_or_to_a_store(tmp_path):
    system = dataclasses.replace(find_system("davis_skodje"), stiff=None)
    here = simulate(system, 3, TIMES, rng=generator(0))
    there = simulate_to(tmp_path / "a.zarr", system, 3, TIMES, rng=generator(0))
    assert here.attributes == there.attributes
    assert "decay is" in here.attributes["solver_reason"]


def test_where_states_are_given_only_a_store_draws_and_only_its_name(tmp_path):
    rng, untouched = generator(0), generator(0)
    simulate(DECAY, times=TIMES, initial=X, rng=rng)
    assert after(rng) == after(untouched)
    rng, named = generator(0), generator(0)
    simulate_to(tmp_path / "a.zarr", DECAY, times=TIMES, initial=X, rng=rng)
    torch.randint(2**62, (1,), generator=named)
    assert after(rng) == after(named)


def test_what_a_store_is_known_by_is_what_it_was_known_by_since_version_0_1(tmp_path):
    low = Event(lambda t, x: x[..., 0] - 0.5, "low", terminal=True, direction=-1)
    settings = {"initial": X, "parameters": {"rate": [1.0, 3.0]}, "transient": 1, "events": [low], "time_limit": 1000}
    solver, rng = Explicit(rtol=1e-7, atol=1e-8), generator(0, "identity of a store")
    simulate_to(tmp_path / "a.zarr", DECAY, 2, TIMES, rng=rng, solver=solver, **settings)
    assert json.dumps(identity_of(open_store(tmp_path / "a.zarr")[1])) == (
        '{"system": "decay", "arguments": {"length": "22.0"}, "equation": "435f0ff3cdd92d06", '
        '"parameters": {"rate": 2.0}, "parameters given": {"rate": "125c9db83c1d468b"}, '
        '"initial": "c0d9022fc0dbc063", "trajectories": 2, "times": "5bc8b5d16101e042", "transient": 1.0, '
        '"solver": {"kind": "explicit", "time_limit": null, "method": "dopri5", "rtol": 1e-07, "atol": 1e-08, '
        '"step": null, "max_steps": 100000}, "seed": 905343512850117962, "events": [["low", -1]], '
        '"streams": "one per trajectory"}'
    )


def test_a_store_as_an_argument_of_simulate_is_refused_with_the_function_that_writes_one(tmp_path):
    with pytest.raises(InputError, match=r"an argument of simulate must be .* got 'store'.*`simulate_to\(path, ...\)`"):
        simulate(DECAY, 2, TIMES, rng=generator(0), store=tmp_path / "a.zarr")
    assert not list(tmp_path.iterdir())


# -- which solver takes trajectories one at a time -------------------------------------------------------------------


def one_at_a_time(t, x):
    return np.cos(1.2 * t) - x + np.sum(x) / 9


@pytest.mark.parametrize("count", [2, 300])
def test_a_function_of_one_state_at_a_time_is_solved_so_however_many_trajectories_there_are(count):
    asked = request(System("own", 3, one_at_a_time), count, rng=generator(0))
    assert isinstance(asked.method, Dop853)
    assert "one state at a time" in asked.reason
    assert asked.attributes["time_dependent"] > 0.1


def test_many_trajectories_and_large_states_stay_a_batch():
    for dim, count in ((3, 5), (300, 2)):
        assert request(System("own", dim, lambda t, x: -x), count, rng=generator(0)).method == Explicit()
