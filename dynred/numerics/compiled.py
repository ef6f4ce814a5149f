"""The evaluation of a tape in a compiled loop.

Only this module and `dynred.numerics.compiled_adams` need Numba (the `fast` extra). What it compiles is kept on disk,
so that it is compiled once.
"""

import math
from typing import Any

import numba
import numpy as np
from jaxtyping import Float

from dynred.numerics.tape import NUMBER, Tape

Array = Any  # of compiled functions: Numba looks at the arrays that they are given
fast = numba.njit(cache=True, fastmath={"reassoc", "contract", "nsz", "arcp"}, error_model="numpy")
exact = numba.njit(cache=True, error_model="numpy")  # where NaN must be seen

# Numba takes constants of a module, not entries of a dictionary. They stand in the order of their numbers.
NEG, ABS, RECIPROCAL, SQRT, EXP, LOG, SIN, COS, TANH, SIGMOID, ERF, GELU, RELU = range(13)
SILU, EXPM1, LOG1P, SIGN, SQUARE, GELU_SINGLE, SOFTPLUS, ELU = range(13, 21)
ADD, SUB, MUL, DIV, POW, MAXIMUM, MINIMUM, ATAN2, GT, GE, LT, LE, EQ, NE, AND, OR = range(21, 37)
SUM, AMAX, AMIN, WHERE, PRODUCT, PRODUCT_SINGLE = range(37, 43)
assert NUMBER["elu"] == ELU
assert NUMBER["logical_or"] == OR
assert NUMBER["product_single"] == PRODUCT_SINGLE


@fast
def _gelu_single(x: Array, y: Array, n: int) -> None:
    # erf as a quotient of polynomials, right to single precision (as in Eigen and XLA): the processor takes several
    # values at once, where a call of erf takes one.
    for i in range(n):
        u = min(max(x[i] * 0.7071067811865476, -4.0), 4.0)
        s = u * u
        p = -2.72614225801306e-10 * s + 2.77068142495902e-08
        p = p * s - 2.10102402082508e-06
        p = p * s - 5.69250639462346e-05
        p = p * s - 7.34990630326855e-04
        p = p * s - 2.95459980854025e-03
        p = p * s - 1.60960333262415e-02
        q = -1.45660718464996e-05 * s - 2.13374055278905e-04
        q = q * s - 1.68282697438203e-03
        q = q * s - 7.37332916720468e-03
        q = q * s - 1.42647390514189e-02
        y[i] = 0.5 * x[i] * (1.0 + u * p / q)


@fast
def _product(weights: Array, at: int, x: Array, memory: Array, out: int, n: int, k: int) -> None:
    for j in range(n):
        row = weights[at + j * k : at + (j + 1) * k]
        total = row[0] * x[0]
        for i in range(1, k):
            total += row[i] * x[i]
        memory[out + j] = total


@exact
def _unary(op: int, x: float) -> float:
    if op == NEG:
        return -x
    if op == ABS:
        return abs(x)
    if op == RECIPROCAL:
        return 1.0 / x
    if op == SQRT:
        return math.sqrt(x) if x >= 0 else math.nan
    if op == EXP:
        return math.exp(x)
    if op == LOG:
        return math.log(x) if x > 0 else (-math.inf if x == 0 else math.nan)
    if op == SIN:
        return math.sin(x)
    if op == COS:
        return math.cos(x)
    if op == TANH:
        return math.tanh(x)
    if op == SIGMOID:
        return 1.0 / (1.0 + math.exp(-x))
    if op == ERF:
        return math.erf(x)
    if op == GELU:
        return 0.5 * x * (1.0 + math.erf(x * 0.7071067811865476))
    if op == RELU:
        return x if x > 0 or x != x else 0.0
    if op == SILU:
        return x / (1.0 + math.exp(-x))
    if op == EXPM1:
        return math.expm1(x)
    if op == LOG1P:
        return math.log1p(x) if x > -1 else math.nan
    if op == SIGN:
        return 1.0 if x > 0 else (-1.0 if x < 0 else x)
    if op == SQUARE:
        return x * x
    if op == SOFTPLUS:
        return x if x > 20 else math.log1p(math.exp(x))
    return x if x > 0 else math.expm1(x)  # elu


