"""The motion of a map: its steps, one after the other."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import refuse
from dynred.numerics.time_grids import whole_steps
from dynred.ode.vector_field import VectorField, time_step
from dynred.solvers.base import LIMIT, Deadline, Solver, end_at_blow_up, unreached


@dataclass(frozen=True)
class Iteration(Solver):
    """The states of a map, which is given in the place of a velocity and has a `time_step`."""

    @property
    def adaptive(self) -> bool:
        """See `Solver.adaptive`: steps are exact."""
        return True

    def solve(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> Float[Tensor, "N T D"]:
        """See `Solver.solve`.

        Raises:
            InputError: the field is no map, or a time is no whole number of steps after times[0].
        """
        step, deadline = _step_of(field), Deadline(self.time_limit)
        counts = whole_steps(times, step).tolist()
        states = x0.new_full((len(x0), len(counts), x0.shape[1]), torch.nan)
        x, first, done = x0, times[0].double(), 0
        with torch.no_grad():
            for i, wanted in enumerate(counts):
                while done < wanted and not deadline.passed():
                    x, done = field(first + done * step, x), done + 1
                if done < wanted:
                    states[:, :i] = end_at_blow_up(states[:, :i], limit)
                    return unreached(states, times, float(times[i - 1]))
                states[:, i] = x
        return end_at_blow_up(states, limit)

    def flow_with_tangents(
        self, field: VectorField, x: Float[Tensor, "N D"], tangents: Float[Tensor, "N k D"], duration: float
    ) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N k D"]]:
        """See `Solver.flow_with_tangents`: tangents go through the derivative of every step."""
        if not field.differentiable:
            raise refuse("the map", "differentiable by torch", "one that is not", "Write it in torch.")
        step, zero = _step_of(field), torch.zeros((), dtype=torch.float64)
        (count,) = whole_steps(torch.tensor([0.0, duration], dtype=torch.float64), step)[1:].tolist()
        for _ in range(count):
            state = x

            def push(v: Tensor, state: Tensor = state) -> tuple[Tensor, Tensor]:
                value, pushed, *_ = torch.func.jvp(lambda y: field(zero, y), (state,), (v,))
                return value, pushed

            x, tangents = torch.func.vmap(push, in_dims=-2, out_dims=(None, -2))(tangents)  # type: ignore[arg-type]
        return x, tangents


def _step_of(field: VectorField) -> float:
    step = time_step(field)
    if step is None:
        raise refuse("the solver of an ODE", "one of `dynred.solvers`", "iteration, which is of maps")
    return step
