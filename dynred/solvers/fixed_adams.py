"""Adams methods of one order and one step: one or two evaluations of the field in a step, the same for every row.

Where a step must not depend on the numbers in which a state is written - a symmetry turns them - it cannot adapt to
them. A step predicts by Adams-Bashforth, evaluates the field, and corrects by Adams-Moulton, of one order more, as in
`dynred.solvers.adams`. The first velocities come from iterating the integral equation on the first nodes together,
which gains one order each time: E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I (1993),
section III.1; A. Dutt, L. Greengard, V. Rokhlin, BIT 40, 241 (2000).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial import polynomial
from torch import Tensor

from dynred.checks import integer, positive
from dynred.ode.vector_field import VectorField
from dynred.solvers.base import LIMIT, Deadline, Solver, end_at_blow_up, unreached

HIGHEST = 6  # velocities; with more, hardly any step is stable
NEAR = 1e-9  # of a step: an output so close to a node is at the node


@dataclass(frozen=True)
class FixedAdams(Solver):
    """A predictor-corrector method with steps of equal length.

    On the equivariant field of Kuramoto-Sivashinsky (8 coordinates, t = 8) the error is 1e-6 at 8 evaluations of the
    field per time unit and 1.5e-8 at 16 with five velocities, 5e-7 at 32 with Runge-Kutta steps of order 4.

    Attributes:
        order: number of velocities that a step uses, in [1, 6]; its order is one more.
        step: longest step, in time units, > 0: steps divide the time from the first output to the last.
        evaluations: 1, or 2 for another evaluation after the correction, which makes steps stable that are nine to
            twenty times as long.
    """

    order: int = 5
    step: float = 0.005
    evaluations: int = 1

    def __post_init__(self):
        super().__post_init__()
        integer("order", self.order, 1, HIGHEST)
        positive("step", self.step)
        integer("evaluations", self.evaluations, 1, 2)

    def solve(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> Float[Tensor, "N T D"]:
        """See `Solver.solve`; differentiable in x0 and in the weights of `field`."""
        if len(times) == 1 or len(x0) == 0:
            return end_at_blow_up(x0[:, None].expand(-1, len(times), -1), limit)
        deadline, plan = Deadline(self.time_limit), steps_of(self, times)
        start, h, states, y = float(times[0]), plan.step, [x0], x0
        velocities, begun = self._begun(field, x0, start, h)
        predictor, corrector = (h * x0.new_tensor(weights) for weights in weights_of(self.order))
        for number in range(plan.count):
            if deadline.passed():
                return _given_up(states, times, limit)
            last, first, nodes = y, number, velocities
            if number < len(begun):
                y = begun[number]
            else:
                first, predicted = self.order - 1, _moved(last, predictor, velocities)
                now = times.new_tensor(start + (number + 1) * h)
                nodes = torch.cat([velocities, field(now, predicted)[None]])
                y, velocities = _moved(last, corrector, nodes), nodes[1:]
                if self.evaluations == 2:
                    velocities = torch.cat([velocities[:-1], field(now, y)[None]])
            for s in plan.outputs.get(number, ()):
                states.append(y if s == 1 else _moved(last, h * x0.new_tensor(between(len(nodes), first, s)), nodes))
        return end_at_blow_up(torch.stack(states, 1), limit)

    def _begun(self, field: VectorField, x0: Tensor, start: float, h: float) -> tuple[Tensor, Tensor]:
        """Velocities [order, N, D] at the first nodes, and the states at all of these but the first."""
        later, (n, d) = self.order - 1, x0.shape
        velocity = field(x0.new_tensor(start), x0)[None]
        if later == 0:
            return velocity, x0[None][:0]
        weights = h * x0.new_tensor([integrals(self.order, 0, i) for i in range(1, self.order)])
        times = (start + h * torch.arange(1, self.order, dtype=x0.dtype, device=x0.device)).repeat_interleave(n)
        together = field.rows(torch.arange(n, device=x0.device).repeat(later))
        velocities = velocity.expand(self.order, n, d)
        for _ in range(self.sweeps):
            states = x0 + (weights @ velocities.reshape(self.order, -1)).reshape(later, n, d)
            velocities = torch.cat([velocity, together(times, states.reshape(-1, d)).reshape(later, n, d)])
        return velocities, states

    @property
    def sweeps(self) -> int:
        """How often the first velocities are improved. On Kuramoto-Sivashinsky the error no longer falls after four
        more than there are; fast decay, which two evaluations bear, takes longer: sweep m changes 3^m / m!."""
        return self.order + (4 if self.evaluations == 1 else 12)

    @property
    def adaptive(self) -> bool:
        """See `Solver.adaptive`."""
        return False

    def refined(self, factor: float, field: VectorField, times: Float[Tensor, " T"]) -> "FixedAdams":
        """See `Solver.refined`."""
        return replace(self, step=self.step / factor)


def _moved(x: Float[Tensor, "N D"], weights: Float[Tensor, " k"], velocities: Float[Tensor, "k N D"]) -> Tensor:
    return torch.addmv(x.reshape(-1), velocities.reshape(len(weights), -1).T, weights).reshape(x.shape)


def _given_up(states: Sequence[Float[Tensor, "N D"]], times: Float[Tensor, " T"], limit: float) -> Tensor:
    """What is known when the deadline passes."""
    missing = [torch.full_like(states[0], torch.nan)] * (len(times) - len(states))
    known = end_at_blow_up(torch.stack([*states, *missing], 1), limit)
    return unreached(known, times, float(times[len(states) - 1]))


@dataclass(frozen=True)
class AdamsSteps:
    """The steps from the first time to the last.

    Attributes:
        step: their length; negative where times decrease.
        count: their number.
        outputs: for the number of a step, the parts of it, in (0, 1], at which there are outputs.
    """

    step: float
    count: int
    outputs: dict[int, list[float]]


def steps_of(solver: FixedAdams, times: Float[Tensor, " T"]) -> AdamsSteps:
    """The steps of a solution at two or more times."""
    grid = times.double().cpu().numpy()
    span = float(grid[-1] - grid[0])
    count = max(math.ceil(abs(span) / solver.step - NEAR), solver.order - 1, 1)
    place = (grid[1:] - grid[0]) / (span / count)
    node = np.round(place)
    place = np.where(np.abs(place - node) < NEAR * np.maximum(1.0, node), node, place)
    number = np.clip(np.ceil(place).astype(int) - 1, 0, count - 1)
    outputs: dict[int, list[float]] = {}
    for step, s in zip(number.tolist(), (place - number).tolist(), strict=True):
        outputs.setdefault(step, []).append(min(s, 1.0))
    return AdamsSteps(span / count, count, outputs)


@lru_cache
def weights_of(order: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Weights of the velocities that are known, the oldest first, for a prediction, and of these and the new one."""
    return integrals(order, order - 1, order), integrals(order + 1, order - 1, order)


