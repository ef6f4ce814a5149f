"""
How many coordinates does Kuramoto-Sivashinsky take?
====================================================

Errors against the latent dimension, over seeds, as one study. On L = 22 the attractor lies on a manifold of dimension 8
(X. Ding, H. Chate, P. Cvitanovic, E. Siminos, K. A. Takeuchi, Phys. Rev. Lett. 117, 024101 (2016)); A. J. Linot and
M. D. Graham (Chaos 32, 073110 (2022), figure 3) see the error of their autoencoders drop there. The runs are a study:
killed and started again, the script goes on. ::

    python examples/a_study.py                      # 4 to 10 coordinates, five seeds: half an hour on two cores
"""

import argparse
import time
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from paper_results import write_rows

import dynred

SCORES = ("nmse", "valid_time.median")


def main(
    out: Path = Path("studies/ks_dimensions"),
    dims: range = range(4, 11),
    seeds: range = range(5),
    trajectories: int = 256,
    steps: int = 3000,
    duration: float | None = None,
    workers: int = 2,
    progress: bool = True,
) -> dict[int, float]:
    """Makes the study, its page, and a figure of both scores; returns the median nmse by the latent dimension."""
    start = time.perf_counter()
    training = dynred.TrainingSpec(steps=steps)
    small = max(4, trajectories // 8)
    base = dynred.ExperimentSpec(
        "kuramoto_sivashinsky",
        latent_dim=dims[0],
        # One set of trajectories for all runs: they are simulated once, and seeds differ by their training alone.
        data=dynred.DataSpec(train=trajectories, validation=small, test=small, duration=duration, seed=0),
        reducer=dynred.AutoencoderSpec(dims[0], training=training),
        dynamics=dynred.NeuralODESpec(training=training),
    )
    design = dynred.grid(base, {"latent_dim": dims, "seed": seeds})
    study = dynred.run_study(design, out, workers=workers, progress=progress)
    print(study)
    figure = Figure(figsize=(7, 3), layout="constrained")
    for ax, score in zip(figure.subplots(1, 2), SCORES, strict=True):
        study.plot(x="latent_dim", y=score, ax=ax)
    figure.savefig(out / "figure.pdf")
    figure.savefig(out / "figure.png", dpi=120)
    print(f"The page is {study.report()}, the figure {out / 'figure.pdf'}")
    medians = study.to_xarray()["nmse"].median("seed")
    for dim, value in zip(dims, medians.values, strict=True):
        print(f"{dim:3d} coordinates: nmse {value:.2e}")
    found = {dim: float(value) for dim, value in zip(dims, medians.values, strict=True)}
    minutes = (time.perf_counter() - start) / 60  # of all workers together, which this process cannot count
    rows = [
        {"case": f"{dim} coordinates: reconstruction nmse", "published": None, "ours": value, "minutes": minutes}
        for dim, value in found.items()
    ]
    write_rows(out, rows)
    return found


if __name__ == "__main__":
    matplotlib.use("agg")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("studies/ks_dimensions"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="6 to 8 coordinates, two seeds, in a minute")
    given = parser.parse_args()
    size = {"dims": range(6, 9), "seeds": range(2), "trajectories": 16, "steps": 200} if given.small else {}
    main(given.out, workers=given.workers, **size)
