"""The same work on the CPU and on CUDA: a reduction of the demo's kind, one of 10^5 dimensions, and an ensemble.

    python benchmarks/device.py
    python benchmarks/device.py --small     # tiny sizes, in seconds

Every part is done on both devices from the same seed. Their results must agree to what single precision leaves after
training, and the table says what each took. Where there is no CUDA device, the script says so and shows the CPU alone.
"""

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from measuring import machine, print_table, say

from dynred.dynamics.neural_ode import NeuralODESpec
from dynred.dynamics.polynomial import PolynomialODESpec
from dynred.models.reduced import on_reducer
from dynred.numerics.polynomials import PolynomialSpec
from dynred.ode.find import find_system
from dynred.reducers.autoencoder import AutoencoderSpec
from dynred.reducers.base import ReducerSpec
from dynred.reducers.pod import PODSpec
from dynred.rng import generator
from dynred.runtime import Runtime
from dynred.simulation.simulate import simulate
from dynred.solvers.adams import Adams
from dynred.training.minimise import TrainingSpec

ALIKE = 0.5  # how far errors of models that were trained on different devices may differ, in units of either


@dataclass(frozen=True)
class Work:
    """What a part took and gave.

    Attributes:
        seconds: wall-clock seconds.
        figure: the number by which devices are compared.
    """

    seconds: float
    figure: float


def timed(device: str, call: Callable[[], float]) -> Work:
    """The work of a call, which the device has finished when the clock stops."""
    start = time.perf_counter()
    figure = call()
    if device == "cuda":
        torch.cuda.synchronize()
    return Work(time.perf_counter() - start, figure)


def reduction(device: str, small: bool) -> Work:
    """Kuramoto-Sivashinsky, 64 -> 8, as in `make demo`; the figure is the nmse of reconstruction."""
    training = TrainingSpec(steps=30 if small else 6000)
    dynamics = NeuralODESpec(training=training, start=PolynomialSpec(degree=2 if small else 5))
    return _reduced("kuramoto_sivashinsky", {}, AutoencoderSpec(8, training=training), dynamics, device, small)


def large(device: str, small: bool) -> Work:
    """Lambda-omega of 10^5 values (2 x 224 x 224), to two coordinates by POD; the figure is the nmse."""
    size = {"points": 32 if small else 224}
    return _reduced("lambda_omega", size, PODSpec(2), PolynomialODESpec(PolynomialSpec(degree=3)), device, small)


def _reduced(
    name: str,
    arguments: dict[str, int],
    reducer: ReducerSpec,
    dynamics: NeuralODESpec | PolynomialODESpec,
    device: str,
    small: bool,
) -> Work:
    system, runtime = find_system(name, **arguments), Runtime(device=device)
    times, count = torch.linspace(0, 10, 21 if small else 101).double(), 6 if small else 16
    data = simulate(system, count, times, rng=generator(0))
    train, validation = data[: count - 2], data[count - 2 :]

    def work() -> float:
        fitted = reducer.fit(train, validation, rng=generator(1), runtime=runtime)
        model = on_reducer(fitted, dynamics, train, validation, rng=generator(2), runtime=runtime)
        error = model.reconstruct(validation.states) - validation.states
        spread = validation.states - validation.states.mean(0)
        return float(error.pow(2).sum() / spread.pow(2).sum())

    return timed(device, work)


def ensemble(device: str, small: bool) -> Work:
    """Lorenz-63, many trajectories by the Adams method; the figure is the mean square of the last states."""
    x0 = torch.randn(16 if small else 4096, 3, generator=generator(0), dtype=torch.float64).to(device)
    field = find_system("lorenz63").at()
    t = torch.linspace(0, 0.5, 6).double()
    solver = Adams(rtol=1e-8, atol=1e-8)
    return timed(device, lambda: float(solver.solve(field, x0, t)[:, -1].pow(2).mean()))


def alike(a: float, b: float) -> bool:
    """Whether two figures agree."""
    return math.isclose(a, b, rel_tol=ALIKE, abs_tol=1e-6)


def main(arguments: Sequence[str] | None = None) -> list[list[object]]:
    """Prints the table, and returns its rows.

    Raises:
        SystemExit: the devices disagree.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="tiny sizes")
    options = parser.parse_args(arguments)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if len(devices) == 1:
        say("This machine has no CUDA device that torch can use: the table shows the CPU alone, and compares nothing.")
    rows: list[list[object]] = []
    for part in (reduction, large, ensemble):
        works = [part(device, options.small) for device in devices]
        agree = "-" if len(works) == 1 else "yes" if alike(works[0].figure, works[1].figure) else "NO"
        rows.append([part.__name__, *(work.seconds for work in works), *(work.figure for work in works), agree])
    heads = [*(f"{device}, s" for device in devices), *(f"{device}, figure" for device in devices)]
    print_table(f"devices: {machine()['processor']}", ["work", *heads, "alike"], rows)
    if any(row[-1] == "NO" for row in rows):
        raise SystemExit("The devices disagree.")
    return rows


if __name__ == "__main__":
    main()
