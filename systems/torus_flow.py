"""Quasi-periodic motion: an attracting flat torus in R^n on which two angles turn at incommensurate rates."""

import math

import torch
from torch import Tensor

from dynred.checks import integer, positive
from dynred.data.symmetries import Phase
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System
from dynred.rng import generator


def torus_flow(dim: int = 4, minor: float = 0.5, rate: float = 1.0, seed: int = 0) -> System:
    """z_j' = i omega_j z_j + (rate / 2) (1 - |z_j|^2 / r_j^2) z_j for j = 1, 2, w' = -rate w, x = Q [z_1; z_2; w].

    Q is orthogonal (the identity at dim = 4), r_1 = 1, r_2 = `minor`. Parameters: `omega_1` 1, `omega_2` the golden
    mean (1 + sqrt 5) / 2, in radians per time unit. No ratio is harder to approximate by fractions than the golden
    mean, so trajectories fill the torus evenly. Rational ratios give closed orbits.

    Known exactly: K is the torus |z_1| = 1, |z_2| = minor, w = 0, isometric to S^1(1) x S^1(minor), of reach min(1,
    minor) because nearest points are found circle by circle; it attracts at `rate` in every normal direction; the
    angles turn uniformly on and off the torus; all states with z_1, z_2 not 0 end on it. For a torus that is bent in
    R^n use `graph_lift` on this system.

    Args:
        dim: dimension of the state, >= 4.
        minor: radius of the second circle, > 0.
        rate: rate of attraction, per time unit, > 0.
        seed: draws Q.

    References:
        Two uncoupled Hopf normal forms: J. Guckenheimer, P. Holmes, Nonlinear Oscillations ..., Springer (1983),
        section 3.4.
    """
    integer("dim", dim, 4)
    positive("minor", minor)
    positive("rate", rate)
    random = torch.randn(dim, dim, generator=generator(seed, "torus_flow", dim), dtype=torch.float64)
    rotation = torch.linalg.qr(random)[0] if dim > 4 else torch.eye(4, dtype=torch.float64)
    radii = torch.tensor([1.0, minor], dtype=torch.float64)

    def rhs(t: Tensor, x: Tensor, omega_1: Tensor, omega_2: Tensor) -> Tensor:
        a, b, w = (x @ rotation.to(x)).split([2, 2, dim - 4], -1)
        parts = [_hopf(a, omega_1, 1.0, rate), _hopf(b, omega_2, minor, rate), -rate * w]
        return torch.cat(parts, -1) @ rotation.T.to(x)

    def at(angles: Tensor, radii: Tensor, w: Tensor) -> Tensor:
        circles = radii[..., None] * torch.stack([torch.cos(angles), torch.sin(angles)], -1)
        return torch.cat([circles.flatten(-2), w], -1) @ rotation.T

    def sample(n: int, rng: torch.Generator) -> Tensor:
        angles = 2 * math.pi * torch.rand(n, 2, generator=rng, dtype=torch.float64)
        return at(angles, radii, torch.zeros(n, dim - 4, dtype=torch.float64))

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        angles = 2 * math.pi * torch.rand(n, 2, generator=rng, dtype=torch.float64)
        stretched = radii * (0.5 + torch.rand(n, 2, generator=rng, dtype=torch.float64))
        return at(angles, stretched, 0.3 * torch.randn(n, dim - 4, generator=rng, dtype=torch.float64))

    def distance(x: Tensor) -> Tensor:
        y = x @ rotation.to(x)
        moduli = torch.linalg.vector_norm(y[..., :4].unflatten(-1, (2, 2)), dim=-1)
        return torch.hypot(
            torch.linalg.vector_norm(moduli - radii.to(x), dim=-1), torch.linalg.vector_norm(y[..., 4:], dim=-1)
        )

    return System(
        name="torus_flow",
        dim=dim,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"omega_1": 1.0, "omega_2": (1 + math.sqrt(5)) / 2},
        transient=30.0 / rate,
        duration=100.0,
        sampling=0.1,
        time_scale=2 * math.pi,
        time_scale_name="turns of the first angle",
        stiff=False,
        symmetries=(Phase(0, 1), Phase(2, 3)) if dim == 4 else (),
        known=KnownSet(
            dimension=2,
            components=1,
            betti=(1, 2, 1),
            reach=min(1.0, minor),
            closed=True,
            sample=sample,
            distance=distance,
            constants={"normal_rate": -rate},
        ),
        reference="J. Guckenheimer, P. Holmes, Nonlinear Oscillations ..., Springer (1983), section 3.4",
    )


def _hopf(z: Tensor, omega: Tensor, radius: float, rate: float) -> Tensor:
    # Linearised at |z| = radius the radius decays at `rate`, because d/dr [(rate/2)(1 - r^2/R^2) r] = -rate there.
    turned = torch.stack([-z[..., 1], z[..., 0]], -1)
    return omega[..., None] * turned + 0.5 * rate * (1 - z.pow(2).sum(-1, keepdim=True) / radius**2) * z
