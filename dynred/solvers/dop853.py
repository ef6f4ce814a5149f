"""Dormand and Prince's method of order 8, one trajectory at a time: SciPy's DOP853.

E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I, Springer 1993, II.10.
"""

from dataclasses import dataclass, replace

from jaxtyping import Float
from scipy.integrate import DOP853
from torch import Tensor

from dynred.checks import positive
from dynred.ode.vector_field import VectorField
from dynred.solvers._singly import processes, solve_singly
from dynred.solvers.base import LIMIT, Solver


@dataclass(frozen=True)
class Dop853(Solver):
    """Explicit steps of order 8 that every trajectory chooses for itself; of NumPy functions, in several processes.

    Attributes:
        rtol: relative tolerance of each component, in steps whose root mean square error is held.
        atol: absolute tolerance of each component, in the units of the state; None takes .3 `rtol` times the size of
            the component along its trajectory, so that its units do not matter.
    """

    rtol: float = 1e-8
    atol: float | None = None

    def __post_init__(self):
        super().__post_init__()
        positive("rtol", self.rtol)
        if self.atol is not None:
            positive("atol", self.atol)

    def solve(
        self, field: VectorField, x0: Float[Tensor, "N D"], times: Float[Tensor, " T"], limit: float = LIMIT
    ) -> Float[Tensor, "N T D"]:
        """See `Solver.solve`."""
        tolerances = self.rtol, self.atol
        return solve_singly(DOP853, lambda row: {}, tolerances, field, x0, times, limit, self.time_limit)

    def processes(self, field: VectorField) -> int:
        """See `Solver.processes`."""
        return processes(field)

    def refined(self, factor: float, field: VectorField, times: Float[Tensor, " T"]) -> "Dop853":
        """See `Solver.refined`."""
        return replace(self, rtol=self.rtol / factor, atol=None if self.atol is None else self.atol / factor)
