"""Every trajectory of an ensemble has a random stream of its own, in memory and in a store."""

import time

import pytest
import torch

from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.draws import draw
from dynred.simulation.simulate import simulate, simulate_to
from dynred.solvers.explicit import Explicit

TIMES = torch.linspace(0, 0.5, 3, dtype=torch.float64)
FIXED = Explicit(method="rk4", step=0.05)
DRAWN = System(
    "drawn",
    2,
    lambda t, x, a, b: -a[..., None] * x if torch.is_tensor(a) and a.ndim else -a * x,
    lambda n, rng, a: a[:, None] + torch.rand(n, 2, generator=rng, dtype=torch.float64),
    parameters={"a": 1.0, "b": 2.0},
    sample_parameters=lambda n, rng: {"a": 1 + torch.rand(n, generator=rng, dtype=torch.float64)},
)


@pytest.mark.parametrize("system", [DRAWN, *map(find_system, ("lorenz63", "kuramoto_sivashinsky", "lorenz_legendre"))])
def test_the_first_trajectories_of_many_are_those_of_few(system, tmp_path):
    few, many = (simulate(system, n, TIMES, rng=generator(3), transient=0.0) for n in (3, 6))
    stored = simulate_to(tmp_path / "a.zarr", system, 6, TIMES, rng=generator(3), transient=0.0)[:]
    assert torch.equal(many.initial[:3], few.initial)
    assert torch.equal(stored.initial, many.initial)
    assert torch.allclose(many[:3].states, few.states, rtol=1e-5, atol=1e-5)
    for name, value in many.parameters.items():
        assert torch.equal(value[:3], few.parameters[name])
        assert torch.equal(value, stored.parameters[name])
    assert len(torch.unique(many.initial, dim=0)) == 6


def test_trajectories_do_not_depend_on_their_parameters_neighbours():
    values = torch.linspace(1, 2, 5, dtype=torch.float64)
    given, states = draw(DRAWN, 7, range(5), {"b": values})
    some, part = draw(DRAWN, 7, range(3, 5), {"b": values[3:]})
    assert torch.equal(part, states[3:])
    assert {name: value[3:].tolist() for name, value in given.items()} == {k: v.tolist() for k, v in some.items()}
    assert torch.equal(given["b"], values)
    given, _ = draw(DRAWN, 7, range(5), {"a": torch.tensor(2.0)})
    assert {name: value.ndim for name, value in given.items()} == {"a": 0, "b": 0}


def test_other_seeds_draw_others_and_a_generator_goes_on():
    rng = generator(0)
    first, second = (simulate(DRAWN, 2, TIMES, rng=rng, solver=FIXED) for _ in range(2))
    assert not torch.equal(first.initial, second.initial)
    assert torch.equal(first.initial, simulate(DRAWN, 2, TIMES, rng=generator(0), solver=FIXED).initial)


def test_a_thousand_trajectories_are_drawn_well_under_a_second():
    system = find_system("kuramoto_sivashinsky")
    start = time.perf_counter()
    draw(system, 0, range(1000), {})
    assert time.perf_counter() - start < 1


BAD = [
    (
        {"sample_initial": lambda n, rng: torch.rand(n, 2).squeeze()},
        r"sample_initial must be .*states \[1, 2\], got shape",
    ),
    (
        {"sample_initial": lambda n, rng: torch.rand(2, 2)},
        r"sample_initial must be .* states \[1, 2\], got shape \[2, 2\]",
    ),
    (
        {"sample_parameters": lambda n, rng: {"a": torch.rand(n).squeeze()}},
        r"sample_parameters must be a function that returns finite values \[1\] for n = 1, got a of shape \[\]",
    ),
    (
        {"sample_parameters": lambda n, rng: {"a": torch.rand(3)}},
        r"returns finite values \[1\] for n = 1, got a of shape \[3\]",
    ),
]


@pytest.mark.parametrize(("functions", "words"), BAD)
def test_sample_functions_that_do_not_know_one_trajectory_are_told(functions, words):
    system = System("bad", 2, lambda t, x, a: -x, parameters={"a": 1.0}, **functions)
    with pytest.raises(InputError, match=words):
        simulate(system, 4, TIMES, rng=generator(0))


def test_more_than_memory_holds_is_refused_before_anything_is_computed(tmp_path):
    with pytest.raises(
        InputError, match="trajectories of 3 snapshots must fit into the memory .* Simulate into a store"
    ):
        simulate(DRAWN, 10**12, TIMES, rng=generator(0))
    with pytest.raises(InputError, match="must fit into the memory"):
        simulate_to(tmp_path / "a.zarr", DRAWN, 10**12, TIMES, rng=generator(0))
    assert not list(tmp_path.iterdir())
