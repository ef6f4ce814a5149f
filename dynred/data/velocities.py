"""Velocities of sampled trajectories, where there is no equation to give them."""

import math
from dataclasses import replace

import numpy as np
import torch

from dynred import plugins
from dynred.arguments import public
from dynred.checks import refuse
from dynred.data.derivatives.base import Estimator
from dynred.data.trajectories import Trajectories

PACKAGE = "dynred.data.derivatives"
DEFAULT = "spline"  # the method where trajectories are too short for a choice
ENOUGH = 24  # snapshots from which methods are compared and errors estimated
JUDGES = 32  # trajectories, evenly spread, on which methods are compared: a choice among few needs no more


@public
def estimate_velocities(trajectories: Trajectories, estimator: Estimator | None = None) -> Trajectories:
    """Trajectories with velocities estimated from their samples.

    Without `estimator`, every method in dynred/data/derivatives is tried with several settings. Each is given every
    second sample, and the one that predicts the others best is taken. Interpolation wins on smooth motion, smoothing
    where there is noise.

    The error is estimated from the samples alone, as the larger of two parts. Truncation: with d1 the difference
    between velocities from all samples and from every second one, d2 the same between every second and every fourth,
    and q = d1 / d2 the observed rate, it is d1 q / (1 - q) (Aitken's extrapolation, q held within [1/64, 1/2]). Noise:
    eighth differences of the samples give its size (for smooth data they vanish), and the method's own answer to white
    noise of that size its effect, d1 at most.

    Args:
        trajectories: each of at least two snapshots.
        estimator: the method; default: the one that predicts best.

    Returns:
        The same trajectories with `velocities`. Three attributes are added: `velocities`, the method in words;
        `velocity_error`, the estimated error as a fraction of the root mean square velocity; `velocity_check`, by
        method the error of predicted samples as a fraction of their deviation from the mean. Where no trajectory has
        24 snapshots, the error is None and the check is empty.

    Raises:
        InputError: a trajectory has one snapshot only, or `estimator` cannot take it.
    """
    if int(trajectories.lengths.min()) < 2:
        i = int(trajectories.lengths.argmin())
        advice = "A velocity needs at least two; give `velocities` or longer trajectories."
        raise refuse("trajectories", "of at least 2 snapshots each", f"1 in trajectory {i}", advice)
    curves = [(part.t.double().numpy(), part.states.double().numpy()) for part in trajectories]
    long = [curve for curve in curves if len(curve[0]) >= ENOUGH]
    judges = long[:: math.ceil(len(long) / JUDGES)] if long else []
    check: dict[str, float] = {}
    if estimator is None:
        estimator, check = _chosen([t for t, _ in curves], judges)
    for i, (t, _) in enumerate(curves):
        if not estimator.takes(t):
            raise refuse("trajectories", f"such as a {estimator.describe()} takes", f"{len(t)} samples in {i}")
    velocities = np.concatenate([estimator.curve(t, x)(t, 1) for t, x in curves])
    attributes = {
        **trajectories.attributes,
        "velocities": estimator.describe(),
        "velocity_error": _error(estimator, judges),
        "velocity_check": check,
    }
    return replace(trajectories, velocities=torch.from_numpy(velocities).to(trajectories.states), attributes=attributes)


def _chosen(times: list[np.ndarray], judges: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Estimator, dict[str, float]]:
    """The method that best predicts samples that it was not given, and the errors of all methods that can be used."""
    fallback = plugins.load_class(PACKAGE, DEFAULT, Estimator)()
    errors: list[tuple[float, Estimator]] = []
    for name in plugins.names(PACKAGE) if judges else []:
        for candidate in plugins.load_class(PACKAGE, name, Estimator).candidates():
            if all(candidate.takes(t) for t in times) and all(candidate.takes(t[::2]) for t, _ in judges):
                errors.append((_held_out_error(candidate, judges), candidate))
    best = min(errors, key=lambda entry: entry[0], default=(0.0, fallback))[1]
    return best, {candidate.describe(): error for error, candidate in errors}


def _held_out_error(estimator: Estimator, judges: list[tuple[np.ndarray, np.ndarray]]) -> float:
    wrong = size = 0.0
    for t, x in judges:
        inner = slice(3, len(t) - 3, 2)  # odd samples, between even ones on both sides
        prediction = estimator.curve(t[::2], x[::2])(t[inner], 0)
        wrong += float(((prediction - x[inner]) ** 2).sum(1).mean())
        size += float(((x - x.mean(0)) ** 2).sum(1).mean())
    return math.sqrt(wrong / size) if size > 0 else 0.0


def _error(estimator: Estimator, judges: list[tuple[np.ndarray, np.ndarray]]) -> float | None:
    d1 = d2 = noise = size = 0.0
    for t, x in judges:
        steps = [step for step in (1, 2, 4) if estimator.takes(t[::step])]
        if len(steps) < 2:
            continue
        every, second, *more = (estimator.curve(t[::step], x[::step])(t[::step], 1) for step in steps)
        inner = slice(2, -2)  # ends are less accurate, and half as many samples have twice the ends
        size += float((every**2).sum(1).mean())
        first = float(((every[::4] - second[::2])[inner] ** 2).sum(1).mean())
        d1 += first
        # With too few samples for a third estimate no rate is observed, and q takes its largest value.
        d2 += float(((second[::2] - more[0])[inner] ** 2).sum(1).mean()) if more else 4 * first
        # The variance of an eighth difference of white noise is binomial(16, 8) times the noise's.
        level = float((np.diff(x, 8, axis=0) ** 2).sum(1).mean() / math.comb(16, 8))
        noise += level * _noise_gain(estimator, t)
    if d2 <= 0 or size <= 0:
        return None
    q = min(max(math.sqrt(d1 / d2), 1 / 64), 0.5)
    truncation = math.sqrt(d1 / size) * q / (1 - q)
    return max(truncation, min(math.sqrt(d1 / size), math.sqrt(noise / size)))


def _noise_gain(estimator: Estimator, t: np.ndarray) -> float:
    """The mean square velocity that the method computes from white noise of variance 1."""
    white = np.random.default_rng(0).standard_normal((len(t), 8))
    return float((estimator.curve(t, white)(t, 1)[2:-2] ** 2).mean())


def with_velocities(name: str, latents: Trajectories) -> Trajectories:
    """`latents`, refused where they have no velocities."""
    if latents.velocities is None:
        advice = "`estimate_velocities` gives them to sampled trajectories before they are encoded."
        raise refuse(name, "trajectories with velocities", "none", advice)
    return latents
