"""`inspect`: from trajectories or points to the verdict."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.arguments import public
from dynred.checks import generator_given, integer
from dynred.data.clean import clean
from dynred.data.points import load_data
from dynred.data.readers.base import is_data
from dynred.data.reading import ReadingSpec
from dynred.data.trajectories import Trajectories
from dynred.data.transforms.angles import AnglesSpec
from dynred.data.transforms.scaling import scaled_apart
from dynred.geometry.cloud import REPEATED, Cloud, along_flow, moves, parts, snapshots
from dynred.geometry.covering import Covering, covering_dimensions
from dynred.geometry.drift import Drift, drift
from dynred.geometry.examine import Evidence, examine
from dynred.geometry.extra import load
from dynred.geometry.homology import PARTS
from dynred.geometry.injectivity import injective_from
from dynred.geometry.piece import Doubt, Piece
from dynred.geometry.sample import SAME, Sample, take_sample
from dynred.geometry.two_valued import UNKNOWN, two_valued
from dynred.geometry.verdict import Verdict
from dynred.numerics.farthest_points import farthest_points
from dynred.ode.autonomy import time_words
from dynred.ode.subject import no_reading, subject_of
from dynred.ode.system import System
from dynred.rng import generator
from dynred.runtime import Progress, silent
from dynred.simulation.simulate import simulate

FEW = 500  # snapshots below which a verdict is never sure
LONELY = 5  # snapshots that a component must have so that it is none of outliers
TRAJECTORIES = 64  # of a system that is simulated
MOST = 8  # most components that are judged


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
    data: Any,
    *,
    rng: torch.Generator | None = None,
    latent_dim: int | None = None,
    t: Any = None,
    dt: float | None = None,
    dim: int | None = None,
    reading: ReadingSpec | None = None,
    progress: Progress = silent,
) -> Verdict:
    """Can k latent coordinates carry the set K that the states lie on?

    Args:
        data: trajectories on K, or bare points of it [M, D], M >= 50: whatever `Trajectories.of` takes, or a file. Of
            more than 20,000 snapshots a random part is looked at. Or a system, its name or file, or a function f(t, x)
            with `dim`, of which 64 trajectories are simulated.
        rng: chooses sub-samples and initial states; default: that of seed 0.
        latent_dim: a k that the verdict covers in any case, >= 1.
        t: times of an array; an array [M, D] without times holds points.
        dt: time between snapshots of data that hold no times.
        dim: dimension of the state of a function.
        reading: what cannot be guessed of data.
        progress: receives reports.

    Returns:
        Dimension, components, holes, boundary, reach; for every k whether it is possible and what worst-case error it
        costs; the latent space with fewest coordinates; and how sure all that is. `print` it, or take its `to_dict`.

    Raises:
        InputError: too few points, a wrong shape, values that are not finite.
        MissingExtraError: without `pip install 'dynred[geometry]'`.
    """
    rng = generator(0, "inspect") if rng is None else generator_given(rng)
    if latent_dim is not None:
        integer("latent_dim", latent_dim, 1)
    for name in ("skdim", "ripser"):
        load(name)
    if t is None and dt is None and isinstance(data, Trajectories | Tensor | np.ndarray) and reading is None:
        return _verdict(data, rng, latent_dim, progress)
    is_file = isinstance(data, str | Path) and is_data(data, reading)
    if is_file and dt is None:
        return _verdict(load_data(data, reading), rng, latent_dim, progress)
    subject = subject_of(data, t=t, dt=dt, dim=dim, reading=reading)
    if isinstance(subject, System):
        no_reading(ReadingSpec(dt=dt) if reading is None else reading, subject)
        subject = simulate(subject, TRAJECTORIES, rng=rng, progress=progress)
    elif reading is not None and reading.cleaning:
        subject = clean(subject, reading.cleaning)
    return _verdict(subject, rng, latent_dim, progress)


def _told_apart(data: Trajectories) -> Trajectories:
    """Trajectories as a model sees them by default: angles as cosines and sines, variables scaled."""
    angles = AnglesSpec().fit(data)
    return scaled_apart(angles.transformed(data) if angles.changes else data)


def _verdict(
    data: "Trajectories | Tensor | np.ndarray", rng: torch.Generator, latent_dim: int | None, progress: Progress
) -> Verdict:
    data = _told_apart(data) if isinstance(data, Trajectories) else data
    sample = take_sample(data, rng)
    measured_drift = drift(sample, rng) if isinstance(data, Trajectories) else None
    progress("inspect", 0, 1)
    isolated = _isolated(sample, moves(data, sample))
    cloud = snapshots(data, sample) if isolated is not None else along_flow(data, sample, rng)
    if isolated is not None:
        pieces = tuple(Piece(1, 0.0, (0.0, 0.0), 0, True, reach=np.inf) for _ in isolated)
        findings = Findings(sample, (), [], measured_drift)
        total, clarity, labels = len(pieces), np.inf, np.arange(0)
    else:
        labels, clarity = parts(cloud, sample.diameter, rng)
        total = int(labels.max()) + 1
        pieces, evidence = _examined(sample, cloud, labels, rng, progress)
        findings = Findings(sample, evidence, covering_dimensions(cloud.points), measured_drift)
    doubts = [
        *_doubts(sample, measured_drift, clarity, total - len(pieces)),
        *_doubts_of_time(data),
        *cloud.doubts,
        *_lonely(cloud, labels),
        *(d for piece in pieces for d in piece.doubts),
    ]
    verdict = Verdict(
        pieces,
        total,
        sample.snapshots,
        len(sample.points),
        sample.diameter,
        sample.dim,
        _projects_from(sample, cloud, isolated is not None),
        latent_dim,
        tuple(dict.fromkeys(doubts)),
        findings,
        two_valued(data) if isinstance(data, Trajectories) else UNKNOWN,
    )
    progress("inspect", 1, 1)
    return _consistent(verdict)


def _isolated(sample: Sample, moving: bool) -> Float[np.ndarray, "p Q"] | None:
    """The distinct points, where the snapshots visit only a few; None where they visit many, or where states move."""
    rows, radius = farthest_points(sample.points, PARTS, apart=SAME * sample.diameter)
    if sample.diameter == 0 or (radius <= SAME * sample.diameter and not moving):
        visits = sample.visits * len(sample.points) / len(rows)
        if sample.diameter == 0 or visits >= REPEATED:
            return sample.points[rows]
    return None


def _examined(
    sample: Sample, cloud: Cloud, labels: np.ndarray, rng: torch.Generator, progress: Progress
) -> tuple[tuple[Piece, ...], tuple[Evidence, ...]]:
    sizes = {"diameter": sample.diameter, "noise": sample.noise * sample.rank**0.5, "scatter": cloud.scatter}
    on_curves = cloud.drawn is not None
    judged = min(MOST, int(labels.max()) + 1)
    pieces, evidence = [], []
    for label in range(judged):
        progress("inspect", label, judged)
        inside = labels == label
        when = None if cloud.moments is None else cloud.moments.of(inside)
        piece, piece_evidence = examine(cloud.points[inside], rng, on_curves=on_curves, when=when, **sizes)
        pieces.append(piece if cloud.seen else piece.unseen())
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


def _doubts_of_time(data: "Trajectories | Tensor | np.ndarray") -> list[Doubt]:
    words = time_words(data.attributes) if isinstance(data, Trajectories) else None
    return [Doubt(words, grave=True)] if words else []


def _projects_from(sample: Sample, cloud: Cloud, isolated: bool) -> int:
    if isolated or sample.diameter == 0:
        return 1
    if not cloud.seen:
        return sample.dim
    return injective_from(cloud.points) if cloud.dense is None else injective_from(cloud.dense, gap=cloud.apart)


def _lonely(cloud: Cloud, labels: np.ndarray) -> list[Doubt]:
    if cloud.counts is None or len(labels) == 0:
        return []
    lonely = int((np.bincount(labels, cloud.counts) < LONELY).sum())
    reason = f"components have fewer than {LONELY} snapshots each, {lonely} of them: outliers, or hardly visited"
    return [Doubt(reason, grave=True)] if lonely else []


def _consistent(verdict: Verdict) -> Verdict:
    """The verdict, with a grave doubt where topology forbids what a projection of the sample does."""
    for k in verdict.ks:
        if k >= verdict.projects_from and any(piece.obstructed(k) for piece in verdict.pieces):
            reason = f"{k} POD coordinates tell all points apart, which the topology found forbids"
            return replace(verdict, doubts=(*verdict.doubts, Doubt(reason, grave=True)))
    return verdict
