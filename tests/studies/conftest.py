"""A study whose runs take a tenth of a second."""

import pytest

from dynred.dynamics.linear import LinearSpec
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.spec import ExperimentSpec
from dynred.reducers.pod import PODSpec

ROTATION = """
import torch

dim, transient, duration, sampling, time_scale = 3, 0.0, 2.0, 0.1, 6.28
parameters = {"speed": 1.0}


def rhs(t, x, speed):
    turned = torch.stack([-x[..., 1], x[..., 0], 0 * x[..., 2]], -1)
    return speed[..., None] * turned - 0.1 * x * torch.tensor([0.0, 0.0, 1.0], dtype=x.dtype)


def sample_initial(n, rng):
    return torch.randn(n, 3, generator=rng, dtype=torch.float64)
"""


@pytest.fixture
def system_file(tmp_path):
    path = tmp_path / "rotation.py"
    path.write_text(ROTATION)
    return path


@pytest.fixture
def base(system_file):
    data = DataSpec(train=6, validation=2, test=3, duration=2.0, horizon=1.0, seed=0)
    return ExperimentSpec(str(system_file), 2, data=data, reducer=PODSpec(2), dynamics=LinearSpec())
