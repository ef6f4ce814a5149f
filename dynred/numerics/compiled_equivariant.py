"""Equivariant polynomials, and rollouts of fields that are such, in compiled loops.

Points are taken some at a time, and the values of one product at them lie side by side, so that the processor takes
several at once and every point is computed in the same way, whatever its neighbours are. Needs Numba, the `fast` extra.
"""

from typing import Any

import numba
import numpy as np

Array = Any  # of compiled functions: Numba looks at the arrays that they are given
WIDTH, FEW = 64, 2  # points at a time, for which there is room in the cache; and up to which each is taken alone
# NaN must be seen; products and sums may become one operation. Other threads may run meanwhile.
kernel = numba.njit(cache=True, error_model="numpy", fastmath={"contract", "nsz"}, nogil=True)


@kernel
def _products(parents: Array, variables: Array, x: Array, re: Array, im: Array, tangents: bool) -> None:
    width = re.shape[1]
    for p in range(width):
        re[0, p], im[0, p] = 0.0 if tangents and p > 0 else 1.0, 0.0
    for i in range(1, len(parents)):
        a, v = parents[i], variables[i]
        if tangents:  # the rule of products, which also gives the value twice
            c, d, e, f = re[a, 0], im[a, 0], x[0, v, 0], x[1, v, 0]
            for p in range(width):
                re[i, p] = re[a, p] * e - im[a, p] * f + c * x[0, v, p] - d * x[1, v, p]
                im[i, p] = re[a, p] * f + im[a, p] * e + c * x[1, v, p] + d * x[0, v, p]
            re[i, 0], im[i, 0] = 0.5 * re[i, 0], 0.5 * im[i, 0]
            continue
        for p in range(width):
            re[i, p] = re[a, p] * x[0, v, p] - im[a, p] * x[1, v, p]
            im[i, p] = re[a, p] * x[1, v, p] + im[a, p] * x[0, v, p]


@kernel
def _single_values(program: Any, room: Any) -> None:
    """The sums over terms at one point; two at a time, so that one need not wait for the other."""
    _, _, _, value, outer, turned, starts, left, weights, _, _ = program
    _, re, im, sums, _ = room
    half = len(sums) // 2
    for r in range(len(value)):
        a = b = c = d = 0.0
        i, end = starts[r], starts[r + 1]
        while i + 2 <= end:
            a += weights[i] * re[left[i], 0]
            b += weights[i] * im[left[i], 0]
            c += weights[i + 1] * re[left[i + 1], 0]
            d += weights[i + 1] * im[left[i + 1], 0]
            i += 2
        if i < end:
            a += weights[i] * re[left[i], 0]
            b += weights[i] * im[left[i], 0]
        a, b, c, d = a + c, b + d, re[outer[r], 0], im[outer[r], 0]
        if turned[r] == 0:
            sums[value[r], 0] += a * c + b * d
            sums[half + value[r], 0] += b * c - a * d
        else:  # -i (u + i v) = v - i u
            sums[value[r], 0] += b * c - a * d
            sums[half + value[r], 0] -= a * c + b * d


@kernel
def _several_values(program: Any, room: Any, tangents: bool) -> None:
    """The sums over terms; four at a time, so that they are read and written less often."""
    _, _, _, value, outer, turned, starts, left, weights, _, _ = program
    _, re, im, sums, total = room
    half, width = len(sums) // 2, sums.shape[1]
    for r in range(len(value)):
        for p in range(width):
            total[0, p] = total[1, p] = 0.0
        i, end = starts[r], starts[r + 1]
        while i + 4 <= end:
            a, b, c, d = left[i], left[i + 1], left[i + 2], left[i + 3]
            u, v, w, x = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
            for p in range(width):
                total[0, p] += u * re[a, p] + v * re[b, p] + w * re[c, p] + x * re[d, p]
                total[1, p] += u * im[a, p] + v * im[b, p] + w * im[c, p] + x * im[d, p]
            i += 4
        if i + 2 <= end:
            a, b, u, v = left[i], left[i + 1], weights[i], weights[i + 1]
            for p in range(width):
                total[0, p] += u * re[a, p] + v * re[b, p]
                total[1, p] += u * im[a, p] + v * im[b, p]
            i += 2
        if i < end:
            a, u = left[i], weights[i]
            for p in range(width):
                total[0, p] += u * re[a, p]
                total[1, p] += u * im[a, p]
        first, second, h, sign = value[r], half + value[r], outer[r], 1.0
        if turned[r] == 1:  # -i (u + i v) = v - i u
            first, second, sign = second, first, -1.0
        if tangents:
            c, d, e, f = total[0, 0], total[1, 0], re[h, 0], im[h, 0]
            for p in range(width):
                sums[first, p] += sign * (total[0, p] * e + total[1, p] * f + c * re[h, p] + d * im[h, p])
                sums[second, p] += total[1, p] * e - total[0, p] * f + d * re[h, p] - c * im[h, p]
            continue
        for p in range(width):
            sums[first, p] += sign * (total[0, p] * re[h, p] + total[1, p] * im[h, p])
            sums[second, p] += total[1, p] * re[h, p] - total[0, p] * im[h, p]


