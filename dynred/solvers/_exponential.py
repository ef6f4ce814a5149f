"""Exponential time differencing for semilinear systems v' = L v + N(t, v), L diagonal: what the solvers share."""

import cmath
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from dynred.checks import positive, refuse
from dynred.ode.system_field import SystemField
from dynred.ode.vector_field import VectorField
from dynred.solvers.base import LIMIT, Deadline, Solver, end_at_blow_up, longest_step, unreached

# Numbers in a batch up to which one thread is faster: transforms take microseconds, and to wake another thread may take
# a hundred. Kuramoto-Sivashinsky on such a machine, ten time units, one thread and two: 8 rows .017 and .082 s, 256
# rows .05 and .12, 1,024 rows .18 and .31, 4,096 rows .71 and .67, with the same bits.
SHORT = 2**17
POINTS = 32  # points on the circle over which coefficients are averaged; 16 give the same to 1e-12


@contextmanager
def _short_work_alone(x: Float[Tensor, "N D"]) -> Iterator[None]:
    """Computes in one thread while the batch is small."""
    threads = torch.get_num_threads()
    if x.numel() <= SHORT:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class ExponentialSolver(Solver, ABC):
    """An exponential integrator with a fixed step.

    Attributes:
        step: largest step, in time units; None takes the system's own. Each time between outputs is divided evenly.
    """

    step: float | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.step is not None:
            positive("step", self.step)

    @abstractmethod
    def scheme(self, field: SystemField, x: Float[Tensor, "N D"], deadline: Deadline) -> "Scheme":
        """The method, ready to advance states like x."""

    def fallback(self, field: SystemField, x: Float[Tensor, "N D"], deadline: Deadline) -> "Scheme | None":
        """A steadier method for the trajectories that `scheme` loses; None if there is no such method."""
        return None

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
        """See `Solver.solve_with_velocities`; every step computes them anyway, up to one transform."""
        velocities = x0.new_full((len(x0), len(times), x0.shape[1]), torch.nan)
        states = self._solve(field, x0, times, limit, velocities)
        velocities[~states[..., 0].isfinite()] = torch.nan  # a lost state is NaN in every component
        return states, velocities

    def _solve(
        self, field: VectorField, x0: Tensor, times: Tensor, limit: float, velocities: Float[Tensor, "N T D"] | None
    ) -> Float[Tensor, "N T D"]:
        with _short_work_alone(x0):
            return self._followed(self._split(field), x0, times, limit, velocities)

    def _followed(
        self, field: SystemField, x0: Tensor, times: Tensor, limit: float, velocities: Float[Tensor, "N T D"] | None
    ) -> Float[Tensor, "N T D"]:
        deadline = Deadline(self.time_limit)
        states = self.scheme(field, x0, deadline).follow(x0, times, limit, velocities)
        lost = torch.nonzero(states[..., 0].isnan().any(1) & x0.isfinite().all(1))[:, 0]
        steadier = self.fallback(field.rows(lost), x0[lost], deadline) if len(lost) else None
        if steadier is not None:
            speed = None if velocities is None else velocities[lost]
            states[lost] = steadier.follow(x0[lost], times, limit, speed)
            if velocities is not None and speed is not None:
                velocities[lost] = speed
        return states

    @property
    def adaptive(self) -> bool:
        """See `Solver.adaptive`."""
        return False

    def refined(self, factor: float, field: VectorField, times: Float[Tensor, " T"]) -> Self:
        """See `Solver.refined`; the step that counts is the longest that was taken between outputs.

        Raises:
            InputError: the field has no semilinear split.
        """
        split = self._split(field).system.semilinear
        assert split is not None
        step = longest_step(times, self.step or split.step)
        assert step is not None
        return replace(self, step=step / factor)

    def flow_with_tangents(
        self, field: VectorField, x: Float[Tensor, "N D"], tangents: Float[Tensor, "N k D"], duration: float
    ) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N k D"]]:
        """See `Solver.flow_with_tangents`; tangents follow the scheme's own derivative, up to round-off."""

        split = self._split(field)

        def flow(y: Tensor) -> Tensor:
            scheme = self.scheme(split, x, Deadline(None))
            return scheme.split.from_modes(scheme.advance(scheme.split.to_modes(y), 0.0, duration))

        def push(v: Tensor) -> tuple[Tensor, Tensor]:
            value, pushed, *_ = torch.func.jvp(flow, (x,), (v,))
            return value, pushed

        return torch.func.vmap(push, in_dims=1, out_dims=(None, 1))(tangents)  # type: ignore[arg-type] # its stub forgets None

    def _split(self, field: VectorField) -> SystemField:
        if not isinstance(field, SystemField) or field.system.semilinear is None:
            name = type(self).__name__
            raise refuse("solver", "one that needs no semilinear split", name, "Use `explicit` or `stiff`.")
        return field


