"""Stuart-Landau oscillator: the normal form of a supercritical Hopf bifurcation."""

import math

import torch
from torch import Tensor

from dynred.checks import positive
from dynred.data.symmetries import Phase
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System


def stuart_landau(mu: float = 1.0, omega: float = 1.0) -> System:
    """z' = (mu + i omega) z - (1 + i shear) |z|^2 z with z = x + i y, state (x, y).

    Parameters (dimensionless): `mu`, `omega`, `shear` (0). Time is dimensionless.

    Known exactly: for mu > 0 the limit cycle is the circle of radius sqrt(mu), passed at the rate omega - shear mu, and
    deviations of the radius decay at the rate 2 mu; for mu <= 0 all states spiral into the origin, at the rate |mu|
    (like 1 / sqrt(2 t) at 0). Initial states scale with sqrt |mu|, and `sample` and `distance` of the known set take
    `mu`, one value or one per state; a study over several values of mu needs `transient` = 15 / min |mu|.

    Args:
        mu: default of the parameter, > 0; `transient`, `known` and `time_scale` are for it and for `omega`.
        omega: default of the parameter, > 0.

    References:
        L. D. Landau, Dokl. Akad. Nauk SSSR 44, 339 (1944); J. T. Stuart, J. Fluid Mech. 9, 353 (1960).
    """
    positive("mu", mu)
    positive("omega", omega)
    radius = math.sqrt(mu)

    def rhs(t: Tensor, x: Tensor, mu: Tensor, omega: Tensor, shear: Tensor) -> Tensor:
        x, y = x.unbind(-1)
        r2 = x * x + y * y
        growth, rate = mu - r2, omega - shear * r2
        return torch.stack([growth * x - rate * y, rate * x + growth * y], -1)

    def sample_initial(n: int, rng: torch.Generator, mu: Tensor) -> Tensor:
        angle = 2 * math.pi * torch.rand(n, generator=rng, dtype=torch.float64)
        r = mu.abs().sqrt() * (0.5 + torch.rand(n, generator=rng, dtype=torch.float64))
        return torch.stack([r * torch.cos(angle), r * torch.sin(angle)], -1)

    def sample(n: int, rng: torch.Generator, mu: Tensor | float = mu) -> Tensor:
        angle = 2 * math.pi * torch.rand(n, generator=rng, dtype=torch.float64)
        return _radius(mu).expand(n)[:, None] * torch.stack([torch.cos(angle), torch.sin(angle)], -1)

    def distance(x: Tensor, mu: Tensor | float = mu) -> Tensor:
        return (torch.linalg.vector_norm(x, dim=-1) - _radius(mu).to(x)).abs()

    period = 2 * math.pi / omega
    return System(
        name="stuart_landau",
        dim=2,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"mu": float(mu), "omega": float(omega), "shear": 0.0},
        transient=15.0 / mu,
        duration=4 * period,
        sampling=period / 50,
        time_scale=period,
        time_scale_name="periods",
        stiff=False,
        symmetries=(Phase(),),
        known=KnownSet(
            dimension=1,
            components=1,
            betti=(1, 1),
            reach=radius,
            closed=True,
            sample=sample,
            distance=distance,
            constants={"radius": radius, "radial_rate": -2 * mu, "period": period},
        ),
        reference="J. T. Stuart, J. Fluid Mech. 9, 353 (1960)",
    )


def _radius(mu: Tensor | float) -> Tensor:
    return torch.as_tensor(mu, dtype=torch.float64).clamp_min(0).sqrt()
