"""Lorenz's three-mode model of convection, the first strange attractor."""

import math

import torch
from torch import Tensor

from dynred.data.symmetries import Sign
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System


def lorenz63() -> System:
    """x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z.

    Parameters (dimensionless): `sigma` 10, `rho` 28, `beta` 8/3. Time is dimensionless.

    Known at these values: Lyapunov exponents .906, 0, -14.572; Kaplan-Yorke dimension 2.062; the divergence is
    -(sigma + 1 + beta) = -41/3 everywhere, exactly. Every trajectory tends to the ball |(x, y, z - sigma - rho)| <=
    beta (sigma + rho) / (2 sqrt(beta - 1)), for sigma >= 1 and beta >= 2.

    In rho, for sigma 10, beta 8/3: the origin attracts all states up to rho = 1; above, two equilibria at
    z = rho - 1, x = y = +-sqrt(beta (rho - 1)), which are stable up to rho = 470/19 = 24.74 (chaos, at first only as a
    long transient, appears at 13.93, a strange attractor beside them at 24.06); there are windows of periodic orbits
    from about 99.5 on. Initial states lie around z = rho - 3. Near rho = 1 and 24.74 the approach to K is slow: take a
    longer `transient`. The constants are for the defaults.

    References:
        E. N. Lorenz, J. Atmos. Sci. 20, 130 (1963); C. Sparrow, The Lorenz Equations, Springer (1982) (in rho);
        C. R. Doering, J. D. Gibbon, Dyn. Stab. Syst. 10, 255 (1995) (the ball).
    """

    def rhs(t: Tensor, x: Tensor, sigma: Tensor, rho: Tensor, beta: Tensor) -> Tensor:
        x, y, z = x.unbind(-1)
        return torch.stack([sigma * (y - x), x * (rho - z) - y, x * y - beta * z], -1)

    def sample_initial(n: int, rng: torch.Generator, rho: Tensor) -> Tensor:
        centre = (rho - 3)[:, None] * torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
        return centre + 5 * torch.randn(n, 3, generator=rng, dtype=torch.float64)

    return System(
        name="lorenz63",
        dim=3,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"sigma": 10.0, "rho": 28.0, "beta": 8 / 3},
        transient=20.0,
        duration=20.0,
        sampling=0.05,
        time_scale=1 / 0.906,
        time_scale_name="Lyapunov times",
        stiff=False,
        symmetries=(Sign((0, 1)),),
        known=KnownSet(
            components=1,
            closed=False,
            constants={
                "lyapunov_1": 0.906,
                "kaplan_yorke_dimension": 2.062,
                "divergence": -41 / 3,
                "absorbing_radius": (8 / 3) * 38 / (2 * math.sqrt(5 / 3)),
            },
        ),
        reference="E. N. Lorenz, J. Atmos. Sci. 20, 130 (1963)",
    )
