"""One trajectory of a tape, solved in a compiled loop by the Adams method of `dynred.solvers.adams`."""

import math
from typing import Any

import numpy as np

from dynred.numerics.compiled import Array, exact, velocity_into

FINISHED, LOST, LOOK = 0, 1, 2  # what became of a trajectory; LOOK: it takes many steps, and may be stiff


@exact
def _size(error: Array, y: Array, rtol: float, atol: float) -> float:
    total = 0.0
    for i in range(len(y)):
        total += (error[i] / (abs(y[i]) * rtol + atol)) ** 2
    return math.sqrt(total)


@exact
def _scale(z: Array, ratio: float) -> None:
    factor = 1.0
    for j in range(1, len(z)):
        factor *= ratio
        for i in range(z.shape[1]):
            z[j, i] *= factor


@exact
def _predict(z: Array, order: int, pascal: Array, new: Array) -> None:
    for j in range(len(z)):
        for i in range(z.shape[1]):
            total = z[j, i]
            for k in range(j + 1, order + 1):
                total += pascal[j, k] * z[k, i]
            new[j, i] = total


@exact
def _write(z: Array, order: int, s: float, out: Array) -> None:
    for i in range(len(out)):
        value = z[order, i]
        for j in range(order - 1, -1, -1):
            value = value * s + z[j, i]
        out[i] = value


@exact
def _choose(
    z: Array, order: int, error: float, usable: bool, change: Array, before: Array, tables: Any
) -> tuple[int, float]:
    """The change of the order, and by what the step may be multiplied; the last of `tables` are the tolerances."""
    _, _, weigh, factorial, caution, _, (rtol, atol, highest) = tables
    best, move = (error + 1e-30) ** (-1.0 / (order + 1)) / caution[1], 0
    if order > 1:
        lower = weigh[0, order] * factorial[order] * _size(z[order], z[0], rtol, atol)
        ratio = (lower + 1e-30) ** (-1.0 / order) / caution[0]
        if ratio > best:
            best, move = ratio, -1
    if usable and order < highest:
        higher = weigh[2, order] * _size(change - before, z[0], rtol, atol)
        ratio = (higher + 1e-30) ** (-1.0 / (order + 2)) / caution[2]
        if ratio > best:
            best, move = ratio, 1
    return move, best


@exact
def _adapt(
    z: Array, order: int, error: float, state: Any, change: Array, before: Array, tables: Any
) -> tuple[int, float]:
    """The next order, and by what the step is multiplied; z is that of the order then, but not yet of the step."""
    _, _, _, factorial, _, difference, _ = tables
    accepted, steady, first, failures = state
    ratio, move = 0.1, 0
    if error < np.inf:  # false for NaN
        move, ratio = _choose(z, order, error, accepted and steady, change, before, tables)
    ratio = min(max(ratio, 0.1), (1e4 if first else 10.0) if accepted else 1.0)
    if accepted and ratio < 1.1:
        return order, 1.0
    if failures >= 3:
        z[2:] = 0.0
        return 1, 0.1
    column = order if move > 0 else order - 1
    for i in range(z.shape[1] if move != 0 else 0):
        by = change[i] if move > 0 else -factorial[order] * z[order, i]
        for j in range(len(z)):
            z[j, i] += difference[j, column] * by
    return order + move, ratio


@exact
def follow(
    tape: Any, start: Any, times: Array, out: Array, limit: float, patience: int, tables: Any
) -> tuple[int, float, float, int]:
    """Follows a trajectory and writes its states into `out`; see `dynred.solvers.adams`, whose numbers these are.

    Args:
        tape: what `arguments` gives.
        start: time, state [D], step, number of outputs written; the state becomes the last.
        times: when to write a state [T], increasing.
        out: states [T, D].
        limit: largest component that does not count as diverged.
        patience: steps without an output after which to stop for a closer look.
        tables: pascal, corrector, error weights, factorials, caution, differences; then rtol, atol, highest order.

    Returns:
        What became of it, its time, its step, and the outputs written.
    """
    pascal, corrector, weigh, _, _, _, (rtol, atol, _) = tables
    t, y, h, reached = start
    z, new = np.zeros((len(pascal), len(y))), np.zeros((len(pascal), len(y)))
    f, change, before = np.zeros(len(y)), np.zeros(len(y)), np.zeros(len(y))
    z[0] = y
    velocity_into(tape, t, y, f)
    z[1] = h * f
    end, order, wait, failures, since, steps, steady = times[-1], 1, 2, 0, 0, 0, False
    roundoff = 2.220446049250313e-16 * max(np.abs(times).max(), end - times[0])
    while reached < len(times):
        if h > end - t:
            _scale(z, (end - t) / h)
            h = end - t
        _predict(z, order, pascal, new)
        velocity_into(tape, t + h, new[0], f)
        for i in range(len(y)):
            change[i] = h * f[i] - new[1, i]
        error = weigh[1, order] * _size(change, z[0], rtol, atol)
        accepted, ratio, past = error <= 1.0, 1.0, order
        steps, wait, since, failures = steps + 1, wait - 1, since + 1, 0 if accepted else failures + 1
        if accepted:
            t += h
            for j in range(order + 1):
                for i in range(len(y)):
                    z[j, i] = new[j, i] + corrector[j, order] * change[i]
            while reached < len(times) and times[reached] - 4 * roundoff <= t:
                _write(z, order, (times[reached] - t) / h, out[reached])
                reached, since = reached + 1, 0
        if not accepted or wait <= 0:
            state = (accepted, steady, steps <= 2, failures)
            order, ratio = _adapt(z, order, error, state, change, before, tables)
            wait = order + 1
        if accepted:
            before[:] = change
        steady = accepted and ratio == 1.0 and past == order
        if ratio != 1.0:
            h *= ratio
            _scale(z, ratio)
        y[:] = z[0]
        if not np.abs(y).max() <= limit or (h < 16 * roundoff and reached < len(times)):
            return LOST, t, h, reached
        if since >= patience:
            return LOOK, t, h, reached
    return FINISHED, t, h, reached
