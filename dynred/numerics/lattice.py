"""Fields on the points of a periodic lattice: which values are neighbours, and how mirrors exchange them."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from dynred.checks import count, refuse
from dynred.spec import Spec

MOST = 100_000  # largest number of values of a field
MOST_AXES = 3


@dataclass(frozen=True)
class Lattice(Spec):
    """Values of fields on a periodic lattice, in the order (component, point of axis 0, point of axis 1, ...).

    Attributes:
        points: number of points along each axis.
        components: number of values at each point.
        flipped: for each mirror, the axes along which it reflects, about point 0; none for a mere change of signs.
        signs: for each mirror, the factor 1 or -1 of every component.
    """

    points: tuple[int, ...]
    components: int = 1
    flipped: tuple[tuple[int, ...], ...] = ()
    signs: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self):
        count("components", self.components, 1, MOST)
        if not 1 <= len(self.points) <= MOST_AXES or min(self.points) < 1 or self.dim > MOST:
            raise refuse("points", f"1 to {MOST_AXES} numbers >= 1, of {MOST} values in all", self.points)
        if len(self.flipped) != len(self.signs) or any(len(signs) != self.components for signs in self.signs):
            raise refuse("signs", "one for every component, for every mirror", self.signs)
        if any(sign not in (1, -1) for signs in self.signs for sign in signs):
            raise refuse("signs", "1 or -1", self.signs)
        if any(not 0 <= axis < len(self.points) for axes in self.flipped for axis in axes):
            raise refuse("flipped", f"axes among 0 to {len(self.points) - 1}", self.flipped)

    @property
    def sites(self) -> int:
        """Number of points."""
        return math.prod(self.points)

    @property
    def dim(self) -> int:
        """Number of values R."""
        return self.components * self.sites


@dataclass(frozen=True, eq=False)
class Stencil:
    """Values at some points around each point of a lattice, sorted by what mirrors do to their sums and differences.

    Attributes:
        offsets: where the points are [K, axes], in steps of the lattice, for each value.
        components: component of each value [K].
        adapted: an orthogonal matrix [K, K]; its rows are combinations of the values that every mirror keeps or changes
            the sign of.
        parities: for every combination [K], a number whose bit i says whether mirror i changes its sign.
        shells: how far away the values of every combination are [K], counted in different distances; not decreasing.
    """

    offsets: Int[np.ndarray, "K axes"]
    components: Int[np.ndarray, " K"]
    adapted: Float[np.ndarray, "K K"]
    parities: Int[np.ndarray, " K"]
    shells: Int[np.ndarray, " K"]

    def __len__(self) -> int:
        return len(self.parities)

    def places(self, points: tuple[int, ...]) -> Int[np.ndarray, "sites K"]:
        """Where the values around every point of a lattice stand in a field."""
        return _places(self.offsets.tobytes(), self.components.tobytes(), points)


@lru_cache(32)
def _places(offsets: bytes, components: bytes, points: tuple[int, ...]) -> Int[np.ndarray, "sites K"]:
    steps = np.frombuffer(offsets, np.int64).reshape(-1, len(points))
    sites = np.stack(np.unravel_index(np.arange(math.prod(points)), points), -1)
    moved = (sites[:, None] + steps) % np.array(points)
    flat = np.ravel_multi_index(tuple(np.moveaxis(moved, -1, 0)), points)
    return flat + np.frombuffer(components, np.int64) * math.prod(points)


def ball(lattice: Lattice, shells: int) -> Stencil:
    """The values at a point of a lattice and in so many shells around it, each of the points at one distance."""
    return _ball(lattice.components, len(lattice.points), lattice.flipped, lattice.signs, shells)


def box(lattice: Lattice, half: Sequence[int]) -> Stencil:
    """The values at all points at most `half` steps away along each axis."""
    offsets = list(itertools.product(*(range(-h, h + 1) for h in half)))
    return _stencil(offsets, lattice.components, lattice.flipped, lattice.signs)


def shell_count(points: Sequence[int]) -> int:
    """The largest number of shells of a lattice whose points are all different."""
    nearest, axes = (min(points) - 1) // 2, len(points)
    return len({d for d in _distances(nearest, axes).values() if d <= nearest**2}) - 1


def _distances(reach: int, axes: int) -> dict[tuple[int, ...], int]:
    every = itertools.product(range(-reach, reach + 1), repeat=axes)
    return {offset: sum(step**2 for step in offset) for offset in every}


@lru_cache(32)
def _ball(
    components: int,
    axes: int,
    flipped: tuple[tuple[int, ...], ...],
    signs: tuple[tuple[int, ...], ...],
    shells: int,
) -> Stencil:
    reach = shells if axes == 1 else 1 + math.isqrt(4 * shells)
    distances = {offset: d for offset, d in _distances(reach, axes).items() if d <= reach**2}
    farthest = sorted(set(distances.values()))[shells]
    return _stencil([offset for offset, d in distances.items() if d <= farthest], components, flipped, signs)


def _stencil(
    offsets: Sequence[tuple[int, ...]],
    components: int,
    flipped: tuple[tuple[int, ...], ...],
    signs: tuple[tuple[int, ...], ...],
) -> Stencil:
    ranks = {d: i for i, d in enumerate(sorted({sum(s * s for s in offset) for offset in offsets}))}
    values = [(offset, c) for offset in offsets for c in range(components)]
    place = {value: i for i, value in enumerate(values)}
    rows: list[tuple[int, int, np.ndarray]] = []
    done: set[tuple[tuple[int, ...], int]] = set()
    for value in values:
        if value not in done:
            own = _combinations(value, place, flipped, signs)
            done |= {values[i] for row in own.values() for i in np.flatnonzero(row)}
            shell = ranks[sum(s * s for s in value[0])]
            rows += [(shell, parity, row) for parity, row in own.items()]
    rows.sort(key=lambda entry: entry[0])
    return Stencil(
        np.array([offset for offset, _ in values], np.int64).reshape(len(values), -1),
        np.array([c for _, c in values], np.int64),
        np.stack([row for _, _, row in rows]),
        np.array([parity for _, parity, _ in rows], np.int64),
        np.array([shell for shell, _, _ in rows], np.int64),
    )


def _combinations(
    value: tuple[tuple[int, ...], int],
    place: dict[tuple[tuple[int, ...], int], int],
    flipped: tuple[tuple[int, ...], ...],
    signs: tuple[tuple[int, ...], ...],
) -> dict[int, Float[np.ndarray, " K"]]:
    """The combinations of a value and its images under all mirrors that have a parity, by that parity."""
    offset, c = value
    images = []  # (which mirrors, place, sign)
    for chosen in itertools.product((0, 1), repeat=len(flipped)):
        turns = [
            sum(axis in axes for axes, on in zip(flipped, chosen, strict=True) if on) for axis in range(len(offset))
        ]
        image = tuple(-step if turn % 2 else step for step, turn in zip(offset, turns, strict=True))
        sign = math.prod(factors[c] for factors, on in zip(signs, chosen, strict=True) if on)
        images.append((chosen, place[image, c], sign))
    combinations = {}
    for parities in itertools.product((0, 1), repeat=len(flipped)):
        row = np.zeros(len(place))
        for chosen, where, sign in images:
            row[where] += sign * (-1) ** sum(p * on for p, on in zip(parities, chosen, strict=True))
        if np.abs(row).max() > 0:
            combinations[sum(p << i for i, p in enumerate(parities))] = row / np.linalg.norm(row)
    return combinations
