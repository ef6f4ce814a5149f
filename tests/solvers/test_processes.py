"""Trajectories dealt to processes: the numbers of one process, and one sentence where a process dies."""

import multiprocessing
import os
import pickle
import signal
import sys
import types

import numpy as np
import pytest
import torch

from dynred.errors import DynredError
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers import _processes, _singly
from dynred.solvers._processes import dealt
from dynred.solvers.dop853 import Dop853
from dynred.solvers.stiff import Stiff

forking = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")


@pytest.fixture
def spawning(eager, monkeypatch):
    """Processes as macOS and Windows start them."""
    monkeypatch.setattr(_processes, "start_method", lambda: "spawn")


TIMES = torch.linspace(0, 1, 5, dtype=torch.float64)


@pytest.fixture
def eager(monkeypatch):
    """Two processes for any work."""
    monkeypatch.setattr(_processes, "WORTH", {"fork": -1.0, "spawn": -1.0})
    monkeypatch.setattr(_singly, "cores", lambda: 2)


def rhs(t, x):
    """One state at a time: a batch, in rows or columns, gives the sum of all."""
    return np.sin(t) * x - x**3 + np.sum(x) / 9


def alone(i):
    return os.getpid() if i else 0


@forking
def test_states_from_processes_are_those_of_one_process_bit_for_bit(eager, monkeypatch):
    system, x0 = System("coupled", 3, rhs), torch.randn(7, 3, generator=generator(0), dtype=torch.float64)
    pids = set(dealt(alone, 7, 2))
    assert os.getpid() not in pids
    assert len(pids) > 1
    many = simulate(system, times=TIMES, initial=x0, rng=generator(0))
    monkeypatch.setattr(_singly, "dealt", lambda task, count, most: [task(i) for i in range(count)])
    one = simulate(system, times=TIMES, initial=x0, rng=generator(0))
    assert many.attributes["solver"] == one.attributes["solver"] == Dop853().to_dict()
    assert torch.equal(many.states, one.states)
    assert torch.equal(many.velocities, one.velocities)


@pytest.fixture
def systems(tmp_path):
    """A function of a module and one of a user's file."""
    mine = tmp_path / "mine.py"
    mine.write_text("import numpy as np\ndim = 3\n\ndef rhs(t, x):\n    return np.sin(t) * x - x**3 + np.sum(x) / 9\n")
    return [System("coupled", 3, rhs), find_system(str(mine))]


def states(system, solver):
    x0 = torch.randn(4, 3, generator=generator(0), dtype=torch.float64)
    return simulate(system, times=TIMES, initial=x0, rng=generator(0), solver=solver).states


SOLVERS = pytest.mark.parametrize("solver", [Dop853(), Stiff("LSODA")], ids=["dop853", "lsoda"])


@SOLVERS
def test_what_a_spawned_process_is_sent_gives_the_same_bits(solver, spawning, systems, monkeypatch):
    monkeypatch.setattr(_processes, "_shared", lambda sent, numbers, *_: [pickle.loads(sent)(i) for i in numbers])
    sent = [states(system, solver) for system in systems]
    monkeypatch.setattr(_processes, "_task", [b""])  # as in a worker: all is computed here
    assert all(torch.equal(found, states(system, solver)) for found, system in zip(sent, systems, strict=True))


@pytest.mark.slow  # each process imports torch
@SOLVERS
def test_spawned_processes_give_the_same_bits(solver, spawning, systems, monkeypatch):
    shared, begun = _processes._shared, []
    monkeypatch.setattr(_processes, "_shared", lambda *given: begun.append(given[3]) or shared(*given))
    many = [states(system, solver) for system in systems]
    assert begun == ["spawn"] * 2
    monkeypatch.setattr(_processes, "_task", [b""])  # as in a worker: all is computed here
    assert all(torch.equal(found, states(system, solver)) for found, system in zip(many, systems, strict=True))


def test_what_spawned_processes_cannot_be_sent_is_computed_here(spawning, monkeypatch):
    monkeypatch.setattr(_processes, "_shared", lambda *_: pytest.fail("processes were started"))
    local = lambda i: i  # noqa: E731
    assert dealt(local, 5, 2) == list(range(5))
    of_the_script = types.FunctionType(alone.__code__, globals(), "alone")
    of_the_script.__module__ = "__main__"
    monkeypatch.setattr(sys.modules["__main__"], "alone", of_the_script, raising=False)
    assert dealt(of_the_script, 3, 2) == [alone(i) for i in range(3)]


def test_little_work_starts_no_process(monkeypatch):
    monkeypatch.setattr(_processes, "_shared", lambda *_: pytest.fail("processes were started"))
    assert dealt(lambda i: i, 100, 2) == list(range(100))


@forking
def test_a_killed_process_is_told_in_one_sentence_and_leaves_none_behind(eager):
    def task(i):
        if i == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return i

    before = multiprocessing.active_children()
    with pytest.raises(DynredError, match=r"A process that solved some of the trajectories was killed\."):
        dealt(task, 6, 2)
    assert multiprocessing.active_children() == before


@forking
def test_an_error_in_a_process_is_the_error_of_the_users_line(eager):
    def fails(t, x):
        if t > 0.6:
            raise ArithmeticError("too late")
        return rhs(t, x)

    before = multiprocessing.active_children()
    with pytest.raises(DynredError, match=r"line \d+, in fails: ArithmeticError: too late"):
        simulate(System("late", 3, fails), 5, TIMES, rng=generator(0), solver=Dop853())
    assert multiprocessing.active_children() == before


def test_a_function_that_returns_the_same_memory_or_another_type_is_solved_alike():
    memory = np.zeros(3)

    def same(t, x):
        memory[:] = rhs(t, x)
        return memory

    x0 = torch.randn(2, 3, generator=generator(0), dtype=torch.float64)
    states = [
        simulate(System("coupled", 3, function), times=TIMES, initial=x0, rng=generator(0), solver=Dop853()).states
        for function in (rhs, same, lambda t, x: list(rhs(t, x)))
    ]
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])
