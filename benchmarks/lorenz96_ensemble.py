"""Lorenz-96 with 40 sites: an ensemble on the attractor, and how dynred, torchdiffeq and SciPy follow it."""

from dataclasses import replace

import numpy as np
import torch
import torchdiffeq
from scipy.integrate import solve_ivp
from torch import Tensor
from work_precision import Ensemble, Method, largest_error, one_by_one

from dynred.ode.find import find_system
from dynred.rng import generator
from dynred.simulation.choose_solver import choose_solver
from dynred.simulation.simulate import simulate

SITES, FORCING = 40, 8.0


def rhs(t: Tensor, x: Tensor) -> Tensor:
    """x_i' = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F, cyclic (E. N. Lorenz, Proc. Seminar on Predictability, 1996)."""
    return (torch.roll(x, -1, -1) - torch.roll(x, 2, -1)) * torch.roll(x, 1, -1) - x + FORCING


def rhs_numpy(t: float, x: np.ndarray) -> np.ndarray:
    """`rhs` for one state in NumPy; slices of a padded copy take a third of the time of np.roll."""
    y = np.concatenate((x[-2:], x, x[:1]))
    return (y[3:] - y[:-3]) * y[1:-2] - x + FORCING


def ensemble(trajectories: int, end: float, references: int, seed: int) -> Ensemble:
    """Trajectories on the attractor; SciPy's DOP853 is the reference, and Radau its check."""
    lorenz96 = find_system("lorenz96", dim=SITES)
    initial = simulate(lorenz96, trajectories, [0.0], rng=generator(seed, "lorenz96")).states
    some = initial[:references]
    reference = one_by_one(lambda x: final_state(end, x, "DOP853", 1e-12), some)
    other = one_by_one(lambda x: final_state(end, x, "Radau", 1e-12), some[:1])
    return Ensemble(lorenz96, initial, end, reference, largest_error(other, reference[:1]))


def final_state(end: float, x: np.ndarray, method: str, tolerance: float) -> np.ndarray:
    """The state at `end` by SciPy."""
    return solve_ivp(rhs_numpy, (0.0, end), x, method=method, rtol=tolerance, atol=tolerance, t_eval=[end]).y[:, -1]


def methods(problem: Ensemble, loop: int) -> list[Method]:
    """dynred's choice for this system at several tolerances, torchdiffeq, and SciPy on `loop` trajectories.

    dynred is called as users call it: by `simulate`, which also returns velocities, and which chooses its steps for the
    worst of the trajectories. torchdiffeq is called as in its documentation: it chooses steps for the mean over all
    trajectories.
    """
    end, whole = problem.end, len(problem.initial)
    times = torch.tensor([0.0, end], dtype=torch.float64)
    chosen, _ = choose_solver(problem.system.at(), problem.initial, times)
    tolerances = tuple(10.0**-k for k in range(3, 11))

    def ours(tolerance: float, count: int) -> Tensor:
        solver, rng = replace(chosen, rtol=tolerance, atol=tolerance), generator(0)
        trajectories = simulate(problem.system, times=times, initial=problem.initial[:count], solver=solver, rng=rng)
        return trajectories.stacked()[:, -1]

    def torchdiffeq_method(method: str) -> Method:
        def solve(tolerance: float, count: int) -> Tensor:
            return torchdiffeq.odeint(
                rhs, problem.initial[:count], times, rtol=tolerance, atol=tolerance, method=method
            )[-1]

        return Method(f"torchdiffeq {method}", solve, tolerances, whole)

    def scipy_method(method: str) -> Method:
        def solve(tolerance: float, count: int) -> Tensor:
            return one_by_one(lambda x: final_state(end, x, method, tolerance), problem.initial[:count])

        return Method(f"SciPy {method}", solve, tolerances, loop)

    return [
        Method(f"dynred {getattr(chosen, 'method', type(chosen).__name__)}", ours, tolerances, whole),
        *(torchdiffeq_method(name) for name in ("dopri5", "dopri8")),
        *(scipy_method(name) for name in ("RK45", "DOP853", "LSODA")),
    ]
