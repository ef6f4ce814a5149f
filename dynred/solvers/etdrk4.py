"""Exponential time differencing for semilinear systems v' = L v + N(t, v), L diagonal: ETDRK4, batched.

S. M. Cox, P. C. Matthews, J. Comput. Phys. 176, 430 (2002), eqs. 26-29; coefficients by contour integrals after
A.-K. Kassam, L. N. Trefethen, SIAM J. Sci. Comput. 26, 1214 (2005).
"""

import cmath
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import positive, refuse
from dynred.solvers.base import LIMIT, Deadline, Solver, end_at_blow_up, unreached
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
        return self._solve(field, x0, times, limit, None)

    def solve_with_velocities(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> tuple[Float[Tensor, "N T D"], Float[Tensor, "N T D"]]:
        """See `Solver.solve_with_velocities`; a step begins with the velocity, so that here it costs one transform."""
        velocities = x0.new_full((len(x0), len(times), x0.shape[1]), torch.nan)
        states = self._solve(field, x0, times, limit, velocities)
        velocities[~states[..., 0].isfinite()] = torch.nan  # a state that is lost is so in every component
        return states, velocities

    def _solve(
        self, field: VectorField, x0: Tensor, times: Tensor, limit: float, velocities: Tensor | None
    ) -> Float[Tensor, "N T D"]:
        scheme = _Scheme(field, x0, self.step, Deadline(self.time_limit))
        states = x0.new_full((len(x0), len(times), x0.shape[1]), torch.nan)
        states[:, 0], v, start = x0, scheme.split.to_modes(x0), None
        t = times.tolist()
        for i, now in enumerate(t):
            if i > 0:
                v = scheme.advance(v, t[i - 1], now, start)
                if scheme.deadline.passed():
                    return unreached(end_at_blow_up(states, limit), times, t[i - 1])
                states[:, i] = scheme.split.from_modes(v)
            if velocities is not None:
                start = scheme.rate(_time(now), v)
                velocities[:, i] = scheme.split.from_modes(scheme.linear * v + start)
        return end_at_blow_up(states, limit)

    def flow_with_tangents(
        self, field: VectorField, x: Float[Tensor, "N D"], tangents: Float[Tensor, "N k D"], duration: float
    ) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N k D"]]:
        """See `Solver.flow_with_tangents`; here the derivative of the scheme itself, exact up to round-off."""
        scheme = _Scheme(field, x, self.step, Deadline(None))

        def flow(y: Tensor) -> Tensor:
            return scheme.split.from_modes(scheme.advance(scheme.split.to_modes(y), 0.0, duration))

        def push(v: Tensor) -> tuple[Tensor, Tensor]:
            value, pushed, *_ = torch.func.jvp(flow, (x,), (v,))
            return value, pushed

        return torch.func.vmap(push, in_dims=1, out_dims=(None, 1))(tangents)  # type: ignore[arg-type] # its stub forgets None


class _Scheme:
    """ETDRK4 for one field, with the coefficients of every step size that it has taken."""

    def __init__(self, field: VectorField, x: Tensor, step: float | None, deadline: Deadline):
        if not isinstance(field, SystemField) or field.system.semilinear is None:
            raise refuse("solver", "one that needs no semilinear split", "ETDRK4", "Use `explicit` or `stiff`.")
        self.split, self.deadline = field.system.semilinear, deadline
        linear, self.rate = field.modes()
        self.linear = linear.to(x.device)
        self._largest = step or self.split.step
        self._coefficients: dict[float, Coefficients] = {}

    def advance(self, v: Tensor, start: float, end: float, n: Tensor | None = None) -> Tensor:
        """Modes at `end` from v at `start`, in even steps; n is the nonlinear part at v where it is known.

        Returns early, with anything, when the deadline has passed.
        """
        count = max(1, math.ceil((end - start) / self._largest - 1e-9))
        h = float(f"{(end - start) / count:.12g}")  # equal up to round-off is equal: one set of coefficients
        if h not in self._coefficients:
            self._coefficients[h] = coefficients(self.linear, h)
        for i in range(count):
            if self.deadline.passed():
                break
            t = start + i * h
            v = self._step(v, self.rate(_time(t), v) if n is None else n, t, h, self._coefficients[h])
            n = None
        return v

    def _step(self, v: Tensor, n: Tensor, t: float, h: float, c: "Coefficients") -> Tensor:
        middle, end = _time(t + h / 2), _time(t + h)
        half = c.half * v
        a = half + c.q * n
        na = self.rate(middle, a)
        nb = self.rate(middle, half + c.q * na)
        nd = self.rate(end, c.half * a + c.q * (2 * nb - n))
        return c.full * v + c.f1 * n + c.f2 * (na + nb) + c.f3 * nd


def _time(t: float) -> Tensor:
    return torch.tensor(t, dtype=torch.float64)


class Coefficients(NamedTuple):
    """The functions of h L in Cox & Matthews, eqs. 26-29; `f2` with its factor 2."""

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
    z0 = h * linear
    sums = [torch.zeros_like(z0, dtype=torch.complex128) for _ in range(4)]
    for i in range(points):  # one point at a time: of all at once, memory would be 32 times the modes
        z = z0 + cmath.exp(2j * math.pi * (i + 0.5) / points)
        e, e2, z3 = torch.exp(z), torch.exp(z / 2), z**3
        sums[0] += (e2 - 1) / z
        sums[1] += (-4 - z + e * (4 - 3 * z + z**2)) / z3
        sums[2] += 2 * (2 + z + e * (z - 2)) / z3
        sums[3] += (-4 - 3 * z - z**2 + e * (4 - z)) / z3
    means = (h / points * total if linear.is_complex() else h / points * total.real for total in sums)
    return Coefficients(torch.exp(z0), torch.exp(z0 / 2), *means)
