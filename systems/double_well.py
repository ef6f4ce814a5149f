"""A damped particle in a double well: two attractors, so that K is disconnected."""

import torch
from torch import Tensor

from dynred.checks import positive
from dynred.data.symmetries import Sign
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System


def double_well(damping: float = 0.1) -> System:
    """q'' = q - q^3 - damping q', state (q, q'): a particle in the potential q^4 / 4 - q^2 / 2.

    Parameter: `damping` (dimensionless, .1), > 0 for attractors to exist. Time is dimensionless.

    Known exactly: the energy q'^2 / 2 + q^4 / 4 - q^2 / 2 falls at the rate damping q'^2; almost every state ends in
    one of the two equilibria q = +-1, where the eigenvalues are -damping / 2 +- i sqrt(2 - damping^2 / 4)
    (underdamped), so K is two points; the exceptions are the saddle q = 0 and its stable manifold, which parts the
    basins. Trajectories start away from K (`transient` is 0): they show the spirals into both wells.

    Args:
        damping: default of the parameter, > 0.

    References:
        J. Guckenheimer, P. Holmes, Nonlinear Oscillations, Dynamical Systems, and Bifurcations of Vector Fields,
        Springer (1983), section 2.2 (Duffing's equation without forcing).
    """
    positive("damping", damping)

    def rhs(t: Tensor, x: Tensor, damping: Tensor) -> Tensor:
        q, velocity = x.unbind(-1)
        return torch.stack([velocity, q - q**3 - damping * velocity], -1)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        return torch.tensor([3.0, 2.0]).double() * (torch.rand(n, 2, generator=rng, dtype=torch.float64) - 0.5)

    def sample(n: int, rng: torch.Generator) -> Tensor:
        side = 2.0 * torch.randint(2, (n,), generator=rng).double() - 1
        return torch.stack([side, torch.zeros_like(side)], -1)

    return System(
        name="double_well",
        dim=2,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"damping": float(damping)},
        duration=60.0,
        sampling=0.1,
        time_scale=2 / damping,
        time_scale_name="decay times",
        stiff=False,
        symmetries=(Sign(),),
        known=KnownSet(
            dimension=0,
            components=2,
            betti=(2,),
            reach=1.0,
            closed=True,
            sample=sample,
            distance=lambda x: torch.hypot(x[..., 0].abs() - 1, x[..., 1]),
            constants={"decay_rate": -damping / 2, "angular_frequency": (2 - damping**2 / 4) ** 0.5}
            if damping < 8**0.5
            else {},
        ),
        reference="J. Guckenheimer, P. Holmes, Nonlinear Oscillations ..., Springer (1983), section 2.2",
    )
