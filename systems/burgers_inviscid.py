"""Inviscid Burgers equation with a parametric initial state: the full model of the LaSDI family of reduced models."""

import math

import torch
from torch import Tensor

from dynred.checks import integer, refuse
from dynred.data.grid import Axis, Grid
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System

HALF = 3.0  # half the length of the domain


def burgers_inviscid(points: int = 1001) -> System:
    """u_i' = -u_i (u_i - u_{i-1}) / dx, periodic on [-3, 3], u(x, 0) = a exp(-x^2 / (2 w^2)).

    First-order upwind differences of u_t + u u_x = 0 on `points` points, both ends among them, so that the last point
    repeats the first. Parameters: the initial amplitude `a`, .8, >= 0, and width `w`, 1, > 0. Unless they are given,
    each trajectory draws a from [.7, .9] and w from [.9, 1.1], the square of the published studies. All quantities are
    dimensionless.

    As published, time runs from 0 to 1 and the solver is `backward_euler` with 1,000 steps, Newton's method to 1e-8;
    the reduced models have learned its damping, too. The published data hold every step, `sampling` every tenth. Any
    other solver gives the flow of the differences.

    Known exactly: for u >= 0 states stay within the bounds of the initial state. The mass dx sum_i u_i (over one
    period) falls at the rate sum_i (u_i - u_{i-1})^2 / 2: upwinding this form of the equation does not conserve it; the
    loss vanishes with dx. Until the shock, at t = w sqrt(e) / a >= 1.64 on the published square, the solution for
    dx -> 0 is u(x + u_0(x) t, t) = u_0(x). Only u = const attracts. All trajectories of the same (a, w) are equal, so
    that the states of a study form a set of dimension three: a, w and t.

    Args:
        points: number of grid points, >= 11; published: 1001.

    References:
        X. He, Y. Choi, W. D. Fries, J. L. Belof, J.-S. Chen, J. Comput. Phys. 489, 112267 (2023) (gLaSDI);
        their code's residual, Jacobian and stopping rule.
    """
    integer("points", points, 11)
    x = torch.linspace(-HALF, HALF, points, dtype=torch.float64)
    spacing = 2 * HALF / (points - 1)

    def upstream(u: Tensor) -> Tensor:
        # The neighbour of the first point is the last but one, because the last point repeats the first.
        return torch.cat([u[..., -2:-1], u[..., :-1]], -1)

    def rhs(t: Tensor, u: Tensor, a: Tensor, w: Tensor) -> Tensor:
        return -u * (u - upstream(u)) / spacing  # a and w are in the initial state

    def sample_initial(n: int, rng: torch.Generator, a: Tensor, w: Tensor) -> Tensor:
        if (a < 0).any():
            raise refuse("a", ">= 0", f"{float(a.min()):g}", "Upwind differences are stable for u >= 0 only.")
        if (w <= 0).any():
            raise refuse("w", "> 0", f"{float(w.min()):g}")
        return a[:, None] * torch.exp(-0.5 * (x / w[:, None]) ** 2)

    def sample_parameters(n: int, rng: torch.Generator) -> dict[str, Tensor]:
        a, w = torch.rand(2, n, generator=rng, dtype=torch.float64)
        return {"a": 0.7 + 0.2 * a, "w": 0.9 + 0.2 * w}

    index = torch.arange(points)
    return System(
        name="burgers_inviscid",
        dim=points,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"a": 0.8, "w": 1.0},
        sample_parameters=sample_parameters,
        duration=1.0,
        sampling=0.01,
        time_scale=1.0,
        time_scale_name="published durations",
        solver="backward_euler",
        jacobian_sparsity=torch.stack([index.repeat(2), torch.cat([index, upstream(index)])]),
        grid=Grid((Axis("x", x),), ("u",)),
        known=KnownSet(dimension=3, components=1, closed=False, constants={"shock_time": math.exp(0.5) / 0.8}),
        reference="X. He, Y. Choi, W. D. Fries, J. L. Belof, J.-S. Chen, J. Comput. Phys. 489, 112267 (2023)",
    )
