"""The files that a run leaves in its folder beside its model: scores, certificate, report."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.evaluation.certificate import Certificate
from dynred.evaluation.certify import certify
from dynred.evaluation.evaluation import Evaluation
from dynred.experiments.folder import RunFolder
from dynred.experiments.source import Source
from dynred.files import write_json
from dynred.metrics.base import Metric
from dynred.models.bands import Calibration
from dynred.models.base import Model
from dynred.models.forecast import Forecast
from dynred.ode.known_set import KnownSet
from dynred.report.model_page import write_report
from dynred.rng import generator
from dynred.user_code import user_code


def publish(
    folder: RunFolder,
    model: Model,
    evaluation: Evaluation,
    forecast: Forecast,
    source: Source,
    calibration: Calibration | None,
    metrics: Sequence[Metric] = (),
) -> None:
    """Writes scores, calibration, certificate and report into a run folder."""
    # A run folder reserves these names: whatever file has one may be replaced.
    write_json(folder / "evaluation.json", evaluation.to_dict(), Path.is_file)
    if calibration is not None:
        write_json(folder / "calibration.json", calibration.to_dict(), Path.is_file)
    stored = folder.manifest()
    certified = certificate(model, source, forecast.core.truth, generator(stored["seed"], "certificate"))
    write_json(folder / "certificate.json", certified.to_dict(), Path.is_file)
    write_report(
        folder / "report.html",
        model,
        evaluation,
        forecast,
        grid=source.grid,
        certificate=certified,
        metrics=metrics,
        settings=stored,
        ours=Path.is_file,
    )


def certificate(
    model: Model, source: Source, test: Trajectories, rng: torch.Generator, samples: int = 10_000
) -> Certificate:
    """The certificate on points of K, of the states of `model.core`. A sampler of K draws them where the system has
    one, and the states are not transformed; else they are the snapshots of the test trajectories."""
    points: Tensor | Trajectories = test
    known = KnownSet() if model.transforms else source.known  # what is known is of K as it is
    if known.sample:
        with user_code("the sampler of K"):
            points = known.sample(samples, rng)
    return certify(model.core, points, rng=rng, known=known, truth=test)
