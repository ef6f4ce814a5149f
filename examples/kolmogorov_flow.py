"""
Kolmogorov flow with bursts, reduced by its symmetries
======================================================

C. E. Perez De Jesus, M. D. Graham, Phys. Rev. Fluids 8, 044402 (2023). Published: five coordinates and a phase, which
networks find; predictions hold for about two Lyapunov times. ::

    python examples/kolmogorov_flow.py --data runs/kolmogorov --out runs/kolmogorov

Two-dimensional Navier-Stokes equations, driven by a sine of two periods, at Re = 14.4 on 32 x 32 points: the flow stays
near relative periodic orbits and leaves them in bursts. Translation along x, a reflection with a shift, and a rotation
are symmetries. Here six coordinates are mixtures of symmetry-adapted modes: two complex numbers, which translation
turns, and two real ones. They are searched for, because the flow folds over its leading modes; all else is least
squares by equivariant polynomials. With `--search 1` the leading modes are taken.

The script prints the error of the reconstruction and how long predictions hold, and draws the joint densities of
dissipation and power input over rollouts of the flow and of the model. With `--data`, trajectories are simulated once,
which takes most of the time, and read from there ever after.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from paper_results import Row, Watch, arguments, blank, check_results, write_results
from rich.console import Console
from rich.table import Table

from dynred.data.storage import load_trajectories, save_trajectories
from dynred.data.trajectories import Trajectories
from dynred.dynamics.equivariant import EquivariantODESpec
from dynred.models.reduced import ReducedModel, on_reducer
from dynred.numerics.equivariant_fits import EquivariantPolynomialSpec
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.reducers.equivariant import EquivariantManifoldSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate

THRESHOLD = 0.5  # root mean square error, in units of that of the field
WAVES = 2  # of the force
PUBLISHED = "about 2"  # with five coordinates and a phase, from the abstract
SMALL = {"train": 6, "duration": 20.0, "tests": 2, "horizon": 10.0, "terms": 40, "search": 2}  # of a trial in a minute


def simulated(system: System, n: int, duration: float, name: str, data: Path | None) -> Trajectories:
    """Trajectories on the attractor; those in the folder `data`, where there are some."""
    store = None if data is None else data / f"{name}.zarr"
    if store is not None and store.exists():
        return load_trajectories(store)
    times = torch.arange(0, duration + 1e-9, system.sampling, dtype=torch.float64)
    truth = simulate(system, n, times, rng=generator(0, name))
    if store is not None:
        store.parent.mkdir(parents=True, exist_ok=True)
        save_trajectories(truth, store)
    return truth


def fitted(train: Trajectories, latent_dim: int, terms: int, search: int) -> ReducedModel:
    """The equivariant model; an eighth of the trajectories, or one, decides degrees."""
    held = max(1, len(train) // 8)
    parts, polynomial = (train[:-held], train[-held:]), EquivariantPolynomialSpec(terms=terms)
    reducer = EquivariantManifoldSpec(latent_dim, polynomial, 1e-9, search=search).fit(*parts, rng=generator(0))
    return on_reducer(reducer, EquivariantODESpec(polynomial), *parts, rng=generator(0))


def scores(model: ReducedModel, test: Trajectories) -> tuple[float, torch.Tensor]:
    """The part of the energy that reconstructions leave, and how long predictions hold, in time units."""
    truth, t = test.stacked(), test.t[: test.lengths[0]]
    size = (truth - truth.mean((0, 1))).square().mean().sqrt()
    left = float((model.reconstruct(truth) - truth).square().mean() / size**2)
    error = (model.predict(truth[:, 0], t).stacked() - truth).square().mean(-1).sqrt() / size
    lost = error.nan_to_num(torch.inf) > THRESHOLD
    return left, torch.where(lost.any(1), t[lost.double().argmax(1)], t[-1])


def budget(states: torch.Tensor, reynolds: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Dissipation and power input, in units of those of the laminar flow."""
    points = round(states.shape[-1] ** 0.5)
    y = 2 * math.pi / points * torch.arange(points, dtype=states.dtype)
    laminar = reynolds / (2 * WAVES**2)
    dissipation = states.square().mean(-1) / reynolds
    power = -(states.unflatten(-1, (points, points)) * torch.cos(WAVES * y)).mean((-1, -2)) / WAVES
    return dissipation / laminar, power / laminar


def draw(panels: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> Figure:
    """Joint densities of dissipation and power input, side by side."""
    figure = blank(7, 3.2)
    limits = [[float(part.min()), float(part.max())] for part in next(iter(panels.values()))]
    for axes, (name, pair) in zip(figure.subplots(1, len(panels), sharey=True), panels.items(), strict=True):
        *_, image = axes.hist2d(
            *(part.flatten().numpy() for part in pair),
            bins=60, range=limits, density=True, norm=LogNorm(1e-2, 1e3),
        )  # fmt: skip
        axes.set(title=name, xlabel="dissipation / laminar")
    figure.axes[0].set_ylabel("power input / laminar")
    figure.colorbar(image, ax=figure.axes, label="probability density")
    return figure


def main(
    out: Path,
    *,
    latent_dims: Sequence[int] = (6,),
    train: int = 64,
    duration: float = 300.0,
    terms: int = 1000,
    search: int = 3,
    tests: int = 32,
    horizon: float = 250.0,
    data: Path | None = None,
) -> list[tuple[float, float]]:
    """The error of reconstructions, and the median valid time in Lyapunov times, for each number of coordinates."""
    check_results(out)
    watch, system = Watch(), find_system("kolmogorov_flow")
    known = simulated(system, train, duration, "train", data)
    test = simulated(system, tests, horizon, "test", data)
    title = f"Kolmogorov flow, Re = {system.parameters['reynolds']:g}, {system.dim} values"
    table = Table("coordinates", "fitted in, s", "nmse", "valid time, median", "in Lyapunov times", title=title)
    found, rows = [], []
    for latent_dim in latent_dims:
        start = time.process_time()
        model = fitted(known, latent_dim, terms, search)
        seconds = time.process_time() - start
        left, valid = scores(model, test)
        median = float(valid.median())
        found.append((left, median / system.time_scale))
        row = f"{seconds:.0f}", f"{left:.2g}", f"{median:.4g}", f"{found[-1][1]:.3g}"
        table.add_row(str(latent_dim), *row)
        case = f"Kolmogorov flow, {latent_dim} coordinates: valid time in Lyapunov times"
        rows.append(Row(case, PUBLISHED if latent_dim == 6 else None, found[-1][1], watch.minutes))
    Console().print(table)
    reynolds, truth, t = system.parameters["reynolds"], test.stacked(), test.t[: test.lengths[0]]
    prediction = model.predict(truth[:, 0], t).stacked()
    figure = draw({"flow": budget(truth, reynolds), "model": budget(prediction, reynolds)})
    write_results(out, "Kolmogorov flow", rows, {"densities": figure})
    return found


if __name__ == "__main__":
    parser = arguments(__doc__, "runs/kolmogorov")
    parser.add_argument("--latent-dims", type=int, nargs="+", default=(6,), help="numbers of coordinates")
    parser.add_argument("--train", type=int, default=64, help="training trajectories")
    parser.add_argument("--terms", type=int, default=1000, help="largest number of terms of a polynomial")
    parser.add_argument("--search", type=int, default=3, help="degree with which coordinates are searched for; 1: none")
    parser.add_argument("--data", type=Path, help="folder in which simulated trajectories are kept")
    given = vars(parser.parse_args())
    small = given.pop("small")
    main(**given | (SMALL if small else {}))
