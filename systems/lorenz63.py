"""Lorenz's three-mode model of convection, the first strange attractor."""

import torch
from torch import Tensor

from dynred.system import KnownSet, System


def lorenz63() -> System:
    """x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z.

    Parameters (dimensionless): `sigma` 10, `rho` 28, `beta` 8/3. Time is dimensionless.

    Known at these values: Lyapunov exponents .906, 0, -14.572; Kaplan-Yorke dimension 2.062; the divergence is
    -(sigma + 1 + beta) = -41/3 everywhere, exactly.

    References:
        E. N. Lorenz, J. Atmos. Sci. 20, 130 (1963).
    """

    def rhs(t: Tensor, x: Tensor, sigma: Tensor, rho: Tensor, beta: Tensor) -> Tensor:
        x, y, z = x.unbind(-1)
        return torch.stack([sigma * (y - x), x * (rho - z) - y, x * y - beta * z], -1)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        centre = torch.tensor([0.0, 0.0, 25.0], dtype=torch.float64)
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
        known=KnownSet(
            components=1,
            closed=False,
            constants={"lyapunov_1": 0.906, "kaplan_yorke_dimension": 2.062, "divergence": -41 / 3},
        ),
        reference="E. N. Lorenz, J. Atmos. Sci. 20, 130 (1963)",
    )
