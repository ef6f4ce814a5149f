"""What very long rollouts show: whether they stay, how they are distributed, and their Lyapunov exponents.

Long rollouts may take half an hour, so they are made on request only; the evaluation's own statistics come from the
test's rollouts.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.arguments import public
from dynred.checks import generator_given, integer, positive, refuse
from dynred.data.trajectories import Trajectories
from dynred.errors import DivergenceError, InputError
from dynred.evaluation.agreement import agreement
from dynred.evaluation.intervals import proportion_interval
from dynred.evaluation.lyapunov import LyapunovSpectrum, lyapunov_spectrum
from dynred.evaluation.records import Agreement, Exponents, LongTime
from dynred.metrics.base import Gauge, Reference, find_statistics
from dynred.metrics.escape import Escape
from dynred.models.base import Model
from dynred.models.forecast import Forecast
from dynred.numerics.batches import pieces
from dynred.ode.system import System
from dynred.ode.vector_field import time_step
from dynred.rng import generator, spawn
from dynred.runtime import Progress, silent
from dynred.simulation.simulate import simulate

BLOCK = 512  # snapshots of one piece of a rollout; memory holds one piece, however long the rollout
FOLLOWED = 8  # rollouts whose exponents are averaged
VALUES = 2**24  # largest number of values in one piece


@public
def long_time(
    model: Model,
    system: System,
    *,
    n: int = 100,
    duration: float = 10_000.0,
    exponents: int | None = None,
    rng: torch.Generator | None = None,
    progress: Progress = silent,
) -> LongTime:
    """Compares very long rollouts of the model with equally long truths from the same states.

    Both are made in pieces, which bounds the memory.

    Args:
        model: the reduced model.
        system: the full model, at its default parameters.
        n: number of rollouts, >= 2.
        duration: duration of each rollout, in time units.
        exponents: number of Lyapunov exponents of both models; 0 for none; default: as many as the model has latent
            coordinates, where its dynamics are a vector field and torch can differentiate the full model's. They are
            averaged over eight trajectories of this duration, at most 200 time scales.
        rng: draws initial states and tangents; default: always the same draws.
        progress: receives reports.

    Returns:
        How many rollouts left the attracting set, how they are distributed compared with the truth, and the exponents.

    Raises:
        InputError: arguments are out of range, or the system has another width than the model.
        DivergenceError: the full system diverged.
    """
    integer("n", n, 2)
    positive("duration", duration)
    if system.dim != model.state_dim:
        raise refuse("system", f"of {model.state_dim} dimensions, like the model", system.dim)
    rng = generator(0, "long time") if rng is None else generator_given(rng)
    model = model.at(system.parameters)
    steps = max(1, round(duration / system.sampling))
    size = max(16, min(BLOCK, steps, VALUES // (n * system.dim)))
    count, tally = -(-steps // size), _Tally(system)
    for i, (truth, predicted) in enumerate(_blocks(model, system, n, size, count, rng)):
        tally.add(truth, predicted)
        progress("long time", i + 1, count)
    left = int(tally.left.sum())
    low, high = proportion_interval(left, n)
    averaged = min(duration, 200 * system.time_scale)
    full, reduced = _exponents(model, system, exponents, tally.ends(model), averaged, rng, progress)
    return LongTime(n, count * size * system.sampling, left, (low * n, high * n), tally.agreements(), full, reduced)


class _Tally:
    """Sums over pieces of rollouts, which are not stored; the first piece decides on bins and units."""

    def __init__(self, system: System):
        self.grid = system.grid
        self.count, self.left, self.last = 0, torch.zeros(1), torch.zeros(1)
        self.gauges: dict[str, Gauge] = {}
        self.sums: dict[str, list[np.ndarray]] = {}

    def add(self, truth: Trajectories, predicted: Trajectories) -> None:
        """Adds a piece of every rollout."""
        if not self.count:
            reference = Reference(truth, self.grid)
            self.gauges = {statistic.name: statistic.gauge(reference) for statistic in find_statistics(reference)}
        self.count += 1
        self.last = predicted.states[predicted.starts + predicted.lengths - 1]
        self.left = torch.maximum(self.left, Escape()(Forecast(truth, truth, predicted)))
        for name, gauge in self.gauges.items():
            before = self.sums.get(name, [np.zeros(1), np.zeros(1)])
            self.sums[name] = [s + gauge.measure(p) for s, p in zip(before, (truth, predicted), strict=True)]

    def ends(self, model: Model) -> Float[Tensor, "n R"]:
        """Last latents of at most eight rollouts that stayed: they lie on the reduced model's own attracting set."""
        with torch.no_grad():
            return model.encode(self.last[self.left == 0][:FOLLOWED]).double()

    def agreements(self) -> dict[str, Agreement]:
        """The distance of every statistic, over all pieces."""
        agreements = {}
        for name, gauge in self.gauges.items():
            truth, predicted = (total / self.count for total in self.sums[name])
            agreements[name] = agreement(gauge, truth, predicted, np.ones(len(truth)))
        return agreements


