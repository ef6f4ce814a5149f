import math

import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.data.velocities import estimate_velocities
from dynred.data.velocity_quality import check_velocities, velocity_quality
from dynred.errors import InputError
from dynred.rng import generator


def cycle(samples, noise=0.0, periods=6):
    t = torch.arange(int(samples * periods), dtype=torch.float64) / samples
    states = torch.exp(1.5 * torch.stack([torch.sin(2 * math.pi * t), torch.cos(2 * math.pi * t)], -1))
    states = states + noise * torch.randn(states.shape, generator=generator(0), dtype=torch.float64)
    return estimate_velocities(Trajectories.from_stacked(states[None], t))


def test_good_velocities_get_no_warning():
    assert check_velocities(cycle(40)) is None
    exact = Trajectories(torch.zeros(3, 1), torch.arange(3.0), torch.tensor([3]), torch.zeros(3, 1))
    assert velocity_quality(exact).error is None
    assert check_velocities(exact) is None


def test_bad_velocities_are_refused_unless_forced_and_the_advised_interval_does_at_the_second_time():
    coarse = cycle(3.3)
    with pytest.raises(InputError, match=r"wrong by about .*%; a sampling interval of .* instead of 0.3 would do"):
        check_velocities(coarse)
    assert "would do" in check_velocities(coarse, force=True)
    finer = cycle(1 / velocity_quality(coarse).enough)  # from motion that is not resolved the first advice is rough
    assert not velocity_quality(finer).useless
    again = cycle(1 / (velocity_quality(finer).enough or velocity_quality(finer).sampling))
    assert not velocity_quality(again).doubtful


def test_noise_is_told_from_coarse_sampling():
    noisy = velocity_quality(cycle(40, noise=0.3))
    assert noisy.doubtful
    assert noisy.enough is None
    assert "most of it by noise" in noisy.warning()
