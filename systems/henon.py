"""Henon's map: the simplest smooth map with a strange attractor."""

import torch
from torch import Tensor

from dynred.ode.known_set import KnownSet
from dynred.ode.system import System


def henon() -> System:
    """x' = 1 - a x^2 + y, y' = b x, a map: ' is the next state.

    Parameters (dimensionless): `a` 1.4, `b` .3. Time counts steps.

    Known at these values: Lyapunov exponents .4192 and -1.6232 per step; Kaplan-Yorke dimension 1.258. Known exactly:
    the determinant of the Jacobian is -b, so that the exponents sum up to log b; the fixed point on the attractor,
    x = (b - 1 + sqrt((1 - b)^2 + 4 a)) / (2 a), y = b x.

    References:
        M. Henon, Commun. Math. Phys. 50, 69 (1976); J. C. Sprott, Chaos and Time-Series Analysis, Oxford (2003).
    """

    def step(t: Tensor, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        x, y = x.unbind(-1)
        return torch.stack([1 - a * x * x + y, b * x], -1)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        # Well inside the basin of attraction.
        return 0.4 * (torch.rand(n, 2, generator=rng, dtype=torch.float64) - 0.5)

    return System(
        name="henon",
        dim=2,
        rhs=step,
        sample_initial=sample_initial,
        parameters={"a": 1.4, "b": 0.3},
        transient=100.0,
        duration=100.0,
        sampling=1.0,
        time_scale=1 / 0.4192,
        time_scale_name="Lyapunov times",
        time_unit="steps",
        discrete=True,
        known=KnownSet(components=1, constants={"lyapunov_1": 0.4192, "kaplan_yorke_dimension": 1.258}),
        reference="M. Henon, Commun. Math. Phys. 50, 69 (1976)",
    )
