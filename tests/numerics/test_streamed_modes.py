"""POD modes of snapshots that are read in blocks: those of the whole."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynred.numerics.modes import Modes
from dynred.numerics.streamed_modes import streamed_modes
from dynred.rng import generator


def decaying(count, dim, rank, seed=0):
    """Snapshots with a mean, whose modes have energies 1, 1/4, 1/16, ..."""
    rng = generator(seed, "snapshots")
    basis = torch.linalg.qr(torch.randn(dim, rank, generator=rng, dtype=torch.float64))[0]
    amplitudes = torch.randn(count, rank, generator=rng, dtype=torch.float64) * 0.5 ** torch.arange(rank)
    return amplitudes @ basis.T + torch.randn(dim, generator=rng, dtype=torch.float64)


def in_blocks(x, size):
    return lambda: iter(x.split(size))


@settings(max_examples=15, deadline=None)
@given(block=st.integers(1, 70), rank=st.integers(1, 12), seed=st.integers(0, 9))
def test_they_span_what_the_modes_of_all_snapshots_span(block, rank, seed):
    x = decaying(60, 90, rank, seed)
    streamed = streamed_modes(in_blocks(x, block), 60, 90, 20, 1e-9, generator(seed, "modes"))
    whole = Modes.of(x, 1, scaled=False, tolerance=1e-9, limit=20)
    assert streamed.count == whole.count
    torch.testing.assert_close(streamed.mean, whole.mean)
    torch.testing.assert_close(streamed.energy, whole.energy, rtol=1e-6, atol=1e-13)
    eye = torch.eye(streamed.count, dtype=torch.float64)
    torch.testing.assert_close(streamed.basis.T @ streamed.basis, eye, rtol=0, atol=1e-12)
    cosines = torch.linalg.svdvals(streamed.basis.T @ whole.basis)
    assert cosines.min() > 1 - 1e-6
    back = streamed.state(streamed.coefficients(x))
    assert (back - x).pow(2).sum() <= 1.1e-9 * (x - x.mean(0)).pow(2).sum()


def test_at_most_so_many_are_kept_and_their_energies_say_what_is_left_out():
    x = decaying(50, 40, 30)
    modes = streamed_modes(in_blocks(x, 8), 50, 40, 3, 1e-9, generator(0, "modes"))
    assert modes.count == 3
    lost = (modes.state(modes.coefficients(x)) - x).pow(2).sum() / (x - x.mean(0)).pow(2).sum()
    assert float(lost) == pytest.approx(1 - float(modes.energy.sum()), rel=1e-3)


def test_snapshots_in_single_precision_are_taken_as_they_are():
    x = decaying(30, 25, 4).float()
    modes = streamed_modes(in_blocks(x, 7), 30, 25, 10, 1e-9, generator(0, "modes"))
    assert modes.basis.dtype == torch.float64
    assert modes.count == 4


def test_snapshots_that_are_all_the_same_have_one_mode():
    x = torch.ones(10, 6, dtype=torch.float64)
    modes = streamed_modes(in_blocks(x, 3), 10, 6, 4, 1e-9, generator(0, "modes"))
    assert modes.basis.isfinite().all()
    torch.testing.assert_close(modes.state(modes.coefficients(x)), x)


@pytest.mark.parametrize(("rank", "readings"), [(8, 2), (60, 3)])
def test_snapshots_of_few_modes_are_read_twice_and_those_of_many_once_more(rank, readings):
    rng, calls = generator(1, "snapshots"), []
    x = torch.randn(120, rank, generator=rng, dtype=torch.float64) @ torch.randn(rank, 150, generator=rng).double()

    def blocks():
        calls.append(1)
        return iter(x.split(17))

    modes = streamed_modes(blocks, 120, 150, 70, 1e-9, generator(0, "modes"))
    assert len(calls) == readings
    assert modes.count == rank
    torch.testing.assert_close(modes.state(modes.coefficients(x)), x, rtol=0, atol=1e-3)
