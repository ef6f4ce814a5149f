"""
An ODE of one's own: a ring that falls into step
================================================

Forty coupled oscillators, a plain NumPy function, reduced to two coordinates. Nothing is published. ::

    python examples/own_system.py --out runs/ring

Every oscillator obeys ::

    z_i' = (1 + i w_i) z_i - |z_i|^2 z_i + c (z_{i-1} - 2 z_i + z_{i+1})

with slightly different frequencies w_i. If the coupling is strong enough, all move as one: K is a closed curve in 80
dimensions. Two latent coordinates carry it. The command
`dynred reduce examples/own_system.py --latent-dim 2 --out runs/ring` does the same, because this file defines `dim` and
`rhs`.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.evaluation.evaluation import Evaluation
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.run import run
from dynred.experiments.spec import ExperimentSpec
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.training.minimise import TrainingSpec

OSCILLATORS = 40
FREQUENCIES = 1 + 0.05 * np.sin(7.0 * np.arange(OSCILLATORS))
COUPLING = 2.0
SMALL = {"train": 8, "steps": 300}  # of a trial

dim = 2 * OSCILLATORS
transient = 150.0  # until all move as one, in time units of about one radian
duration = 15.0
sampling = 0.1
time_scale = 2 * np.pi  # about one period
time_scale_name = "periods"


def rhs(t, x):
    """The velocity of (Re z_1, ..., Re z_40, Im z_1, ..., Im z_40), a NumPy function in SciPy's form f(t, x)."""
    z = x[:OSCILLATORS] + 1j * x[OSCILLATORS:]
    w = FREQUENCIES if x.ndim == 1 else FREQUENCIES[:, None]
    v = (1 + 1j * w - np.abs(z) ** 2) * z + COUPLING * (np.roll(z, 1, 0) - 2 * z + np.roll(z, -1, 0))
    return np.concatenate([v.real, v.imag])


def sample_initial(n, rng):
    """All oscillators near one random phase, so that no twisted wave remains."""
    seed = int(rng.initial_seed() % 2**32)
    draw = np.random.default_rng(seed)
    phase = 2 * np.pi * draw.random((n, 1)) + 0.2 * draw.standard_normal((n, OSCILLATORS))
    return np.concatenate([np.cos(phase), np.sin(phase)], 1)


def main(out: Path = Path("runs/ring"), train: int = 32, steps: int = 2000) -> Evaluation:
    """Reduces the ring to two coordinates and checks that they carry it."""
    start = time.process_time()
    training = TrainingSpec(steps=steps)
    spec = ExperimentSpec(
        __file__,
        2,
        data=DataSpec(train=train, validation=4, test=16),
        reducer=AutoencoderSpec(2, width=64, training=training),
        dynamics=NeuralODESpec(width=64, training=training),
    )
    evaluation = run(spec, out, overwrite=True)
    assert evaluation.reconstruction.nmse < 1e-3, "two coordinates do not carry the ring"
    assert evaluation.rollout.diverged == 0
    scores = {
        "reconstruction nmse": evaluation.reconstruction.nmse,
        "valid time, median, in periods": evaluation.rollout.valid_time.median / time_scale,
    }
    minutes = (time.process_time() - start) / 60
    rows = [{"case": name, "published": None, "ours": value, "minutes": minutes} for name, value in scores.items()]
    (out / "results.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")
    ax = Figure(figsize=(7, 3), layout="constrained").subplots()
    evaluation.plot(ax).figure.savefig(out / "errors.png", dpi=120)
    return evaluation


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/ring"))
    parser.add_argument("--small", action="store_true", help="a trial of seconds")
    given = parser.parse_args()
    print(main(given.out, **(SMALL if given.small else {})))
