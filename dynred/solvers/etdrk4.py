"""Exponential time differencing for semilinear systems v' = L v + N(t, v), L diagonal: ETDRK4, batched.

S. M. Cox, P. C. Matthews, J. Comput. Phys. 176, 430 (2002), eqs. 26-29; coefficients by contour integrals after
A.-K. Kassam, L. N. Trefethen, SIAM J. Sci. Comput. 26, 1214 (2005).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import positive, refuse
from dynred.solvers.base import LIMIT, Solver, end_at_blow_up
from dynred.system import SystemField, VectorField


@dataclass(frozen=True)
class ETDRK4(Solver):
    """Fourth order exponential Runge-Kutta with a fixed step.

    Attributes:
        step: largest step, in time units; None takes the system's own. Each time between outputs is divided evenly.
    """

    step: float | None = None

    def __post_init__(self):
        if self.step is not None:
            positive("step", self.step)

    def solve(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> Float[Tensor, "N T D"]:
        """See `Solver.solve`.

        Raises:
            InputError: the field has no semilinear split.
        """
        if not isinstance(field, SystemField) or field.system.semilinear is None:
            raise refuse("solver", "one that needs no semilinear split", "ETDRK4", "Use `explicit` or `stiff`.")
        split = field.system.semilinear
        linear, nonlinear = field.modes()
        linear = linear.to(x0.device)
        largest = self.step or split.step
        v = split.to_modes(x0)
        states = [x0]
        cache: dict[float, Coefficients] = {}
        for start, end in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
            count = max(1, math.ceil((end - start) / largest - 1e-9))
            h = float(f"{(end - start) / count:.12g}")  # equal up to round-off is equal: one set of coefficients
            if h not in cache:
                cache[h] = coefficients(linear, h)
            for i in range(count):
                v = _step(v, start + i * h, h, nonlinear, cache[h])
            states.append(split.from_modes(v))
        return end_at_blow_up(torch.stack(states, 1), limit)

    def flow_with_tangents(
        self, field: VectorField, x: Float[Tensor, "N D"], tangents: Float[Tensor, "N k D"], duration: float
    ) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N k D"]]:
        """See `Solver.flow_with_tangents`; here the derivative of the scheme itself, exact up to round-off."""
        times = torch.tensor([0.0, duration], dtype=torch.float64)

        def push(v: Tensor) -> tuple[Tensor, Tensor]:
            value, pushed, *_ = torch.func.jvp(lambda y: self.solve(field, y, times)[:, -1], (x,), (v,))
            return value, pushed

        return torch.func.vmap(push, in_dims=1, out_dims=(None, 1))(tangents)  # type: ignore[arg-type] # its stub forgets None


class Coefficients(NamedTuple):
    """The functions of h L in Cox & Matthews, eqs. 26-29."""

    full: Tensor
    half: Tensor
    q: Tensor
    f1: Tensor
    f2: Tensor
    f3: Tensor


def coefficients(linear: Tensor, h: float, points: int = 32) -> Coefficients:
    """ETDRK4's coefficients for a diagonal linear part and a step h.

    Near h L = 0 the closed forms cancel catastrophically; the mean over a circle of radius 1 around h L does not
    (Kassam & Trefethen, section 3). A full circle serves complex L too.
    """
    angles = 2 * math.pi * (torch.arange(points, dtype=torch.float64, device=linear.device) + 0.5) / points
    z = (h * linear)[..., None] + torch.polar(torch.ones_like(angles), angles)
    e, e2 = torch.exp(z), torch.exp(z / 2)

    def mean(values: Tensor) -> Tensor:
        value = h * values.mean(-1)
        return value if linear.is_complex() else value.real

    return Coefficients(
        torch.exp(h * linear),
        torch.exp(h * linear / 2),
        mean((e2 - 1) / z),
        mean((-4 - z + e * (4 - 3 * z + z**2)) / z**3),
        mean((2 + z + e * (z - 2)) / z**3),
        mean((-4 - 3 * z - z**2 + e * (4 - z)) / z**3),
    )


def _step(v: Tensor, t: float, h: float, nonlinear, c: Coefficients) -> Tensor:
    now, middle, end = (torch.tensor(s, dtype=torch.float64, device=v.device) for s in (t, t + h / 2, t + h))
    n = nonlinear(now, v)
    half = c.half * v
    a = half + c.q * n
    na = nonlinear(middle, a)
    b = half + c.q * na
    nb = nonlinear(middle, b)
    d = c.half * a + c.q * (2 * nb - n)
    nd = nonlinear(end, d)
    return c.full * v + c.f1 * n + 2 * c.f2 * (na + nb) + c.f3 * nd
