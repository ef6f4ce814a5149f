"""Rollouts in steps of equal length, which do not depend on the numbers in which a state is written."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.ode.vector_field import VectorField
from dynred.solvers.explicit import Explicit

HALVINGS = 12
SPAN = 4  # of the first step, over which steps are compared


def solved_evenly(
    field: VectorField, y0: Float[Tensor, "N R"], t: Float[Tensor, " T"], solver: Explicit, limit: float
) -> Float[Tensor, "N T R"]:
    """States at times t, by steps of equal length, at most `solver.step`, from each time to the next."""
    assert solver.step is not None
    steps = torch.ceil(torch.diff(t) / solver.step - 1e-9).clamp_min(1).long().tolist()
    parts = [torch.linspace(0, 1, n + 1, dtype=torch.float64, device=t.device)[1:] for n in steps]
    fine = [t[:1], *(a + (b - a) * part for a, b, part in zip(t[:-1], t[1:], parts, strict=True))]
    places = torch.cumsum(torch.tensor([0, *steps]), 0)
    return replace(solver, step=None).solve(field, y0, torch.cat(fine), limit)[:, places]


def fine_step(field: VectorField, y: Float[Tensor, "n R"], first: float, allowed: float) -> float:
    """The longest step, `first` divided by a power of two, that adds at most `allowed` per time.

    Errors are those at the end of a few times `first`: what is wrong of a single step may die out, as of stiff
    coordinates, or grow, where the step is unstable.

    Args:
        field: the velocity.
        y: states from which steps are held against steps of half their length.
        first: the step that is tried first.
        allowed: root mean square of the difference of a coordinate, per time.
    """
    steps, whole = SPAN, _advanced(field, y, SPAN * first, SPAN)
    for _ in range(HALVINGS):
        halves = _advanced(field, y, SPAN * first, 2 * steps)
        if float((whole - halves).square().mean().sqrt()) <= allowed * SPAN * first:
            break
        steps, whole = 2 * steps, halves
    return SPAN * first / steps


def _advanced(field: VectorField, y: Float[Tensor, "n R"], duration: float, steps: int) -> Float[Tensor, "n R"]:
    times = duration / steps * torch.arange(steps + 1, dtype=torch.float64)
    return Explicit(method="rk4").solve(field, y, times)[:, -1]
