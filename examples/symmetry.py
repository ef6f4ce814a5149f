"""
One line that says a symmetry
=============================

A periodic field of one's own, reduced before and after one line says its symmetry. Nothing is published. ::

    python examples/symmetry.py --out runs/symmetry

The field obeys u_t = -u u_x - u_xx - u_xxx / 20 - u_xxxx on a ring: Kuramoto-Sivashinsky with dispersion, which tells
left from right. Moved along the ring, a solution is a solution: the line `symmetries=[Translation("x")]` below says
so. With it, `--reducer equivariant --dynamics equivariant` leave out of their polynomials all that translation forbids.
The script prints the scores of complete polynomials and of equivariant ones on the same trajectories. The commands ::

    dynred reduce examples/symmetry.py --latent-dim 8 --reducer polynomial --dynamics polynomial
    dynred reduce examples/symmetry.py --latent-dim 8 --reducer equivariant --dynamics equivariant

do the same, because this file defines `system`.
"""

import argparse
import math
import time
from pathlib import Path

import torch
from matplotlib.figure import Figure
from paper_results import write_rows
from rich.console import Console
from rich.table import Table

from dynred import Semilinear, System, Translation
from dynred.dynamics.equivariant import EquivariantODESpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.evaluation.evaluation import Evaluation
from dynred.experiments.data_spec import DataSpec
from dynred.experiments.run import run
from dynred.experiments.spec import ExperimentSpec
from dynred.numerics.equivariant_fits import EquivariantPolynomialSpec
from dynred.numerics.polynomials import PolynomialSpec
from dynred.reducers.equivariant import EquivariantManifoldSpec
from dynred.reducers.polynomial import PolynomialManifoldSpec

LENGTH, DISPERSION, POINTS = 22.0, 0.05, 48
SMALL = {"train": 6, "test": 4, "terms": 60}  # of a trial
K = 2 * math.pi / LENGTH * torch.arange(POINTS // 2 + 1, dtype=torch.float64)
SLOPE = 1j * K * (torch.arange(POINTS // 2 + 1) < POINTS // 2)  # of the highest wave it vanishes at all points
LINEAR = K**2 - K**4 + DISPERSION * SLOPE * K**2


def to_modes(u):
    """Fourier amplitudes of fields."""
    return torch.fft.rfft(u)


def from_modes(v):
    """Fields of Fourier amplitudes."""
    return torch.fft.irfft(v, n=POINTS)


def advection(t, v):
    """-u u_x, as Fourier amplitudes."""
    return -SLOPE * to_modes(from_modes(v) ** 2) / 2


def sample_initial(n, rng):
    """Four long waves; the mean, which never changes, is zero."""
    v = torch.zeros(n, len(K), dtype=torch.complex128)
    v[:, 1:5] = POINTS / 2 * torch.complex(*torch.randn(2, n, 4, generator=rng, dtype=torch.float64))
    return from_modes(v)


system = System(
    name="waves",
    dim=POINTS,
    semilinear=Semilinear(to_modes, from_modes, lambda: LINEAR, advection, step=0.05),
    symmetries=[Translation("x")],
    sample_initial=sample_initial,
    transient=100.0,
    duration=150.0,
    sampling=1.0,
    time_scale=20.0,  # about a Lyapunov time
)


def main(
    out: Path = Path("runs/symmetry"), train: int = 40, test: int = 24, terms: int = 1000
) -> tuple[Evaluation, Evaluation]:
    """Reduces the field to eight coordinates by complete and by equivariant polynomials of at most so many terms."""
    start = time.process_time()
    complete, equivariant = PolynomialSpec(terms=terms), EquivariantPolynomialSpec(terms=terms)
    pairs = {
        "before": (PolynomialManifoldSpec(8, complete), PolynomialODESpec(complete)),
        "after": (EquivariantManifoldSpec(8, equivariant), EquivariantODESpec(equivariant)),
    }
    data = DataSpec(train=train, validation=max(4, train // 8), test=test)
    before, after = (
        run(ExperimentSpec(__file__, 8, data=data, reducer=reducer, dynamics=dynamics), out / name, overwrite=True)
        for name, (reducer, dynamics) in pairs.items()
    )
    minutes = (time.process_time() - start) / 60
    table = Table("", "before", "after", title=f"A field on a ring, {POINTS} -> 8, at most {terms} terms")
    rows = []
    for name, value in (
        ("reconstruction nmse", lambda e: e.reconstruction.nmse),
        ("valid time, median", lambda e: e.rollout.valid_time.median),
        ("valid time, mean", lambda e: e.rollout.valid_time.mean),
        ("fits, s", lambda e: e.cost.reducer_s + e.cost.dynamics_s),
    ):
        table.add_row(name, f"{value(before):.3g}", f"{value(after):.3g}")
        pair = f"{value(before):.3g}, {value(after):.3g}"
        rows.append({"case": f"{name}: without, with", "published": None, "ours": pair, "minutes": minutes})
    write_rows(out, rows)
    axes = Figure(figsize=(8, 3), layout="constrained").subplots(1, 2, sharey=True)
    for ax, evaluation, title in zip(axes, (before, after), ("without", "with the symmetry"), strict=True):
        evaluation.plot(ax).set_title(title)
    axes[0].figure.savefig(out / "errors.png", dpi=120)
    Console().print(table)
    return before, after


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/symmetry"))
    parser.add_argument("--train", type=int, default=40, help="training trajectories")
    parser.add_argument("--terms", type=int, default=1000, help="largest number of terms of a polynomial")
    parser.add_argument("--small", action="store_true", help="a trial of seconds")
    given = parser.parse_args()
    main(given.out, **(SMALL if given.small else {"train": given.train, "terms": given.terms}))
