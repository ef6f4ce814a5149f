"""Solves an ODE with inputs that jump or bend: from one such time to the next, so that no step crosses one.

A method of order p is of order one across a jump, of order two across a bend, and an adaptive one takes tiny steps to
find it.
"""

from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.data.signals import ROUND_OFF
from dynred.ode.vector_field import VectorField
from dynred.solvers.base import LIMIT, Deadline, Solver


class Jumping(Protocol):
    """A velocity field with inputs that jump."""

    def jumps(self, start: float, end: float) -> Float[Tensor, " J"]:
        """The times between `start` and `end` at which the velocity is not smooth."""
        ...

    def on(self, start: float, end: float) -> VectorField:
        """The field from `start` to `end`, continued smoothly beyond."""
        ...


def solve_between_jumps(
    solver: Solver, field: Jumping, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
) -> Float[Tensor, "N T D"]:
    """States at `times`, as `Solver.solve` gives them, of a field that is smooth between its jumps.

    Args:
        solver: solves each part; a `time_limit` holds for all of them together.
        field: the velocity.
        x0: states at times[0].
        times: increasing.
        limit: largest absolute value of a component that does not count as diverged.
    """
    edges, deadline = _edges(field, times), Deadline(solver.time_limit)
    if len(edges) <= 2:
        return solver.solve(field.on(float(times[0]), float(times[-1])), x0, times, limit)
    states = torch.empty(len(x0), len(times), x0.shape[1], dtype=x0.dtype, device=x0.device)
    states[:, 0], x = x0, x0
    for start, end in pairwise(edges.tolist()):
        inside = torch.nonzero((times > start) & (times <= end))[:, 0]
        grid = torch.cat([torch.tensor([start]).double(), times[inside].double()])
        grid = grid if grid[-1] == end else torch.cat([grid, torch.tensor([end]).double()])
        alive = torch.nonzero(x.isfinite().all(-1))[:, 0]
        own = solver if solver.time_limit is None else replace(solver, time_limit=deadline.left())
        path = (
            torch.where(x.isnan().any(-1), torch.nan, torch.inf).to(x)[:, None, None].repeat(1, len(grid), x.shape[1])
        )
        path[alive] = own.solve(_rows(field.on(start, end), alive, len(x)), x[alive], grid, limit)
        states[:, inside], x = path[:, 1 : len(inside) + 1], path[:, -1]
    return states


def _rows(field: VectorField, alive: Int[Tensor, " n"], count: int) -> VectorField:
    return field if len(alive) == count else field.rows(alive)


def _edges(field: Jumping, times: Float[Tensor, " T"]) -> Float[Tensor, " E"]:
    """First and last time and the jumps between; a jump at a snapshot, to round-off, is at its very time."""
    start, end = float(times[0]), float(times[-1])
    jumps, grid = field.jumps(start, end), times.double().cpu()
    after = torch.searchsorted(grid, jumps).clamp(1, max(len(grid) - 1, 1)) if len(grid) > 1 else None
    if after is not None and len(jumps):
        near = torch.where(jumps - grid[after - 1] < grid[after] - jumps, grid[after - 1], grid[after])
        jumps = torch.where((jumps - near).abs() < ROUND_OFF * (end - start), near, jumps)
    return torch.unique(torch.cat([grid[:1], jumps, grid[-1:]]))
