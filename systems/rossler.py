"""Roessler's equations: the simplest strange attractor, a band that is folded over itself."""

import torch
from torch import Tensor

from dynred.ode.known_set import KnownSet
from dynred.ode.system import System


def rossler() -> System:
    """x' = -y - z, y' = x + a y, z' = b + z (x - c).

    Parameters (dimensionless): `a` .2, `b` .2, `c` 5.7. Time is dimensionless.

    Known at these values: Lyapunov exponents .071, 0, -5.394; Kaplan-Yorke dimension 2.013. Known exactly: the
    divergence a - c + x, and the equilibria x = (c +- sqrt(c^2 - 4 a b)) / 2, y = -x / a, z = x / a.

    References:
        O. E. Roessler, Phys. Lett. A 57, 397 (1976).
    """

    def rhs(t: Tensor, x: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        x, y, z = x.unbind(-1)
        return torch.stack([-y - z, x + a * y, b + z * (x - c)], -1)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        # Around the inner equilibrium, at the height z of the band.
        plane = 3 * torch.randn(n, 2, generator=rng, dtype=torch.float64).clamp(-2, 2)
        return torch.cat([plane, 0.03 * torch.rand(n, 1, generator=rng, dtype=torch.float64)], -1)

    return System(
        name="rossler",
        dim=3,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"a": 0.2, "b": 0.2, "c": 5.7},
        transient=100.0,
        duration=100.0,
        sampling=0.1,
        time_scale=1 / 0.071,
        time_scale_name="Lyapunov times",
        stiff=False,
        known=KnownSet(components=1, closed=False, constants={"lyapunov_1": 0.071, "kaplan_yorke_dimension": 2.013}),
        reference="O. E. Roessler, Phys. Lett. A 57, 397 (1976)",
    )
