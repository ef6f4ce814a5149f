"""A rod that is heated at one end and loses heat along its length: diffusion with an input."""

import math

import torch
from torch import Tensor

from dynred.checks import integer
from dynred.data.grid import Axis, Grid
from dynred.ode.drawn_signals import Multisine
from dynred.ode.system import System

LOSS, RADIATION = 0.5, 0.1  # rates at which heat is lost, in proportion to T and to T^3


def heated_rod(points: int = 16) -> System:
    """T_t = T_xx - .5 T - .1 T^3 on [0, 1], with the flux -T_x = u(t) into the end x = 0, and T_x = 0 at x = 1.

    Input: `heat` u(t) in [0, 4], the flux at x = 0. Central differences on `points` cells of equal width. At a constant
    input every trajectory comes to rest, so that what moves is what the input does: few modes, as diffusion forgets all
    others.

    Args:
        points: number of cells, >= 4.
    """
    integer("points", points, 4)
    width = 1.0 / points

    def rhs(t: Tensor, x: Tensor, u: Tensor) -> Tensor:
        flux = torch.diff(x, dim=-1) / width
        ends = torch.zeros_like(x[..., :1])
        left = torch.broadcast_to(-u, ends.shape).to(x)
        inner = torch.cat([left, flux, ends], -1)
        return torch.diff(inner, dim=-1) / width - LOSS * x - RADIATION * x**3

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        place = (torch.arange(points, dtype=torch.float64) + 0.5) * width
        mean, slope = torch.rand(2, n, 1, generator=rng, dtype=torch.float64)
        return 2 * mean + slope * torch.cos(math.pi * place)

    return System(
        name="heated_rod",
        dim=points,
        rhs=rhs,
        sample_initial=sample_initial,
        inputs={"heat": (0.0, 4.0)},
        signal=Multisine(waves=24, slowest=8.0, fastest=0.1),
        transient=1.0,
        duration=8.0,
        sampling=0.02,
        time_scale=1.0,
        time_scale_name="times of diffusion along the rod",
        stiff=False,
        grid=Grid((Axis("x", (torch.arange(points, dtype=torch.float64) + 0.5) * width),), ("T",)),
        reference="the heat equation with a flux at one end, a standard test of control; own constants",
    )
