"""What `simulate` does beyond solving: events, time limits, forcing, and errors that name the trajectory."""

import math
import time

import pytest
import torch

from dynred.errors import DivergenceError, InputError
from dynred.ode.observe import observe
from dynred.ode.semilinear import Semilinear
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.choose_solver import choose_solver
from dynred.simulation.events import Event
from dynred.simulation.simulate import simulate
from dynred.solvers.etdrk4 import ETDRK4
from dynred.solvers.explicit import Explicit
from dynred.solvers.exponential_adams import ExponentialAdams
from dynred.solvers.stiff import Stiff

TIGHT = Explicit(rtol=1e-11, atol=1e-11)
SOLVERS = [
    TIGHT,
    Explicit(method="rk4", step=0.005),
    Stiff(rtol=1e-10, atol=1e-10),
    ETDRK4(step=0.01),
    ExponentialAdams(step=0.002),
]
TIMES = torch.linspace(0, 4, 41, dtype=torch.float64)
Z = torch.zeros(1, dtype=torch.float64)


def names(solvers):
    return [getattr(s, "method", type(s).__name__) for s in solvers]


def forced():
    """x' = -x + cos(t) per component, with its exact solution."""

    def drive(t, x):
        return (torch.cos(t)[..., None] if t.ndim else torch.cos(t)) + 0 * x

    split = Semilinear(lambda x: x, lambda v: v, lambda: -torch.ones(2, dtype=torch.float64), drive, step=0.01)
    system = System("forced", 2, lambda t, x: -x + drive(t, x), semilinear=split, transient=0.0)

    def exact(x0, t, start=0.0):
        particular = (torch.cos(t) + torch.sin(t)) / 2
        at_start = (math.cos(start) + math.sin(start)) / 2
        return particular[:, None] + (x0[:, None] - at_start) * torch.exp(-(t - start))[:, None]

    return system, exact


def pendulum(**others):
    rhs = lambda t, x: torch.stack([x[..., 1], -x[..., 0]], -1)  # noqa: E731
    return System("pendulum", 2, rhs, lambda n, rng: torch.tensor([[1.0, 0.0]]).double().repeat(n, 1), **others)


@pytest.mark.parametrize("solver", SOLVERS, ids=names(SOLVERS))
def test_forcing_through_time_reaches_every_solver_and_the_velocities(solver):
    system, exact = forced()
    x0 = torch.tensor([[1.0, -2.0], [0.3, 4.0]], dtype=torch.float64)
    found = simulate(system, times=TIMES + 1.5, initial=x0, rng=generator(0), solver=solver)
    truth = exact(x0, TIMES + 1.5, 1.5)
    assert torch.allclose(found.stacked(), truth, atol=1e-8)
    assert torch.allclose(found.velocities, -found.states + torch.cos(found.t)[:, None], atol=1e-12)


# -- events ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [TIGHT, Stiff(rtol=1e-10, atol=1e-10)], ids=["explicit", "stiff"])
def test_crossings_are_recorded_where_the_exact_solution_has_them(solver):
    event = Event(lambda t, x: x[..., 0], "zero")
    found = simulate(pendulum(), 2, torch.linspace(0, 10, 51), rng=generator(0), solver=solver, events=[event])
    crossings = found.attributes["events"]["zero"]
    exact = [math.pi / 2 + k * math.pi for k in range(3)]
    assert crossings["trajectory"] == [0, 0, 0, 1, 1, 1]
    assert crossings["t"] == pytest.approx(exact * 2, abs=1e-8)
    assert crossings["state"][0] == pytest.approx([0.0, -1.0], abs=1e-8)
    assert found.attributes["status"] == ["finished", "finished"]
    assert found.lengths.tolist() == [51, 51]


def test_a_direction_counts_crossings_of_one_kind_only():
    events = [Event(lambda t, x: x[..., 0], n, direction=d) for n, d in (("up", 1), ("down", -1))]
    found = simulate(pendulum(), 1, torch.linspace(0, 10, 51), rng=generator(0), solver=TIGHT, events=events)
    assert found.attributes["events"]["down"]["t"] == pytest.approx([math.pi / 2, 5 * math.pi / 2], abs=1e-8)
    assert found.attributes["events"]["up"]["t"] == pytest.approx([3 * math.pi / 2], abs=1e-8)


def test_a_terminal_event_ends_a_trajectory_at_its_first_crossing_and_keeps_the_rest():
    x0 = torch.tensor([[1.0, 0.0], [0.0, -1.0], [0.2, 0.0]], dtype=torch.float64)
    event = Event(lambda t, x: x[..., 0] + 0.5, "below", terminal=True)
    found = simulate(pendulum(), times=TIMES, initial=x0, rng=generator(0), solver=TIGHT, events=[event])
    end = math.acos(-0.5)
    assert found.attributes["status"] == ["event below", "event below", "finished"]
    assert found.lengths.tolist() == [math.floor(end / 0.1) + 2, math.floor(math.pi / 6 / 0.1) + 2, 41]
    assert float(found.times(0)[-1]) == pytest.approx(end, abs=1e-8)
    assert found[0].states[-1].tolist() == pytest.approx([-0.5, -math.sin(end)], abs=1e-8)
    assert found[0].velocities[-1].tolist() == pytest.approx([-math.sin(end), 0.5], abs=1e-8)
    assert found.attributes["events"]["below"]["trajectory"] == [0, 1]


