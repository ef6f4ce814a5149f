"""Trajectories dealt to processes: the numbers of one process, and one sentence where a process dies."""

import multiprocessing
import os
import signal
import sys

import numpy as np
import pytest
import torch

from dynred.errors import DynredError
from dynred.ode.system import System
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers import _processes, _singly
from dynred.solvers._processes import dealt
from dynred.solvers.dop853 import Dop853

forking = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
TIMES = torch.linspace(0, 1, 5, dtype=torch.float64)


@pytest.fixture
def eager(monkeypatch):
    """Two processes for any work."""
    monkeypatch.setattr(_processes, "WORTH", -1.0)
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


def test_little_work_starts_no_process(monkeypatch):
    monkeypatch.setattr(_processes, "_forked", lambda *_: pytest.fail("processes were started"))
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
