"""Ten sets with known answer, sampled at random and lifted to R^50: the ground that the verdict is tested on."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dynred.ode.find import find_system
from dynred.rng import generator

AMBIENT = 50


@dataclass(frozen=True)
class KnownAnswer:
    """A set and what is true of it.

    Attributes:
        sample: `(n, rng) -> [n, d]`, uniform where that is easy.
        dimension: of the set; the box dimension of a strange attractor.
        smooth: whether it is a manifold, so that the dimension must come out within .25.
        betti: Betti numbers 0 to 2.
        closed: whether it is a closed manifold.
        reach: of one component, None where there is no closed form or none.
        obstructed: the k that cannot carry it without a worst-case error of the size of the set.
        possible: a k that can.
        angles, lines, charts: a latent space with fewest coordinates; None where several are as good.
        points: how many are drawn.
    """

    sample: Callable[[int, torch.Generator], Tensor]
    dimension: float
    betti: tuple[int, int, int]
    closed: bool
    obstructed: tuple[int, ...]
    possible: int
    reach: float | None = None
    smooth: bool = True
    latent: tuple[int, int, int] | None = None
    points: int = 2000


def angles(n: int, count: int, rng: torch.Generator) -> tuple[Tensor, ...]:
    return tuple(2 * math.pi * torch.rand(count, n, generator=rng, dtype=torch.float64))


def uniform(n: int, rng: torch.Generator) -> Tensor:
    return torch.rand(n, generator=rng, dtype=torch.float64)


def points(n: int, rng: torch.Generator) -> Tensor:
    """Seven isolated points, visited again and again up to 1e-9."""
    centres = torch.randn(7, 3, generator=generator(0, "centres"), dtype=torch.float64)
    visits = torch.randint(7, (n,), generator=rng)
    return centres[visits] + 1e-9 * torch.randn(n, 3, generator=rng, dtype=torch.float64)


def circle(n: int, rng: torch.Generator) -> Tensor:
    (s,) = angles(n, 1, rng)
    return torch.stack([torch.cos(s), torch.sin(s)], -1)


def linked_circles(n: int, rng: torch.Generator) -> Tensor:
    known = find_system("linked_circles").known
    assert known.sample is not None
    return known.sample(n, rng)


def sphere(n: int, dim: int, rng: torch.Generator) -> Tensor:
    x = torch.randn(n, dim + 1, generator=rng, dtype=torch.float64)
    return x / torch.linalg.vector_norm(x, dim=-1, keepdim=True)


def torus(n: int, rng: torch.Generator) -> Tensor:
    u, v = angles(n, 2, rng)
    rho = 1 + 0.5 * torch.cos(v)
    return torch.stack([rho * torch.cos(u), rho * torch.sin(u), 0.5 * torch.sin(v)], -1)


def klein_bottle(n: int, rng: torch.Generator) -> Tensor:
    """(u, v) ~ (u + 2 pi, -v), in R^4."""
    u, v = angles(n, 2, rng)
    rho = 2 + torch.cos(v)
    across = torch.sin(v)
    return torch.stack(
        [rho * torch.cos(u), rho * torch.sin(u), across * torch.cos(u / 2), across * torch.sin(u / 2)], -1
    )


def disc(n: int, rng: torch.Generator) -> Tensor:
    return circle(n, rng) * uniform(n, rng).sqrt()[:, None]


def swiss_roll(n: int, rng: torch.Generator) -> Tensor:
    s = 1.5 * math.pi * (1 + 2 * uniform(n, rng))
    return torch.stack([s * torch.cos(s), 21 * uniform(n, rng), s * torch.sin(s)], -1)


def circle_and_point(n: int, rng: torch.Generator) -> Tensor:
    """A unit circle, and every tenth time one and the same point above it."""
    x = torch.cat([circle(n, rng), torch.zeros(n, 1, dtype=torch.float64)], 1)
    x[::10] = torch.tensor([0.0, 0.0, 2.0], dtype=torch.float64)
    return x


def trefoil(n: int, rng: torch.Generator) -> Tensor:
    (s,) = angles(n, 1, rng)
    across = [torch.sin(s) + 2 * torch.sin(2 * s), torch.cos(s) - 2 * torch.cos(2 * s)]
    return torch.stack([*across, -torch.sin(3 * s)], -1)


def crossing(n: int, rng: torch.Generator, height: float = 0.0) -> Tensor:
    """C. Gerono's lemniscate; with a height its two strands pass over each other, and it is a closed curve."""
    (s,) = angles(n, 1, rng)
    parts = [torch.cos(s), torch.sin(s) * torch.cos(s), height * torch.sin(s)]
    return torch.stack(parts if height else parts[:2], -1)


