"""What a reduction needs is estimated well enough to refuse what cannot be done, and nothing that can."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dynred import memory, plugins
from dynred.dynamics.base import DynamicsSpec
from dynred.dynamics.linear import LinearSpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.dynamics.quadratic import QuadraticSpec
from dynred.errors import InputError
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.pipeline import reduce
from dynred.numerics.latent_space import LatentSpace
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.system import System
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import ReducerSpec
from dynred.reducers.pod import PODSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

FEW = TrainingSpec(steps=3, batch_size=64, validations=1)
SMALL = DataSpec(train=20, validation=4, test=4, duration=5.0, sampling=0.05)


def spinning(dim):
    """Harmonic oscillators of many frequencies, cheap in any dimension."""
    rate = torch.linspace(0.5, 3, dim // 2, dtype=torch.float64)

    def rhs(t, x):
        q, p = x.unflatten(-1, (2, -1)).unbind(-2)
        return torch.cat([rate * p, -rate * q], -1)

    return System("spinning", dim, rhs, sampling=0.05, duration=5.0, stiff=False)


RUNS = {  # what is large in each
    "states": (1000, 4, replace(SMALL, train=100), PODSpec(4), LinearSpec()),
    "test": (400, 4, replace(SMALL, test=600, horizon=5.0), PODSpec(4), LinearSpec()),
    "reducer": (40, 4, SMALL, AutoencoderSpec(4, width=2000, training=FEW), LinearSpec()),
    "network": (40, 4, SMALL, PODSpec(4), NeuralODESpec(width=2000, start=None, training=FEW)),
    "polynomial": (
        *(40, 8, replace(SMALL, train=200)),
        *(PolynomialManifoldSpec(8, PolynomialSpec(6, 3003, (1e-8,))), LinearSpec()),
    ),
    "quadratic": (80, 50, SMALL, PODSpec(50), QuadraticSpec((1e-6,))),
}


def measure(name, folder):
    """Bytes that are needed by the estimate, and bytes that were taken."""
    dim, latent_dim, data, reducer, dynamics = RUNS[name]
    needed = []
    sys.modules["dynred.experiments.requirements"].check_memory = lambda what, count, advice: needed.append(count)
    reduce(spinning(40), 2, data=replace(SMALL, train=2), reducer=PODSpec(2), dynamics=LinearSpec())  # loads libraries
    needed.clear()
    before = memory.psutil.Process().memory_info().rss
    runtime = Runtime(checkpoints=Path(folder))
    reduce(spinning(dim), latent_dim, data=data, reducer=reducer, dynamics=dynamics, runtime=runtime)
    return max(needed), int(memory.peak_memory_mb() * 2**20) - before


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:])))
    sys.exit()


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_run_takes_at_most_the_estimate_and_at_least_a_third_of_it(name, tmp_path):
    done = subprocess.run([sys.executable, __file__, name, tmp_path], capture_output=True, text=True, check=True)
    needed, taken = json.loads(done.stdout)
    assert taken <= needed <= 3 * taken


def refused(match, **changes):
    source = changes.pop("source", "lorenz96")
    with pytest.raises(InputError, match=match):
        reduce(source, changes.pop("latent_dim", 2), **changes)


TOO_LARGE = [
    ({"reducer": AutoencoderSpec(2, width=100_000)}, "fitting the reducer must fit"),
    ({"reducer": AutoencoderSpec(2, width=20_000, depth=100)}, "fitting the reducer must fit"),
    ({"reducer": AutoencoderSpec(2, trials=1000, width=20_000, residual=False)}, "fitting the reducer must fit"),
    (
        {
            **{"latent_dim": 20, "data": DataSpec(train=20_000)},
            "reducer": PolynomialManifoldSpec(20, PolynomialSpec(100, 100_000)),
        },
        "fitting the reducer must fit",
    ),
    ({"data": DataSpec(train=100_000_000)}, "the data must fit"),
    ({"data": DataSpec(sampling=1e-9)}, "the data must fit"),
    ({"data": DataSpec(test=10**8)}, "the data must fit"),
    ({"reducer": PODSpec(2), "dynamics": NeuralODESpec(width=100_000)}, "fitting the dynamics must fit"),
    ({"reducer": PODSpec(2), "dynamics": NeuralODESpec(width=20_000, depth=100)}, "fitting the dynamics must fit"),
    (
        {
            **{"source": spinning(1000), "latent_dim": 500},
            **{"reducer": PODSpec(500), "dynamics": QuadraticSpec(), "data": SMALL},
        },
        "fitting the dynamics must fit",
    ),
    (
        {
            **{"source": spinning(100), "latent_dim": 60, "reducer": PODSpec(60)},
            "dynamics": PolynomialODESpec(PolynomialSpec(6, 100_000)),
            "data": replace(SMALL, train=20_000, validation=10),
        },
        "fitting the dynamics must fit",
    ),
]


@pytest.mark.parametrize(("changes", "words"), TOO_LARGE, ids=lambda value: str(value)[:60])
def test_what_memory_cannot_hold_is_refused_before_anything_is_computed(changes, words, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 24 * 10**9)
    monkeypatch.setattr("dynred.experiments.system_source.simulate", None)
    refused(rf"^{words} into the memory that is available, 24 GB, got \S+ .*GB\. \S.*\.$", **changes)


def test_what_the_polynomials_limit_themselves_is_not_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**9)
    for spec in (NeuralODESpec(start=PolynomialSpec(40)), PolynomialODESpec(PolynomialSpec(60))):
        made = reduce(spinning(8), 2, data=replace(SMALL, train=3, test=1), reducer=PODSpec(2), dynamics=LinearSpec())
        assert spec.memory(made.model.latent_space, 300, 100) < 10**9


def test_every_reducer_and_dynamics_estimates_more_for_more_data():
    for base, space in ((ReducerSpec, 100), (DynamicsSpec, LatentSpace(lines=3))):
        for found in plugins.classes(base.__module__.rpartition(".")[0], base):
            spec = found()
            assert 0 < spec.memory(space, 100, 10) < spec.memory(space, 10_000, 1000)


def test_data_without_an_equation_are_measured_by_themselves(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**8)
    data = reduce_data()
    refused("fitting the reducer must fit", source=data, reducer=PODSpec(2))


def reduce_data():
    return simulate(spinning(40), 12, rng=generator(0))


def test_times_without_number_are_refused():
    refused("sampling must be at least 1e-11 for a length of", data=DataSpec(sampling=1e-300, duration=10.0))
