"""Davis and Skodje's model of fast and slow chemistry, whose slow manifold is known in closed form."""

import math

import torch
from torch import Tensor

from dynred.checks import refuse
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System

EXTENT = 3.0  # K is the slow manifold over y1 in [0, EXTENT]


def davis_skodje(gamma: float = 10.0) -> System:
    """y1' = -y1, y2' = -gamma y2 + ((gamma - 1) y1 + gamma y1^2) / (1 + y1)^2.

    Parameter: `gamma` > 1 (dimensionless, 10): how many times faster the fast variable relaxes; stiff when large. Time
    is in units of the slow decay.

    Known exactly, for every gamma: the curve y2 = h(y1) = y1 / (1 + y1) is invariant, and e = y2 - h(y1) obeys
    e' = -gamma e, so y1(t) = y1(0) exp(-t) and y2(t) = h(y1(t)) + e(0) exp(-gamma t). In the end every state decays to
    the origin, along the slow manifold. K here is that manifold, the arc of the curve over 0 <= y1 <= 3. Its curvature
    is largest at the origin, 1 / sqrt 2, and it turns by less than a right angle, so that its reach is sqrt 2.

    States start so far out that after the transient y1 is uniform in [0, 3]. `graph_lift` lifts the model into more
    dimensions.

    Args:
        gamma: default of the parameter, > 1, from which `transient` follows.

    References:
        M. J. Davis, R. T. Skodje, J. Chem. Phys. 111, 859 (1999).
    """
    if not (isinstance(gamma, int | float) and 1 < gamma < math.inf):
        raise refuse("gamma", "a finite number > 1", repr(gamma), "Else the manifold is not slow.")
    transient = 20.0 / gamma

    def rhs(t: Tensor, x: Tensor, gamma: Tensor) -> Tensor:
        if (gamma <= 1).any():
            raise refuse("gamma", "> 1", f"{float(gamma.min()):g}", "Else the manifold is not slow.")
        slow, fast = x.unbind(-1)
        source = ((gamma - 1) * slow + gamma * slow**2) / (1 + slow) ** 2
        return torch.stack([-slow, source - gamma * fast], -1)

    def sample(n: int, rng: torch.Generator) -> Tensor:
        slow = EXTENT * torch.rand(n, generator=rng, dtype=torch.float64)
        return torch.stack([slow, _manifold(slow)], -1)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        slow, fast = torch.rand(2, n, generator=rng, dtype=torch.float64)
        return torch.stack([EXTENT * math.exp(transient) * slow, 2 * fast], -1)

    def distance(x: Tensor) -> Tensor:
        slow, fast = x.unbind(-1)
        nearest = slow.clamp(0, EXTENT)
        return torch.hypot(slow - nearest, fast - _manifold(nearest))

    return System(
        name="davis_skodje",
        dim=2,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"gamma": float(gamma)},
        transient=transient,
        duration=4.0,
        sampling=0.05,
        time_scale=1.0,
        time_scale_name="slow decay times",
        known=KnownSet(
            dimension=1,
            components=1,
            betti=(1,),
            reach=math.sqrt(2),
            closed=False,
            sample=sample,
            distance=distance,
            constants={"slow_rate": -1.0, "normal_rate": -float(gamma)},
        ),
        reference="M. J. Davis, R. T. Skodje, J. Chem. Phys. 111, 859 (1999)",
    )


def _manifold(slow: Tensor) -> Tensor:
    return slow / (1 + slow)