def _blocks(
    model: Model, system: System, n: int, size: int, count: int, rng: torch.Generator
) -> Iterator[tuple[Trajectories, Trajectories]]:
    """Truth and prediction in pieces of `size` snapshots; each piece goes on from the end of the one before."""
    ode, seen = system.underlying, system.observation.map if system.observation else _identity
    parameters = {k: torch.full((n,), float(v), dtype=torch.float64) for k, v in system.parameters.items()}
    model_of_each = model.at(parameters)
    t = system.sampling * torch.arange(size + 1, dtype=torch.float64)
    x = simulate(ode, n, t[:1], rng=rng, parameters=parameters).states
    with torch.no_grad():
        z = model_of_each.encode(seen(x)).double()
    for _ in range(count):
        states = simulate(ode, times=t, initial=x, rng=rng, parameters=parameters).stacked()
        with torch.no_grad():
            latents = model_of_each.rollout(z, t)
        x, z = states[:, -1], latents[:, -1]
        truth = _mapped(seen, states[:, 1:])
        predicted = _mapped(model.decode, latents[:, 1:])
        predicted = torch.where(latents[:, 1:].isfinite().all(-1, keepdim=True), predicted, torch.nan)
        yield Trajectories.from_stacked(truth, t[1:]), Trajectories.from_stacked(predicted, t[1:])


def _exponents(
    model: Model,
    system: System,
    k: int | None,
    initial: Float[Tensor, "n R"],
    duration: float,
    rng: torch.Generator,
    progress: Progress,
) -> tuple[Exponents | None, Exponents | None]:
    k = model.latent_space.dim if k is None else integer("exponents", k, 0, model.latent_space.dim)
    if k == 0 or not system.at().differentiable:
        return None, None
    try:
        field = model.evolution()
    except InputError:  # no parameter is missing, for the rollouts had all: the dynamics are no vector field or map
        return None, None
    k = min(k, system.underlying.dim)
    interval = time_step(field) or time_step(system.at()) or 0.1 * system.time_scale
    times: dict[str, Any] = {"interval": interval, "duration": duration}
    full = lyapunov_spectrum(system, k, rng=spawn(rng, "full"), progress=progress, **times)
    reduced = None
    if len(initial) == 0:  # every rollout left, so no attracting set is known whose exponents could be computed
        return _record(full), None
    with suppress(DivergenceError):
        reduced = lyapunov_spectrum(field, k, rng=spawn(rng, "reduced"), initial=initial, progress=progress, **times)
    return _record(full), _record(reduced) if reduced else None


def _record(spectrum: LyapunovSpectrum) -> Exponents:
    return Exponents(spectrum.exponents.tolist(), spectrum.error.tolist(), spectrum.kaplan_yorke_dimension)


def _mapped(fn: Callable[[Tensor], Tensor], states: Tensor) -> Tensor:
    with torch.no_grad():
        flat = torch.cat([fn(part).double() for part in pieces(states.flatten(0, 1))])
    return flat.reshape(*states.shape[:2], -1)


def _identity(x: Tensor) -> Tensor:
    return x
