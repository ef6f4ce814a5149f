"""Measured data: noise, gaps, units, one signal, each against what exact data of the same motion give.

    python benchmarks/measurements.py                      # noise, gaps, units
    python benchmarks/measurements.py --small              # fewer trajectories: some two minutes
    python benchmarks/measurements.py --rows noise gaps
    python benchmarks/measurements.py --rows sloshing --sloshing sloshing_signal.npz

Models are learned from what was measured, and predict from exact initial states of 32 other trajectories; the valid
time ends where the error is 40 % of the deviation. Seeds of all parts differ.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from measuring import print_table

import dynred
from dynred.dynamics.base import DynamicsSpec, LatentDynamics
from dynred.ode.find import find_system
from dynred.rng import generator

THRESHOLD = 0.4
Row = Sequence[object]


def lorenz(n: int, dt: float, seed: int, duration: float = 20.0) -> dynred.Trajectories:
    """Trajectories of Lorenz-63 with exact velocities."""
    times = torch.arange(0, duration + dt / 2, dt)
    return dynred.simulate(find_system("lorenz63"), n=n, times=times, rng=generator(seed))


def sampled(
    trajectories: dynred.Trajectories, noise: float = 0.0, missing: float = 0.0, seed: int = 0
) -> dynred.Trajectories:
    """What is measured: no velocities, noise as a part of each deviation, a part of all samples missing."""
    rng = generator(seed, "measured")
    x = trajectories.states.double()
    x = x + noise * x.std(0) * torch.randn(x.shape, generator=rng, dtype=torch.float64)
    x[torch.rand(len(x), generator=rng) < missing] = torch.nan
    return replace(trajectories, states=x, velocities=None)


def valid_time(model: LatentDynamics, test: dynred.Trajectories) -> float:
    """The median valid time of predictions."""
    x, t = test.stacked().double(), test.times(0).double()
    size = (x - x.mean((0, 1))).pow(2).sum(-1).mean().sqrt()
    lost = ~((model.rollout(x[:, 0], t - t[0]) - x).norm(dim=-1) < THRESHOLD * size)
    first = torch.where(lost.any(1), lost.double().argmax(1), len(t) - 1)
    return float((t - t[0])[first].median())


def compared(name: str, dt: float, measure: Callable[..., dynred.Trajectories], small: bool) -> list[Row]:
    """Valid times of polynomials that were learned from exact and from measured samples."""
    n, spec = (6, 3) if small else (12, 4), dynred.PolynomialODESpec()
    exact = [lorenz(count, dt, seed) for seed, count in enumerate(n)]
    test = lorenz(8 if small else 32, dt, 99)
    clean = _fitted(spec, [dynred.estimate_velocities(sampled(part)) for part in exact], test)
    parts = []
    for seed, part in enumerate(exact):
        raw = measure(part, seed=seed)
        gaps = bool(torch.isnan(raw.states).any())
        parts.append(dynred.clean(raw, [dynred.GapsSpec()]) if gaps else dynred.estimate_velocities(raw))
    measured = _fitted(spec, parts, test)
    return [[name, "valid time", measured[0], clean[0], f"{100 * measured[0] / clean[0]:.0f} %", measured[1]]]


def _fitted(spec: DynamicsSpec, parts: Sequence[dynred.Trajectories], test: dynred.Trajectories) -> tuple[float, float]:
    start = time.process_time()
    model = spec.fit(*parts, rng=generator(0))
    seconds = time.process_time() - start
    return valid_time(model, test), seconds


def units(small: bool) -> list[Row]:
    """Four named variables of one limit cycle, in Pa, K, 1e-6 and 1e-12, by the defaults."""
    count, steps = (8, 120) if small else (16, 200)
    rng, t = np.random.default_rng(0), 0.1 * np.arange(steps)
    start, phase = rng.uniform(0.3, 1.3, (count, 1)), rng.uniform(0, 2 * np.pi, (count, 1))
    r = 1 / np.sqrt(1 + (start**-2 - 1) * np.exp(-2 * t))
    a, b = r * np.cos(t + phase), r * np.sin(t + phase)
    x = np.stack([101325 + 5e3 * a, 300 + 8 * b + 2 * a**2, 2e-6 * (a + 0.3 * b**2), 3e-12 * (b - 0.4 * a * b)], -1)
    names = ["pressure", "temperature", "thickness", "concentration"]
    data = dynred.Trajectories.of(x, t=t)
    data = replace(data, attributes={**data.attributes, "variables": [[name, 1] for name in names]})
    begun = time.process_time()
    result = dynred.reduce(data, 2)
    seconds = time.process_time() - begun
    predicted, truth = result.forecast.predicted.states, result.forecast.truth.states
    rows: list[Row] = []
    for i, name in enumerate(names):
        error = float((predicted[:, i] - truth[:, i]).pow(2).mean().sqrt() / truth[:, i].std())
        rows.append([f"units: {name}", "error", error, None, f"{100 * error:.2g} %", seconds])
    return rows


def one_signal(small: bool) -> list[Row]:
    """x of Lorenz-63 alone with delays, with noise, against full states without."""
    n, dt = (6, 3, 8) if small else (12, 4, 32), 0.02
    parts = [lorenz(count, dt, seed) for seed, count in enumerate(n)]
    full = dynred.PolynomialODESpec().fit(*parts[:2], rng=generator(0))
    best, rows = valid_time(full, parts[2]), []
    for noise in (0.0, 0.01, 0.05):
        x = [sampled(part, noise, seed=i) for i, part in enumerate(parts)]
        signals = [replace(part, states=part.states[:, :1]) for part in x]
        data = dynred.Trajectories.concatenate(signals[:2])
        begun = time.process_time()
        result = dynred.reduce(
            data, 3, test=signals[2], transforms=[dynred.DelaysSpec()], dynamics=dynred.PolynomialODESpec(),
            data=dynred.DataSpec(force=True),
        )  # fmt: skip
        seconds = time.process_time() - begun
        got = result.evaluation.rollout.valid_time.median
        name = f"x of Lorenz, {100 * noise:.0f} % noise"
        rows.append([name, "valid time", got, best, f"{100 * got / best:.0f} %", seconds])
    return rows


def sloshing(path: Path) -> list[Row]:
    """The measured sloshing tank, trajectory 1 kept apart."""
    begun = time.process_time()
    data = dynred.DataSpec(test_trajectories=(1,))
    result = dynred.reduce(path, 2, data=data, transforms=[dynred.DelaysSpec()])
    error = result.evaluation.metrics["nmte"].spread.mean
    return [["sloshing tank", "NMTE", error, 0.0171, f"{100 * error:.3g} %", time.process_time() - begun]]


def main() -> None:
    """Prints the rows that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--small", action="store_true", help="fewer trajectories")
    parser.add_argument("--rows", nargs="*", default=["noise", "gaps", "units"])
    parser.add_argument("--sloshing", type=Path, help="file of the measured signal")
    options = parser.parse_args()
    measured: dict[str, Callable[[], list[Row]]] = {
        "noise": partial(compared, "5 % noise", 0.01, partial(sampled, noise=0.05), options.small),
        "gaps": partial(compared, "30 % missing", 0.02, partial(sampled, missing=0.3), options.small),
        "units": partial(units, options.small),
        "signal": partial(one_signal, options.small),
    }
    if options.sloshing is not None:
        measured["sloshing"] = partial(sloshing, options.sloshing)
    if unknown := [name for name in options.rows if name not in measured]:
        parser.error(f"--rows must be of {', '.join(measured)}, got {', '.join(unknown)}; sloshing needs --sloshing.")
    for name in options.rows:
        columns = ("case", "what", "measured", "exact or published", "part", "processor seconds")
        print_table(name, columns, measured[name]())


if __name__ == "__main__":
    main()
