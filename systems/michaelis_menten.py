"""Michaelis-Menten kinetics: an enzyme that binds its substrate fast and converts it slowly."""

import math

import torch
from torch import Tensor

from dynred.checks import integer, positive, refuse
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System


def michaelis_menten(epsilon: float = 0.1, michaelis: float = 1.0, turnover: float = 0.5) -> System:
    """s' = -s + (s + kappa - lambda) c, epsilon c' = s - (s + kappa) c, state (s, c).

    The mass-action kinetics of E + S <-> C -> E + P (rate constants k1, k_-1, k2), its conserved sums eliminated: s is
    the free substrate in units of its initial concentration S0, c the fraction of the enzyme E0 that is bound, time in
    units of 1 / (k1 E0). Parameters (dimensionless): `epsilon` = E0 / S0, .1, > 0; `michaelis` kappa =
    (k_-1 + k2) / (k1 S0), 1, and `turnover` lambda = k2 / (k1 S0), .5, with 0 < lambda <= kappa.

    Known exactly: states never leave s >= 0, 0 <= c <= 1; (s + epsilon c)' = -lambda c, the rate of conversion; the
    Jacobian at the origin, where all trajectories end, has trace -(1 + kappa / epsilon) and determinant lambda /
    epsilon. Trajectories fall onto the slow manifold c = h(s), of dimension one, between c = s / (s + kappa) (the
    quasi-steady state) and c = s / (s + kappa - lambda); `slow_manifold` below gives its expansion in epsilon. K here
    is this manifold.

    Args:
        epsilon: default of the parameter, > 0; `transient` and the constants are for it.
        michaelis: default of the parameter kappa, > 0; `transient` and the constants are for it.
        turnover: default of the parameter lambda, in (0, kappa]; `transient` and the constants are for it.

    References:
        L. Michaelis, M. Menten, Biochem. Z. 49, 333 (1913); F. G. Heineken, H. M. Tsuchiya, R. Aris, Math. Biosci. 1,
        95 (1967) (scaling); S. J. Fraser, J. Chem. Phys. 88, 4732 (1988) (slow manifold). The default values are this
        catalogue's.
    """
    epsilon, michaelis, turnover = (
        positive(name, value)
        for name, value in {"epsilon": epsilon, "michaelis": michaelis, "turnover": turnover}.items()
    )
    if turnover > michaelis:
        raise refuse("turnover", f"in (0, michaelis] = (0, {michaelis:g}]", f"{turnover:g}")
    trace, determinant = -(1 + michaelis / epsilon), turnover / epsilon
    root = math.sqrt(trace**2 - 4 * determinant)  # real: (1 + kappa / eps)^2 >= 4 kappa / eps
    slow = 2 * determinant / (trace - root)

    def rhs(t: Tensor, x: Tensor, epsilon: Tensor, michaelis: Tensor, turnover: Tensor) -> Tensor:
        for name, value in {"epsilon": epsilon, "turnover": turnover}.items():
            if (value <= 0).any():
                raise refuse(name, "> 0", f"{float(value.min()):g}")
        if (turnover > michaelis).any():
            raise refuse("turnover", "<= michaelis", "a larger one", "Both hold the rate constant k2.")
        s, c = x.unbind(-1)
        return torch.stack([-s + (s + michaelis - turnover) * c, (s - (s + michaelis) * c) / epsilon], -1)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        return torch.tensor([2.0, 1.0]).double() * torch.rand(n, 2, generator=rng, dtype=torch.float64)

    return System(
        name="michaelis_menten",
        dim=2,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"epsilon": epsilon, "michaelis": michaelis, "turnover": turnover},
        transient=20 * epsilon / michaelis,
        duration=-3 / slow,
        sampling=-0.02 / slow,
        time_scale=-1 / slow,
        time_scale_name="slow decay times",
        known=KnownSet(
            dimension=1,
            components=1,
            betti=(1,),
            closed=False,
            constants={"slow_rate": slow, "fast_rate": (trace - root) / 2},
        ),
        reference="F. G. Heineken, H. M. Tsuchiya, R. Aris, Math. Biosci. 1, 95 (1967)",
    )


def slow_manifold(s: Tensor, epsilon: float, michaelis: float, turnover: float, order: int = 2) -> Tensor:
    """c = h_0(s) + epsilon h_1(s) + epsilon^2 h_2(s): the slow manifold, to an error of order epsilon^(order + 1).

    The terms solve epsilon h'(s) s' = s - (s + kappa) h(s), power by power; h_0 is the quasi-steady state.

    Args:
        s: free substrate [...].
        epsilon: the parameter epsilon.
        michaelis: the parameter kappa.
        turnover: the parameter lambda.
        order: highest power of epsilon: 0, 1 or 2.
    """
    integer("order", order, 0, 2)
    k, r, total = michaelis, turnover, s + michaelis
    first = k * r * s / total**4
    second = k * r * s * (2 * k * r - 3 * r * s - k * s - k * k) / total**7
    return sum(
        (epsilon**i * term for i, term in enumerate([s / total, first, second][: order + 1])), torch.zeros_like(s)
    )
