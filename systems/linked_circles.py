"""Two linked circles, both attracting: the set on which every autoencoder with one latent coordinate must fail."""

import math

import torch
from torch import Tensor

from dynred.checks import integer, positive
from dynred.ode.known_set import KnownSet
from dynred.ode.system import System
from dynred.rng import generator


def linked_circles(dim: int = 3, rate: float = 2.0, seed: int = 0) -> System:
    """y' = (omega / 4) (grad A x grad B) / (g1 + g2) - (rate / 8) grad V / (g1 + g2), w' = -rate w, x = Q [y; w].

    y in R^3; Q is orthogonal (the identity at dim = 3). Each circle is the zero set of a complex polynomial F_j:

        circle 1: (cos s, sin s, 0)        F_1 = y1^2 + y2^2 - 1 + 2 i y3
        circle 2: (1 + cos s, 0, sin s)    F_2 = (y1 - 1)^2 + y3^2 - 1 + 2 i y2

    g_j = |F_j|^2, F_1 F_2 = A + i B, V = |F_1 F_2|^2 = g1 g2. Parameter: `omega`, radians per time unit, 1.

    Known exactly, because grad A x grad B is orthogonal to grad V = 2 A grad A + 2 B grad B:
    - V' = -(rate / 8) |grad V|^2 / (g1 + g2), so V falls along every trajectory but the equilibria, and V = 0 is K.
      The other equilibria, (1/2, 0, 0), ((1 +- sqrt 5) / 2, 0, 0), (0, +-1 / sqrt 3, 0) and (1, 0, +-1 / sqrt 3), are
      unstable, so that almost every state ends on K. Some such equilibria must exist: a set that attracts all of R^n is
      connected.
    - On each circle the field turns uniformly at `omega`; normal to it both exponents are -rate.
    - Any point of one circle is exactly 1 away from the other, so the reach of K is 1/2; that of each circle is 1.
    The field is smooth (rational, g1 + g2 > 0) and grows like |y|^3.

    Args:
        dim: dimension of the state, >= 3; K is the same in every dimension, up to an isometry.
        rate: rate of attraction, per time unit, > 0.
        seed: draws Q.

    References:
        The set: M. Kvalheim, E. D. Sontag, "Why should autoencoders work?", Transactions on Machine Learning Research
        (2024). The field is built for this catalogue; the derivation is above.
    """
    integer("dim", dim, 3)
    positive("rate", rate)
    random = torch.randn(dim, dim, generator=generator(seed, "linked_circles", dim), dtype=torch.float64)
    rotation = torch.linalg.qr(random)[0] if dim > 3 else torch.eye(3, dtype=torch.float64)

    def rhs(t: Tensor, x: Tensor, omega: Tensor) -> Tensor:
        y, w = (x @ rotation.to(x)).split([3, dim - 3], -1)
        along, down, g = _parts(y)
        velocity = (0.25 * omega[..., None] * along - rate / 8 * down) / g
        return torch.cat([velocity, -rate * w], -1) @ rotation.T.to(x)

    def sample(n: int, rng: torch.Generator) -> Tensor:
        s = 2 * math.pi * torch.rand(n, generator=rng, dtype=torch.float64)
        second = torch.randint(2, (n,), generator=rng).double()
        y = torch.stack([second + torch.cos(s), (1 - second) * torch.sin(s), second * torch.sin(s)], -1)
        return torch.cat([y, torch.zeros(n, dim - 3, dtype=torch.float64)], -1) @ rotation.T

    def sample_initial(n: int, rng: torch.Generator) -> Tensor:
        # Within 0.4 of K, less than its reach, so that no trajectory lingers at a saddle.
        step = torch.randn(n, dim, generator=rng, dtype=torch.float64)
        length = 0.4 * torch.rand(n, 1, generator=rng, dtype=torch.float64)
        return sample(n, rng) + length * step / torch.linalg.vector_norm(step, dim=-1, keepdim=True)

    def distance(x: Tensor) -> Tensor:
        a, b, c, w = (x @ rotation.to(x)).split([1, 1, 1, dim - 3], -1)
        first = torch.hypot(torch.hypot(a, b) - 1, c)
        second = torch.hypot(torch.hypot(a - 1, c) - 1, b)
        return torch.hypot(torch.minimum(first, second)[..., 0], torch.linalg.vector_norm(w, dim=-1))

    return System(
        name="linked_circles",
        dim=dim,
        rhs=rhs,
        sample_initial=sample_initial,
        parameters={"omega": 1.0},
        transient=40.0 / rate,
        duration=8 * math.pi,
        sampling=math.pi / 25,
        time_scale=2 * math.pi,
        time_scale_name="periods",
        stiff=False,
        known=KnownSet(
            dimension=1,
            components=2,
            betti=(2, 2),
            reach=0.5,
            closed=True,
            sample=sample,
            distance=distance,
            constants={"component_reach": 1.0, "normal_rate": -rate, "period": 2 * math.pi},
        ),
        reference="M. Kvalheim, E. D. Sontag, Transactions on Machine Learning Research (2024): the set K",
    )


def _parts(y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # grad A x grad B and grad V, both [..., 3], and g1 + g2 [..., 1].
    a, b, c = y.unbind(-1)
    zero = torch.zeros_like(a)
    p1, q1, p2, q2 = a * a + b * b - 1, 2 * c, (a - 1) ** 2 + c * c - 1, 2 * b
    grad_p1, grad_q1 = torch.stack([2 * a, 2 * b, zero], -1), torch.stack([zero, zero, zero + 2], -1)
    grad_p2, grad_q2 = torch.stack([2 * (a - 1), zero, 2 * c], -1), torch.stack([zero, zero + 2, zero], -1)
    p1, q1, p2, q2 = (f[..., None] for f in (p1, q1, p2, q2))
    # F_1 F_2 = (p1 p2 - q1 q2) + i (p1 q2 + q1 p2)
    grad_a = p2 * grad_p1 + p1 * grad_p2 - q2 * grad_q1 - q1 * grad_q2
    grad_b = q2 * grad_p1 + p1 * grad_q2 + p2 * grad_q1 + q1 * grad_p2
    down = 2 * (p1 * p2 - q1 * q2) * grad_a + 2 * (p1 * q2 + q1 * p2) * grad_b
    return torch.linalg.cross(grad_a, grad_b), down, p1**2 + q1**2 + p2**2 + q2**2
