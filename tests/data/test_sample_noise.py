import numpy as np
import pytest

from dynred.data.sample_noise import noise_variance


@pytest.mark.parametrize("deviation", [1e-6, 1e-3, 1e-1])
@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_the_variance_of_noise_on_smooth_motion_is_met(deviation, jitter):
    rng = np.random.default_rng(0)
    t = 0.05 * (np.arange(2000) + rng.uniform(-jitter, jitter, 2000))
    x = np.sin(t[:, None] + np.arange(3)) + deviation * rng.standard_normal((2000, 3))
    assert noise_variance([t], [x], 3) == pytest.approx(3 * deviation**2, rel=0.15)


def test_motion_that_samples_barely_resolve_is_no_noise():
    t = 0.35 * np.arange(150)  # 18 samples in a period, with all harmonics
    x = np.exp(2 * np.sin(t))[:, None]
    assert noise_variance([t], [x], 1) < 1e-12 * x.var()