class Scheme(ABC):
    """A method for one field; it keeps the coefficients of every step size that it has taken."""

    def __init__(self, field: SystemField, x: Float[Tensor, "N D"], step: float | None, deadline: Deadline) -> None:
        assert field.system.semilinear is not None
        self.split, self.deadline = field.system.semilinear, deadline
        linear, self.rate = field.modes()
        self.linear = linear.to(x.device)
        self._largest = step or self.split.step

    @abstractmethod
    def step(self, v: Inexact[Tensor, "N Q"], n: Inexact[Tensor, "N Q"], t: float, h: float) -> Inexact[Tensor, "N Q"]:
        """Modes at t + h from v at t, where the nonlinear part is n."""

    def follow(
        self,
        x0: Float[Tensor, "N D"],
        times: Float[Tensor, " T"],
        limit: float,
        velocities: Float[Tensor, "N T D"] | None,
    ) -> Float[Tensor, "N T D"]:
        """States at `times`, see `Solver.solve`; their velocities are written into `velocities` [N, T, D] if given."""
        states = x0.new_full((len(x0), len(times), x0.shape[1]), torch.nan)
        states[:, 0], v, nonlinear = x0, self.split.to_modes(x0), None
        t = times.tolist()
        for i, now in enumerate(t):
            if i > 0:
                v = self.advance(v, t[i - 1], now, nonlinear)
                if self.deadline.passed():
                    return unreached(end_at_blow_up(states, limit), times, t[i - 1])
                states[:, i] = self.split.from_modes(v)
            if velocities is not None:
                nonlinear = self.rate(_time(now), v)
                velocities[:, i] = self.split.from_modes(self.linear * v + nonlinear)
        return end_at_blow_up(states, limit)

    def advance(
        self, v: Inexact[Tensor, "N Q"], start: float, end: float, n: Inexact[Tensor, "N Q"] | None = None
    ) -> Inexact[Tensor, "N Q"]:
        """Modes at `end` from v at `start`, in even steps; n is the nonlinear part at v, if it is known.

        When the deadline passes, this returns early, with any values.
        """
        count = max(1, math.ceil((end - start) / self._largest - 1e-9))
        h = float(f"{(end - start) / count:.12g}")  # steps that are equal up to round-off share one set of coefficients
        for i in range(count):
            if self.deadline.passed():
                break
            t = start + i * h
            v = self.step(v, self.rate(_time(t), v) if n is None else n, t, h)
            n = None
        return v


class RungeKutta(Scheme):
    """ETDRK4: S. M. Cox, P. C. Matthews, J. Comput. Phys. 176, 430 (2002), eqs. 26-29."""

    def __init__(self, field: SystemField, x: Float[Tensor, "N D"], step: float | None, deadline: Deadline) -> None:
        super().__init__(field, x, step, deadline)
        self._coefficients: dict[float, Coefficients] = {}

    def step(self, v: Inexact[Tensor, "N Q"], n: Inexact[Tensor, "N Q"], t: float, h: float) -> Inexact[Tensor, "N Q"]:
        """See `Scheme.step`."""
        if h not in self._coefficients:
            self._coefficients[h] = coefficients(self.linear, h)
        c, middle, end = self._coefficients[h], _time(t + h / 2), _time(t + h)
        half = c.half * v
        a = half + c.q * n
        na = self.rate(middle, a)
        nb = self.rate(middle, half + c.q * na)
        nd = self.rate(end, c.half * a + c.q * (2 * nb - n))
        return c.full * v + c.f1 * n + c.f2 * (na + nb) + c.f3 * nd


