"""
Kuramoto-Sivashinsky on lengths of 22, 44 and 66
================================================

Reduced as in A. J. Linot, M. D. Graham, Chaos 32, 073110 (2022). ::

    python examples/linot_graham_2022.py --length 22 --out runs/linot22
    python examples/linot_graham_2022.py --length 22 --from-data --out runs/linot22-data    # samples alone, 0.25 apart
    python examples/linot_graham_2022.py --length 22 --equivariant --out runs/linot22-equivariant
    python examples/linot_graham_2022.py --length 22 --members 5 --steps 2000 --out runs/linot22-ensemble
    python examples/linot_graham_2022.py --length 44 --out runs/linot44
    python examples/linot_graham_2022.py --length 66 --out runs/linot66

Domain lengths are 22, 44 and 66, with 8, 18 and 28 latent coordinates, as in the paper. The authors' encoders are
networks, and their fields are trained through a solver. Here a polynomial manifold over as many POD coordinates is
fitted, and a neural ODE that starts as a polynomial is regressed on exact velocities (with `--from-data`: on velocities
estimated from the samples). The script prints its scores beside those of the model that the authors ship for length 22,
scored again in the same units. A valid time ends at a snapshot, so it depends on the time between snapshots: 1 here and
.25 with `--from-data`, 2.5 and .25 for the authors' model.

With `--equivariant`, the polynomials have those monomials alone that translation and reflection allow, and there is no
network.

With `--members`, the field is the mean of an ensemble. The spread of its members gives a band of 90 %, whose width is
calibrated on validation trajectories; the table says how often the band holds the truth.

`dynred evaluate OUT --long` adds rollouts of 10,000 time units and Lyapunov exponents.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from matplotlib.figure import Figure
from paper_results import write_rows
from rich.console import Console
from rich.table import Table

from dynred.data.storage import save_trajectories
from dynred.dynamics.ensemble import EnsembleSpec
from dynred.dynamics.equivariant import EquivariantODESpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.evaluation.evaluate import Evaluation
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.run import run
from dynred.experiments.spec import ExperimentSpec
from dynred.numerics.equivariant_fits import EquivariantPolynomialSpec
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.reducers.equivariant import EquivariantManifoldSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec

SYSTEM = "kuramoto_sivashinsky"
SYMMETRIES = ("translation:x", "reflection:x:-1")  # which data do not tell
EQUIVARIANT_TERMS = 1600  # of a polynomial, unless `terms` are fewer: degree 10 in 8 coordinates, 5 in 18, 4 in 28
SMALL = {"steps": 100, "train": 32, "test": 8, "terms": 200}  # of a trial
LEADS = (10.0, 20.0, 40.0)  # lead times at which bands are checked, in time units, as far as they are calibrated
# On snapshots 2.5 apart, and .25 apart.
PUBLISHED = {"reconstruction nmse": 1.12e-6, "valid time, median": 32.5, "valid time, mean": 36.4}
PUBLISHED_FINE = {"reconstruction nmse": 1.12e-6, "valid time, median": 31.6}


@dataclass(frozen=True)
class Case:
    """A domain length, and how large a model it takes.

    Attributes:
        latent_dim: R, the authors' choice.
        points: number of grid points; the grid is equally fine for every length.
        manifold, start: polynomials of the decoder and of the field.
    """

    latent_dim: int
    points: int
    manifold: PolynomialSpec
    start: PolynomialSpec


CASES = {
    22: Case(8, 64, PolynomialSpec(degree=6, terms=3003), PolynomialSpec(degree=5, terms=1500)),
    44: Case(18, 128, PolynomialSpec(degree=3, terms=1500), PolynomialSpec(degree=3, terms=1500)),
    66: Case(28, 192, PolynomialSpec(degree=3, terms=4500), PolynomialSpec(degree=3, terms=4500)),
}


def experiment(
    length: int, steps: int, train: int, test: int, terms: int, seed: int, members: int = 1, equivariant: bool = False
) -> ExperimentSpec:
    """The settings for a domain length; `terms` bounds the size of both polynomials."""
    case = CASES[length]
    both = (case.manifold, case.start)
    manifold, start = (replace(polynomial, terms=min(polynomial.terms, terms)) for polynomial in both)
    field = NeuralODESpec(start=start, training=TrainingSpec(steps=steps))
    allowed = EquivariantPolynomialSpec(terms=min(terms, EQUIVARIANT_TERMS))
    reducer = PolynomialManifoldSpec(case.latent_dim, manifold)
    dynamics = EnsembleSpec(member=field, members=members) if members != 1 else field
    return ExperimentSpec(
        SYSTEM,
        case.latent_dim,
        arguments={"length": float(length), "points": case.points},
        seed=seed,
        data=DataSpec(train=train, validation=max(2, train // 8), test=test),
        reducer=EquivariantManifoldSpec(case.latent_dim, allowed) if equivariant else reducer,
        dynamics=EquivariantODESpec(allowed) if equivariant else dynamics,
    )


def measured(spec: ExperimentSpec, path: Path, trajectories: int, duration: float) -> ExperimentSpec:
    """The same experiment on samples that a simulation writes to `path`, without the equation and its velocities."""
    times = torch.arange(round(duration / 0.25) + 1, dtype=torch.float64) * 0.25
    system = find_system(spec.source, **spec.arguments)
    truth = simulate(system, trajectories, times, rng=generator(spec.seed, "measured"))
    save_trajectories(replace(truth, velocities=None), path)
    data = replace(spec.data, train=None, validation=None, test=None)  # the fractions of data without an equation
    return replace(spec, source=str(path), arguments={}, data=data)


def ours(evaluation: Evaluation) -> dict[str, float]:
    """Our scores under the names of `PUBLISHED`."""
    valid = evaluation.rollout.valid_time
    return {
        "reconstruction nmse": evaluation.reconstruction.nmse,
        "valid time, median": valid.median,
        "valid time, mean": valid.mean,
    }


def further(evaluation: Evaluation) -> dict[str, float]:
    """Scores that are not published."""
    scores, scaled, band = {}, evaluation.rollout.valid_time_scaled, evaluation.band
    if scaled is not None:  # data do not tell the Lyapunov time
        scores["valid time, median, in time scales"] = scaled.median
    for t in sorted({min(lead, band.t[-1]) for lead in LEADS}) if band is not None else ():
        fraction = band.holds[int(torch.tensor(band.t).sub(t).abs().argmin())]
        scores[f"{100 * band.level:g} % band holds at t = {t:g}"] = fraction
    return scores


def main(
    out: Path = Path("runs/linot22"),
    length: int = 22,
    steps: int = 10_000,
    train: int = 256,
    test: int = 256,
    terms: int = 10_000,
    seed: int = 0,
    members: int = 1,
    from_data: bool = False,
    equivariant: bool = False,
    duration: float = 200.0,
    resume: bool = False,
) -> Evaluation:
    """Runs the experiment into `out` and prints the comparison; the sizes can be cut down for a trial.

    With `from_data` there are `train` trajectories of `duration` in all, of which a tenth are the test.
    """
    start = time.process_time()
    spec = experiment(length, steps, train, test, terms, seed, members, equivariant)
    if from_data:
        spec = measured(spec, out.with_name(f"{out.name}.zarr"), train, duration)
        if equivariant:
            spec = spec.updated("reading.symmetries", SYMMETRIES)
    evaluation = run(spec, out, resume=resume, overwrite=not resume)
    minutes = (time.process_time() - start) / 60
    published, apart = (PUBLISHED_FINE, (0.25, 0.25)) if from_data else (PUBLISHED, (2.5, 1))
    columns = [f"{who}, snapshots {step:g} apart" for who, step in zip(("published", "here"), apart, strict=True)]
    table = Table("", *columns, title=f"Kuramoto-Sivashinsky, L = {length}, {spec.latent_dim} coordinates")
    rows = []
    for name, value in (ours(evaluation) | further(evaluation)).items():
        told = f"{published[name]:.3g}" if length == 22 and name in published else None
        table.add_row(name, told or "", f"{value:.3g}")
        rows.append({"case": f"L = {length}: {name}", "published": told, "ours": value, "minutes": minutes})
    write_rows(out, rows)
    ax = Figure(figsize=(7, 3), layout="constrained").subplots()
    evaluation.plot(ax).figure.savefig(out / "errors.png", dpi=120)
    Console().print(table)
    return evaluation


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/linot22"))
    parser.add_argument("--length", type=int, choices=sorted(CASES), default=22)
    parser.add_argument("--steps", type=int, default=10_000, help="training steps of the field")
    parser.add_argument("--members", type=int, default=1, help="fields in an ensemble; 1: no ensemble")
    parser.add_argument("--from-data", action="store_true", help="use samples alone, without the equation")
    parser.add_argument("--equivariant", action="store_true", help="equivariant polynomials, without a network")
    parser.add_argument("--terms", type=int, default=10_000, help="largest number of terms of a polynomial")
    parser.add_argument("--train", type=int, default=256, help="training trajectories")
    parser.add_argument("--test", type=int, default=256, help="test trajectories")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--small", action="store_true", help="a trial of a minute")
    given = vars(parser.parse_args())
    main(**(given | SMALL if given.pop("small") else given))
