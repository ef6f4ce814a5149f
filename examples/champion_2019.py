"""
Lorenz in 128 dimensions and the lambda-omega spiral
====================================================

Two tests of K. Champion, B. Lusch, J. N. Kutz, S. L. Brunton, PNAS 116, 22445 (2019), and how far one gets without
training: a linear encoder, a polynomial decoder and a polynomial field, all by least squares. ::

    python examples/champion_2019.py lorenz --out runs/champion-lorenz
    python examples/champion_2019.py spiral --out runs/champion-spiral

`lorenz`: Lorenz's modes seen in 128 dimensions, with noise of 1e-6, and three coordinates. K is a cubic graph over
three linear coordinates; the search for a projection finds them, and the field is then quadratic: Lorenz's own. The
model is scored on the published test, on the authors' test of extrapolation (initial states outside of the training
box), and on longer rollouts.

`spiral`: the lambda-omega spiral in 10,000 dimensions, and two coordinates. The last tenth of one trajectory is the
test, the tenth before it is for validation.

The error of x is the authors', mean((x - x^)^2) / mean(x^2); the published errors are the best in their notebooks.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from matplotlib.figure import Figure
from paper_results import write_rows
from rich.console import Console
from rich.table import Table
from torch import Tensor

from dynred.data.trajectories import Trajectories
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.evaluation.evaluate import evaluate
from dynred.files import write_json
from dynred.metrics.relative_mse import RelativeMSE
from dynred.metrics.valid_time import ValidTime
from dynred.models.forecast import forecast
from dynred.models.reduced import ReducedModel
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.reducers.polynomial import PolynomialManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

NOISE = 1e-6
PUBLISHED = {"x, in distribution": 2e-6, "x, out of distribution": 1.56e-2, "x": 1.59e-2}
SMALL = {"lorenz": {"train": 128, "test": 8}, "spiral": {"points": 32, "duration": 250.0}}  # of a trial, by case


def noisy(truth: Trajectories, rng: torch.Generator) -> Trajectories:
    """States with the published noise; the equation is known, so velocities have none."""
    noise = NOISE * torch.randn(truth.states.shape, generator=rng, dtype=torch.float64)
    return replace(truth, states=truth.states + noise)


def error_of_x(model: ReducedModel, test: Trajectories) -> float:
    """mean((x - x^)^2) / mean(x^2)."""
    return float(RelativeMSE()(forecast(model, test)).mean())


def fitted(
    train: Trajectories, validation: Trajectories, latent_dim: int, starts: int | None, name: str
) -> ReducedModel:
    """A model whose manifold and field are both polynomials."""
    cubic = PolynomialSpec(degree=3)
    reducer = PolynomialManifoldSpec(latent_dim, cubic, starts=starts).fit(train, validation, rng=generator(0, name))
    latents, validation_latents = train.map(reducer.encode), validation.map(reducer.encode)
    return ReducedModel(
        reducer, PolynomialODESpec(cubic).fit(latents, validation_latents, rng=generator(0)), {"system": name}
    )


def lorenz(train: int, test: int) -> tuple[ReducedModel, Trajectories, dict[str, float]]:
    """The model, its test, and its scores."""
    inside, outside = (find_system("lorenz_legendre", outside=wide) for wide in (False, True))
    parts = (("train", train), ("validation", max(2, train // 50)), ("test", test))
    known, validation, unseen = (
        noisy(simulate(inside, n, rng=generator(0, p)), generator(0, p, "noise")) for p, n in parts
    )
    model = fitted(known, validation, 3, 8, inside.name)
    far = noisy(simulate(outside, test, rng=generator(0, "outside")), generator(0, "outside", "noise"))
    times = torch.arange(0, 40, inside.sampling, dtype=torch.float64)
    long = simulate(inside, test, times, rng=generator(0, "long"))
    valid = ValidTime()(forecast(model, long)).median()
    scores = {
        "x, in distribution": error_of_x(model, unseen),
        "x, out of distribution": error_of_x(model, far),
        "valid time, median, in Lyapunov times": float(valid) / inside.time_scale,
    }
    return model, long, scores


def spiral(points: int, duration: float) -> tuple[ReducedModel, Trajectories, dict[str, float]]:
    """The model, its test, and its scores."""
    system = find_system("lambda_omega", points=points, masked=True)
    times = torch.arange(0, duration, system.sampling, dtype=torch.float64)
    whole = simulate(system, 1, times, rng=generator(0), transient=0.0)
    train_end, validation_end = (round(part * len(times)) for part in (0.8, 0.9))
    validation, unseen = _between(whole, train_end, validation_end), _between(whole, validation_end, len(times))
    # The spiral settles slowly, and two coordinates can only carry its turning. So the training data begin at one of
    # several times: the one that gives the best model on the validation data.
    beginnings = [round(part * len(times)) for part in (0.1, 0.4, 0.6, 0.7, 0.75)]
    models = [fitted(_between(whole, first, train_end), validation, 2, None, system.name) for first in beginnings]
    model = min(models, key=lambda candidate: error_of_x(candidate, validation))
    return model, unseen, {"x": error_of_x(model, unseen)}


def _between(trajectory: Trajectories, first: int, last: int) -> Trajectories:
    def cut(values: Tensor) -> Tensor:
        return values[first:last]

    assert trajectory.velocities is not None
    states, velocities = cut(trajectory.states), cut(trajectory.velocities)
    return Trajectories(states, cut(trajectory.t), torch.tensor([last - first]), velocities)


def main(
    case: str, out: Path, train: int = 1024, test: int = 100, points: int = 100, duration: float = 500.0
) -> dict[str, float]:
    """Fits and scores one case into `out`; the sizes can be cut down for a trial."""
    start = time.process_time()
    model, unseen, scores = lorenz(train, test) if case == "lorenz" else spiral(points, duration)
    minutes = (time.process_time() - start) / 60
    model.save(out / "model.safetensors")
    write_json(out / "evaluation.json", evaluate(model, unseen).to_dict())
    ax = Figure(figsize=(7, 3), layout="constrained").subplots()
    forecast(model, unseen).plot(ax).figure.savefig(out / f"{case}.png", dpi=120)
    table = Table("", "published", "here", title=f"Champion et al. 2019: {case}")
    rows = []
    for name, value in scores.items():
        published = f"{PUBLISHED[name]:.3g}" if name in PUBLISHED else None
        table.add_row(name, published or "", f"{value:.3g}")
        title = f"error of {name}" if name.startswith("x") else name
        rows.append({"case": f"{case}: {title}", "published": published, "ours": value, "minutes": minutes})
    write_rows(out, rows)
    Console().print(table)
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=("lorenz", "spiral"))
    parser.add_argument("--out", type=Path, default=Path("runs/champion"))
    parser.add_argument("--small", action="store_true", help="a trial of seconds")
    given = parser.parse_args()
    main(given.case, given.out, **(SMALL[given.case] if given.small else {}))
