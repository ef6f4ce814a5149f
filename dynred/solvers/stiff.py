"""Implicit methods of SciPy for stiff systems, one trajectory at a time, with sparse Jacobians where there are any."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import BDF, LSODA, OdeSolver, Radau
from scipy.sparse import csc_array
from torch import Tensor

from dynred.checks import one_of, refuse
from dynred.numerics.jacobian import Pattern, direction, find_pattern
from dynred.numerics.size import size_of
from dynred.ode.system_field import SystemField
from dynred.ode.vector_field import VectorField
from dynred.solvers._singly import Singly, Velocity, moment

METHODS: dict[str, type[OdeSolver]] = {"BDF": BDF, "Radau": Radau, "LSODA": LSODA}
LARGEST = 5000  # dimension of the largest dense Jacobian: 200 MB, and as much again for its factors
MISSING = 1e-3  # a Jacobian with a larger relative error along a direction lacks an entry


@dataclass(frozen=True)
class Stiff(Singly):
    """BDF, Radau or LSODA. The Jacobian comes from torch where the field is differentiable, else from differences.

    For a system of more than a hundred dimensions the Jacobian is a sparse matrix, if the system declares a sparse
    pattern or probing finds one; LSODA takes banded patterns only.

    Attributes:
        rtol, atol: relative and absolute tolerance of each component, see `Singly`.
        method: `BDF`, `Radau` or `LSODA`.
    """

    method: str = "BDF"

    def __post_init__(self):
        super().__post_init__()
        one_of("method", self.method, METHODS)

    def begun(
        self,
        field: VectorField,
        velocity: Velocity,
        times: tuple[float, float],
        x0: Float[np.ndarray, " D"],
        **tolerances: Any,
    ) -> OdeSolver:
        """See `Singly.begun`.

        Raises:
            InputError: the Jacobian is dense, in more than 5,000 dimensions.
        """
        derivative = self._derivative(field, self._pattern(field, len(x0)))
        return METHODS[self.method](velocity, times[0], x0, times[1], **tolerances, **derivative)

    def _pattern(self, field: VectorField, dim: int) -> Pattern | None:
        pattern = field.system.jacobian_pattern if isinstance(field, SystemField) else None
        if self.method == "LSODA" and pattern is not None and sum(pattern.bandwidth) > dim / 4:
            pattern = None
        if pattern is None and dim > LARGEST:
            kind = "banded" if self.method == "LSODA" else "sparse"
            advice = "Use BDF, an explicit solver, or give the system a semilinear split."
            raise refuse("the Jacobian", f"{kind} in more than {LARGEST} dimensions", f"a dense one of {dim}", advice)
        return pattern

    def _derivative(self, field: VectorField, pattern: Pattern | None) -> dict[str, Any]:
        if pattern is not None:
            sparse = _SparseJacobian(field, pattern)
            if self.method != "LSODA":
                return {"jac": sparse}
            below, above = pattern.bandwidth
            return {"jac": lambda t, x: _packed(sparse(t, x), below, above), "lband": below, "uband": above}

        def dense(t: float, x: np.ndarray) -> np.ndarray:
            return torch.func.jacfwd(lambda y: field(moment(t), y[None])[0])(torch.from_numpy(x)).detach().numpy()

        return {"jac": dense} if field.differentiable else {}


class _SparseJacobian:
    """The Jacobian along one trajectory; if its pattern lacks entries, as those behind a switch, it adds them."""

    def __init__(self, field: VectorField, pattern: Pattern):
        self.field, self.pattern, self.settled = field, pattern, False

    def __call__(self, t: float, x: np.ndarray) -> csc_array:
        state, exact = torch.from_numpy(x)[None], self.field.differentiable

        def velocity(y: Tensor) -> Tensor:
            return self.field(moment(t), y)

        matrix = self.pattern.matrix(self.pattern.values(velocity, state, exact)[0])
        if self.settled or self._complete(matrix, velocity, state):
            return matrix
        probed = find_pattern(velocity, state, exact)
        entries = self.pattern.entries if probed is None else torch.cat([self.pattern.entries, probed.entries], 1)
        before, self.pattern = len(self.pattern.rows), Pattern.of(entries, self.pattern.dim)
        self.settled = len(self.pattern.rows) == before  # no entry was missing, so do not look again
        return self(t, x)

    @staticmethod
    def _complete(matrix: csc_array, velocity: Callable[[Tensor], Tensor], x: Tensor) -> bool:
        along = direction(x.shape[1])
        step = 1e-6 * size_of(x)
        slope = ((velocity(x + step * along) - velocity(x - step * along)) / (2 * step))[0].detach().numpy()
        error = np.abs(matrix @ along.numpy() - slope)
        scale = abs(matrix) @ along.numpy() + np.abs(slope)
        return bool((error <= MISSING * scale.max()).all()) or not np.isfinite(slope).all()


def _packed(matrix: csc_array, below: int, above: int) -> np.ndarray:
    """The diagonals as LSODA wants them: entry (i, j) stands in row `above` + i - j, column j."""
    entries, packed = matrix.tocoo(), np.zeros((below + above + 1, matrix.shape[1]))
    packed[above + entries.row - entries.col, entries.col] = entries.data
    return packed
