"""Velocities of sampled trajectories, where there is no equation to give them."""

import math
from dataclasses import replace

import numpy as np
import torch
from scipy.interpolate import make_interp_spline

from dynred.checks import refuse
from dynred.trajectories import Trajectories

SPLINE_NOISE = 1.4  # root mean square slope at the samples of a quintic spline through unit noise at distance 1


def estimate_velocities(trajectories: Trajectories) -> Trajectories:
    """Trajectories with velocities estimated from their samples by interpolating splines.

    The derivative of the quintic spline through the samples of each trajectory (cubic below 6 samples, linear
    below 4). It assumes samples that resolve the motion and little noise: noise of size s at distance h shows as
    about s / h.

    The error is estimated from the samples alone, as the larger of two parts. Truncation: with d1 the difference
    between velocities from all samples and from every second one, d2 the same between every second and every fourth,
    and q = d1 / d2 the observed rate, it is d1 q / (1 - q) (Aitken's extrapolation, q held within [1/64, 1/2]). Noise:
    eighth differences of the samples give its size s (for smooth data they vanish), and s / h times `SPLINE_NOISE` its
    effect, d1 at most.

    Args:
        trajectories: each of at least two snapshots.

    Returns:
        The same with `velocities`; `attributes["velocity_error"]` is the estimated error as a fraction of the root mean
        square velocity, None where trajectories are shorter than 24 snapshots.

    Raises:
        InputError: a trajectory of one snapshot.
    """
    if int(trajectories.lengths.min()) < 2:
        i = int(trajectories.lengths.argmin())
        advice = "A velocity needs at least two; give `velocities` or longer trajectories."
        raise refuse("trajectories", "of at least 2 snapshots each", f"1 in trajectory {i}", advice)
    velocities, d1, d2, noise, size = [], 0.0, 0.0, 0.0, 0.0
    for one in trajectories:
        t, x = one.t.double().numpy(), one.states.double().numpy()
        v = _slopes(t, x)
        velocities.append(v)
        size += float((v**2).sum(1).mean())
        if len(t) >= 24:
            second, fourth = _slopes(t[::2], x[::2]), _slopes(t[::4], x[::4])
            inner = slice(2, -2)  # ends of a spline are less accurate, and half as many samples have twice the ends
            d1 += float(((v[::4] - second[::2])[inner] ** 2).sum(1).mean())
            d2 += float(((second[::2] - fourth)[inner] ** 2).sum(1).mean())
            # The variance of an eighth difference of white noise is binomial(16, 8) times the noise's.
            noise += float((np.diff(x, 8, axis=0) ** 2).sum(1).mean() / math.comb(16, 8) / np.median(np.diff(t)) ** 2)
    error = None
    if d2 > 0 and size > 0:
        q = min(max(np.sqrt(d1 / d2), 1 / 64), 0.5)
        truncation = np.sqrt(d1 / size) * q / (1 - q)
        error = float(max(truncation, min(np.sqrt(d1 / size), SPLINE_NOISE * np.sqrt(noise / size))))
    attributes = {**trajectories.attributes, "velocities": "quintic spline", "velocity_error": error}
    found = torch.from_numpy(np.concatenate(velocities)).to(trajectories.states)
    return replace(trajectories, velocities=found, attributes=attributes)


def _slopes(t: np.ndarray, x: np.ndarray) -> np.ndarray:
    degree = 5 if len(t) >= 6 else 3 if len(t) >= 4 else 1
    return make_interp_spline(t, x, k=degree).derivative()(t)
