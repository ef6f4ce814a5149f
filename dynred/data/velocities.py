"""Velocities of sampled trajectories, where there is no equation to give them."""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from dynred import plugins
from dynred.arguments import public
from dynred.checks import refuse
from dynred.data.angles import unwrapped
from dynred.data.derivatives.base import Estimator
from dynred.data.estimators import PACKAGE, suitable
from dynred.data.interpolated import nodes
from dynred.data.responses import Curve
from dynred.data.trajectories import Trajectories
from dynred.data.velocity_error import Judgement

DEFAULT = "spline"  # the method where trajectories are too short for a choice
JUDGES = 32  # trajectories, evenly spread, on which methods are compared: a choice among few needs no more
LONGEST = 12000  # snapshots on which they are compared
SHORTEST = 2  # samples of a curve
WIDEST = 6  # dimensions on which they are compared


@public
def estimate_velocities(
    trajectories: Trajectories, estimator: Estimator | None = None, *, measured: Bool[Tensor, "M D"] | None = None
) -> Trajectories:
    """Trajectories with velocities estimated from their samples.

    Without `estimator`, every method in dynred/data/derivatives is tried with several settings, and the one whose
    velocities have the least estimated error is taken, see `dynred.data.velocity_error`: high splines on smooth motion,
    smoothing where there is noise. Samples that were interpolated linearly count no more than those between which they
    were interpolated. Angles that the data declare are unwrapped.

    Args:
        trajectories: each of at least two snapshots.
        estimator: the method; default: the one of least estimated error.
        measured: which states were measured [M, D]: velocities are those of curves through these alone, and NaN where a
            component has less than two of them in a trajectory. Default: all.

    Returns:
        The same trajectories with `velocities`. Attributes are added: `velocities`, the method in words;
        `velocity_error`, the estimated root mean square error over all snapshots, as a fraction of the root mean square
        velocity, and `velocity_noise`, what noise has in it; `velocity_check`, the error by method. Where trajectories
        have too few snapshots for an estimate, errors are None and the check is empty.

    Raises:
        InputError: a trajectory has one snapshot only, or `estimator` cannot take it.
    """
    if int(trajectories.lengths.min()) < 2:
        i = int(trajectories.lengths.argmin())
        advice = "A velocity needs at least two; give `velocities` or longer trajectories."
        raise refuse("trajectories", "of at least 2 snapshots each", f"1 in trajectory {i}", advice)
    given = trajectories if measured is not None else trajectories.checked_finite()
    strands = _strands(unwrapped(given), measured)
    curves = [strand.curve for strand in strands]
    if estimator is not None:
        for i, curve in enumerate(curves):
            if not estimator.takes(curve.t):
                raise refuse(
                    "trajectories", f"such as a {estimator.describe()} takes", f"{len(curve.t)} samples in {i}"
                )
    judgement = Judgement(_judges(curves))
    chosen, errors = _chosen(estimator, curves, judgement)
    velocities = np.full(trajectories.states.shape, np.nan)
    for strand, curve in zip(strands, curves, strict=True):
        velocities[strand.place] = chosen.curve(curve.t, curve.x)(curve.at, 1)
    size = judgement.size(chosen)
    known = chosen in errors and size > 0
    attributes = {
        **trajectories.attributes,
        "velocities": chosen.describe(),
        "velocity_error": errors[chosen] / size if known else None,
        "velocity_noise": judgement.noise_part(chosen) / size if known else None,
        "velocity_check": {c.describe(): error / size for c, error in errors.items()} if known else {},
    }
    return replace(trajectories, velocities=torch.from_numpy(velocities).to(trajectories.states), attributes=attributes)


class _Strand(NamedTuple):
    """Components of a trajectory that were measured at the same times, and where they lie among all states."""

    curve: Curve
    place: tuple[np.ndarray, ...]


def _strands(trajectories: Trajectories, measured: Bool[Tensor, "M D"] | None) -> list[_Strand]:
    """All trajectories; component by component where some snapshots were measured in part."""
    known = np.ones(trajectories.states.shape, bool) if measured is None else measured.numpy()
    columns = np.arange(trajectories.dim)
    apart = bool((known.any(1) & ~known.all(1)).any())
    strands = []
    for first, part in zip(trajectories.starts.tolist(), trajectories, strict=True):
        t, x = part.t.double().numpy(), part.states.double().numpy()
        rows = np.arange(first, first + len(t))
        for some in columns[:, None] if apart else [columns]:
            samples = known[rows, some[0]]
            if samples.sum() < SHORTEST:
                continue
            own, values = nodes(t[samples], x[samples][:, some])
            at = t if measured is None else t.clip(own[0], own[-1])  # no spline is good beyond its samples
            strands.append(_Strand(Curve(own, values, at), np.ix_(rows, some)))
    return strands


def _chosen(
    estimator: Estimator | None, curves: list[Curve], judgement: Judgement
) -> tuple[Estimator, dict[Estimator, float]]:
    """The given estimator or the best, and the errors of all that suit the trajectories."""
    candidates = suitable([curve.t for curve in curves])
    if estimator is not None and estimator not in candidates:
        candidates.append(estimator)
    errors = judgement.errors(candidates)
    if estimator is not None:
        return estimator, errors
    fallback = plugins.load_class(PACKAGE, DEFAULT, Estimator)()
    return judgement.best(errors) if errors else fallback, errors


def _judges(curves: list[Curve]) -> list[Curve]:
    """Some of the curves, cut to some snapshots and projected on few dimensions, with the same mean squares."""
    dim = curves[0].x.shape[1]
    axes = np.eye(dim)
    if dim > WIDEST:
        rng = np.random.default_rng(0)
        axes = np.linalg.qr(rng.standard_normal((dim, WIDEST)))[0] * math.sqrt(dim / WIDEST)
    judges: list[Curve] = []
    left = LONGEST
    for curve in curves[:: math.ceil(len(curves) / JUDGES)]:
        if left < len(curve.at) and judges:
            break
        count = int(np.searchsorted(curve.t, curve.at[:left][-1])) + 1  # a sample may lie beyond the last time
        judges.append(Curve(curve.t[:count], curve.x[:count] @ axes, curve.at[:left]))
        left -= len(curve.at)
    return judges


def with_velocities(name: str, latents: Trajectories) -> Trajectories:
    """`latents`, refused where they have no velocities."""
    if latents.velocities is None:
        advice = "`estimate_velocities` gives them to sampled trajectories before they are encoded."
        raise refuse(name, "trajectories with velocities", "none", advice)
    return latents
