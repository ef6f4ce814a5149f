"""Mean-field model of the wake behind a cylinder: a limit cycle on a slow parabolic manifold."""

import math

import torch
from torch import Tensor

from dynred.data.symmetries import Phase
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System


def mean_field_wake() -> System:
    """x' = mu x - omega y + A x z, y' = omega x + mu y + A y z, z' = -lambda (z - x^2 - y^2).

    Parameters (dimensionless): `mu` .1, `omega` 1, `A` -.1, `decay` (lambda) 10. Time is dimensionless.

    Known exactly at these values: the limit cycle x^2 + y^2 = 1, z = 1 of period 2 pi. States near it fall first onto
    the slow manifold, where z is close to x^2 + y^2, at a rate of about lambda, then onto the cycle.

    References:
        B. R. Noack, K. Afanasiev, M. Morzynski, G. Tadmor, F. Thiele, J. Fluid Mech. 497, 335 (2003), eq. 4.1.
    """

    def rhs(t: Tensor, x: Tensor, mu: Tensor, omega: Tensor, A: Tensor, decay: Tensor) -> Tensor:
        x, y, z = x.unbind(-1)
        growth = mu + A * z
        return torch.stack([growth * x - omega * y, omega * x + growth * y, -decay * (z - x * x - y * y)], -1)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        angle = 2 * math.pi * torch.rand(n, generator=rng, dtype=torch.float64)
        r = 0.3 + torch.rand(n, generator=rng, dtype=torch.float64)
        z = r**2 + 0.1 * torch.randn(n, generator=rng, dtype=torch.float64)
        return torch.stack([r * torch.cos(angle), r * torch.sin(angle), z], -1)

    def sample(n: int, rng: torch.Generator) -> Tensor:
        angle = 2 * math.pi * torch.rand(n, generator=rng, dtype=torch.float64)
        return torch.stack([torch.cos(angle), torch.sin(angle), torch.ones_like(angle)], -1)

    def distance(x: Tensor) -> Tensor:
        return torch.hypot(torch.hypot(x[..., 0], x[..., 1]) - 1, x[..., 2] - 1)

    return System(
        name="mean_field_wake",
        dim=3,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"mu": 0.1, "omega": 1.0, "A": -0.1, "decay": 10.0},
        transient=150.0,
        duration=8 * math.pi,
        sampling=math.pi / 25,
        time_scale=2 * math.pi,
        time_scale_name="periods",
        stiff=False,
        symmetries=(Phase(),),
        known=KnownSet(
            dimension=1,
            components=1,
            betti=(1, 1),
            reach=1.0,
            closed=True,
            sample=sample,
            distance=distance,
            constants={"radius": 1.0, "height": 1.0, "period": 2 * math.pi},
        ),
        reference="B. R. Noack et al., J. Fluid Mech. 497, 335 (2003)",
    )