class AdamsBashforth(RungeKutta):
    """Exponential Adams-Bashforth: every step integrates a polynomial through the last values of N exactly.

    A step evaluates N once. The first steps, and those after a change of the step, are ETDRK4's.

    S. P. Norsett, Lecture Notes in Mathematics 109, 214 (1969); M. Hochbruck, A. Ostermann, BIT Numer. Math. 51, 889
    (2011), eq. 2.7.
    """

    def __init__(
        self, field: SystemField, x: Float[Tensor, "N D"], step: float | None, deadline: Deadline, order: int
    ) -> None:
        super().__init__(field, x, step, deadline)
        self.order, self._h = order, 0.0
        self._past: list[Tensor] = []
        self._weights: dict[float, tuple[Tensor, list[Tensor]]] = {}

    def step(self, v: Inexact[Tensor, "N Q"], n: Inexact[Tensor, "N Q"], t: float, h: float) -> Inexact[Tensor, "N Q"]:
        """See `Scheme.step`."""
        if h != self._h:
            self._h, self._past = h, []
        self._past = [n, *self._past[: self.order - 1]]
        if len(self._past) < self.order:
            return super().step(v, n, t, h)
        if h not in self._weights:
            self._weights[h] = (torch.exp(h * self.linear).to(v), [w.to(v) for w in adams(self.linear, h, self.order)])
        full, weights = self._weights[h]
        v = full * v
        for weight, value in zip(weights, self._past, strict=True):
            v.addcmul_(weight, value)
        return v


def _time(t: float) -> Tensor:
    return torch.tensor(t, dtype=torch.float64)


class Coefficients(NamedTuple):
    """The functions of h L in Cox & Matthews, eqs. 26-29; `f2` with its factor 2."""

    full: Inexact[Tensor, "*N Q"]
    half: Inexact[Tensor, "*N Q"]
    q: Inexact[Tensor, "*N Q"]
    f1: Inexact[Tensor, "*N Q"]
    f2: Inexact[Tensor, "*N Q"]
    f3: Inexact[Tensor, "*N Q"]


def coefficients(linear: Inexact[Tensor, "*N Q"], h: float) -> Coefficients:
    """ETDRK4's coefficients for a diagonal linear part and a step h.

    Near h L = 0 the closed forms cancel catastrophically; their means over a circle of radius 1 around h L do not
    (A.-K. Kassam, L. N. Trefethen, SIAM J. Sci. Comput. 26, 1214 (2005), section 3). A full circle serves complex L
    too.
    """
    z0 = h * linear
    sums = [torch.zeros_like(z0, dtype=torch.complex128) for _ in range(4)]
    for z in _circle(z0):
        e, e2, z3 = torch.exp(z), torch.exp(z / 2), z**3
        sums[0] += (e2 - 1) / z
        sums[1] += (-4 - z + e * (4 - 3 * z + z**2)) / z3
        sums[2] += 2 * (2 + z + e * (z - 2)) / z3
        sums[3] += (-4 - 3 * z - z**2 + e * (4 - z)) / z3
    means = (h / POINTS * total if linear.is_complex() else h / POINTS * total.real for total in sums)
    return Coefficients(torch.exp(z0), torch.exp(z0 / 2), *means)


def adams(linear: Inexact[Tensor, "*N Q"], h: float, order: int) -> list[Inexact[Tensor, "*N Q"]]:
    """The weights of N at t, t - h, t - 2 h ... in a step of exponential Adams-Bashforth.

    The weight of N at t - j h is h times the integral over s in [0, 1] of exp((1 - s) h L) l_j(s). Here l_j is the
    Lagrange polynomial of the nodes 0, -1, ... 1 - order. Powers integrate to k! phi_{k+1}(h L). The phi functions are
    means over a circle, as in `coefficients`.
    """
    phi = [torch.zeros_like(linear, dtype=torch.complex128) for _ in range(order)]
    for z in _circle(h * linear):
        value = torch.exp(z)
        for k in range(order):
            value = (value - 1 / math.factorial(k)) / z
            phi[k] += value / POINTS
    nodes = -torch.arange(order, dtype=torch.float64)
    # Column j: the coefficients of l_j, which is 1 at node j and 0 at the others.
    lagrange = torch.linalg.inv(nodes[:, None] ** torch.arange(order)).tolist()
    integrals = [sum(lagrange[k][j] * math.factorial(k) * phi[k] for k in range(order)) for j in range(order)]
    weights = [h * torch.as_tensor(integral) for integral in integrals]
    return weights if linear.is_complex() else [weight.real for weight in weights]


def _circle(z0: Tensor) -> Iterator[Tensor]:
    """Points on circles of radius 1, one at a time: all at once would take 32 times the memory of the modes."""
    return (z0 + cmath.exp(2j * math.pi * (i + 0.5) / POINTS) for i in range(POINTS))
