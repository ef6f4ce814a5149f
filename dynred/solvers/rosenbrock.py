"""A linearly implicit method for stiff systems of few dimensions, for batches: every row has a step of its own."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from dynred.checks import count, positive, refuse
from dynred.ode.vector_field import VectorField
from dynred.solvers._rosenbrock import RosenbrockRows
from dynred.solvers._rows import begin, chosen, refined_tolerances
from dynred.solvers.base import LIMIT, Deadline, Solver, end_at_blow_up

LARGEST = 500  # dimension up to which every row has a dense Jacobian


@dataclass(frozen=True)
class Rosenbrock(Solver):
    """RODAS, of order 4: a Jacobian and six evaluations of the field in a step, without iterations.

    For stiff latent fields, to which `adams` changes by itself, and small stiff systems in batches.

    Attributes:
        rtol: relative tolerance of the error of a row in a step, root mean square over its components.
        atol: absolute tolerance of the same error, in the units of the state; None takes .3 `rtol` times the size of
            each component along its trajectory, so that its units do not matter.
        max_steps: steps of a row between two outputs after which it counts as diverged.
    """

    rtol: float = 1e-6
    atol: float | None = None
    max_steps: int = 100_000

    def __post_init__(self):
        super().__post_init__()
        positive("rtol", self.rtol)
        if self.atol is not None:
            positive("atol", self.atol)
        count("max_steps", self.max_steps, 1, 10**12)

    @torch.no_grad()
    def solve(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> Float[Tensor, "N T D"]:
        """See `Solver.solve`.

        Raises:
            InputError: states of more than 500 values, whose Jacobians are too large.
        """
        if x0.shape[1] > LARGEST:
            raise refuse("states", f"of at most {LARGEST} values", x0.shape[1], "Use `stiff`.")
        deadline, (states, sound) = Deadline(self.time_limit), begin(x0, times, limit)
        grid = times.double().to(x0.device)
        start = grid[:1].expand(len(sound)).clone()
        rows = RosenbrockRows(self, chosen(field, sound, len(x0)), sound, start, x0[sound].double(), grid, states)
        in_time = rows.run(limit, deadline)
        states = rows.states = end_at_blow_up(states, limit)
        if not in_time:
            rows.mark_unreached()
        return states

    def refined(self, factor: float, field: VectorField, times: Float[Tensor, " T"]) -> "Rosenbrock":
        """See `Solver.refined`."""
        return replace(self, **refined_tolerances(self, factor))  # type: ignore[arg-type] # numbers by name
