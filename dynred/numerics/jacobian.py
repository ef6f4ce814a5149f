"""Finds which entries of a large Jacobian can be non-zero, and computes them by a few directional derivatives.

Columns that share no row can be perturbed at once, so that a Jacobian costs as many directional derivatives as it has
colours, three for a tridiagonal one of any size (A. R. Curtis, M. J. D. Powell, J. K. Reid, IMA J. Appl. Math. 13, 117
(1974)). Derivatives are exact where torch differentiates the velocity, and forward differences elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csc_array
from torch import Tensor

from dynred.checks import refuse
from dynred.numerics.size import size_of
from dynred.rng import generator

Velocity = Callable[[Float[Tensor, "*batch D"]], Float[Tensor, "*batch D"]]

DENSEST = 0.25  # a pattern with more colours than this, in units of D, is not worth its search
COLOURS = 200  # nor is one with more colours than this: the factors of its matrices fill up as well
STEP = 1.5e-8  # step of forward differences, in units of a component: the square root of float64's precision
PROBE_STEP = 1e-4  # step of the differences that only tell whether an entry is zero
CHUNK = 2**22  # numbers in one batch of derivatives


@dataclass(frozen=True, eq=False)
class Pattern:
    """The entries of a Jacobian [D, D] that can be non-zero, sorted by column, then row.

    Attributes:
        dim: dimension D.
        rows: component of the velocity to which each entry belongs [E].
        columns: component of the state to which each entry belongs [E].
        colours: colour of each column [D]; columns of one colour share no row.
    """

    dim: int
    rows: Int[Tensor, " E"]
    columns: Int[Tensor, " E"]
    colours: Int[Tensor, " D"]

    @classmethod
    def of(cls, entries: Int[Tensor, "2 E"], dim: int) -> "Pattern":
        """The pattern of the entries (row, column), in any order.

        Raises:
            InputError: the entries are no integers [2, E], or lie outside the matrix.
        """
        if entries.ndim != 2 or len(entries) != 2 or entries.is_floating_point() or entries.is_complex():
            actual = f"{entries.dtype} {list(entries.shape)}"
            raise refuse("jacobian_sparsity", "rows and columns of entries, integers [2, E]", actual)
        if entries.numel() and not 0 <= int(entries.min()) <= int(entries.max()) < dim:
            actual = f"indices from {int(entries.min())} to {int(entries.max())}"
            raise refuse("jacobian_sparsity", f"indices in [0, {dim - 1}]", actual)
        columns, rows = torch.unique(entries.flip(0).long().cpu(), dim=1)
        matrix = _matrix(rows.numpy(), columns.numpy(), np.ones(len(rows)), (dim, dim))
        # The colouring is greedy. The natural order of columns is the best for bands and may be the worst for others.
        colourings = [_coloured(matrix, order) for order in (np.arange(dim), _shuffled(dim))]
        colours = min(colourings, key=lambda colouring: colouring.max())
        return cls(dim, rows, columns, torch.from_numpy(colours).long())

    @property
    def entries(self) -> Int[Tensor, "2 E"]:
        """(row, column) of every entry."""
        return torch.stack([self.rows, self.columns])

    @property
    def colour_count(self) -> int:
        """Number of directional derivatives that a Jacobian costs."""
        return int(self.colours.max()) + 1

    @property
    def bandwidth(self) -> tuple[int, int]:
        """How many diagonals lie below and above the main one."""
        offset = self.rows - self.columns
        return max(0, int(offset.max())), max(0, -int(offset.min()))

    def values(self, velocity: Velocity, x: Float[Tensor, "*batch D"], exact: bool) -> Float[Tensor, "*batch E"]:
        """The entries of the Jacobian of `velocity` at x, in the order of `rows` and `columns`.

        Args:
            velocity: a function of states [..., D]. Where `exact` is False, it is given one more leading axis than x.
            x: one state [D] or any batch of states.
            exact: whether to use torch's Jacobian-vector products; else forward differences are taken.
        """
        seeds = torch.zeros(self.colour_count, self.dim, dtype=x.dtype, device=x.device)
        seeds[self.colours, torch.arange(self.dim)] = 1
        if exact:
            moved = _derivatives(velocity, x, seeds)
            return moved.movedim(0, -2)[..., self.colours[self.columns], self.rows]
        largest = size_of(x)
        shift = (x + STEP * torch.maximum(x.abs(), 1e-2 * largest)) - x  # the step that float64 really takes
        wide = seeds.reshape(len(seeds), *[1] * (x.ndim - 1), self.dim) * shift
        base = velocity(x)
        parts = wide.split(max(1, CHUNK // x.numel()))
        moved = torch.cat([velocity(x + part) - base for part in parts])
        return moved.movedim(0, -2)[..., self.colours[self.columns], self.rows] / shift[..., self.columns]

    def matrix(self, values: Float[Tensor, " E"]) -> csc_array:
        """The Jacobian with these entries, as a SciPy matrix [D, D]."""
        rows, columns = self.rows.numpy(), self.columns.numpy()
        return _matrix(rows, columns, values.detach().cpu().numpy(), (self.dim, self.dim))


def find_pattern(velocity: Velocity, states: Float[Tensor, "n D"], exact: bool) -> Pattern | None:
    """Finds the pattern of a Jacobian by probing; None where it has too many colours to save work.

    All columns are first perturbed together, then halves of them, quarters and so on; groups of columns whose rows do
    not meet are perturbed at once. A banded Jacobian of D = 10,000 takes less than a hundred directional derivatives.

    Args:
        velocity: a function of states [..., D].
        states: where the Jacobian is probed. An entry counts if it is non-zero at any of these states, so take states
            in general position.
        exact: whether torch can differentiate `velocity`; else differences are taken.
    """
    states = states[velocity(states).isfinite().all(-1)]
    d = states.shape[-1]
    if len(states) == 0:
        return None
    group = np.zeros(d, dtype=np.int64)  # the group of each column: a group is a run of neighbouring columns
    touched = csc_array(np.ones((d, 1)))  # [rows, groups]
    weights = direction(d)  # general weights, so that no two columns cancel
    while touched.shape[1] < d:
        parent, group = _halved(group)
        candidates = csc_array(touched[:, parent])
        colours = _coloured(candidates, _shuffled(len(parent)))
        if colours.max() + 1 > _most_colours(d):
            return None
        seeds = torch.zeros(int(colours.max()) + 1, d, dtype=states.dtype)
        seeds[torch.from_numpy(colours[group]), torch.arange(d)] = weights
        answers = _nonzero(velocity, states, seeds, exact).numpy()  # [colours, rows]
        rows, groups = candidates.nonzero()
        answered = answers[colours[groups], rows]
        touched = _matrix(rows[answered], groups[answered], np.ones(int(answered.sum())), (d, len(parent)))
    rows, columns = touched.nonzero()
    pattern = Pattern.of(torch.from_numpy(np.stack([rows, columns]).astype(np.int64)), d)
    return pattern if pattern.colour_count <= _most_colours(d) else None


def _coloured(matrix: csc_array, order: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Colours columns so that those of one colour share no row: each, in `order`, takes the first free colour."""
    colours = np.zeros(matrix.shape[1], dtype=np.int64)
    used = np.zeros((matrix.shape[0], 16), dtype=bool)  # in which rows columns of a colour have entries
    for column in order:
        rows = matrix.indices[matrix.indptr[column] : matrix.indptr[column + 1]]
        taken = np.append(used[rows].any(0), False)
        colours[column] = taken.argmin()
        if colours[column] == used.shape[1]:
            used = np.concatenate([used, np.zeros_like(used)], 1)
        used[rows, colours[column]] = True
    return colours


