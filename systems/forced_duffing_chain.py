"""A chain of masses on springs whose first spring is a Duffing spring, driven by a force on its last mass."""

import math

import torch
from torch import Tensor

from dynred.checks import integer, positive
from dynred.ode.drawn_signals import Multisine
from dynred.ode.system import System

LINEAR, CUBIC = 1.0, 0.5  # stiffness of the first spring
STIFF = 20.0  # stiffness of the other springs, so that the masses move almost together
DAMPING = 0.1  # of each mass
FORCE = 1.0  # largest force on the last mass


def forced_duffing_chain(masses: int = 5, stiffness: float = STIFF) -> System:
    """q_j'' = -c q_j' + k (q_{j+1} - 2 q_j + q_{j-1}) - (first mass) (a q_1 + b q_1^3) + (last mass) masses u(t).

    Input: `force` u(t) in [-1, 1], a body force on the last mass, scaled by the number of masses so that the centre of
    mass feels u(t). Parameters: `cubic` b, 0.5, times the number of masses. Without the force every trajectory comes to
    rest. Springs between masses are stiff and damped in proportion to their stiffness, so that the chain soon follows
    its slowest pair of modes, driven.

    Args:
        masses: number of masses, >= 2.
        stiffness: of the springs between masses, > 0.

    References:
        After the forced oscillator chains of S. Jain, G. Haller, Nonlinear Dyn. 107, 1417 (2022).
    """
    integer("masses", masses, 2)
    positive("stiffness", stiffness)
    chain = torch.diag(torch.full((masses,), 2.0)) - torch.diag(torch.ones(masses - 1), 1)
    chain = (chain - torch.diag(torch.ones(masses - 1), -1)).double()
    chain[0, 0] = chain[-1, -1] = 1.0
    pull, drag = -stiffness * chain, -DAMPING * torch.eye(masses).double() - 0.1 * stiffness * chain

    def rhs(t: Tensor, x: Tensor, u: Tensor, cubic: Tensor) -> Tensor:
        q, v = x.split(masses, -1)
        first = q[..., 0]
        spring = masses * (LINEAR * first + cubic * first**3)
        acceleration = q @ pull.T.to(x) + v @ drag.T.to(x)
        pushed = acceleration[..., -1] + masses * u[..., 0]
        held = acceleration[..., 0] - spring
        return torch.cat([v, held[..., None], acceleration[..., 1:-1], pushed[..., None]], -1)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        q, v = torch.randn(2, n, 1, generator=rng, dtype=torch.float64)
        return torch.cat([0.5 * q.expand(n, masses), 0.5 * v.expand(n, masses)], -1)

    period = 2 * math.pi / math.sqrt(LINEAR)
    return System(
        name="forced_duffing_chain",
        dim=2 * masses,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"cubic": CUBIC},
        inputs={"force": (-FORCE, FORCE)},
        signal=Multisine(slowest=4.0, fastest=0.5),
        transient=2 * period,
        duration=10 * period,
        sampling=period / 50,
        time_scale=period,
        time_scale_name="periods of the linear spring",
        stiff=False,
        reference="a driven chain after S. Jain, G. Haller, Nonlinear Dyn. 107, 1417 (2022)",
    )
