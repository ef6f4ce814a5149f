"""
Kuramoto-Sivashinsky in one call
================================

What `make demo` does: the library's own choice of reducer and dynamics, beside the model that A. J. Linot and
M. D. Graham (Chaos 32, 073110 (2022)) ship for the same equation and as many coordinates, scored again in the same
units. Their encoder and their field are networks. ::

    python examples/default_reduction.py --out runs/default
    python examples/default_reduction.py --dynamics neural_ode --out runs/default-network

By default the symmetries that the system declares are used, and no network is trained. With `--dynamics neural_ode`
nothing knows of them: the reducer is a polynomial manifold, the field a polynomial and what a network adds to it.
A valid time is the first at which the error exceeds half of the size of the fluctuations, at a snapshot: 2.5 apart in
the published test, 1 here.
"""

import argparse
import time
from pathlib import Path

from matplotlib.figure import Figure
from paper_results import write_rows
from rich.console import Console
from rich.table import Table

import dynred

PUBLISHED = {"reconstruction nmse": "1.12e-6", "valid time, median": "32.5", "valid time, mean": "36.4"}
SMALL = dynred.DataSpec(train=16, validation=4, test=4)  # trajectories of a trial


def main(out: Path = Path("runs/default"), dynamics: str | None = None, small: bool = False) -> dynred.Evaluation:
    """Reduces the equation to eight coordinates; prints, draws and stores the scores."""
    start = time.process_time()
    field = dynred.NeuralODESpec() if dynamics else None
    reduction = dynred.reduce("kuramoto_sivashinsky", 8, dynamics=field, data=SMALL if small else None)
    minutes = (time.process_time() - start) / 60
    evaluation = reduction.evaluation
    median, mean = evaluation.rollout.valid_time.median, evaluation.rollout.valid_time.mean
    numbers = (evaluation.reconstruction.nmse, median, mean)
    table = Table("", "published", "here", title=f"Kuramoto-Sivashinsky, 64 -> 8, {minutes:.1f} minutes of one core")
    rows = []
    for (name, published), value in zip(PUBLISHED.items(), numbers, strict=True):
        table.add_row(name, published, f"{value:.3g}")
        rows.append({"case": name, "published": published, "ours": value, "minutes": minutes})
    out.mkdir(parents=True, exist_ok=True)
    write_rows(out, rows)
    reduction.model.save(out / "model.safetensors")
    ax = Figure(figsize=(7, 3), layout="constrained").subplots()
    evaluation.plot(ax).figure.savefig(out / "errors.png", dpi=120)
    Console().print(table)
    return evaluation


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dynamics", choices=("neural_ode",), help="latent dynamics; default: the library's choice")
    parser.add_argument("--out", type=Path, default=Path("runs/default"))
    parser.add_argument("--small", action="store_true", help="a trial of seconds")
    main(**vars(parser.parse_args()))
