"""Rollouts of equivariant fields in a compiled loop, for single rows and for batches."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.dynamics._compiled import load
from dynred.numerics.equivariant_map import EquivariantMap
from dynred.solvers.base import end_at_blow_up
from dynred.solvers.fixed_adams import FixedAdams, between, integrals, steps_of, weights_of


class CompiledEquivariantField:
    """A field scale * p(y) as a compiled loop, and its rollouts by steps of equal length.

    On Kuramoto-Sivashinsky (8 coordinates, 3,520 coefficients) an evaluation takes 6 us for one row and 1 us for each
    of many.

    Args:
        polynomial: p.
        scale: by what its values are multiplied [R].
        solver: the steps.

    Raises:
        MissingExtraError: Numba is not installed.
    """

    def __init__(self, polynomial: EquivariantMap, scale: Float[Tensor, " R"], solver: FixedAdams) -> None:
        self.loops, self.solver = load("compiled_equivariant"), solver
        self.program, self.scale = polynomial.program(), scale.double().numpy()

    def rollout(self, y0: Float[Tensor, "N R"], t: Float[Tensor, " T"], limit: float) -> Float[Tensor, "N T R"]:
        """See `CompiledRollouts.rollout`."""
        out = torch.empty(len(y0), len(t), y0.shape[1], dtype=torch.float64)
        out[:, 0] = y0
        if len(t) > 1 and len(y0):
            method, outputs = self._tables(t)
            first, written = np.ascontiguousarray(y0.double().numpy()), out.numpy()
            width = max(self.loops.WIDTH, -(-len(y0) // torch.get_num_threads()))
            parts = [slice(start, start + width) for start in range(0, len(y0), width)]

            def follow(rows: slice) -> None:
                self.loops.rollout(self.program, self.scale, first[rows], method, outputs, written[rows])

            if len(parts) == 1:
                follow(parts[0])
            else:
                with ThreadPoolExecutor(len(parts)) as pool:
                    list(pool.map(follow, parts))
        return end_at_blow_up(out, limit)

    def _tables(self, t: Float[Tensor, " T"]) -> tuple[tuple[object, ...], tuple[np.ndarray, np.ndarray]]:
        """The method and the outputs, as the loop takes them."""
        solver, plan, order = self.solver, steps_of(self.solver, t), self.solver.order
        begin = np.zeros((order - 1, order))
        for i in range(1, order):
            begin[i - 1] = integrals(order, 0, i)
        numbers: list[int] = []
        weights = np.zeros((len(t) - 1, order + 1))
        for number, places in plan.outputs.items():
            for s in places:
                begins = number < order - 1
                own = between(order, number, s) if begins else between(order + 1, order - 1, s)
                weights[len(numbers), : len(own)] = plan.step * np.array(own)
                numbers.append(number)
        predictor, corrector = (plan.step * np.array(part) for part in weights_of(order))
        method = (predictor, corrector, plan.step * begin, solver.sweeps, plan.count, solver.evaluations)
        return method, (np.array(numbers, np.int64), weights)
