"""Simulated truth says until when it is true."""

import dataclasses
import math
from dataclasses import dataclass

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.ode.observe import observe
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.events import Event
from dynred.simulation.simulate import simulate
from dynred.simulation.trusted import trusted_times
from dynred.solvers.base import Solver
from dynred.solvers.explicit import Explicit
from dynred.solvers.exponential_adams import ExponentialAdams
from dynred.solvers.stiff import Stiff

LORENZ, LYAPUNOV = find_system("lorenz63"), 0.906
LONG = torch.arange(0, 18.01, 0.25, dtype=torch.float64)
ROUGH = Explicit(rtol=1e-4)


@pytest.fixture(scope="module")
def lorenz():
    """Trajectories of Lorenz's system, longer than a tolerance of 1e-4 can follow them."""
    return simulate(LORENZ, 4, LONG, transient=10.0, rng=generator(0), solver=ROUGH)


@pytest.fixture(scope="module")
def parted(lorenz):
    """The last snapshots at which a much finer solution agrees."""
    finest = Explicit("dopri8", rtol=1e-12, atol=1e-12)
    exact = simulate(LORENZ, times=LONG, initial=lorenz.initial, rng=generator(0), solver=finest)
    size = (lorenz.states - lorenz.states.mean(0)).pow(2).sum(1).mean().sqrt()
    agree = (exact.stacked() - lorenz.stacked()).norm(dim=-1) <= 0.05 * size
    return LONG[torch.cumprod(agree.int(), 1).sum(1) - 1]


def test_chaos_ends_the_trust_when_a_much_finer_solution_says_so(lorenz, parted):
    trusted = trusted_times(LORENZ, lorenz)
    assert float(trusted.max()) < 17
    assert float((trusted - parted).abs().max()) <= 1.0  # an error of ten per cent grows to this in .1 time units
    # An error of about the tolerance grows to a twentieth of the attractor at the rate of the exponent.
    expected = math.log(0.05 / 1e-4) / LYAPUNOV
    assert float(trusted.median()) == pytest.approx(expected, rel=0.5)


def test_a_tighter_tolerance_is_trusted_for_as_much_longer_as_the_exponent_says(lorenz):
    finer = simulate(LORENZ, times=LONG, initial=lorenz.initial, rng=generator(0), solver=ROUGH.updated("rtol", 1e-5))
    gain = (trusted_times(LORENZ, finer) - trusted_times(LORENZ, lorenz)).mean()
    assert 0 < float(gain) < 2 * math.log(10) / LYAPUNOV


def test_a_smaller_threshold_is_trusted_for_less(lorenz):
    assert (trusted_times(LORENZ, lorenz, threshold=0.01) < trusted_times(LORENZ, lorenz)).all()


@pytest.mark.parametrize("solver", ["auto", Stiff(), Explicit("rk4"), Explicit("rk4", step=0.02)])
def test_a_motion_that_is_not_chaotic_is_trusted_to_its_end(solver):
    system = find_system("stuart_landau")
    times = torch.linspace(0, 10, 101, dtype=torch.float64)
    truth = simulate(system, times=times, initial=torch.eye(2), rng=generator(0), solver=solver)
    assert trusted_times(system, truth).tolist() == [10.0] * 2


def test_states_at_rest_are_trusted():
    system = System("rest", 2, lambda t, x: -x)
    truth = simulate(system, times=[0.0, 1.0, 2.0], initial=torch.zeros(2, 2), rng=generator(0))
    assert trusted_times(system, truth).tolist() == [2.0, 2.0]


def test_the_step_of_an_exponential_method_is_refined_though_the_system_chose_it():
    system = find_system("kuramoto_sivashinsky")
    field, times = system.at(), torch.tensor([0.0, 0.1, 0.2])
    chosen = ExponentialAdams().refined(10, field, times).step
    assert chosen == pytest.approx(min(0.1, 0.1 / math.ceil(0.1 / system.semilinear.step)) / 10)
    truth = simulate(system, 2, torch.arange(0, 10.1, 0.5), rng=generator(0), transient=20.0)
    assert trusted_times(system, truth).tolist() == [10.0, 10.0]