def _shuffled(n: int) -> Int[np.ndarray, " n"]:
    return torch.randperm(n, generator=generator(0, "order")).numpy()


def _most_colours(d: int) -> float:
    return min(COLOURS, max(16, DENSEST * d))


def direction(d: int) -> Float[Tensor, " D"]:
    """A direction in general position, components in [1, 2]: no difference quotient of a stencil vanishes along it."""
    return 1 + torch.rand(d, generator=generator(0, "direction"), dtype=torch.float64)


def _halved(group: Int[np.ndarray, " D"]) -> tuple[Int[np.ndarray, " G"], Int[np.ndarray, " D"]]:
    """Halves every group of columns, except single columns: the parent of every half, and the half of every column."""
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    ends = np.append(starts[1:], len(group))
    cuts = np.unique(np.concatenate([starts, (starts + ends) // 2]))
    halves = np.searchsorted(cuts, np.arange(len(group)), side="right") - 1
    return group[cuts], halves


def _nonzero(velocity: Velocity, x: Float[Tensor, "n D"], seeds: Float[Tensor, "C D"], exact: bool) -> Tensor:
    """Which components [C, D] change along each direction, at any state; a value that is not finite is a change."""
    if exact:
        return (_derivatives(velocity, x, seeds) != 0).any(1)
    size = PROBE_STEP * size_of(x.flatten())
    base = velocity(x)
    parts = (size * seeds)[:, None].split(max(1, CHUNK // x.numel()))
    return torch.cat([velocity(x + part) != base for part in parts]).any(1)


def _derivatives(velocity: Velocity, x: Float[Tensor, "*batch D"], seeds: Float[Tensor, "C D"]) -> Tensor:
    def push(v: Tensor) -> Tensor:
        return torch.func.jvp(velocity, (x,), (v.expand_as(x),))[1]  # type: ignore[return-value] # its stub says tuple

    with torch.no_grad():
        return torch.func.vmap(push, chunk_size=max(1, CHUNK // x.numel()))(seeds)


def _matrix(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> csc_array:
    return csc_array((values, (rows, columns)), shape=shape)