def test_no_event_is_reported_after_the_one_that_ended_the_trajectory():
    events = [Event(lambda t, x: x[..., 0], "zero"), Event(lambda t, x: t - 2.0 + 0 * x[..., 0], "two", terminal=True)]
    found = simulate(pendulum(), 1, torch.linspace(0, 10, 51), rng=generator(0), solver=TIGHT, events=events)
    assert float(found.t[-1]) == pytest.approx(2.0, abs=1e-9)
    assert found.attributes["events"]["zero"]["t"] == pytest.approx([math.pi / 2], abs=1e-8)


def test_an_event_before_a_divergence_ends_the_trajectory_in_time():
    system = System("explosion", 1, lambda t, x: x * x, transient=0.0)  # x = 1 / (1 - t)
    x0, t = torch.ones(1, 1, dtype=torch.float64), torch.linspace(0, 2, 41, dtype=torch.float64)
    with pytest.raises(DivergenceError, match="Trajectory 0 diverged after t = 0.95"):
        simulate(system, times=t, initial=x0, rng=generator(0))
    event = Event(lambda t, x: x[..., 0] - 10.0, "large", terminal=True)
    found = simulate(system, times=t, initial=x0, rng=generator(0), events=[event], solver=TIGHT)
    assert float(found.t[-1]) == pytest.approx(0.9, abs=1e-6)
    assert float(found.states[-1, 0]) == pytest.approx(10.0, abs=1e-3)


def test_events_of_an_observed_system_look_at_the_ode_and_report_what_is_seen():
    seen = observe(pendulum(), lambda x: torch.cat([x, x.square()], -1))
    event = Event(lambda t, x: x[..., 0], "zero", terminal=True)
    found = simulate(seen, 1, TIMES, rng=generator(0), solver=TIGHT, events=[event])
    assert found.attributes["events"]["zero"]["state"][0] == pytest.approx([0.0, -1.0, 0.0, 1.0], abs=1e-8)
    assert found.states[-1].tolist() == pytest.approx([0.0, -1.0, 0.0, 1.0], abs=1e-8)


def test_events_that_cannot_be_used_are_refused():
    with pytest.raises(InputError, match="direction must be -1, 0 or 1, got 2"):
        Event(lambda t, x: x[..., 0], direction=2)
    with pytest.raises(InputError, match=r"event all must be one number per state \[1, 41\], got shape \[1, 41, 2\]"):
        simulate(pendulum(), 1, TIMES, rng=generator(0), events=[Event(lambda t, x: x, "all")])
    twins = [Event(lambda t, x: x[..., 0])] * 2
    with pytest.raises(InputError, match="events must be of different names"):
        simulate(pendulum(), 1, TIMES, rng=generator(0), events=twins)
    with pytest.raises(InputError, match="events must be dynred.Event objects, got function"):
        simulate(pendulum(), 1, TIMES, rng=generator(0), events=[lambda t, x: x[0]])


# -- time limits -----------------------------------------------------------------------------------------------------


def slow(seconds, **others):
    """A pendulum whose every evaluation takes its time."""

    def rhs(t, x):
        time.sleep(seconds)
        return torch.stack([x[..., 1], -x[..., 0]], -1)

    split = Semilinear(lambda x: x, lambda v: v, lambda: torch.zeros(2, dtype=torch.float64), rhs, step=0.02)
    return System("slow", 2, rhs, lambda n, rng: torch.tensor([[1.0, 0.0]]).double().repeat(n, 1), semilinear=split)


def test_states_between_the_steps_of_dopri8_are_as_exact_as_its_steps():
    times, solver = torch.linspace(0, 10, 501, dtype=torch.float64), Explicit(method="dopri8", rtol=1e-10, atol=1e-10)
    system = System("turning", 2, lambda t, x: torch.stack([x[..., 1], -x[..., 0]], -1))
    states = solver.solve(system.at(), torch.tensor([[1.0, 0.0]], dtype=torch.float64), times)[0]
    assert (states[:, 0] - torch.cos(times)).abs().max() < 1e-9


LIMITED = [Explicit(), Explicit(method="rk4"), Stiff(), ETDRK4(), ExponentialAdams()]


@pytest.mark.parametrize("solver", LIMITED, ids=names(LIMITED))
def test_a_run_that_takes_too_long_stops_and_what_was_computed_is_right(solver):
    system, times = slow(0.001), torch.linspace(0, 2000, 20_001, dtype=torch.float64)
    _ = system.right_hand_side
    start = time.monotonic()
    found = simulate(system, 2, times, rng=generator(0), solver=solver, time_limit=1.5)
    assert time.monotonic() - start < 30  # for hours otherwise; a loaded machine may well take a few seconds
    assert "time limit" in found.attributes["status"]
    assert 1 < int(found.lengths.max()) < 20_001
    assert torch.allclose(found.states[:, 0], torch.cos(found.t), atol=1e-4)
    assert torch.isfinite(found.velocities).all()


