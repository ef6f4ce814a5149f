"""Work and precision of solvers: seconds for an ensemble against the error of its last states."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from measuring import seconds
from torch import Tensor

from dynred.files import moved_into_place
from dynred.ode.system import System


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Many initial states of one system, to be followed to the same time.

    Attributes:
        system: the ODE.
        initial: states [N, D] on the attractor, at time 0.
        end: the last time, in time units.
        reference: states [K, D] of the first K trajectories at `end`, by a solver at a tolerance of 1e-12.
        disagreement: error of another solver at that tolerance, a measure of the error of the reference.
    """

    system: System
    initial: Float[Tensor, "N D"]
    end: float
    reference: Float[Tensor, "K D"]
    disagreement: float

    def error(self, final: Float[Tensor, "n D"]) -> float:
        """The largest distance of the first K states from the reference, over the root mean square of the states."""
        return largest_error(final, self.reference)


def largest_error(final: Float[Tensor, "n D"], reference: Float[Tensor, "K D"]) -> float:
    """max_i |final_i - reference_i| / sqrt(mean_i |reference_i|^2) over the K trajectories of the reference."""
    apart = (final[: len(reference)].double() - reference).norm(dim=1)
    return float(apart.max() / reference.pow(2).sum(1).mean().sqrt())


@dataclass(frozen=True)
class Method:
    """A way to follow an ensemble.

    Attributes:
        name: the name in tables.
        solve: (setting, count) -> final states [count, D] of the first `count` trajectories.
        settings: steps or tolerances, from cheap to exact.
        count: number of trajectories that are timed. A method that takes trajectories one by one, or whose cost per
            trajectory does not depend on their number, is timed on a part of the ensemble, and its seconds are scaled
            up to the whole.
        compiled: whether the first call compiles.
    """

    name: str
    solve: Callable[[float, int], Tensor]
    settings: tuple[float, ...]
    count: int
    compiled: bool = False


@dataclass(frozen=True)
class WorkPoint:
    """One setting: error of the last states (infinite where the method failed), seconds for the whole ensemble."""

    setting: float
    error: float
    seconds: float


@dataclass(frozen=True)
class Work:
    """All points of a method; their seconds do not include `compile_s`."""

    name: str
    timed_trajectories: int
    points: list[WorkPoint] = field(default_factory=list)
    compile_s: float = 0.0


def measure(method: Method, ensemble: Ensemble, repeats: int) -> Work:
    """Measures every setting of a method: the error of one call, and the median seconds of `repeats` more."""
    factor = len(ensemble.initial) / method.count
    points, compile_s = [], 0.0
    for i, setting in enumerate(method.settings):
        call = partial(method.solve, setting, method.count)
        start = time.perf_counter()
        error = ensemble.error(call())
        first = time.perf_counter() - start
        spent = statistics.median(seconds(call) for _ in range(repeats))
        if method.compiled and i == 0:
            compile_s = max(0.0, first - spent)
        points.append(WorkPoint(setting, error if math.isfinite(error) else math.inf, factor * spent))
    return Work(method.name, method.count, points, compile_s)


def seconds_at(points: Sequence[WorkPoint], error: float) -> float | None:
    """Seconds that a method needs for an error, between its points on logarithmic scales.

    Points that another point beats in both error and seconds are ignored. Where even the cheapest point is more exact
    than `error`, the result is its seconds; where no point is as exact, it is None.
    """
    best: list[WorkPoint] = []
    for point in sorted(points, key=lambda p: (p.error, p.seconds)):
        if math.isfinite(point.error) and (not best or point.seconds < best[-1].seconds):
            best.append(point)
    if not best or best[0].error > error:
        return None
    x, y = np.log([max(p.error, 1e-16) for p in best]), np.log([p.seconds for p in best])
    return float(np.exp(np.interp(math.log(error), x, y)))


def draw(panels: Sequence[tuple[str, Sequence[Work]]], path: Path) -> None:
    """Work-precision diagrams, one panel for each ensemble, as a vector figure."""
    figure = Figure(figsize=(5.2 * len(panels), 4.4), layout="constrained")
    # People of all kinds of colour vision can distinguish Okabe and Ito's colours; markers serve prints without colour.
    colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442", "#7F7F7F")
    for i, (title, works) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1)
        for work, colour, marker in zip(works, colours, "osD^vP*X<", strict=False):
            points = [p for p in work.points if math.isfinite(p.error)]
            x, y = [p.error for p in points], [p.seconds for p in points]
            axes.plot(x, y, color=colour, marker=marker, label=work.name)
        axes.set(xscale="log", yscale="log", title=title, xlabel="relative error of the last state", ylabel="seconds")
        axes.legend(frameon=False, fontsize="small")
        axes.grid(alpha=0.3)
    with moved_into_place(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "dynred"}):
        figure.savefig(temporary, format="svg", metadata={"Date": None})


def one_by_one(solve: Callable[[np.ndarray], np.ndarray], initial: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
    """Final states of a solver that takes one trajectory at a time."""
    return torch.stack([torch.from_numpy(solve(x)) for x in initial.numpy()])
