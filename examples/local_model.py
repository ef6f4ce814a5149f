"""
One model for fields of every size
==================================

Trained on a small periodic field, it predicts large ones. Nothing is published. ::

    python examples/local_model.py --out runs/local
    python examples/local_model.py --plane --out runs/squares

The first trains a local model of Kuramoto-Sivashinsky on the length 44 (128 points, 32 coordinates) and predicts four
times that length. The second trains one of the Swift-Hohenberg equation on a square (32 x 32 points, 16 x 16
coordinates) and predicts a square 16 times as large. Nothing is trained but least squares; each table says how long
predictions hold. The same from the command line::

    dynred reduce kuramoto_sivashinsky --with length=44 --with points=128 --latent-dim 32 \\
        --reducer local --dynamics local --out runs/local
    dynred predict runs/local --initial longer.npz --until 50 --out prediction.npz
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

from dynred import Axis, Grid, Reflection, Semilinear, Sign, System, Translation
from dynred.dynamics.local import LocalDynamicsSpec
from dynred.models.reduced import ReducedModel, on_reducer
from dynred.numerics.local_fits import LocalPolynomialSpec
from dynred.ode.find import find_system
from dynred.reducers.local import LocalReducerSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

THRESHOLD = 0.5  # root mean square error, in units of that of the field
SPACING = math.pi / 4  # of the points of the Swift-Hohenberg equation: eight for a roll
DRIVE = 0.3
SMALL = {  # of a trial, on an interval and on a square
    False: {"train": 8, "duration": 80.0, "terms": 150, "tests": 3, "larger": (1, 2), "horizon": 40.0},
    True: {"points": 16, "train": 8, "duration": 10.0, "terms": 60, "tests": 2, "larger": (1, 2), "horizon": 10.0},
}


def swift_hohenberg(points: int) -> System:
    """u_t = (r - (1 + laplace)^2) u - u^3 on a periodic square, r = .3; its time scale is 1 / r."""
    k = 2 * math.pi / SPACING * torch.fft.fftfreq(points, dtype=torch.float64)
    half = k[: points // 2 + 1].abs()
    linear = DRIVE - (1 - k[:, None] ** 2 - half**2) ** 2

    def to_modes(u):
        return torch.fft.rfft2(u.unflatten(-1, (points, points))).flatten(-2)

    def from_modes(v):
        return torch.fft.irfft2(v.unflatten(-1, linear.shape), s=(points, points)).flatten(-2)

    def sample_initial(n, rng):
        v = to_modes(torch.randn(n, points**2, generator=rng, dtype=torch.float64))
        return 0.3 * from_modes(v * torch.exp(linear.flatten() - DRIVE))

    x = SPACING * torch.arange(points, dtype=torch.float64)
    return System(
        name="swift_hohenberg_plane",
        dim=points**2,
        semilinear=Semilinear(
            to_modes, from_modes, lambda: linear.flatten(), lambda t, v: -to_modes(from_modes(v) ** 3), step=0.05
        ),
        grid=Grid(tuple(Axis(name, x, period=SPACING * points) for name in ("x", "y")), ("u",)),
        symmetries=[Translation("x"), Translation("y"), Reflection("x"), Reflection("y"), Sign()],
        sample_initial=sample_initial,
        transient=3.0,
        sampling=0.5,
        time_scale=1 / DRIVE,
    )


def kuramoto_sivashinsky(points: int) -> System:
    """The equation on points .34375 apart."""
    return find_system("kuramoto_sivashinsky", length=0.34375 * points, points=points)


def valid_times(model: ReducedModel, system: System, n: int, duration: float) -> tuple[torch.Tensor, float]:
    """How long predictions from n new states hold, in time units, and the seconds of one, for each coordinate."""
    t = torch.arange(0, duration + 1e-9, system.sampling, dtype=torch.float64)
    truth = simulate(system, n, t, rng=generator(1, "test")).stacked()
    start = time.process_time()
    prediction = model.predict(truth[:, 0], t).stacked()
    seconds = (time.process_time() - start) / n / model.encode(truth[:1, 0]).shape[-1] / duration
    error = (prediction - truth).square().mean(-1).sqrt() / (truth - truth.mean((0, 1))).square().mean().sqrt()
    lost = error.nan_to_num(torch.inf) > THRESHOLD
    return torch.where(lost.any(1), t[lost.double().argmax(1)], duration), seconds


def fitted(system: System, latent_dim: int, train: int, duration: float, terms: int) -> ReducedModel:
    """The local model of so many trajectories."""
    times = torch.arange(0, duration + 1e-9, system.sampling, dtype=torch.float64)
    truth = simulate(system, train, times, rng=generator(0, "train"))
    parts = truth[: train - train // 6 - 1], truth[train - train // 6 - 1 :]
    polynomial = LocalPolynomialSpec(terms=terms)
    reducer = LocalReducerSpec(latent_dim, polynomial=LocalPolynomialSpec(terms=terms // 2)).fit(
        *parts, rng=generator(0)
    )
    return on_reducer(reducer, LocalDynamicsSpec(polynomial), *parts, rng=generator(0))


def draw(model: ReducedModel, system: System, path: Path, t: float) -> None:
    """The equation, its prediction and their difference, side by side: squares at time t, intervals up to it."""
    times = torch.linspace(0, t, 101, dtype=torch.float64)
    truth = simulate(system, 1, times, rng=generator(2, "figure")).stacked()[0]
    prediction = model.predict(truth[:1], times).stacked()[0]
    plane = len(system.grid.axes) == 2
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = {"equation": truth, "prediction": prediction, "difference": prediction - truth}
    size = float(truth.abs().max())
    for axes, (name, field) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        shown = field[-1].reshape(system.grid.shape[1:]) if plane else field
        image = axes.imshow(shown.numpy(), cmap="RdBu_r", origin="lower", aspect="auto", vmin=-size, vmax=size)
        axes.set(title=f"{name}, t = {t:g}" if plane else name, xticks=[], yticks=[])
        axes.set(xlabel="x", ylabel="y" if plane else "t")
        figure.colorbar(image, ax=axes, shrink=0.8)
    figure.savefig(path, dpi=120)


def main(
    *,
    plane: bool = False,
    points: int | None = None,
    larger: tuple[int, ...] = (1, 4),
    train: int | None = None,
    duration: float | None = None,
    terms: int | None = None,
    tests: int | None = None,
    horizon: float | None = None,
    out: Path = Path("runs/local"),
) -> list[float]:
    """Median valid times, in time units, on sides so many times larger than that of the training."""
    begun = time.process_time()
    system_of = swift_hohenberg if plane else kuramoto_sivashinsky
    points = points or (32 if plane else 128)
    small = system_of(points)
    latent_dim = (points // 2) ** 2 if plane else points // 4
    horizon = horizon or (30.0 if plane else 130.0)
    terms, tests = terms or (300 if plane else 1200), tests or (3 if plane else 8)
    start = time.process_time()
    model = fitted(small, latent_dim, train or (10 if plane else 48), duration or (25.0 if plane else 300.0), terms)
    title = f"{small.name}, {small.dim} -> {latent_dim}, trained in {time.process_time() - start:.0f} s"
    table = Table("values", "coordinates", "valid time, median", "in time scales", "us per coordinate", title=title)
    medians, cases = [], []
    for factor in larger:
        system = system_of(points * factor)
        valid, seconds = valid_times(model, system, tests, horizon)
        medians.append(float(valid.median()))
        cases.append(f"{small.name}, trained on {small.dim} values: valid time on {system.dim}")
        coordinates = str(latent_dim * system.dim // small.dim)
        scaled = f"{medians[-1] / small.time_scale:.3g}"
        table.add_row(str(system.dim), coordinates, f"{medians[-1]:.4g}", scaled, f"{1e6 * seconds:.3g}")
    console = Console()
    console.print(table)
    for note in model.notes():
        console.print(note)
    out.mkdir(parents=True, exist_ok=True)
    draw(model, system_of(points * larger[-1]), out / "prediction.png", horizon)
    minutes = (time.process_time() - begun) / 60
    rows = [
        {"case": case, "published": None, "ours": f"{'>= ' * (median >= horizon)}{median:.4g}", "minutes": minutes}
        for case, median in zip(cases, medians, strict=True)
    ]
    write_rows(out, rows)
    return medians


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plane", action="store_true", help="Swift-Hohenberg on a square")
    parser.add_argument(
        "--larger", type=int, nargs="+", default=(1, 4), help="sides of the tests, in those of training"
    )
    parser.add_argument("--terms", type=int, help="largest number of terms of a polynomial")
    parser.add_argument("--out", type=Path, default=Path("runs/local"))
    parser.add_argument("--small", action="store_true", help="a trial of seconds")
    given = vars(parser.parse_args())
    main(**(given | SMALL[given["plane"]] if given.pop("small") else given))