def test_trajectories_that_never_started_are_left_out_and_named():
    system, times = slow(0.001), torch.linspace(0, 2000, 20_001, dtype=torch.float64)
    found = simulate(system, 3, times, rng=generator(0), solver=Stiff(), time_limit=0.5, transient=0.01)
    assert len(found) + len(found.attributes["not_started"]) == 3
    assert len(found.attributes["status"]) == len(found)
    with pytest.raises(InputError, match="time_limit must be long enough for the transient of one trajectory"):
        simulate(system, 2, times, rng=generator(0), solver="explicit", time_limit=0.2, transient=1000.0)


def test_a_run_within_its_time_limit_is_the_run_without():
    free = simulate(pendulum(), 2, TIMES, rng=generator(0))
    limited = simulate(pendulum(), 2, TIMES, rng=generator(0), time_limit=1000.0)
    assert torch.equal(free.states, limited.states)
    assert "status" not in limited.attributes
    with pytest.raises(InputError, match="time_limit must be a finite number > 0, got -1"):
        simulate(pendulum(), 2, TIMES, rng=generator(0), time_limit=-1)


# -- the right-hand side ---------------------------------------------------------------------------------------------

BROKEN = [Explicit(), Explicit(method="rk4", step=0.01), Stiff()]


@pytest.mark.parametrize("solver", BROKEN, ids=names(BROKEN))
def test_a_right_hand_side_that_gives_nan_is_named_with_trajectory_component_and_time(solver):
    # Row 1 falls through zero at t = 0.5, where the second component's root has no value.
    rhs = lambda t, x: torch.stack([-torch.ones_like(x[..., 0]), torch.sqrt(x[..., 0])], -1)  # noqa: E731
    system = System("root", 2, rhs, lambda n, rng: torch.rand(n, 2, generator=rng, dtype=torch.float64))
    x0 = torch.tensor([[9.0, 0.0], [0.5, 0.0]], dtype=torch.float64)
    message = r"side of trajectory 1 must be finite, got nan in component 1 at t = 0\.\d+, where the state was"
    with pytest.raises(DivergenceError, match=message) as caught:
        simulate(system, times=TIMES, initial=x0, rng=generator(0), solver=solver)
    assert caught.value.trajectory == 1
    assert caught.value.time == pytest.approx(0.4, abs=0.11)


def test_a_semilinear_right_hand_side_that_gives_nan_is_named_as_well():
    def rate(t, v):
        return torch.where(t > 1.05, torch.nan, 0.0) + 0 * v

    split = Semilinear(lambda x: x, lambda v: v, lambda: -torch.ones(2, dtype=torch.float64), rate, step=0.1)
    system = System("late", 2, semilinear=split)
    with pytest.raises(DivergenceError, match=r"trajectory 0 must be finite, got nan in mode 0 at t = 1\.1"):
        simulate(system, 2, TIMES, rng=generator(0))


def test_a_plain_divergence_is_not_blamed_on_the_right_hand_side():
    system = System("explosion", 1, lambda t, x: x * x)
    with pytest.raises(DivergenceError, match="Trajectory 1 diverged after t = 0.9") as caught:
        simulate(system, times=TIMES, initial=torch.tensor([[-1.0], [1.0]]).double(), rng=generator(0))
    assert caught.value.trajectory == 1


# -- the choice of a solver ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stiffness", "kind"), [(1e5, Stiff), (0.1, Explicit)])
def test_auto_tells_stiff_large_systems_by_directional_derivatives(stiffness, kind):
    def rhs(t, x):
        wide = torch.nn.functional.pad(x, (1, 1))
        return stiffness * (wide[..., 2:] - 2 * x + wide[..., :-2])

    system = System("diffusion", 2000, rhs)
    method, reason = choose_solver(system.at(), system.initial(1, generator(0)), TIMES)
    assert isinstance(method, kind)
    decay = float(reason.split("decay is ")[1].split()[0])
    assert decay == pytest.approx(4 * stiffness * 0.1, rel=0.05)


# -- devices ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("solver", SOLVERS, ids=names(SOLVERS))
def test_states_on_a_gpu_are_simulated_there_to_the_same_answer(solver):
    system, _ = forced()
    x0 = torch.tensor([[1.0, -2.0], [0.3, 4.0]], dtype=torch.float64)
    event = Event(lambda t, x: x[..., 1] - 0.1, "low", terminal=True)
    here, there = (
        simulate(system, times=TIMES, initial=x, rng=generator(0), solver=solver, events=[event])
        for x in (x0, x0.cuda())
    )
    assert there.states.device.type == "cuda"
    assert torch.equal(here.lengths, there.lengths)
    assert torch.allclose(here.states, there.states.cpu(), atol=1e-9)
    assert torch.allclose(here.velocities, there.velocities.cpu(), atol=1e-9)
