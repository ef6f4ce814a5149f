"""Equivariant maps as tables for compiled loops, which take every term once."""

import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from dynred.numerics.block_sums import BlockSums
from dynred.numerics.representation import Representation

Program = tuple[Any, ...]
ROWS = 4  # sums that are made at once, of the same products: for so many there are registers
NEAR = 32  # sums among which those are looked for that are made with another


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
        to be multiplied by one conj(h_b), in groups of `ROWS` that are made of the same h_a: where the h_a of every
        group begin [groups + 1], these [K], and their coefficients in every sum [K, ROWS]; the h_b [groups, ROWS] and
        the value to which each sum belongs [groups, ROWS], counted from the number of values on where -i multiplies it;
        the order of the values [V] among real and imaginary parts; the number of complex values.
    """
    zero = np.zeros(1, np.int64)
    parents, variables = (
        np.concatenate([zero, *sums.products.parents]),
        np.concatenate([zero, *sums.products.variables]),
    )
    pairs, parities = space.complex_count, space.parities or (1,) * space.real_count
    sources = [(2 * j, 2 * j + 1) for j in range(pairs)]
    sources += [(2 * pairs + j, -1) if p > 0 else (-1, 2 * pairs + j) for j, p in enumerate(parities)]
    known = coefficients.detach().cpu().numpy()
    tables = _grouped(_terms(sums, len(coefficients)), known, len(sums.sums), sums.products.charges)
    places = np.ascontiguousarray(places)
    return (parents, variables, np.array(sources, np.int64).reshape(-1, 2), *tables, places, len(sums.sums))


def _grouped(
    terms: Int[np.ndarray, "5 K"], coefficients: Float[np.ndarray, " C"], values: int, charges: Int[np.ndarray, "n G"]
) -> tuple[Shaped[np.ndarray, "..."], ...]:
    """The sums, `ROWS` at a time: those of most products in common; see `program_of`."""
    value, left, right, turned, number = terms
    columns = (value + values * turned, right, left, coefficients[number])
    rows: dict[tuple[int, int], dict[int, float]] = {}
    for v, b, a, c in zip(*(column.tolist() for column in columns), strict=True):
        rows.setdefault((v, b), {})[a] = c
    starts, lefts, weights, outer, targets = [0], [], [], [], []
    for some in _alike(rows, charges):
        used = sorted(set().union(*(rows[row] for row in some)))
        starts.append(starts[-1] + len(used))
        lefts += used
        weights += [[rows[row].get(a, 0.0) for row in some] + [0.0] * (ROWS - len(some)) for a in used]
        some += [(0, 0)] * (ROWS - len(some))
        outer.append([b for _, b in some])
        targets.append([v for v, _ in some])
    numbers = (np.array(starts), np.array(lefts, np.int64), np.array(weights, np.float64).reshape(-1, ROWS))
    return *numbers, *(np.array(table, np.int64).reshape(-1, ROWS) for table in (outer, targets))


def _alike(
    rows: Mapping[tuple[int, int], Mapping[int, float]], charges: Int[np.ndarray, "n G"]
) -> Iterator[list[tuple[int, int]]]:
    """Rows in groups of at most `ROWS`: each with those of its charge that need the fewest other products."""
    blocks: dict[bytes, list[tuple[int, int]]] = {}
    for row in sorted(rows, key=lambda row: (-len(rows[row]), row)):
        blocks.setdefault(charges[min(rows[row])].tobytes(), []).append(row)
    rest = []
    for block in blocks.values():
        while len(block) >= ROWS:
            some = [block.pop(0)]
            for _ in range(ROWS - 1):
                used = set().union(*(rows[row] for row in some))
                near = min(range(min(NEAR, len(block))), key=lambda i: len(used ^ rows[block[i]].keys()))
                some.append(block.pop(near))
            yield some
        rest += block
    yield from (rest[i : i + ROWS] for i in range(0, len(rest), ROWS))


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
