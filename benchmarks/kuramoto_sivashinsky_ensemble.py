"""Kuramoto-Sivashinsky: an ensemble on the attractor, and how dynred and SciPy follow it."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor
from work_precision import Ensemble, Method, largest_error, one_by_one

from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.simulate import simulate
from dynred.solvers._exponential import ExponentialSolver
from dynred.solvers.etdrk4 import ETDRK4
from dynred.solvers.exponential_adams import ExponentialAdams

LENGTH, POINTS = 22.0, 64


class Matrices(NamedTuple):
    """u' = linear u + advection (u * u): the right-hand side as two matrices [64, 64]."""

    linear: np.ndarray
    advection: np.ndarray


def wavenumbers() -> tuple[np.ndarray, np.ndarray]:
    """The Fourier multipliers k^2 - k^4 of u and -ik/2 of u^2, [33]."""
    k = 2 * np.pi / LENGTH * np.arange(POINTS // 2 + 1)
    advection = -0.5j * k
    advection[-1] = 0  # the derivative of the Nyquist mode vanishes at every collocation point
    return k**2 - k**4, advection


def matrices() -> Matrices:
    """The right-hand side as matrices: for one state of 64 points, two products with them take a fraction of the time
    of four Fourier transforms."""
    columns = np.fft.rfft(np.eye(POINTS), axis=0)
    return Matrices(*(np.fft.irfft(f[:, None] * columns, n=POINTS, axis=0) for f in wavenumbers()))


def by_transforms(t: float, u: np.ndarray) -> np.ndarray:
    """The right-hand side as a user of SciPy would write it."""
    return np.fft.irfft(_LINEAR * np.fft.rfft(u) + _ADVECTION * np.fft.rfft(u * u), n=POINTS)


_LINEAR, _ADVECTION = wavenumbers()


def ensemble(trajectories: int, end: float, references: int, seed: int) -> Ensemble:
    """Trajectories on the attractor; SciPy's Radau is the reference, and DOP853 its check."""
    system = find_system("kuramoto_sivashinsky", length=LENGTH, points=POINTS)
    initial = simulate(system, trajectories, [0.0], rng=generator(seed, "kuramoto_sivashinsky")).states
    solve = _Tuned(end)
    some = initial[:references]
    reference = one_by_one(lambda x: solve("Radau", 1e-12, x), some)
    other = one_by_one(lambda x: solve("DOP853", 1e-12, x), some[:1])
    return Ensemble(system, initial, end, reference, largest_error(other, reference[:1]))


class _Tuned:
    """SciPy's solvers on the fastest right-hand side, with the exact Jacobian."""

    def __init__(self, end: float):
        self.end, (self.linear, self.advection) = end, matrices()

    def __call__(self, method: str, tolerance: float, x: np.ndarray) -> np.ndarray:
        jacobian = {} if method == "DOP853" else {"jac": lambda t, u: self.linear + 2 * self.advection * u}
        return final_state(
            lambda t, u: self.linear @ u + self.advection @ (u * u), self.end, x, method, tolerance, **jacobian
        )


def final_state(rhs, end: float, x: np.ndarray, method: str, tolerance: float, **options) -> np.ndarray:
    """The state at `end` by SciPy; NaN where the solver gave up."""
    solution = solve_ivp(rhs, (0.0, end), x, method=method, rtol=tolerance, atol=tolerance, t_eval=[end], **options)
    return solution.y[:, -1] if solution.success else np.full_like(x, np.nan)


def methods(problem: Ensemble, loop: int) -> list[Method]:
    """dynred on the whole ensemble, SciPy on its first `loop` trajectories.

    dynred is called as users call it: by `simulate`, which also returns velocities. SciPy is shown twice: as most users
    would write it, with Fourier transforms and a Jacobian by finite differences; and tuned, with matrices and the exact
    Jacobian.
    """
    end = problem.end
    tuned = _Tuned(end)
    times = torch.tensor([0.0, end], dtype=torch.float64)

    def ours(name: str, solver: ExponentialSolver, steps: tuple[float, ...]) -> Method:
        def solve(step: float, count: int) -> Tensor:
            method, rng = replace(solver, step=step), generator(0)
            initial = problem.initial[:count]
            trajectories = simulate(problem.system, times=times, initial=initial, solver=method, rng=rng)
            return trajectories.stacked()[:, -1]

        return Method(f"dynred {name}", solve, steps, len(problem.initial))

    def scipy(method: str) -> list[Method]:
        def plain(tolerance: float, count: int) -> Tensor:
            solve = lambda x: final_state(by_transforms, end, x, method, tolerance)  # noqa: E731
            return one_by_one(solve, problem.initial[:count])

        def fast(tolerance: float, count: int) -> Tensor:
            return one_by_one(lambda x: tuned(method, tolerance, x), problem.initial[:count])

        tolerances = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
        return [
            Method(f"SciPy {method}", plain, tolerances, loop),
            Method(f"SciPy {method}, tuned", fast, tolerances, loop),
        ]

    return [
        ours("exponential Adams", ExponentialAdams(), (0.125, 0.1, 0.0625, 0.03125, 0.02)),
        ours("ETDRK4", ETDRK4(), (0.5, 0.25, 0.125, 0.0625, 0.03125)),
        *scipy("BDF"),
        *scipy("LSODA"),
    ]
