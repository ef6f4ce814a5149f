"""Products and sums of complex numbers of several points at once, as vectors of the processor.

Loops that Numba translates are left to a compiler that does not see that the numbers of all points fit into one
register, and that a sum need not leave it: so these two say so themselves, in the compiler's own language. A number of
a point is one lane of a vector; of every complex number the real parts of all lanes come first, then the imaginary
ones. Needs Numba, the `fast` extra.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from dynred.numerics.equivariant_program import ROWS

# What one register holds.
LANES = 8 if llvmlite.binding.get_host_cpu_features().get("avx512f") else 4
ALIGNED = 8  # numbers in a line of the cache
REAL, WHOLE = ir.DoubleType(), ir.IntType(64)
VECTOR = ir.VectorType(REAL, LANES)
ZERO = ir.Constant(VECTOR, [0.0] * LANES), ir.Constant(VECTOR, [0.0] * LANES)
Value = Any
Pair = tuple[Value, Value]  # real and imaginary part


class _Writer:
    """Writes operations on vectors into a function that is being compiled."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def number(self, address: Value, index: Value, kind: Any = WHOLE) -> Value:
        """The number of a table at an address."""
        return self.builder.load(self.builder.gep(self._at(address, kind), [index]))

    def pair(self, address: Value, index: Value) -> Pair:
        """The complex numbers of all lanes."""
        return self._place(address, index, 0, None), self._place(address, index, 1, None)

    def store(self, address: Value, index: Value, pair: Pair) -> None:
        for part in range(2):
            self._place(address, index, part, pair[part])

    def _place(self, address: Value, index: Value, part: int, value: Value | None) -> Value:
        b = self.builder
        at = b.add(b.mul(index, WHOLE(2 * LANES)), WHOLE(part * LANES))
        place = b.bitcast(b.gep(self._at(address, REAL), [at]), ir.PointerType(VECTOR))
        if value is None:
            return b.load(place, align=8)
        return b.store(value, place, align=8)

    def _at(self, address: Value, kind: Any) -> Value:
        return self.builder.inttoptr(address, ir.PointerType(kind))

    def everywhere(self, number: Value) -> Value:
        """A number in every lane."""
        empty = ir.Constant(VECTOR, ir.Undefined)
        single = self.builder.insert_element(empty, number, ir.IntType(32)(0))
        return self.first(single)

    def first(self, vector: Value) -> Value:
        """What stands in the first lane, in every lane."""
        places = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return self.builder.shuffle_vector(vector, ir.Constant(VECTOR, ir.Undefined), places)

    def more(self, total: Value, a: Value, b: Value) -> Value:
        """total + a b."""
        return self.builder.fadd(total, self.builder.fmul(a, b, flags=("contract",)), flags=("contract",))

    def less(self, total: Value, a: Value, b: Value) -> Value:
        """total - a b."""
        return self.builder.fsub(total, self.builder.fmul(a, b, flags=("contract",)), flags=("contract",))

    def product(self, total: Pair, x: Pair, y: Pair) -> Pair:
        """total + x y."""
        (a, b), (c, d) = x, y
        return self.less(self.more(total[0], a, c), b, d), self.more(self.more(total[1], a, d), b, c)

    def product_or_slope(self, total: Pair, x: Pair, y: Pair, tangents: bool) -> Pair:
        """total + x y; of tangents, by the rule of products, which gives half of twice the value in the first lane."""
        if not tangents:
            return self.product(total, x, y)
        (a, b), (c, d) = (tuple(self.first(part) for part in pair) for pair in (x, y))
        half = ir.Constant(VECTOR, [0.5] + [1.0] * (LANES - 1))
        slope = self.product(self.product(ZERO, x, (c, d)), (a, b), y)
        return self.more(total[0], slope[0], half), self.more(total[1], slope[1], half)

    def conjugate(self, x: Pair) -> Pair:
        """The conjugate of x."""
        return x[0], self.builder.fneg(x[1])


def _function(write: Callable[..., None], tangents: bool) -> Any:
    """The function for compiled loops of what `write` writes; its arguments are whole numbers."""
    names = list(inspect.signature(write).parameters)[1:-1]

    def typed(*arguments: Any) -> Any:
        def generate(context: Any, builder: Any, _: Any, values: Sequence[Value]) -> Value:
            write(_Writer(builder), *values, tangents)
            return context.get_dummy_value()

        return types.void(*[types.int64] * (len(arguments) - 1)), generate

    kinds = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("context", *names)]
    typed.__signature__ = inspect.Signature(kinds)  # type: ignore[attr-defined]
    return intrinsic(typed)


def _write_multiply(
    w: _Writer, count: Value, parents: Value, variables: Value, x: Value, products: Value, tangents: bool
) -> None:
    with cgutils.for_range(w.builder, count, start=WHOLE(1)) as loop:
        i = loop.index
        factors = w.pair(products, w.number(parents, i)), w.pair(x, w.number(variables, i))
        w.store(products, i, w.product_or_slope(ZERO, *factors, tangents))


def _write_add_products(
    w: _Writer,
    groups: Value,
    starts: Value,
    left: Value,
    weights: Value,
    outer: Value,
    value: Value,
    products: Value,
    sums: Value,
    tangents: bool,
) -> None:
    b = w.builder
    totals = [[cgutils.alloca_once(b, VECTOR) for _ in range(2)] for _ in range(ROWS)]
    with cgutils.for_range(b, groups) as group:
        for places in totals:
            for place in places:
                b.store(ZERO[0], place)
        first, end = w.number(starts, group.index), w.number(starts, b.add(group.index, WHOLE(1)))
        with cgutils.for_range(b, end, start=first) as column:
            pair = w.pair(products, w.number(left, column.index))
            at = b.mul(column.index, WHOLE(ROWS))
            for row, places in enumerate(totals):
                weight = w.everywhere(w.number(weights, b.add(at, WHOLE(row)), REAL))
                for place, part in zip(places, pair, strict=True):
                    b.store(w.more(b.load(place), part, weight), place)
        for row, places in enumerate(totals):
            at = b.add(b.mul(group.index, WHOLE(ROWS)), WHOLE(row))
            other, target = w.conjugate(w.pair(products, w.number(outer, at))), w.number(value, at)
            inner = b.load(places[0]), b.load(places[1])
            w.store(sums, target, w.product_or_slope(w.pair(sums, target), inner, other, tangents))


multiply, multiply_slopes = (_function(_write_multiply, tangents) for tangents in (False, True))
add_products, add_slopes = (_function(_write_add_products, tangents) for tangents in (False, True))