@kernel
def _values(program: Any, z: Array, room: Any, out: Array, tangents: bool) -> None:
    """Values [V, width] at points z [R, width]; of `tangents`, at the first, and what the slope makes of the others."""
    parents, variables, sources, _, _, _, _, _, _, order, _ = program
    x, re, im, sums, _ = room
    width = z.shape[1]
    for v in range(len(sources)):
        for part in range(2):
            source = sources[v, part]
            for p in range(width):
                x[part, v, p] = z[source, p] if source >= 0 else 0.0
    _products(parents, variables, x, re, im, tangents)
    sums[:] = 0.0
    if width == 1:
        _single_values(program, room)
    else:
        _several_values(program, room, tangents)
    if tangents:
        for i in range(len(sums)):
            sums[i, 0] *= 0.5
    for i in range(len(order)):
        for p in range(width):
            out[i, p] = sums[order[i], p] if order[i] < len(sums) else 0.0


@kernel
def _room(program: Any, width: int) -> Any:
    n, variables, values = len(program[0]), len(program[2]), program[10]
    products = (np.zeros((n, width)), np.zeros((n, width)))
    return (
        np.zeros((2, variables, width)),
        products[0],
        products[1],
        np.zeros((2 * values, width)),
        np.zeros((2, width)),
    )


@kernel
def _width(count: int) -> int:
    return 1 if count <= FEW else min(WIDTH, 8 * ((count + 7) // 8))


@kernel
def evaluate(program: Any, points: Array, out: Array) -> None:
    """Writes the values [M, V] at points [M, R] into `out`."""
    width = _width(len(points))
    room, z, f = _room(program, width), np.zeros((points.shape[1], width)), np.zeros((out.shape[1], width))
    for first in range(0, len(points), width):
        count = min(width, len(points) - first)
        for p in range(count):
            for i in range(len(z)):
                z[i, p] = points[first + p, i]
        _values(program, z, room, f, False)
        for p in range(count):
            for i in range(len(f)):
                out[first + p, i] = f[i, p]


@kernel
def push(program: Any, points: Array, tangents: Array, out: Array, pushed: Array) -> None:
    """Writes the values [M, V] at points [M, R], and what the slopes there make of tangents [M, k, R]."""
    count = tangents.shape[1]
    width = 8 * ((count + 8) // 8)
    room, z, f = _room(program, width), np.zeros((points.shape[1], width)), np.zeros((out.shape[1], width))
    for m in range(len(points)):
        for i in range(len(z)):
            z[i, 0] = points[m, i]
            for p in range(count):
                z[i, p + 1] = tangents[m, p, i]
        _values(program, z, room, f, True)
        for i in range(len(f)):
            out[m, i] = f[i, 0]
            for p in range(count):
                pushed[m, p, i] = f[i, p + 1]


@kernel
def _velocity(program: Any, scale: Array, y: Array, room: Any, f: Array) -> None:
    _values(program, y, room, f, False)
    for i in range(len(f)):
        for p in range(f.shape[1]):
            f[i, p] *= scale[i]


@kernel
def _moved(y: Array, weights: Array, velocities: Array, out: Array) -> None:
    for i in range(len(y)):
        for p in range(y.shape[1]):
            out[i, p] = y[i, p]
        for j in range(len(weights)):
            w = weights[j]
            for p in range(y.shape[1]):
                out[i, p] += w * velocities[j, i, p]


@kernel
def _follow(program: Any, scale: Array, y: Array, method: Any, outputs: Any, out: Array, count: int) -> None:
    """Some rows from their states y [R, width]; those of the first `count` are written into `out`."""
    predictor, corrector, begin, sweeps, steps, evaluations = method
    numbers, weights = outputs
    order, width = len(predictor), y.shape[1]
    room, velocities = _room(program, width), np.zeros((order + 1, len(y), width))
    begun, new, last = np.zeros((order - 1, len(y), width)), np.zeros_like(y), np.zeros_like(y)
    _velocity(program, scale, y, room, velocities[0])
    for j in range(1, order):
        velocities[j] = velocities[0]
    for _ in range(sweeps):
        for j in range(order - 1):
            _moved(y, begin[j], velocities[:order], begun[j])
        for j in range(order - 1):
            _velocity(program, scale, begun[j], room, velocities[j + 1])
    reached = 0
    for number in range(steps):
        last[:] = y
        if number < order - 1:
            y[:] = begun[number]
        else:
            if number >= order:  # the velocities of the last step are those before this one
                for j in range(order):
                    velocities[j] = velocities[j + 1]
            _moved(last, predictor, velocities[:order], new)
            _velocity(program, scale, new, room, velocities[order])
            _moved(last, corrector, velocities, y)
        while reached < len(numbers) and numbers[reached] == number:
            _moved(last, weights[reached], velocities, new)
            for p in range(count):
                for i in range(len(y)):
                    out[p, reached + 1, i] = new[i, p]
            reached += 1
        if evaluations == 2 and number >= order - 1:
            _velocity(program, scale, y, room, velocities[order])


@kernel
def rollout(program: Any, scale: Array, y0: Array, method: Any, outputs: Any, out: Array) -> None:
    """Writes the states of rows y0 [N, R] at the outputs into `out` [N, T, R], of which the first are y0.

    Args:
        program: the field, see `dynred.numerics.equivariant_program`.
        scale: by what its values are multiplied [R].
        y0: first states.
        method: weights of velocities, the oldest first: for a prediction, for a correction, for the first nodes; then
            the numbers of sweeps over these, of steps, and of evaluations in a step.
        outputs: the number of the step in which every output lies, and its weights of the velocities.
        out: see above.
    """
    width = _width(len(y0))
    for first in range(0, len(y0), width):
        count = min(width, len(y0) - first)
        y = np.zeros((y0.shape[1], width))
        for p in range(count):
            for i in range(len(y)):
                y[i, p] = out[first + p, 0, i] = y0[first + p, i]
        _follow(program, scale, y, method, outputs, out[first : first + count], count)
