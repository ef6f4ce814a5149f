"""Batches of linear systems whose matrices share one pattern, solved directly: dense, banded or sparse, whichever fits.

A batch of banded matrices is one long banded matrix, so that LAPACK solves all of them in a single call. The entries
that a periodic grid adds in the corners are a correction of low rank (Woodbury's formula; W. W. Hager, SIAM Rev. 31,
221 (1989)).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.linalg import LinAlgError, solve_banded
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu
from torch import Tensor

from dynred.numerics.jacobian import Pattern

SMALL = 64  # dimension up to which a dense matrix is fastest
FULL = 0.2  # fraction of non-zero entries from which a dense matrix is fastest in any dimension
WIDEST = 24  # diagonals and wrapped rows, together, up to which a banded solve beats a sparse one

Solve = Callable[[Float[Tensor, "N E"], Float[Tensor, "N D m"]], Float[Tensor, "N D m"]]


def direct_solver(pattern: Pattern) -> Solve:
    """The cheapest way to solve A x = b for matrices of a pattern, in batches.

    Returns:
        A function of the entries [N, E] of every A, in the pattern's order, and of right-hand sides b [N, D, m]. Rows
        of the batch do not influence each other; a matrix that is singular or not finite gives NaN.
    """
    size = pattern.dim
    if size <= SMALL or len(pattern.rows) > FULL * size**2:
        return _guarded(lambda values, b: _solve_dense(pattern, values, b))
    band = CyclicBand.of(pattern)
    if band.below + band.above + len(band.wrapped_rows) <= WIDEST:
        return _guarded(band.solve)
    return _guarded(lambda values, b: _solve_sparse(pattern, values, b))


@dataclass(frozen=True, eq=False)
class CyclicBand:
    """The layout of a cyclic banded matrix [D, D]: entry (i, j) lies on the diagonal (i - j) mod D, from -D/2 to D/2.

    Attributes:
        pattern: the entries.
        below: number of diagonals below the main one, counted around the corners.
        above: number of diagonals above the main one, counted around the corners.
        inside: which entries [E] lie within the band; the others lie in the corners.
        wrapped_rows: rows [k] that have entries in the corners.
    """

    pattern: Pattern
    below: int
    above: int
    inside: Bool[Tensor, " E"]
    wrapped_rows: Int[Tensor, " k"]

    @classmethod
    def of(cls, pattern: Pattern) -> "CyclicBand":
        """The band in which a pattern lies; it is as wide as the matrix if the pattern is not banded."""
        half = pattern.dim // 2
        plain = pattern.rows - pattern.columns
        offset = (plain + half) % pattern.dim - half
        inside = plain == offset
        below, above = max(0, int(offset.max())), max(0, -int(offset.min()))
        return cls(pattern, below, above, inside, torch.unique(pattern.rows[~inside]))

    def solve(self, values: Float[Tensor, "N E"], b: Float[Tensor, "N D m"]) -> Float[Tensor, "N D m"]:
        """The solutions x of A x = b; raises LinAlgError for a singular matrix."""
        n, size, count = b.shape
        k = len(self.wrapped_rows)
        rows, columns = self.pattern.rows[self.inside], self.pattern.columns[self.inside]
        band = values.new_zeros(self.below + self.above + 1, n, size)
        band[self.above + rows - columns, :, columns] = values[:, self.inside].T
        units = b.new_zeros(size, k)  # the wrapped rows' unit vectors: A = band + units @ corners
        units[self.wrapped_rows, torch.arange(k)] = 1
        sides = torch.cat([b, units.expand(n, size, k)], -1).reshape(n * size, count + k)
        long = solve_banded((self.below, self.above), band.flatten(1).numpy(), sides.numpy(), check_finite=False)
        y, z = torch.from_numpy(long).reshape(n, size, count + k).split([count, k], -1)
        if k == 0:
            return y
        corners = self._corners(values)
        small = torch.eye(k, dtype=b.dtype) + corners @ z
        return y - z @ torch.linalg.solve(small, corners @ y)

    def _corners(self, values: Float[Tensor, "N E"]) -> Float[Tensor, "N k D"]:
        outside = ~self.inside
        corners = values.new_zeros(len(values), len(self.wrapped_rows), self.pattern.dim)
        which = torch.searchsorted(self.wrapped_rows, self.pattern.rows[outside])
        corners[:, which, self.pattern.columns[outside]] = values[:, outside]
        return corners


def _solve_dense(pattern: Pattern, values: Tensor, b: Tensor) -> Tensor:
    matrix = values.new_zeros(len(values), pattern.dim, pattern.dim)
    matrix[:, pattern.rows, pattern.columns] = values
    x, info = torch.linalg.solve_ex(matrix, b)
    return torch.where(info[:, None, None] == 0, x, torch.nan)


def _solve_sparse(pattern: Pattern, values: Tensor, b: Tensor) -> Tensor:
    n, size, count = b.shape
    shift = size * torch.arange(n)[:, None]
    rows, columns = ((shift + index).flatten().numpy() for index in (pattern.rows, pattern.columns))
    matrix = csc_array((values.flatten().numpy(), (rows, columns)), shape=(n * size, n * size))
    try:
        solution = splu(matrix).solve(b.reshape(n * size, count).numpy())
    except RuntimeError as error:  # SuperLU's word for a singular matrix
        raise LinAlgError(str(error)) from error
    return torch.from_numpy(np.ascontiguousarray(solution)).reshape(b.shape)


def _guarded(solve: Solve) -> Solve:
    """`solve` on the CPU and on finite rows only; a batch that fails is halved until singular matrices are alone."""

    def attempt(values: Tensor, b: Tensor) -> Tensor:
        try:
            return solve(values, b)
        except LinAlgError:
            middle = len(b) // 2
            if middle == 0:
                return torch.full_like(b, torch.nan)
            return torch.cat([attempt(values[:middle], b[:middle]), attempt(values[middle:], b[middle:])])

    def guarded(values: Tensor, b: Tensor) -> Tensor:
        v, right = values.detach().cpu(), b.detach().cpu()
        sound = v.isfinite().all(-1) & right.isfinite().flatten(1).all(-1)
        x = torch.full_like(right, torch.nan)
        if sound.any():
            x[sound] = attempt(v[sound], right[sound])
        return x.to(b.device)

    return guarded
