"""Dormand and Prince's method of order 8, one trajectory at a time: SciPy's DOP853.

E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I, Springer 1993, II.10.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.integrate import DOP853

from dynred.ode.vector_field import VectorField
from dynred.solvers._singly import Singly, Velocity


@dataclass(frozen=True)
class Dop853(Singly):
    """Explicit steps of order 8 that every trajectory chooses for itself; of NumPy functions, in several processes.

    The root mean square error of a step is held to the tolerances.

    Attributes:
        rtol, atol: relative and absolute tolerance of each component, see `Singly`.
    """

    def begun(
        self,
        field: VectorField,
        velocity: Velocity,
        times: tuple[float, float],
        x0: Float[np.ndarray, " D"],
        **tolerances: Any,
    ) -> DOP853:
        """See `Singly.begun`."""
        return DOP853(velocity, times[0], x0, times[1], **tolerances)
