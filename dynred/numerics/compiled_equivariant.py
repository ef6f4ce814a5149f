"""Equivariant polynomials, and rollouts of fields that are such, in compiled loops.

Points are taken `LANES` at a time, side by side, so that the processor takes all of them at once and every point is
computed in the same way, whatever its neighbours are. Needs Numba, the `fast` extra.
"""

from typing import Any

import numba
import numpy as np

from dynred.numerics.compiled_vectors import ALIGNED, LANES, add_products, add_slopes, multiply, multiply_slopes

Array = Any  # of compiled functions: Numba looks at the arrays that they are given
# NaN must be seen; products and sums may become one operation. Other threads may run meanwhile.
kernel = numba.njit(cache=True, error_model="numpy", fastmath={"contract", "nsz"}, nogil=True)


@kernel
def _zeros(count: int) -> Array:
    """So many zeros, from where on the processor reads all lanes in one piece."""
    room = np.zeros(count + ALIGNED)
    first = (-room.ctypes.data // 8) % ALIGNED
    return room[first : first + count]


@kernel
def _room(program: Any) -> Any:
    """Room for the coordinates, products and sums of a program, real and imaginary parts of all lanes."""
    parents, _, sources, _, _, _, _, _, _, values = program
    wide = 2 * LANES
    return _zeros(len(sources) * wide), _zeros(len(parents) * wide), _zeros(2 * values * wide)


@kernel
def _values(program: Any, z: Array, room: Any, out: Array, tangents: bool) -> None:
    """Values [V, lanes] at points z [R, lanes]; of `tangents`, at the first, and what the slope makes of the others."""
    parents, variables, sources, starts, left, weights, outer, value, order, values = program
    x, products, sums = room
    wide = 2 * LANES
    for v in range(len(sources)):
        for part in range(2):
            source = sources[v, part]
            if source >= 0:
                for p in range(LANES):
                    x[wide * v + LANES * part + p] = z[source, p]
    for p in range(LANES):
        products[p] = 0.0 if tangents and p > 0 else 1.0
    sums[:] = 0.0
    tables = (starts.ctypes.data, left.ctypes.data, weights.ctypes.data, outer.ctypes.data, value.ctypes.data)
    places = (parents.ctypes.data, variables.ctypes.data, x.ctypes.data, products.ctypes.data)
    if tangents:
        multiply_slopes(len(parents), *places)
        add_slopes(len(starts) - 1, *tables, products.ctypes.data, sums.ctypes.data)
    else:
        multiply(len(parents), *places)
        add_products(len(starts) - 1, *tables, products.ctypes.data, sums.ctypes.data)
    half = wide * values  # from where on stand what -i multiplies: -i (u + i v) = v - i u
    for i in range(len(order)):
        number, part = order[i] % max(values, 1), order[i] // max(values, 1)
        plain, turned, sign = wide * number + LANES * part, half + wide * number + LANES * (1 - part), 1.0 - 2.0 * part
        for p in range(LANES):
            out[i, p] = sums[plain + p] + sign * sums[turned + p] if part < 2 else 0.0


@kernel
def evaluate(program: Any, points: Array, out: Array) -> None:
    """Writes the values [M, V] at points [M, R] into `out`."""
    room, z, f = _room(program), np.zeros((points.shape[1], LANES)), np.zeros((out.shape[1], LANES))
    for first in range(0, len(points), LANES):
        count = min(LANES, len(points) - first)
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
    room, z, f = _room(program), np.zeros((points.shape[1], LANES)), np.zeros((out.shape[1], LANES))
    for m in range(len(points)):
        for first in range(0, max(count, 1), LANES - 1):
            some = min(LANES - 1, count - first)
            for i in range(len(z)):
                z[i, 0] = points[m, i]
                for p in range(some):
                    z[i, p + 1] = tangents[m, first + p, i]
            _values(program, z, room, f, True)
            for i in range(len(f)):
                out[m, i] = f[i, 0]
                for p in range(some):
                    pushed[m, first + p, i] = f[i, p + 1]


@kernel
def _velocity(program: Any, scale: Array, y: Array, room: Any, f: Array) -> None:
    _values(program, y, room, f, False)
    for i in range(len(f)):
        for p in range(LANES):
            f[i, p] *= scale[i]


@kernel
def _moved(y: Array, weights: Array, velocities: Array, out: Array) -> None:
    for i in range(len(y)):
        for p in range(LANES):
            out[i, p] = y[i, p]
        for j in range(len(weights)):
            w = weights[j]
            for p in range(LANES):
                out[i, p] += w * velocities[j, i, p]


@kernel
def _follow(
    program: Any, scale: Array, y: Array, method: Any, outputs: Any, out: Array, count: int, course: Array
) -> None:
    """Some rows from their states y [R, lanes]; those of the first `count` are written into `out`."""
    predictor, corrector, begin, sweeps, steps, evaluations = method
    numbers, weights = outputs
    order = len(predictor)
    room, velocities = _room(program), np.zeros((order + 1, len(y), LANES))
    begun, new, last = np.zeros((order - 1, len(y), LANES)), np.zeros_like(y), np.zeros_like(y)
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
        if course[0] != 0:
            return
        course[1] = max(course[1], number)
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
def rollout(program: Any, scale: Array, y0: Array, method: Any, outputs: Any, out: Array, course: Array) -> None:
    """Writes the states of rows y0 [N, R] at the outputs into `out` [N, T, R], of which the first are y0.

    Args:
        program: the field, see `dynred.numerics.equivariant_program`.
        scale: by what its values are multiplied [R].
        y0: first states.
        method: weights of velocities, the oldest first: for a prediction, for a correction, for the first nodes; then
            the numbers of sweeps over these, of steps, and of evaluations in a step.
        outputs: the number of the step in which every output lies, and its weights of the velocities.
        out: see above.
        course: a number that another thread makes 1 to stop here; and one that says here how many steps are done.
    """
    for first in range(0, len(y0), LANES):
        count = min(LANES, len(y0) - first)
        y = np.zeros((y0.shape[1], LANES))
        for p in range(count):
            for i in range(len(y)):
                y[i, p] = out[first + p, 0, i] = y0[first + p, i]
        _follow(program, scale, y, method, outputs, out[first : first + count], count, course)
