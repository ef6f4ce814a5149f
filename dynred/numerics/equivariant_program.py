"""Equivariant maps as tables for compiled loops, which take every term once."""

import importlib
import importlib.util
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from dynred.numerics.block_sums import BlockSums
from dynred.numerics.representation import Representation

Program = tuple[Any, ...]


def compiled_loops() -> ModuleType | None:
    """The module of compiled loops; None where Numba is not installed."""
    if importlib.util.find_spec("numba") is None:
        return None
    return importlib.import_module("dynred.numerics.compiled_equivariant")


def program_of(
    space: Representation, sums: BlockSums, coefficients: Float[Tensor, " C"], places: Int[np.ndarray, " V"]
) -> Program:
    """A map as `dynred.numerics.compiled_equivariant` takes it.

    Returns:
        For every product the product of which it is made [n] and the coordinate by which that is multiplied [n]; where
        the real and the imaginary part of every coordinate stand, or -1 [variables, 2]; for sums of products h_a, each
        to be multiplied by one conj(h_b): the value to which it belongs [rows], h_b [rows], whether it is multiplied by
        -i [rows], and where its terms begin [rows + 1]; the products [K] and the coefficients [K] of the terms; the
        order of the values [V] among real and imaginary parts; the number of complex values.
    """
    zero = np.zeros(1, np.int64)
    parents, variables = (
        np.concatenate([zero, *sums.products.parents]),
        np.concatenate([zero, *sums.products.variables]),
    )
    pairs, parities = space.complex_count, space.parities or (1,) * space.real_count
    sources = [(2 * j, 2 * j + 1) for j in range(pairs)]
    sources += [(2 * pairs + j, -1) if p > 0 else (-1, 2 * pairs + j) for j, p in enumerate(parities)]
    value, left, right, turned, number = _terms(sums, len(coefficients))
    order = np.lexsort((left, right, turned, value))
    keys = np.stack([value, right, turned], 1)[order]
    new = np.flatnonzero(np.r_[True, (np.diff(keys, axis=0) != 0).any(1)]) if len(keys) else zero[:0]
    known = coefficients.detach().cpu().numpy()
    rows = (np.ascontiguousarray(column) for column in keys[new].T)
    tables = *rows, np.r_[new, len(keys)], left[order], known[number[order]]
    places = np.ascontiguousarray(places)
    return (parents, variables, np.array(sources, np.int64).reshape(-1, 2), *tables, places, len(sums.sums))


def _terms(sums: BlockSums, count: int) -> Int[np.ndarray, "5 K"]:
    """Value, products h_a and h_b, whether it is multiplied by -i, and the number of the coefficient of every term."""
    values, parts = sums.sums.argmax(0) if len(sums.right) else sums.right, []
    for turned, entries in enumerate((sums.entries, sums.turned)):
        if entries is None:
            continue
        first = 0
        for start, end, low, high in sums.blocks:
            block = entries[first : first + (end - start) * (high - low)].reshape(high - low, end - start)
            first += block.size
            row, column = np.nonzero(block < count)
            number = block[row, column]
            left, right = sums.left[start:end][column], sums.right[low:high][row]
            parts.append(np.stack([values[low:high][row], left, right, np.full(len(row), turned), number]))
    return np.concatenate(parts, 1) if parts else np.zeros((5, 0), np.int64)