@lru_cache
def stable_decay(order: int, evaluations: int) -> float:
    """The fastest decay within a step, -h times an eigenvalue, up to which steps are stable."""
    predictor, corrector = map(np.array, weights_of(order))

    def grows(decay: float) -> bool:
        state = np.eye(order + 1)  # the state, and h times the velocities that are known
        y, known = state[0], state[1:]
        predicted = -decay * (y + predictor @ known)
        corrected = y + corrector @ np.concatenate([known, predicted[None]])
        new = predicted if evaluations == 1 else -decay * corrected
        return bool(np.abs(np.linalg.eigvals(np.stack([corrected, *known[1:], new]))).max() > 1 + 1e-9)

    low, high = 0.0, 4.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if grows(middle) else (middle, high)
    return low


@lru_cache(maxsize=4096)
def between(nodes: int, first: int, s: float) -> tuple[float, ...]:
    """Weights of the velocities at the nodes 0, 1 ... whose sum is the way from node `first` to `first` + s."""
    return integrals(nodes, first, first + s)


def integrals(nodes: int, start: float, end: float) -> tuple[float, ...]:
    """The integrals from `start` to `end` of the polynomials that are 1 at one of the nodes 0, 1 ..., 0 at others."""
    weights = []
    for j in range(nodes):
        basis: np.ndarray = np.ones(1)
        for i in range(nodes):
            if i != j:
                basis = polynomial.polymul(basis, [-i / (j - i), 1 / (j - i)])
        whole = polynomial.polyint(basis)
        weights.append(float(polynomial.polyval(end, whole) - polynomial.polyval(start, whole)))
    return tuple(weights)
