"""IRMAE-WD counts the Euclidean coordinates that K needs, and is a reducer like any other."""

import dataclasses
import math

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.ode.find import find_system
from dynred.reducers.irmae import IRMAESpec, latent_rank
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.testing import check_reducer
from dynred.training.minimise import TrainingSpec

TRAINING = TrainingSpec(steps=1500, batch_size=128, learning_rate=3e-3, muon=0.0, weight_decay=0.02, warmup=0.1)
SPEC = IRMAESpec(1, bottleneck=8, width=32, training=TRAINING)


def still(x):
    """Points as trajectories of one snapshot."""
    return Trajectories(x, torch.zeros(len(x), dtype=torch.float64), torch.ones(len(x), dtype=torch.long))


def subspace(dim, n=2000):
    rng = generator(0, "subspace", dim)
    frame = torch.linalg.qr(torch.randn(12, 12, generator=rng, dtype=torch.float64))[0][:dim]
    return torch.randn(n, dim, generator=rng, dtype=torch.float64) @ frame


def bent_circle(n=2000):
    s = 2 * math.pi * torch.rand(n, 1, generator=generator(0, "s"), dtype=torch.float64)
    k = torch.arange(1, 7, dtype=torch.float64)
    return torch.cat([torch.cos(k * s) / k, torch.sin(k * s) / k], 1)


@pytest.mark.parametrize("dim", [2, 3])
def test_it_counts_the_dimensions_of_a_linear_subspace(dim):
    x = still(subspace(dim))
    rank, gap = latent_rank(x[:1800], x[1800:], rng=generator(0), spec=SPEC)
    assert rank == dim
    assert gap > 10


def test_it_counts_two_for_a_circle_bent_into_twelve_dimensions():
    x = still(bent_circle())
    rank, gap = latent_rank(x[:1800], x[1800:], rng=generator(0), spec=SPEC)
    assert rank == 2
    assert gap > 10


def test_keeping_as_many_coordinates_as_it_counts_loses_nothing():
    x = bent_circle()
    fitted = dataclasses.replace(SPEC, latent_dim=2).fit(still(x[:1800]), still(x[1800:]), rng=generator(0))
    error = (fitted.reconstruct(x) - x).pow(2).sum() / (x - x.mean(0)).pow(2).sum()
    assert error < 1e-3
    assert fitted.spectrum[0] == 1
    assert (fitted.spectrum.diff() <= 0).all()


def test_it_keeps_the_contract_of_reducers():
    tiny = dataclasses.replace(TRAINING, steps=30, batch_size=32)
    check_reducer(IRMAESpec(2, bottleneck=5, width=8, training=tiny))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bottleneck": 1, "latent_dim": 2}, "bottleneck must be an integer >= 2"),
        ({"linear_layers": 0}, "linear_layers must be an integer >= 1"),
        ({"tolerance": 1.0}, r"tolerance must be in \(0, 1\)"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(change, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(SPEC, **change)


@pytest.mark.slow
def test_it_counts_eight_for_kuramoto_sivashinsky():
    # Zeng et al. (2024): eight singular values down to .217 of the first, then 2.2e-3.
    system = find_system("kuramoto_sivashinsky")
    times = torch.arange(151, dtype=torch.float64)
    train, held = (simulate(system, n, times, rng=generator(0, n)) for n in (256, 16))
    rank, gap = latent_rank(train, held, rng=generator(0))
    assert rank == 8
    assert gap > 10
