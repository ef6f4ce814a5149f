"""Metrics of single trajectories, each against its source's definition worked out by hand."""

import numpy as np
import pytest
import torch

from dynred.data.trajectories import Trajectories
from dynred.metrics.escape import Escape
from dynred.metrics.max_relative_error import MaxRelativeError
from dynred.metrics.nmte import NMTE
from dynred.metrics.relative_mse import RelativeMSE
from dynred.models.forecast import Forecast
from dynred.rng import generator


@pytest.fixture(scope="module")
def arrays():
    """Truth, reconstruction and prediction [3, 20, 4], away from the origin."""
    rng = generator(0, "metrics")
    truth = 3 + torch.randn(3, 20, 4, generator=rng, dtype=torch.float64)
    return truth, *(truth + s * torch.randn(3, 20, 4, generator=rng, dtype=torch.float64) for s in (0.1, 0.5))


def made(truth, reconstructed, predicted):
    t = torch.arange(truth.shape[1], dtype=torch.float64)
    return Forecast(*(Trajectories.from_stacked(x, t) for x in (truth, reconstructed, predicted)))


def test_nmte_is_the_mean_distance_over_the_largest_norm_of_the_same_trajectory(arrays):
    x, _, y = (a.numpy() for a in arrays)
    by_hand = np.linalg.norm(y - x, axis=2).mean(1) / np.linalg.norm(x, axis=2).max(1)
    np.testing.assert_allclose(NMTE()(made(*arrays)), by_hand)


def test_lasdis_error_is_the_largest_ratio_of_norms_at_one_time(arrays):
    x, _, y = (a.numpy() for a in arrays)
    ratio = np.linalg.norm(y - x, axis=2) / np.linalg.norm(x, axis=2)
    np.testing.assert_allclose(MaxRelativeError()(made(*arrays)), ratio.max(1))


def test_champions_error_is_the_mean_over_all_entries_of_the_reconstruction(arrays):
    x, r, _ = (a.numpy() for a in arrays)
    assert float(RelativeMSE()(made(*arrays)).mean()) == pytest.approx(np.mean((x - r) ** 2) / np.mean(x**2))


def test_a_prediction_that_diverges_counts_the_ceiling_from_there_on(arrays):
    x, r, y = arrays
    gone = x.clone()
    gone[0, 15:] = torch.nan
    assert NMTE(ceiling=2.0)(made(x, r, gone)).tolist() == pytest.approx([2.0 * 5 / 20, 0, 0])
    assert MaxRelativeError(ceiling=7.0)(made(x, r, gone)).tolist() == [7.0, 0, 0]


def test_a_rollout_leaves_when_it_is_farther_out_than_any_true_state_ever_is(arrays):
    x, r, _ = arrays
    centre = x.reshape(-1, 4).mean(0)
    farthest = (x - centre).norm(dim=-1).max()
    direction = torch.nn.functional.normalize(torch.ones(4, dtype=torch.float64), dim=0)
    y = x.clone()
    y[0, 7] = centre + 1.49 * farthest * direction
    y[1, 7] = centre + 1.51 * farthest * direction
    y[2, 19] = torch.nan
    assert Escape(factor=1.5)(made(x, r, y)).tolist() == [0, 1, 1]
    assert Escape()(made(x, r, x)).tolist() == [0, 0, 0]
