"""
Burgers over amplitudes and widths
==================================

The study of gLaSDI: X. He, Y. Choi, W. D. Fries, J. L. Belof, J.-S. Chen, J. Comput. Phys. 489, 112267 (2023). ::

    python examples/he_2023.py --out runs/burgers
    python examples/he_2023.py --parametric --latent-dim 1 --out runs/burgers-parametric

Inviscid Burgers on 1,001 points; the amplitude a and the width w of the initial state are the parameters. A polynomial
manifold of five coordinates, or `--latent-dim`, and a polynomial field are fitted to the runs of a 6 x 6 grid of (a, w)
and scored on all of the published 21 x 21 grid, by the largest relative error over time of each run. The parameters
enter through the initial state alone, so the model need not see them: it encodes the initial state. With `--parametric`
decoder and field see a and w; the states of one run are a curve, so that one coordinate can carry them.

The published worst error is 2.08 %, the published mean speed-up 431, over the authors' own full model. Here the full
model is timed run by run on the same core as the reduced model, and once more for the whole grid in one batch.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.figure import Figure
from paper_results import write_rows
from rich.console import Console
from rich.table import Table
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.dynamics.parametric import ParametricSpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.evaluation.evaluate import evaluate
from dynred.files import write_json
from dynred.metrics.max_relative_error import MaxRelativeError
from dynred.models.forecast import forecast
from dynred.models.reduced import on_reducer
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

LATENT_DIM = 5  # as published; the states of all runs form a bent set of dimension three
FIELD = PolynomialODESpec(PolynomialSpec(degree=3))
AMPLITUDES, WIDTHS = (0.7, 0.9), (0.9, 1.1)
PUBLISHED = {"worst error, %": 2.08, "mean speed-up": 431.0}
SMALL = {"points": 101, "train": 4, "test": 3, "samples": 26}  # of a trial


def grid(count: int, *, inner: bool = False) -> dict[str, Tensor]:
    """count x count values of a and w on the published square, its edges included; with `inner`, the centres of the
    cells."""
    sides = []
    for low, high in (AMPLITUDES, WIDTHS):
        ends = torch.linspace(low, high, count + inner, dtype=torch.float64)
        sides.append((ends[1:] + ends[:-1]) / 2 if inner else ends)
    a, w = torch.meshgrid(*sides, indexing="ij")
    return {"a": a.flatten(), "w": w.flatten()}


def runs(system: System, parameters: dict[str, Tensor], times: Tensor) -> Trajectories:
    """Runs of the full model."""
    return simulate(system, len(parameters["a"]), times, rng=generator(0), parameters=parameters)


def seconds(call: Callable[[], object], repeats: int = 5) -> float:
    """The median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2]


def main(
    out: Path = Path("runs/burgers"),
    points: int = 1001,
    train: int = 6,
    test: int = 21,
    samples: int = 101,
    latent_dim: int = LATENT_DIM,
    parametric: bool = False,
) -> dict[str, float]:
    """Fits, scores and times the model; the sizes can be cut down for a trial."""
    begun = time.process_time()
    system = find_system("burgers_inviscid", points=points)
    times = torch.linspace(0, 1, samples, dtype=torch.float64)
    known, validation = runs(system, grid(train), times), runs(system, grid(2, inner=True), times)
    field = ParametricSpec(member=FIELD) if parametric else FIELD
    reducer = PolynomialManifoldSpec(latent_dim, PolynomialSpec(degree=5), parametric=parametric)
    fitted = reducer.fit(known, validation, rng=generator(0))
    model = on_reducer(fitted, field, known, validation, rng=generator(0), about={"system": system.name})
    start = time.perf_counter()
    unseen = runs(system, grid(test), times)
    full_batch = time.perf_counter() - start
    error = MaxRelativeError()(forecast(model, unseen))
    corner = {name: values[:1] for name, values in grid(test).items()}
    full, reduced = (
        seconds(lambda: runs(system, corner, times), 3),
        seconds(lambda: model.at(corner).predict(unseen.initial[:1], times)),
    )
    reduced_batch = seconds(lambda: model.at(unseen.parameters).predict(unseen.initial, times), 3)
    scores = {
        "worst error, %": 100 * float(error.max()),
        "mean error, %": 100 * float(error.mean()),
        "mean speed-up": full / (reduced_batch / len(unseen)),
        "speed-up, one run": full / reduced,
        "speed-up, both in one batch": full_batch / reduced_batch,
        "full model, s per run": full,
    }
    model.save(out / "model.safetensors")
    write_json(out / "evaluation.json", evaluate(model, unseen).to_dict())
    draw(unseen, error, out / "errors.png")
    minutes = (time.process_time() - begun) / 60
    seen = "coordinate that sees them" if parametric else "coordinates"
    table = Table("", "published", "here", title=f"Burgers, {test} x {test} runs, R = {latent_dim}")
    rows = []
    for name, value in scores.items():
        published = f"{PUBLISHED[name]:g}" if name in PUBLISHED else None
        table.add_row(name, published or "", f"{value:.3g}")
        case = f"{latent_dim} {seen}: {name}"
        rows.append({"case": case, "published": published, "ours": value, "minutes": minutes})
    write_rows(out, rows)
    Console().print(table)
    return scores


def draw(unseen: Trajectories, error: Tensor, path: Path) -> None:
    """The largest error of every run over amplitude and width."""
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    ax = figure.subplots()
    points = ax.scatter(unseen.parameters["a"], unseen.parameters["w"], c=100 * error, marker="s", s=60)
    ax.set(xlabel="amplitude a", ylabel="width w", title="largest error over time, %")
    figure.colorbar(points, ax=ax)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/burgers"))
    parser.add_argument("--latent-dim", type=int, default=LATENT_DIM)
    parser.add_argument("--parametric", action="store_true", help="decoder and field see the parameters")
    parser.add_argument("--small", action="store_true", help="a trial of seconds")
    given = vars(parser.parse_args())
    main(**(SMALL if given.pop("small") else {}), **given)