def ball(n: int, rng: torch.Generator) -> Tensor:
    return sphere(n, 2, rng) * uniform(n, rng)[:, None] ** (1 / 3)


def annulus(n: int, rng: torch.Generator) -> Tensor:
    return circle(n, rng) * (1 + 3 * uniform(n, rng)).sqrt()[:, None]


def lorenz(n: int, rng: torch.Generator) -> Tensor:
    """States of n trajectories after 20 time units, by Runge and Kutta's method with steps of .01."""
    system = find_system("lorenz63")
    field, h, zero = system.at(), 0.01, torch.zeros((), dtype=torch.float64)
    x = system.initial(n, rng)
    for _ in range(2000):
        k1 = field(zero, x)
        k2 = field(zero, x + 0.5 * h * k1)
        k3 = field(zero, x + 0.5 * h * k2)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + field(zero, x + h * k3))
    return x


SETS = {
    "points": KnownAnswer(points, 0, (7, 0, 0), True, (), 1, latent=(0, 1, 1)),
    "circle": KnownAnswer(circle, 1, (1, 1, 0), True, (1,), 2, 1.0, latent=(1, 0, 1)),
    "linked circles": KnownAnswer(linked_circles, 1, (2, 2, 0), True, (1,), 2, 1.0, latent=(1, 1, 1)),
    "S2": KnownAnswer(lambda n, rng: sphere(n, 2, rng), 2, (1, 0, 1), True, (1, 2), 3, 1.0, latent=(0, 3, 1)),
    "S3": KnownAnswer(lambda n, rng: sphere(n, 3, rng), 3, (1, 0, 0), True, (1, 2, 3), 4, 1.0, latent=(0, 4, 1)),
    "torus": KnownAnswer(torus, 2, (1, 2, 1), True, (1, 2), 3, 0.5, latent=(2, 0, 1)),
    "Klein bottle": KnownAnswer(klein_bottle, 2, (1, 2, 1), True, (1, 2, 3), 4, latent=(0, 2, 3)),
    "disc": KnownAnswer(disc, 2, (1, 0, 0), False, (1,), 2, latent=(0, 2, 1)),
    "swiss roll": KnownAnswer(swiss_roll, 2, (1, 0, 0), False, (1,), 2, latent=(0, 2, 1)),
    "Lorenz attractor": KnownAnswer(lorenz, 2.06, (1, 2, 0), False, (1,), 3, smooth=False, points=4000),
}


def lifted(x: Tensor, rng: torch.Generator, *, noise: float = 0.0, dim: int = AMBIENT) -> Tensor:
    """The points carried by a random isometry into R^dim, with Gaussian noise of `noise` times the diameter, whose
    root mean square length that is."""
    frame = torch.linalg.qr(torch.randn(dim, x.shape[1], generator=rng, dtype=torch.float64))[0]
    diameter = float(torch.cdist(x[:500], x[:500]).max())
    scatter = torch.randn(len(x), dim, generator=rng, dtype=torch.float64) / math.sqrt(dim)
    return x @ frame.T + noise * diameter * scatter


def draw(name: str, seed: int, *, noise: float = 0.0, n: int | None = None) -> Tensor:
    """A sample [n, 50] of one of the sets."""
    known = SETS[name]
    rng = generator(seed, name)
    return lifted(known.sample(n or known.points, rng), rng, noise=noise)
