"""Rollouts of equivariant fields in a compiled loop, for single rows and for batches."""

import math
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynred.dynamics._compiled import load
from dynred.dynamics._units import Report
from dynred.numerics.equivariant_map import EquivariantMap
from dynred.solvers.base import end_at_blow_up
from dynred.solvers.fixed_adams import FixedAdams, between, integrals, steps_of, weights_of

APIECE = 8  # groups of rows for which another thread is worth its start
LOOK = 0.2  # seconds from one look at the clock to the next


class CompiledEquivariantField:
    """A field scale * p(y) as a compiled loop, and its rollouts by steps of equal length.

    On Kuramoto-Sivashinsky (8 coordinates, 3,520 coefficients) an evaluation takes 5 us for one row and .4 us for each
    of many, where registers hold eight numbers.

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

    def rollout(
        self,
        y0: Float[Tensor, "N R"],
        t: Float[Tensor, " T"],
        limit: float,
        deadline: float = math.inf,
        report: Report | None = None,
    ) -> Float[Tensor, "N T R"]:
        """See `CompiledRollouts.rollout`. What is not reached by the deadline, of `time.monotonic`, is NaN."""
        out = torch.full((len(y0), len(t), y0.shape[1]), torch.nan, dtype=torch.float64)
        out[:, 0] = y0
        if len(t) > 1 and len(y0):
            self._follow(np.ascontiguousarray(y0.double().numpy()), t, out.numpy(), deadline, report)
        return end_at_blow_up(out, limit)

    def _follow(
        self,
        y0: Float[np.ndarray, "N R"],
        t: Float[Tensor, " T"],
        out: Float[np.ndarray, "N T R"],
        deadline: float,
        report: Report | None,
    ) -> None:
        """Writes the states into `out`, in as many threads as torch has; meanwhile this one looks at the clock."""
        method, outputs = self._tables(t)
        lanes = self.loops.LANES
        width = lanes * max(APIECE, -(-len(y0) // (lanes * torch.get_num_threads())))
        parts = [slice(start, start + width) for start in range(0, len(y0), width)]
        course = np.zeros(2, np.int64)  # whether to stop; steps that some part has done

        def follow(rows: slice) -> None:
            self.loops.rollout(self.program, self.scale, y0[rows], method, outputs, out[rows], course)

        with ThreadPoolExecutor(len(parts)) as pool:
            try:
                waiting = {pool.submit(follow, rows) for rows in parts}
                while waiting:
                    ended, waiting = wait(waiting, LOOK, FIRST_COMPLETED)
                    for part in ended:
                        part.result()
                    course[0] = time.monotonic() > deadline
                    if report is not None:
                        report(float(t[0] + (t[-1] - t[0]) * course[1] / method[-2]))
            finally:  # an interrupt too
                course[0] = len(waiting)

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
