"""How fast reduced models run beside their full models, and what a step of training costs.

    python benchmarks/rollouts.py                    # fits its models, which takes some minutes
    python benchmarks/rollouts.py --run runs/ks      # with the model of a run of `make demo`
    python benchmarks/rollouts.py --small            # tiny models, in seconds: to see that all of it works

Every ratio is of times within this run: both sides are called in turn, and the medians of five calls are compared. Both
sides take their default solvers, on one thread. Full models give states at the same times as the reduced ones, which
encode, integrate and decode. The loop of SciPy calls LSODA, trajectory by trajectory, on a right-hand side in NumPy.

Compiled rollouts (`model.compile()`, the `fast` extra) are ready before the clock starts: the first on a machine
compiles for some ten seconds, the first in a process reads the result from disk.
"""

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kuramoto_sivashinsky_ensemble import by_transforms
from measuring import installed, limited_to, print_table, say, seconds
from scipy.integrate import solve_ivp

from dynred.dynamics.equivariant import EquivariantODESpec
from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.models.load import load_model
from dynred.models.reduced import on_reducer
from dynred.numerics.equivariant_fits import EquivariantPolynomialSpec
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.ode.system import System
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import ReducerSpec
from dynred.reducers.equivariant import EquivariantManifoldSpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.training.minimise import TrainingSpec, minimise
from dynred.training.nets import MLP


@dataclass(frozen=True)
class Size:
    """How large the measurements are.

    Attributes:
        rows: trajectories of a batch of Kuramoto-Sivashinsky.
        span: time units of its rollouts.
        steps: of its trainings.
        points: of lambda-omega, in each direction; its state has two fields.
        cells: points of Burgers.
        repeats: calls of each side.
    """

    rows: int = 256
    span: int = 100
    steps: int = 1500
    points: int = 100
    cells: int = 1001
    repeats: int = 5


SMALL = Size(rows=8, span=4, steps=20, points=32, cells=101, repeats=1)


