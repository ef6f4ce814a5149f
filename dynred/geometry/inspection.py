"""`inspect`: from trajectories or points to the verdict."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.arguments import public
from dynred.checks import generator_given, integer
from dynred.data.trajectories import Trajectories
from dynred.geometry.covering import Covering, covering_dimensions
from dynred.geometry.drift import Drift, drift, time_window
from dynred.geometry.examine import Evidence, Moments, examine
from dynred.geometry.extra import load
from dynred.geometry.homology import PARTS, components
from dynred.geometry.injectivity import injective_from
from dynred.geometry.piece import Doubt, Piece
from dynred.geometry.sample import SAME, Sample, take_sample
from dynred.geometry.two_valued import UNKNOWN, two_valued
from dynred.geometry.verdict import Verdict
from dynred.numerics.farthest_points import farthest_points
from dynred.runtime import Progress, silent

FEW = 500  # snapshots below which a verdict is never sure
MOST = 8  # most components that are judged
REPEATED = 3.0  # with so many snapshots per distinct point, the points are taken for isolated ones


@dataclass(frozen=True, eq=False)
class Findings:
    """What the figures of an inspection are drawn from.

    Attributes:
        sample: the points.
        pieces: what each component was judged by.
        coverings: effective Minkowski dimension at shrinking scales.
        drift: the drift of trajectories; None for bare points.
    """

    sample: Sample
    pieces: tuple[Evidence, ...]
    coverings: list[Covering]
    drift: Drift | None


@public
def inspect(
    data: "Trajectories | Tensor | np.ndarray",
    *,
    rng: torch.Generator,
    latent_dim: int | None = None,
    progress: Progress = silent,
) -> Verdict:
    """Can k latent coordinates carry the set K that the states lie on?

    Args:
        data: trajectories on K, or bare points of it [M, D], M >= 50. Of more than 20,000 a random part is looked at.
        rng: chooses sub-samples.
        latent_dim: a k that the verdict covers in any case, >= 1.
        progress: receives reports.

    Returns:
        Dimension, components, holes, boundary, reach; for every k whether it is possible and what worst-case error it
        costs; the latent space with fewest coordinates; and how sure all that is. `print` it, or take its `to_dict`.

    Raises:
        InputError: too few points, a wrong shape, values that are not finite.
        MissingExtraError: without `pip install 'dynred[geometry]'`.
    """
    generator_given(rng)
    if latent_dim is not None:
        integer("latent_dim", latent_dim, 1)
    for name in ("skdim", "ripser"):
        load(name)
    sample = take_sample(data, rng)
    measured_drift = drift(sample, rng) if isinstance(data, Trajectories) else None
    window = time_window(data, sample.diameter) if isinstance(data, Trajectories) else 0.0
    progress("inspect", 0, 1)
    isolated = _isolated(sample, window)
    if isolated is not None:
        pieces = tuple(Piece(1, 0.0, (0.0, 0.0), 0, True, reach=np.inf) for _ in isolated)
        findings = Findings(sample, (), [], measured_drift)
        total, clarity = len(pieces), np.inf
    else:
        labels, clarity = components(sample.points, sample.diameter)
        total = int(labels.max()) + 1
        pieces, evidence = _examined(sample, labels, window, rng, progress)
        findings = Findings(sample, evidence, covering_dimensions(sample.points), measured_drift)
    doubts = [
        *_doubts(sample, measured_drift, clarity, total - len(pieces)),
        *(d for piece in pieces for d in piece.doubts),
    ]
    verdict = Verdict(
        pieces,
        total,
        sample.snapshots,
        len(sample.points),
        sample.diameter,
        1 if sample.diameter == 0 or isolated is not None else injective_from(sample.points),
        latent_dim,
        tuple(dict.fromkeys(doubts)),
        findings,
        two_valued(data) if isinstance(data, Trajectories) else UNKNOWN,
    )
    progress("inspect", 1, 1)
    return _consistent(verdict)


def _isolated(sample: Sample, window: float) -> Float[np.ndarray, "p Q"] | None:
    """The distinct points, where the snapshots visit only a few; None where they visit many, or where states move."""
    rows, radius = farthest_points(sample.points, PARTS, apart=SAME * sample.diameter)
    still = window == 0 or not np.isfinite(window)
    if sample.diameter == 0 or (radius <= SAME * sample.diameter and still):
        visits = sample.visits * len(sample.points) / len(rows)
        if sample.diameter == 0 or visits >= REPEATED:
            return sample.points[rows]
    return None


def _examined(
    sample: Sample, labels: np.ndarray, window: float, rng: torch.Generator, progress: Progress
) -> tuple[tuple[Piece, ...], tuple[Evidence, ...]]:
    scatter = sample.noise * sample.rank**0.5
    judged = min(MOST, int(labels.max()) + 1)
    pieces, evidence = [], []
    for label in range(judged):
        progress("inspect", label, judged)
        in_component = labels == label
        moments = None
        if sample.owner is not None and sample.time is not None and sample.visits < REPEATED:
            moments = Moments(sample.owner[in_component], sample.time[in_component], window)
        piece, piece_evidence = examine(
            sample.points[in_component], rng, diameter=sample.diameter, noise=scatter, when=moments
        )
        pieces.append(piece)
        evidence.append(piece_evidence)
    return tuple(pieces), tuple(evidence)


def _doubts(sample: Sample, measured_drift: Drift | None, clarity: float, unjudged: int) -> list[Doubt]:
    doubts = []
    if measured_drift is not None and measured_drift.seen:
        reason = (
            f"the trajectories drift: early states lie up to {measured_drift.early:.2g} diameters from the late ones, "
            "so that they have not reached K, or not yet returned"
        )
        doubts.append(Doubt(reason, grave=True))
    if sample.noise > 0:
        size = sample.noise / sample.diameter
        doubts.append(Doubt(f"noise of {size:.2g} diameters per coordinate was found; reach and bounds are rough"))
    if sample.snapshots < FEW:
        doubts.append(Doubt(f"fewer than {FEW} snapshots"))
    if clarity < 1:
        doubts.append(Doubt("whether some parts are connected is not clear"))
    if unjudged:
        doubts.append(Doubt(f"{unjudged} components were not judged"))
    return doubts


def _consistent(verdict: Verdict) -> Verdict:
    """The verdict, with a grave doubt where topology forbids what a projection of the sample does."""
    for k in verdict.ks:
        if k >= verdict.projects_from and any(piece.obstructed(k) for piece in verdict.pieces):
            reason = f"{k} POD coordinates tell all points apart, which the topology found forbids"
            return replace(verdict, doubts=(*verdict.doubts, Doubt(reason, grave=True)))
    return verdict
