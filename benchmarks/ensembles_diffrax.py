"""The ensembles of the simulation benchmark in diffrax: compiled by jax, vmap over trajectories, double precision."""

from collections.abc import Sequence

import diffrax
import jax
import jax.numpy as jnp
import lorenz96_ensemble
import torch
from kuramoto_sivashinsky_ensemble import matrices
from torch import Tensor
from work_precision import Ensemble, Method

MAX_STEPS = 1_000_000  # steps of a trajectory, never reached


def kuramoto_sivashinsky(problem: Ensemble, count: int) -> list[Method]:
    """Methods for stiff equations, timed on `count` trajectories, with matrices, the fastest form for so few points.

    Kvaerno's methods are fully implicit. That of Kennedy and Carpenter treats the linear part implicitly and the other
    part explicitly, and is cheap where its steps are long. Explicit methods are limited to steps of 5e-4.
    """
    linear, advection = (jnp.asarray(m, dtype=jnp.float64) for m in matrices())

    def decay(t, u, args):
        return linear @ u

    def transport(t, u, args):
        return advection @ (u * u)

    whole = diffrax.ODETerm(lambda t, u, args: decay(t, u, args) + transport(t, u, args))
    split = diffrax.MultiTerm(diffrax.ODETerm(transport), diffrax.ODETerm(decay))
    return [
        _method("diffrax Kvaerno3", whole, diffrax.Kvaerno3(), problem, (1e-3, 1e-4, 1e-5), count),
        _method("diffrax Kvaerno5", whole, diffrax.Kvaerno5(), problem, (1e-2, 1e-3, 1e-4, 1e-5), count),
        _method("diffrax KenCarp4", split, diffrax.KenCarp4(), problem, (1e-2, 1e-3, 1e-4), count),
    ]


def lorenz96(problem: Ensemble) -> list[Method]:
    """Explicit methods on the whole ensemble."""

    def field(t, x, args):
        return (jnp.roll(x, -1) - jnp.roll(x, 2)) * jnp.roll(x, 1) - x + lorenz96_ensemble.FORCING

    tolerances = tuple(10.0**-k for k in range(3, 11))
    solvers = {"Tsit5": diffrax.Tsit5(), "Dopri5": diffrax.Dopri5(), "Dopri8": diffrax.Dopri8()}
    whole = len(problem.initial)
    return [
        _method(f"diffrax {name}", diffrax.ODETerm(field), solver, problem, tolerances, whole)
        for name, solver in solvers.items()
    ]


def _method(
    name: str,
    term: diffrax.AbstractTerm,
    solver: diffrax.AbstractSolver,
    problem: Ensemble,
    settings: Sequence[float],
    count: int,
) -> Method:
    end = problem.end

    @jax.jit
    def follow(initial: jax.Array, tolerance: jax.Array) -> jax.Array:
        control = diffrax.PIDController(rtol=tolerance, atol=tolerance)

        def final(x: jax.Array) -> jax.Array:
            return diffrax.diffeqsolve(
                term, solver, 0.0, end, None, x, stepsize_controller=control, max_steps=MAX_STEPS
            ).ys[-1]

        return jax.vmap(final)(initial)

    def solve(setting: float, n: int) -> Tensor:
        initial = jnp.asarray(problem.initial[:n].numpy(), dtype=jnp.float64)
        final = jax.block_until_ready(follow(initial, jnp.asarray(setting, dtype=jnp.float64)))
        return torch.tensor(jax.device_get(final))

    return Method(name, solve, tuple(settings), count, compiled=True)