def in_turn(repeats: int, *calls: Callable[[], Any]) -> list[float]:
    """Median seconds of every call; all are called once before, and then in turn."""
    for call in calls:
        call()
    rounds = [[seconds(call) for call in calls] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def fitted(system: System, reducer: ReducerSpec, dynamics: Any, n: int, times: torch.Tensor, **options: Any) -> Any:
    """A reduced model of a system, and the trajectories that it was fitted to."""
    data = simulate(system, n, times, rng=generator(0, system.name), **options)
    train, validation = data[: n - 2], data[n - 2 :]
    coordinates = reducer.fit(train, validation, rng=generator(1))
    return on_reducer(coordinates, dynamics, train, validation, rng=generator(2)), data


def kuramoto_sivashinsky(size: Size, run: Path | None) -> list[tuple[str, float, str]]:
    """Batches, one long run, and a loop of SciPy."""
    system = find_system("kuramoto_sivashinsky")
    if run is None:
        training = TrainingSpec(steps=size.steps, validations=2)
        reducer = AutoencoderSpec(8, training=training)
        dynamics = NeuralODESpec(training=training, start=PolynomialSpec(degree=5 if size.rows > 100 else 2))
        times = torch.arange(201.0 if size.rows > 100 else 21.0).double()
        model, _ = fitted(system, reducer, dynamics, 64 if size.rows > 100 else 8, times)
    else:
        model = load_model(run)
    x0 = simulate(system, size.rows, torch.zeros(1), rng=generator(3)).initial
    t = torch.arange(size.span + 1.0).double()
    z0 = model.encode(x0)
    whole, reduced, latent = in_turn(
        size.repeats,
        lambda: simulate(system, times=t, initial=x0, rng=generator(0)),
        lambda: model.predict(x0, t),
        lambda: model.rollout(z0, t),
    )
    some = t[: max(2, size.span // 10)]
    lsoda, few = in_turn(
        size.repeats,
        lambda: solve_ivp(by_transforms, (0, some[-1]), x0[0].numpy(), "LSODA", some.numpy(), rtol=1e-6, atol=1e-6),
        lambda: model.predict(x0, some),
    )
    rows = [
        (f"KS 64 -> 8, batch of {size.rows}: full / reduced", whole / reduced, "2"),
        ("the same, without decoding", whole / latent, ""),
        ("the same, loop of SciPy's LSODA / reduced", lsoda * size.rows / few, "300"),
    ]
    if installed("numba"):
        long, one = torch.arange(10.0 * size.span + 1).double(), model.compile()
        plain, compiled = in_turn(
            size.repeats, lambda: model.dynamics.rollout(z0[:1], long), lambda: one.rollout(z0[:1], long)
        )
        rows.append(("KS, one run: torch / compiled loop", plain / compiled, ""))
        rows.append((f"KS, one run of {10 * size.span} time units, compiled: ms", 1e3 * compiled, "<= 50"))
    return rows


def equivariant(size: Size) -> list[tuple[str, float, str]]:
    """Batches and one long run of Kuramoto-Sivashinsky with its symmetries."""
    system, many = find_system("kuramoto_sivashinsky"), size.rows > 100
    polynomial = EquivariantPolynomialSpec(terms=1000 if many else 60)
    reducer, dynamics = EquivariantManifoldSpec(8, polynomial), EquivariantODESpec(polynomial)
    model, _ = fitted(system, reducer, dynamics, 64 if many else 8, torch.arange(201.0 if many else 41.0).double())
    model = model.compile() if installed("numba") else model
    x0 = simulate(system, size.rows, torch.zeros(1), rng=generator(3)).initial
    t, long = torch.arange(size.span + 1.0).double(), torch.arange(10.0 * size.span + 1).double()
    z0 = model.encode(x0)
    whole, reduced, latent, one = in_turn(
        size.repeats,
        lambda: simulate(system, times=t, initial=x0, rng=generator(0)),
        lambda: model.predict(x0, t),
        lambda: model.rollout(z0, t),
        lambda: model.rollout(z0[:1], long),
    )
    return [
        (f"KS 64 -> 8, equivariant, batch of {size.rows}: full / reduced", whole / reduced, "3"),
        ("the same, without decoding", whole / latent, ""),
        (f"the same, one run of {10 * size.span} time units: ms", 1e3 * one, "<= 50"),
    ]


def lambda_omega(size: Size) -> list[tuple[str, float, str]]:
    """One run and a batch of 64 of two coordinates that turn."""
    system = find_system("lambda_omega", points=size.points)
    t = torch.linspace(0, 10, 51).double()
    dynamics = PolynomialODESpec(PolynomialSpec(degree=3))
    model, data = fitted(system, PODSpec(2), dynamics, 6, t)
    rows, speed = [], None
    for n in (1, 64):
        x0 = data.states[torch.arange(n) % len(data.states)]
        speed = model.compile() if n == 1 and installed("numba") else replace(model)
        calls = [lambda x0=x0, m=speed: m.predict(x0, t)]
        calls.append(lambda x0=x0, m=speed: m.rollout(m.encode(x0), t))
        full = [lambda x0=x0: simulate(system, times=t, initial=x0[:8], rng=generator(0))]
        whole, reduced, latent = in_turn(size.repeats, *full, *calls)
        whole *= max(1, n / 8)  # eight at a time, which fit into memory
        rows.append((f"lambda_omega {system.dim} -> 2, {n} at once: full / reduced", whole / reduced, "1,000"))
        rows.append(("the same, without decoding", whole / latent, ""))
    return rows


def burgers(size: Size) -> list[tuple[str, float, str]]:
    """One run of the full model of gLaSDI, backward Euler with 1,000 steps, and of five coordinates."""
    system = find_system("burgers_inviscid", points=size.cells)
    t = torch.linspace(0, 1, 101).double()
    model, data = fitted(system, PODSpec(5), PolynomialODESpec(PolynomialSpec(degree=2)), 12, t)
    x0 = data.initial[:1]
    model = model.compile() if installed("numba") else model
    whole, reduced = in_turn(
        size.repeats,
        lambda: simulate(system, times=t, initial=x0, rng=generator(0)),
        lambda: model.predict(x0, t),
    )
    return [(f"Burgers {system.dim} -> 5, one run alone: full / reduced", whole / reduced, "431")]


def training(size: Size) -> list[tuple[str, float, str]]:
    """A step of training of the default field, over the products of matrices in it.

    These are one forward and two backward in every layer; and those by which Muon orthogonalises the two hidden
    matrices, three in each of five iterations, in bfloat16.
    """
    net = MLP(8, 8, [256] * 3, "gelu", rng=generator(0))
    x, y = torch.randn(2, 4096, 8, generator=generator(1))
    spec = TrainingSpec(steps=max(20, size.steps // 10), validations=1)
    weights = [layer.weight.detach().clone() for layer in net.layers]
    inputs = [torch.randn(spec.batch_size, w.shape[1]) for w in weights]
    outputs = [torch.randn(spec.batch_size, w.shape[0]) for w in weights]

    def products() -> None:
        for _ in range(spec.steps):
            for i, (w, a, b) in enumerate(zip(weights, inputs, outputs, strict=True)):
                a @ w.T
                b.T @ a
                if i:
                    b @ w

    def train() -> None:
        minimise(
            net,
            lambda index: (net(x[index]) - y[index]).pow(2).mean(),
            len(x),
            lambda: 0.0,
            spec,
            rng=generator(2),
            stage="benchmark",
        )

    hidden = [w.bfloat16() for w in weights[1:-1]]

    def with_muon() -> None:
        products()
        for w in [w for w in hidden for _ in range(spec.steps * 5)]:
            square = w @ w.T
            torch.addmm(square, square, square) @ w

    step, bare, whole = in_turn(size.repeats, train, products, with_muon)
    rows = [("training step / its products of matrices, forward and backward", step / bare, "<= 1.5")]
    return [*rows, ("the same, and those of Muon", step / whole, "")]


def lorenz(t: float, x: np.ndarray) -> np.ndarray:
    return np.array([10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]])


def duffing(t: float, x: np.ndarray) -> np.ndarray:
    """A chain of 25 forced Duffing oscillators: 50 values."""
    q, p = x[:25], x[25:]
    pull = np.roll(q, 1) - 2 * q + np.roll(q, -1)
    return np.concatenate([p, q - q**3 - 0.2 * p + 0.1 * pull + 0.3 * np.cos(t)])


def small_ensembles(size: Size) -> list[tuple[str, float, str]]:
    """Few trajectories of small systems beside a loop of SciPy with the same tolerance."""
    rows, t = [], torch.linspace(0, 2 * size.span / 10, 11).double()
    chain = System("duffing", 50, duffing)
    cases = {"4 x lorenz63": (find_system("lorenz63"), lorenz, 4), "8 x Duffing-50": (chain, duffing, 8)}
    for name, (system, function, n) in cases.items():
        x0 = torch.randn(n, system.dim, generator=generator(0), dtype=torch.float64)
        ours, loop = in_turn(
            size.repeats,
            lambda system=system, x0=x0: simulate(system, times=t, initial=x0, rng=generator(0)),
            lambda function=function, x0=x0: [
                solve_ivp(function, (0, t[-1]), x, "LSODA", t.numpy(), rtol=1e-8, atol=1e-8) for x in x0.numpy()
            ],
        )
        rows.append((f"{name}: loop of SciPy's LSODA / simulate", loop / ours, "1"))
    return rows


def main(arguments: Sequence[str] | None = None) -> list[tuple[str, float, str]]:
    """Prints the table, and returns its rows: what, measured, target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="the folder, or model file, of a run of kuramoto_sivashinsky")
    parser.add_argument("--small", action="store_true", help="tiny models and short spans")
    parser.add_argument("--only", default="", help="the measurements whose names contain this")
    options = parser.parse_args(arguments)
    size = SMALL if options.small else Size()
    parts: dict[str, Callable[[], list[tuple[str, float, str]]]] = {
        "kuramoto_sivashinsky": lambda: kuramoto_sivashinsky(size, options.run),
        "equivariant": lambda: equivariant(size),
        "lambda_omega": lambda: lambda_omega(size),
        "burgers": lambda: burgers(size),
        "training": lambda: training(size),
        "small_ensembles": lambda: small_ensembles(size),
    }
    rows: list[tuple[str, float, str]] = []
    with limited_to(1):
        for name, measure in parts.items():
            if options.only in name:
                say(f"{name} ...")
                rows += measure()
    print_table("rollouts: ratios of medians", ["what", "measured", "target"], rows)
    return rows


if __name__ == "__main__":
    main()
