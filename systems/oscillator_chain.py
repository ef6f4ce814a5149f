"""A chain of masses on weakly damped springs, one of them nonlinear: the standard test of spectral submanifolds."""

import math

import torch
from torch import Tensor

from dynred.checks import integer, positive
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System

STIFFNESS = 1.0  # of every spring, N / m
MASS_DAMPING, STIFFNESS_DAMPING = 0.002, 0.005  # Rayleigh damping C = .002 M + .005 K, in 1 / s and s
FIRST_MASS = 1.5  # kg; the others are 1 kg
QUADRATIC, MIXED, CUBIC_DAMPING = 0.33, 0.7, 0.5  # coefficients of v1^2, q1^2 v1, v1^3 in the force on the first mass


def oscillator_chain(masses: int = 5, modes: int = 2, radius: float = 0.3) -> System:
    """M q'' + C q' + K q + m_1 (cubic q_1^3 + .7 q_1^2 q_1' + .33 q_1'^2 + .5 q_1'^3) e_1 = 0, state (q, q').

    M = diag(1.5, 1, ..., 1) kg; K is tridiagonal with 2 and -1 (N / m), its last entry 1: the chain hangs from a wall
    at one end, where its first mass has the nonlinear spring and damper, and is free at the other; C = .002 M + .005 K.
    Parameter: `cubic`, 3 N / (m^3 kg). Time is in seconds, q in metres.

    Known exactly: the origin is the only attractor near it; the eigenvalues there (constants decay_j, frequency_j,
    slowest first), for five masses -.0011996 +- .28254 i, -.0025406 +- .785 i, -.0046493 +- 1.2082 i ... The energy
    q' M q' / 2 + q K q / 2 + cubic m_1 q_1^4 / 4 changes at the rate of the damping alone. K here is the slow spectral
    submanifold, the smoothest invariant manifold tangent to the eigenspace of the `modes` slowest pairs: a disc of
    dimension 2 `modes`, not known in closed form. Trajectories start on that eigenspace, a small distance from it.
    The two-dimensional exact test of the same literature, q'' = q - q^3 - .1 q', is `double_well`.

    Args:
        masses: number of masses, >= 1.
        modes: pairs of eigenvalues of the slow manifold, in [1, masses]; published: 1 and 2.
        radius: largest norm of an initial state, > 0; published: .3.

    References:
        M. Cenedese, J. Axas, B. Baeuerlein, K. Avila, G. Haller, Nat. Commun. 13, 872 (2022); SSMLearn's example
        oscillatorchain (n = 5).
    """
    integer("masses", masses, 1)
    integer("modes", modes, 1, masses)
    positive("radius", radius)
    mass = torch.ones(masses, dtype=torch.float64)
    mass[0] = FIRST_MASS
    chain = torch.diag(torch.full((masses,), 2.0)) - torch.diag(torch.ones(masses - 1), 1)
    chain = STIFFNESS * (chain - torch.diag(torch.ones(masses - 1), -1)).double()
    chain[-1, -1] = STIFFNESS
    damping = MASS_DAMPING * torch.diag(mass) + STIFFNESS_DAMPING * chain
    # The rows of the linear part that give q'' = -M^-1 K q - M^-1 C q'.
    pull, drag = -chain / mass[:, None], -damping / mass[:, None]

    def rhs(t: Tensor, x: Tensor, cubic: Tensor) -> Tensor:
        q, v = x.split(masses, -1)
        first, speed = q[..., 0], v[..., 0]
        force = cubic * first**3 + MIXED * first**2 * speed + QUADRATIC * speed**2 + CUBIC_DAMPING * speed**3
        acceleration = q @ pull.T.to(x) + v @ drag.T.to(x)
        return torch.cat([v, acceleration[..., :1] - force[..., None], acceleration[..., 1:]], -1)

    zero, identity = torch.zeros(masses, masses).double(), torch.eye(masses).double()
    values, vectors = torch.linalg.eig(torch.cat([torch.cat([zero, identity], 1), torch.cat([pull, drag], 1)]))
    order = torch.argsort(-values.real + 1e-9 * (values.imag < 0), stable=True)[0::2][:modes]
    values, vectors = values[order], vectors[:, order]
    slow = torch.linalg.qr(torch.cat([vectors.real, vectors.imag], 1))[0]  # [2 masses, 2 modes], orthonormal

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        direction = torch.randn(n, 2 * modes, generator=rng, dtype=torch.float64)
        length = radius * (0.5 + 0.5 * torch.rand(n, 1, generator=rng, dtype=torch.float64))
        return length * direction / torch.linalg.vector_norm(direction, dim=-1, keepdim=True) @ slow.T

    constants = {f"decay_{j + 1}": float(value.real) for j, value in enumerate(values)}
    constants |= {f"frequency_{j + 1}": abs(float(value.imag)) for j, value in enumerate(values)}
    period = 2 * math.pi / constants["frequency_1"]
    return System(
        name="oscillator_chain",
        dim=2 * masses,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"cubic": 3.0},
        duration=20 * period,
        sampling=0.25,
        time_scale=period,
        time_scale_name="periods of the slowest mode",
        time_unit="s",
        stiff=False,
        known=KnownSet(dimension=2 * modes, components=1, betti=(1,), closed=False, constants=constants),
        reference="M. Cenedese et al., Nat. Commun. 13, 872 (2022); SSMLearn, oscillatorchain",
    )
