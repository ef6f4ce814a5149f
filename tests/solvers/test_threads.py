"""Small batches are solved in one thread, and leave the number of threads as it was."""

import pytest
import torch

from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers import _exponential


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_threads_do_not_change_the_bits_and_are_given_back(two_threads, monkeypatch):
    times, states, seen = torch.arange(3.0, dtype=torch.float64), [], []
    system = find_system("kuramoto_sivashinsky")
    follow = _exponential.Scheme.follow
    watched = lambda *arguments: seen.append(torch.get_num_threads()) or follow(*arguments)  # noqa: E731
    monkeypatch.setattr(_exponential.Scheme, "follow", watched)
    for short in (_exponential.SHORT, 0):
        monkeypatch.setattr(_exponential, "SHORT", short)
        states.append(simulate(system, 4, times, rng=generator(0), transient=0.0).states)
        assert torch.get_num_threads() == 2
    assert set(seen[: len(seen) // 2]) == {1}
    assert set(seen[len(seen) // 2 :]) == {2}
    assert torch.equal(*states)
