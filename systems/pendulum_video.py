"""A film of a pendulum, 51 x 51 pixels: an ODE of two variables seen as an image."""

import math

import torch
from torch import Tensor

from dynred.checks import integer
from dynred.data.grid import Axis, Grid
from dynred.ode.known_set import KnownSet
from dynred.ode.observe import observe
from dynred.ode.system import System

ENERGY = 0.99  # largest |H| of an initial state, H = z'^2 / 2 - cos z; the pendulum goes over the top at 1
BLUR = 0.05  # the image of the bob is exp(-d^2 / BLUR)
BOX = (math.pi, 2.1)  # largest |z| and |z'| of an initial state


def pendulum_video(pixels: int = 51, moving: bool = False) -> System:
    """z'' = -sin z, seen as the image exp(-d^2 / .05), d the distance of a pixel from the bob (sin z, -cos z).

    Pixels are evenly spaced on [-1.5, 1.5]^2, the edges included; the state is the image row by row, from the bottom.
    As published, trajectories start uniformly in |z| < pi, |z'| < 2.1 where |H| <= .99, H = z'^2 / 2 - cos z, so that
    none goes over the top, and last 10 time units. The authors keep 500 images of each, .02 apart; `sampling` keeps
    every fifth. They train on 100 trajectories, validate on 10 and test on 10.

    An image shows the angle but not the speed, so it does not determine the next one: the authors learn an equation of
    second order from images and their derivatives. With `moving` the state is the image and its rate of change, of
    twice the dimension, which determine angle and speed.

    Known exactly: H is constant along every trajectory. The long-time states of the pendulum are all those with |H| <=
    .99, an annulus (around the rest position, where H < -.99). Their image is again an annulus with `moving`; without
    it, it is an arc, of the angles up to arccos(-.99) on either side.

    Args:
        pixels: pixels along each side, >= 5; published: 51.
        moving: whether the rate of change of the image is seen too.

    References:
        K. Champion, B. Lusch, J. N. Kutz, S. L. Brunton, PNAS 116, 22445 (2019), supporting
        information, and their code.
    """
    integer("pixels", pixels, 5)
    side = torch.linspace(-1.5, 1.5, pixels, dtype=torch.float64)
    up, across = (v.flatten() for v in torch.meshgrid(side, side, indexing="ij"))

    def see(x: Tensor) -> Tensor:
        z, speed = x[..., :1], x[..., 1:]
        right, above = across.to(x) - torch.sin(z), up.to(x) + torch.cos(z)
        image = torch.exp(-(right**2 + above**2) / BLUR)
        if not moving:
            return image
        change = image * 2 / BLUR * speed * (right * torch.cos(z) + above * torch.sin(z))
        return torch.cat([image, change], -1)

    def sample(n: int, rng: torch.Generator) -> Tensor:
        accepted = torch.empty(0, 2, dtype=torch.float64)
        box = torch.tensor(BOX, dtype=torch.float64)
        while len(accepted) < n:
            x = box * (2 * torch.rand(2 * n, 2, generator=rng, dtype=torch.float64) - 1)
            accepted = torch.cat([accepted, x[_energy(x).abs() <= ENERGY]])
        return accepted[:n]

    pendulum = System(
        name="pendulum",
        dim=2,
        rhs=lambda t, x: torch.stack([x[..., 1], -torch.sin(x[..., 0])], -1),
        sample_initial=sample,
        duration=10.0,
        sampling=0.1,
        time_scale=2 * math.pi,
        time_scale_name="periods of small swings",
        stiff=False,
        known=KnownSet(
            dimension=2,
            components=1,
            betti=(1, 1),
            closed=False,
            sample=sample,
            distance=lambda x: (_energy(x).abs() - ENERGY).clamp_min(0),
        ),
    )
    axes = (Axis("y", side), Axis("x", side))
    return observe(
        pendulum,
        see,
        name="pendulum_video",
        grid=Grid(axes, ("brightness", "change") if moving else ("brightness",)),
        known=KnownSet(
            dimension=2 if moving else 1,
            components=1,
            betti=(1, 1) if moving else (1,),
            closed=False,
            sample=lambda n, rng: see(sample(n, rng)),
        ),
        reference="K. Champion, B. Lusch, J. N. Kutz, S. L. Brunton, PNAS 116, 22445 (2019)",
    )


def _energy(x: Tensor) -> Tensor:
    return x[..., 1] ** 2 / 2 - torch.cos(x[..., 0])
