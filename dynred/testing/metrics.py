"""The contracts of a metric and of a long-time statistic, as checks."""

from dataclasses import replace

import numpy as np
import torch

from dynred.data.grid import Axis, Grid
from dynred.data.trajectories import Trajectories
from dynred.metrics.base import Metric, Reference, Statistic
from dynred.models.forecast import Forecast
from dynred.rng import generator
from dynred.testing.claims import (
    ROUND_OFF,
    check_settings,
    claims,
    close,
)
from dynred.testing.samples import curves


def check_metric(metric: Metric) -> None:
    """Checks a metric on forecasts that are perfect, wrong, and diverged.

    Raises:
        AssertionError: the broken contract.
    """
    claim = claims(type(metric).__name__)
    samples = curves(4)
    truth = Trajectories.concatenate([samples[:3], samples.windows(7)[:2]])  # trajectories of two lengths
    noise = 0.3 * torch.randn(truth.states.shape, generator=generator(0, "noise"), dtype=torch.float64)
    wrong = replace(truth, states=truth.states + noise)
    lost = replace(truth, states=torch.where(truth.t[:, None] > 0.2, torch.nan, wrong.states))
    perfect, off, gone = (metric(Forecast(truth, *parts)) for parts in ((truth, truth), (wrong, wrong), (wrong, lost)))
    claim(isinstance(metric.higher_is_better, bool), "higher_is_better must be True or False.")
    for value in (perfect, off, gone):
        claim(value.shape == (len(truth),), "a metric must give one number per trajectory [N].")
        claim(value.isfinite().all(), "a metric must be finite, also where a prediction diverged.")
    gain = torch.stack([perfect - off, perfect - gone])
    claim(((gain if metric.higher_is_better else -gain) >= 0).all(), "a perfect forecast must have the best value.")
    order = torch.randperm(len(truth), generator=generator(0, "order"))
    permuted = metric(Forecast(truth[order], wrong[order], lost[order]))
    claim(close(permuted, gone[order], ROUND_OFF), "permuted trajectories must permute the values.")
    check_settings(claim, metric, Metric, metric)


def check_statistic(statistic: Statistic) -> None:
    """Checks a long-time statistic on a periodic field at evenly spaced times, to which every statistic must apply.

    Raises:
        AssertionError: the broken contract.
    """
    claim = claims(type(statistic).__name__)
    truth = curves(16)
    axis = Axis("x", torch.arange(16, dtype=torch.float64), period=16.0)
    reference = Reference(truth, Grid((axis,)))
    claim(statistic.applies(reference), "it must apply to a field that is periodic and evenly sampled.")
    noise = torch.randn(truth.states.shape, generator=generator(0, "noise"), dtype=torch.float64)
    wrong = replace(truth, states=truth.states + noise, velocities=None)
    lost = replace(truth, states=torch.where(truth.t[:, None] > 0.2, torch.nan, truth.states), velocities=None)
    gauge = statistic.gauge(reference)
    own, off, gone = (gauge.measure(trajectories) for trajectories in (truth, wrong, lost))
    for values in (own, off, gone):
        claim(values.shape == own.shape and len(values) == len(truth), "it must contribute [N, ...], always alike.")
        claim(bool(np.isfinite(values).all()), "contributions must be finite, also where a prediction diverged.")
    claim(len(gauge.axes) == len(gauge.labels), "every axis must have a label.")
    order = torch.randperm(len(truth), generator=generator(0, "order"))
    permuted = gauge.measure(truth[order])
    claim(np.allclose(permuted, own[order.numpy()]), "permuted trajectories must permute the contributions.")
    means = np.stack([own.mean(0), off.mean(0), gone.mean(0)])
    far = gauge.distance(np.stack([means[0]] * 3), means)
    claim(far.shape == (3,), "distance must take a batch of means.")
    claim(bool(far[0] == 0 and (far[1:] > 0).all()), "distance must be 0 from itself, and positive from another.")
    singly = [float(gauge.distance(means[0], other)) for other in means]
    claim(np.allclose(far, singly), "distance must give each pair the same alone as in a batch.")
    check_settings(claim, statistic, Statistic, statistic)
