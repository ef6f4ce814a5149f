"""ETDRK4, the exponential Runge-Kutta method of Cox and Matthews, batched.

S. M. Cox, P. C. Matthews, J. Comput. Phys. 176, 430 (2002), eqs. 26-29; coefficients by contour integrals after
A.-K. Kassam, L. N. Trefethen, SIAM J. Sci. Comput. 26, 1214 (2005).
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from dynred.ode.system_field import SystemField
from dynred.solvers._exponential import ExponentialSolver, RungeKutta, Scheme
from dynred.solvers.base import Deadline


@dataclass(frozen=True)
class ETDRK4(ExponentialSolver):
    """Fourth order exponential Runge-Kutta with a fixed step: four evaluations of the nonlinear part."""

    def scheme(self, field: SystemField, x: Float[Tensor, "N D"], deadline: Deadline) -> Scheme:
        """See `ExponentialSolver.scheme`."""
        return RungeKutta(field, x, self.step, deadline)
