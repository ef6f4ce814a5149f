"""The logistic map: the simplest chaotic map, solved exactly at r = 4."""

import math

import torch
from torch import Tensor

from dynred.ode.known_set import KnownSet
from dynred.ode.system import System


def logistic() -> System:
    """x' = r x (1 - x) on [0, 1], a map: ' is the next state.

    Parameter (dimensionless): `r` 4. Time counts steps.

    Known exactly at r = 4: x_k = sin^2(2^k theta), with the Lyapunov exponent log 2 per step and the invariant density
    1 / (pi sqrt(x (1 - x))) on K = [0, 1].

    References:
        R. M. May, Nature 261, 459 (1976); S. M. Ulam, J. von Neumann, Bull. Am. Math. Soc. 53, 1120 (1947).
    """

    def step(t: Tensor, x: Tensor, r: Tensor) -> Tensor:
        return r[..., None] * x * (1 - x)

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        return 0.05 + 0.9 * torch.rand(n, 1, generator=rng, dtype=torch.float64)

    def sample(n: int, rng: torch.Generator) -> Tensor:
        return torch.sin(math.pi / 2 * torch.rand(n, 1, generator=rng, dtype=torch.float64)) ** 2

    return System(
        name="logistic",
        dim=1,
        rhs=step,
        sample_initial=sample_initial,
        parameters={"r": 4.0},
        transient=20.0,
        duration=100.0,
        sampling=1.0,
        time_scale=1 / math.log(2),
        time_scale_name="Lyapunov times",
        time_unit="steps",
        discrete=True,
        known=KnownSet(
            dimension=1,
            components=1,
            betti=(1,),
            closed=False,
            sample=sample,
            distance=lambda x: torch.relu((x[..., 0] - 0.5).abs() - 0.5),
            constants={"lyapunov_1": math.log(2)},
        ),
        reference="R. M. May, Nature 261, 459 (1976)",
    )
