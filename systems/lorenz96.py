"""Lorenz's 1996 model of a quantity along a circle of latitude: chaos whose extent grows with the number of sites."""

import torch
from torch import Tensor

from dynred.checks import integer
from dynred.data.grid import Axis, Grid
from dynred.data.symmetries import Shift
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System

# Constants by the number of sites, at forcing 8.
_KNOWN = {40: {"lyapunov_1": 1.68, "positive_exponents": 13.0, "kaplan_yorke_dimension": 27.16}}


def lorenz96(dim: int = 40) -> System:
    """x_i' = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F, i = 1..dim, indices periodic.

    Parameter: `forcing` F (dimensionless, 8). Time is dimensionless; Lorenz reads .05 as six hours.

    Known at 40 sites: leading Lyapunov exponent 1.67-1.70, 13 positive ones, Kaplan-Yorke dimension 27.16. Known
    exactly: the divergence is -dim; the quadratic terms conserve sum x_i^2 / 2; x_i = F is an equilibrium; shifting the
    sites is a symmetry.

    Args:
        dim: number of sites, >= 4.

    References:
        E. N. Lorenz, "Predictability: a problem partly solved", Proc. Seminar on Predictability 1, 1-18, ECMWF (1996).
    """
    integer("dim", dim, 4)

    def rhs(t: Tensor, x: Tensor, forcing: Tensor) -> Tensor:
        return (x.roll(-1, -1) - x.roll(2, -1)) * x.roll(1, -1) - x + forcing[..., None]

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        return 8 + torch.randn(n, dim, generator=rng, dtype=torch.float64)

    constants = {"divergence": -float(dim), **_KNOWN.get(dim, {})}
    return System(
        name="lorenz96",
        dim=dim,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"forcing": 8.0},
        transient=20.0,
        duration=20.0,
        sampling=0.05,
        time_scale=1 / 1.68,
        time_scale_name="Lyapunov times" if dim in _KNOWN else "Lyapunov times (approximate)",
        stiff=False,
        grid=Grid((Axis("site", torch.arange(dim, dtype=torch.float64), period=float(dim)),), ("x",)),
        symmetries=(Shift("site"),),
        known=KnownSet(constants=constants),
        reference="E. N. Lorenz, Proc. Seminar on Predictability 1, 1, ECMWF (1996)",
    )
