"""The graph lift: any low-dimensional system becomes a genuinely high-dimensional ODE whose set K is known exactly."""

import dataclasses
import math

import torch
from torch import Tensor

from dynred.checks import integer, positive
from dynred.ode.find import find_system
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System
from dynred.rng import generator


def graph_lift(base: System | str = "stuart_landau", dim: int = 50, rate: float = 5.0, seed: int = 0) -> System:
    """y' = f(y), w' = Dh(y) f(y) - rate (w - h(y)), seen as x = Q [y; w] with Q orthogonal.

    e = w - h(y) obeys e' = -rate e, so the graph of h is invariant and attracts at exactly that rate, and K is Q times
    the graph of h over the attractor of f. Here h_i(y) = a sin(b_i . y / s + c_i) / sqrt(dim - d), where s is the size
    of the base's states and a = s / 2, so that K bends in every direction but stays about as large as that of the base.

    Args:
        base: the system to lift, of dimension d, or its name.
        dim: dimension of the lifted state, > d.
        rate: rate of attraction, per time unit of the base, > 0.
        seed: draws Q, b and c.

    References:
        An invariant-graph construction; see N. Fenichel, Indiana Univ. Math. J. 21, 193 (1971) for its theory.
    """
    inner = find_system(base)
    d = inner.dim
    integer("dim", dim, d + 1)
    positive("rate", rate)
    rng = generator(seed, "graph_lift", d, dim)
    rotation = torch.linalg.qr(torch.randn(dim, dim, generator=rng, dtype=torch.float64))[0]
    direction = torch.randn(dim - d, d, generator=rng, dtype=torch.float64)
    phase = 2 * math.pi * torch.rand(dim - d, generator=rng, dtype=torch.float64)
    size = float(inner.initial(256, generator(0, "size")).pow(2).sum(-1).mean().sqrt())
    height = 0.5 * size / math.sqrt(dim - d)

    def h(y: Tensor) -> Tensor:
        return height * torch.sin(y @ direction.T.to(y) / size + phase.to(y))

    def lift(y: Tensor, w: Tensor) -> Tensor:
        return torch.cat([y, w], -1) @ rotation.T.to(y)

    def rhs(t: Tensor, x: Tensor, **parameters: Tensor) -> Tensor:
        y, w = (x @ rotation.to(x)).split([d, dim - d], -1)
        velocity = inner.right_hand_side(t, y, parameters)
        argument = y @ direction.T.to(y) / size + phase.to(y)
        along = height * torch.cos(argument) * (velocity @ direction.T.to(y)) / size
        return lift(velocity, along - rate * (w - height * torch.sin(argument)))

    def sample_initial(n: int, rng: torch.Generator, **parameters: Tensor) -> Tensor:
        y = inner.initial(n, rng, parameters)
        return lift(y, h(y) + height * torch.randn(n, dim - d, generator=rng, dtype=torch.float64))

    def distance(x: Tensor) -> Tensor:
        y, w = (x @ rotation.to(x)).split([d, dim - d], -1)
        assert inner.known.distance is not None
        return torch.hypot(inner.known.distance(y), torch.linalg.vector_norm(w - h(y), dim=-1))

    def sample(n: int, rng: torch.Generator) -> Tensor:
        assert inner.known.sample is not None
        y = inner.known.sample(n, rng)
        return lift(y, h(y))

    known = KnownSet(
        dimension=inner.known.dimension,
        components=inner.known.components,
        betti=inner.known.betti,
        closed=inner.known.closed,
        sample=sample if inner.known.sample else None,
        distance=distance if inner.known.distance else None,
        constants={**inner.known.constants, "normal_rate": -rate},
    )
    return dataclasses.replace(
        inner,
        name=f"graph_lift_{inner.name}",
        dim=dim,
        rhs=rhs,
        sample_initial=sample_initial,
        transient=max(inner.transient, 30.0 / rate),
        semilinear=None,
        jacobian_sparsity=None,
        grid=None,
        symmetries=(),
        known=known,
    )