@exact
def _binary(op: int, x: float, y: float) -> float:
    if op == POW:
        return x**y
    if op == MAXIMUM:
        return max(x, y) if x == x and y == y else math.nan
    if op == MINIMUM:
        return min(x, y) if x == x and y == y else math.nan
    if op == ATAN2:
        return math.atan2(x, y)
    if op == GT:
        return 1.0 if x > y else 0.0
    if op == GE:
        return 1.0 if x >= y else 0.0
    if op == LT:
        return 1.0 if x < y else 0.0
    if op == LE:
        return 1.0 if x <= y else 0.0
    if op == EQ:
        return 1.0 if x == y else 0.0
    if op == NE:
        return 1.0 if x != y else 0.0
    if op == AND:
        return 1.0 if x != 0 and y != 0 else 0.0
    return 1.0 if x != 0 or y != 0 else 0.0


@exact
def _elementwise(op: int, m: Array, out: int, a: Array, b: Array, n: int) -> None:
    if op == ADD:
        for i in range(n):
            m[out + i] = m[a[i]] + m[b[i]]
    elif op == SUB:
        for i in range(n):
            m[out + i] = m[a[i]] - m[b[i]]
    elif op == MUL:
        for i in range(n):
            m[out + i] = m[a[i]] * m[b[i]]
    elif op == DIV:
        for i in range(n):
            m[out + i] = m[a[i]] / m[b[i]]
    else:
        for i in range(n):
            m[out + i] = _binary(op, m[a[i]], m[b[i]])


@exact
def _reduction(op: int, m: Array, out: int, a: Array, n: int, k: int) -> None:
    for j in range(n):
        total = m[a[j * k]]
        for i in range(1, k):
            value = m[a[j * k + i]]
            if op == SUM:
                total += value
            elif value != value or (op == AMAX and value > total) or (op == AMIN and value < total):
                total = value
        m[out + j] = total


@exact
def evaluate(
    code: Array,
    places: Array,
    weights: Array,
    single: Array,
    m: Array,
    x: Array,
    y: Array,
    x_single: Array,
) -> None:
    """Evaluates a tape: its results are in its memory m then. x and y are room for the longest operand."""
    for c in range(len(code)):
        op, out, n, k = code[c, 0], code[c, 1], code[c, 2], code[c, 3]
        a, b = places[code[c, 4] :], places[code[c, 5] :]
        if op == PRODUCT:
            for i in range(k):
                x[i] = m[a[i]]
            _product(weights, code[c, 5], x, m, out, n, k)
        elif op == PRODUCT_SINGLE:
            for i in range(k):
                x_single[i] = m[a[i]]
            _product(single, code[c, 5], x_single, m, out, n, k)
        elif op == GELU_SINGLE:
            for i in range(n):
                x[i] = m[a[i]]
            _gelu_single(x, y, n)
            for i in range(n):
                m[out + i] = y[i]
        elif op == WHERE:
            other = places[code[c, 6] :]
            for i in range(n):
                m[out + i] = m[b[i]] if m[a[i]] != 0 else m[other[i]]
        elif op >= SUM:
            _reduction(op, m, out, a, n, k)
        elif op >= ADD:
            _elementwise(op, m, out, a, b, n)
        else:
            for i in range(n):
                m[out + i] = _unary(op, m[a[i]])


@exact
def velocity_into(tape: Any, t: float, y: Array, f: Array) -> None:
    """Writes into f what a tape gives at a time and a state."""
    code, places, weights, single, m, x, room, x_single, state, value = tape
    m[0] = t
    for i in range(len(y)):
        m[state + i] = y[i]
    evaluate(code, places, weights, single, m, x, room, x_single)
    for i in range(len(y)):
        f[i] = m[value[i]]


def arguments(tape: Tape) -> tuple[Any, ...]:
    """A tape as `follow` and `velocity` take it, with memory of its own."""
    longest = int(max(1, tape.code[:, 2].max(initial=1), tape.code[:, 3].max(initial=1)))
    room = (np.zeros(longest), np.zeros(longest), np.zeros(longest, np.float32))
    numbers = (tape.code, tape.places, tape.weights, tape.weights_single, tape.memory.copy())
    return (*numbers, *room, tape.state, tape.value)


def velocity(tape: tuple[Any, ...], t: float, y: Float[np.ndarray, " D"]) -> Float[np.ndarray, " D"]:
    """What a tape gives at a time and a state [D]."""
    f = np.zeros(len(y))
    velocity_into(tape, t, y, f)
    return f