@pytest.mark.slow
def test_kuramoto_sivashinsky_parts_when_two_references_do():
    system = find_system("kuramoto_sivashinsky")
    truth = simulate(system, 6, torch.arange(0, 500, 2.0), rng=generator(0), solver=ExponentialAdams(step=0.04))
    assert 200 < float(trusted_times(system, truth).median()) < 400


def test_a_time_that_enters_the_right_hand_side_is_that_of_the_trajectory():
    system = System("forced", 1, lambda t, x: torch.cos(t * t)[..., None] - x if t.ndim else torch.cos(t * t) - x)
    grids = [start + torch.linspace(0, 3, 31).double() for start in (0.0, 2.0, 0.0)]
    truth = simulate(system, times=grids, rng=generator(0), transient=0.0)
    assert trusted_times(system, truth).tolist() == pytest.approx([3.0] * 3)


def test_what_is_seen_needs_the_states_of_the_ode_which_the_same_seed_gives(lorenz):
    seen = observe(LORENZ, lambda x: x[..., :2])
    settings = {"n": 4, "times": LONG, "transient": 10.0, "solver": ROUGH}
    truth = simulate(seen, rng=generator(0), **settings)
    assert trusted_times(seen, truth) is None
    hidden = simulate(seen.underlying, rng=generator(0), **settings)
    assert torch.equal(hidden.states[:, :2], truth.states)
    trusted = trusted_times(seen, truth, initial=hidden.initial)
    assert float((trusted - trusted_times(LORENZ, lorenz)).abs().max()) < 2
    with pytest.raises(InputError, match="must be the states that are seen at the first snapshots, got other ones"):
        trusted_times(seen, truth, initial=hidden.initial + 1)


def test_trajectories_that_events_ended_are_trusted_until_then():
    stop = Event(lambda t, x: x[..., 2] - 35, "high", terminal=True, direction=1)
    truth = simulate(LORENZ, 4, LONG[:13], transient=5.0, rng=generator(0), events=[stop])
    assert set(truth.attributes["status"]) >= {"event high"}
    ends = torch.stack([t[-1] - t[0] for t in truth.grids])
    assert torch.allclose(trusted_times(LORENZ, truth), ends)


def test_a_part_of_the_trajectories_in_another_order_has_the_same_times(lorenz):
    order = [3, 1]
    part = dataclasses.replace(lorenz[order], attributes=lorenz.attributes)
    assert float((trusted_times(LORENZ, part) - trusted_times(LORENZ, lorenz)[order]).abs().max()) <= 0.5


def test_parameters_of_each_trajectory_are_kept():
    system = System("decay", 1, lambda t, x, a: -a[..., None] * x, parameters={"a": 1.0})
    truth = simulate(system, 2, [0.0, 1.0, 2.0], rng=generator(0), parameters={"a": torch.tensor([1.0, 3.0])})
    assert trusted_times(system, truth).tolist() == [2.0, 2.0]


@dataclass(frozen=True)
class Euler(Solver):
    """A solver of one's own that does not say how it is refined."""

    def solve(self, field, x0, times, limit=1e15):
        return Explicit("euler").solve(field, x0, times, limit)


def test_where_the_solver_does_not_say_the_trusted_time_is_unknown():
    system = System("decay", 1, lambda t, x: -x)
    truth = simulate(system, 2, [0.0, 1.0, 2.0], rng=generator(0), solver=Euler())
    assert trusted_times(system, truth) is None
    data = Trajectories(truth.states, truth.t, truth.lengths)
    assert trusted_times(system, data) is None
    # A step as long as the time between snapshots is wrong by more than a twentieth of the spread at once.
    assert trusted_times(system, data, solver=Explicit("euler")).tolist() == [0.0, 0.0]


def test_what_does_not_fit_is_refused(lorenz):
    with pytest.raises(InputError, match="truth must be states of 2 values, like those of the system, got 3"):
        trusted_times(find_system("stuart_landau"), lorenz)
    with pytest.raises(InputError, match="factor must be > 1"):
        trusted_times(LORENZ, lorenz, factor=0.1)
