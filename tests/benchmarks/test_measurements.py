"""The benchmark of measured data measures what it says."""

import sys
from pathlib import Path

import pytest
import torch

from dynred import Trajectories

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))  # scripts, which import each other as siblings
import measurements


def test_samples_have_the_noise_and_the_gaps_that_are_said():
    t = 0.01 * torch.arange(5000, dtype=torch.float64)
    exact = Trajectories(torch.stack([torch.sin(t), 10 * torch.cos(t)], -1), t, torch.tensor([len(t)]))
    measured = measurements.sampled(exact, noise=0.05, missing=0.3)
    known = measured.states.isfinite().all(1)
    assert 1 - float(known.double().mean()) == pytest.approx(0.3, abs=0.02)
    noise = (measured.states - exact.states)[known].std(0) / exact.states.std(0)
    assert noise.tolist() == pytest.approx([0.05, 0.05], rel=0.05)
