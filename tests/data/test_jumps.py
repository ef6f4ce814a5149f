import math

import numpy as np
import pytest

from dynred.data.jumps import find_jumps
from dynred.data.trajectories import Trajectories


def alone(x, t=None):
    x = x[:, None] if x.ndim == 1 else x
    return Trajectories(x, np.arange(len(x)) * 1.0 if t is None else t, [len(x)])


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.7, 1.1])
@pytest.mark.parametrize("period", [2 * math.pi, 360.0, 1.0])
def test_wrapped_angles_are_found_and_the_angle_is_proposed(rate, period):
    n = np.arange(300)
    angle = (rate * n + 0.3 * np.sin(0.37 * rate * n)) / (2 * math.pi) * period
    wrapped = (angle + period / 2) % period - period / 2
    jumps = find_jumps(alone(np.stack([np.cos(0.2 * rate * n), wrapped], -1)))
    assert [jump.component for jump in jumps] == [1]
    assert jumps[0].size == pytest.approx(period, rel=0.03)
    assert len(jumps[0].times) >= 0.9 * (np.abs(np.diff(wrapped)) > period / 2).sum()
    flag = {2 * math.pi: " (--angle x2)", 360.0: " (--angle x2 --angle-unit degrees)"}.get(period, "")
    assert str(jumps[0]).endswith(
        f"at {len(jumps[0].times)} times: declare the angle{flag}; cut trajectories there; or use discrete dynamics"
    )


def test_resets_are_found():
    voltage = np.zeros(400)
    for i in range(1, 400):
        voltage[i] = voltage[i - 1] + 0.02 * (1.3 - voltage[i - 1])
        voltage[i] = voltage[i] if voltage[i] < 1 else 0.0
    (jump,) = find_jumps(alone(voltage))
    assert jump.size == pytest.approx(1, abs=0.05)
    assert len(jump.times) == (np.diff(voltage) < -0.5).sum()


@pytest.mark.parametrize("samples", [3, 4, 5, 8, 30, 1000])
@pytest.mark.parametrize("noise", [0.0, 1e-3, 0.1])
def test_smooth_coarse_and_noisy_motion_has_no_jumps(samples, noise):
    t = np.arange(600) * 2 * math.pi / samples
    x = np.stack([np.sin(t + 0.1), np.sin(math.sqrt(2) * t) + np.cos(t), np.exp(np.sin(t))], -1)
    x += noise * np.random.default_rng(0).standard_normal(x.shape)
    assert find_jumps(alone(x)) == []


def test_noise_alone_and_rest_have_no_jumps():
    assert find_jumps(alone(np.random.default_rng(0).standard_normal((2000, 3)))) == []
    assert find_jumps(alone(np.zeros((50, 2)))) == []
    assert find_jumps(alone(np.zeros((4, 2)))) == []
