"""How fields on a fine grid are averaged around the points of a coarse lattice, and put together again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynred.checks import refuse
from dynred.data.layout import Layout
from dynred.data.symmetries import Exchange, Phase, Reflection, Sign, Symmetry, Translation
from dynred.data.symmetry_group import Group
from dynred.numerics.lattice import Lattice, Stencil, box

MOST_VALUES = 2000  # around a coarse point: they are turned by a dense matrix
BEYOND = 6.0  # standard deviations after which a Gaussian ends: 2e-9 of its height


@dataclass(frozen=True)
class Cells:
    """A fine grid, of which `per` points along each axis belong to every point of a coarse lattice.

    Attributes:
        lattice: the coarse lattice; its points are those of the fine grid whose numbers are multiples of `per`.
        per: number of fine points for each coarse one, along every axis, >= 2.
        width: standard deviation of the Gaussian averages, in steps of the lattice; 0 takes the values at the points.
    """

    lattice: Lattice
    per: int
    width: float

    @property
    def components(self) -> int:
        """Number of fields."""
        return self.lattice.components

    @property
    def points(self) -> tuple[int, ...]:
        """Number of fine points along each axis."""
        return tuple(self.per * n for n in self.lattice.points)

    @property
    def state_dim(self) -> int:
        """D, of states laid out as (components, points of the first axis, ...)."""
        return self.components * math.prod(self.points)

    @property
    def around(self) -> Stencil:
        """The fine values around a coarse point that stand for it: those at most half a step away, in fine steps.

        With an even `per` those in the middle between two points stand for both.

        Raises:
            InputError: they are too many.
        """
        count = self.components * (2 * (self.per // 2) + 1) ** len(self.points)
        if count > MOST_VALUES:
            raise refuse("the fine values around a coarse point", f"at most {MOST_VALUES}", count, "Take more points.")
        return box(self.lattice, [self.per // 2] * len(self.lattice.points))

    def sized(self, points: Sequence[int]) -> "Cells":
        """The same for a grid with other numbers of points, of the same distances.

        Raises:
            InputError: they are no multiples of `per`.
        """
        if len(points) != len(self.points):
            raise refuse("points", f"{len(self.points)} numbers, one for each axis", tuple(points))
        for n in points:
            if n < self.per or n % self.per:
                nearest = self.per * max(1, round(n / self.per))
                expected = f"a multiple of {self.per} along every axis, one coordinate for {self.per} points each"
                raise refuse("points", expected, n, f"The nearest that fits is {nearest}.")
        return replace(self, lattice=replace(self.lattice, points=tuple(n // self.per for n in points)))

    def points_of(self, state_dim: int) -> tuple[int, ...]:
        """The points of a grid in the same proportions whose states have so many values.

        Raises:
            InputError: there is none that fits.
        """
        axes, own = len(self.points), self.points
        ratio = (state_dim / self.state_dim) ** (1 / axes)
        points = tuple(round(ratio * n) for n in own)
        if self.components * math.prod(points) == state_dim and all(n % self.per == 0 for n in points):
            return points
        coarse = [n // math.gcd(*self.lattice.points) for n in self.lattice.points]
        size = max(1, round((state_dim / (self.components * math.prod(coarse))) ** (1 / axes) / self.per))
        nearest = self.components * math.prod(n * size * self.per for n in coarse)
        fields = f" of {self.components} fields" if self.components > 1 else ""
        shape = "" if axes == 1 else f" in the proportions of {' x '.join(map(str, own))}"
        expected = f"states{fields}, whose points{shape} are multiples of {self.per} along every axis"
        advice = f"The nearest that fits has {nearest} values." + (" Say model.sized(points) else." if axes > 1 else "")
        raise refuse("x", expected, f"{state_dim} values", advice)

    def averages(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch C sites"]:
        """Gaussian averages of states around the points of the lattice."""
        fields, axes = x.unflatten(-1, (self.components, *self.points)), len(self.points)
        steps, weights = self._weights
        for axis, n in enumerate(self.points):
            place = axis - axes
            taken = torch.from_numpy((np.arange(0, n, self.per)[:, None] + steps) % n).to(x.device)
            picked = fields.index_select(place, taken.flatten()).unflatten(place, tuple(taken.shape))
            fields = torch.movedim(picked, place, -1) @ torch.from_numpy(weights).to(x)
        return fields.flatten(-axes)

    @property
    def _weights(self) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        spread = self.width * self.per
        reach = math.floor(BEYOND * spread)
        steps = np.arange(-reach, reach + 1)
        weights = np.exp(-0.5 * (steps / max(spread, 1e-9)) ** 2)
        return steps, weights / weights.sum()

    def values(self, x: Float[Tensor, "*batch C D"]) -> Float[Tensor, "*batch sites V"]:
        """The fine values of fields [..., C, points] that stand for every coarse point, in the order of `around`."""
        fine = torch.arange(math.prod(self.points)).reshape(self.points)
        own = fine[tuple(slice(None, None, self.per) for _ in self.points)].flatten()
        places = torch.from_numpy(self.around.places(self.points))[own]
        return x.flatten(-2)[..., places]

    def fields(self, values: Float[Tensor, "*batch sites V"]) -> Float[Tensor, "*batch C fine"]:
        """The inverse of `values`; of two values that stand for one point the mean is taken."""
        axes, half = len(self.points), self.per // 2
        shape = (*self.lattice.points, *[2 * half + 1] * axes, self.components)
        y = torch.movedim(values.flatten(-2).unflatten(-1, shape), -1, -1 - 2 * axes)  # C, coarse..., offsets...
        for axis in range(axes):
            # The place of the coarse axis stays; offsets of the axes before are gone, so those left begin right here.
            coarse, offset = axis - axes - (axes - axis), axis - axes
            y = self._joined(torch.movedim(y, (coarse, offset), (-2, -1)))
            y = torch.movedim(y, -1, coarse + 1) if axes > 1 else y
        return y.flatten(-axes)

    def _joined(self, y: Float[Tensor, "*batch n o"]) -> Float[Tensor, "*batch fine"]:
        """Values at offsets -h to h around each of n points, put in a row."""
        half = self.per // 2
        # Neither `roll` nor `remainder`: exported models are made of operations that NumPy has.
        own, next_ones = y[..., half:], torch.cat([y[..., 1:, :half], y[..., :1, :half]], -2)
        if self.per % 2:
            return torch.cat([own, next_ones], -1).flatten(-2)
        middle = (own[..., half:] + next_ones[..., :1]) / 2
        return torch.cat([own[..., :half], middle, next_ones[..., 1:]], -1).flatten(-2)


def cells_of(group: Group, latent_dim: int, width: float) -> Cells:
    """The cells that make `latent_dim` averages of states with these symmetries.

    Raises:
        InputError: there is no translation along some axis, or so many averages do not divide the grid.
    """
    layout = group.layout
    moved = {symmetry.axis for symmetry in group.symmetries if isinstance(symmetry, Translation)}
    if not layout.axes or set(layout.axes) - moved:
        missing = ", ".join(sorted(set(layout.axes) - moved))
        actual = f"none along {missing}" if missing else "states without a grid"
        advice = "A local model is the same everywhere; declare it, if it holds: --symmetry translation:AXIS."
        raise refuse("symmetries of local models", "a translation along every axis of the grid", actual, advice)
    components, points = layout.shape[0], layout.sizes
    common = math.gcd(*points)
    choices = {
        components * math.prod(n // per for n in points): per for per in range(2, common + 1) if common % per == 0
    }
    if latent_dim not in choices:
        some = " or ".join(map(str, sorted(choices, key=lambda r: (abs(r - latent_dim), r))[:3])) or "none"
        grid = " x ".join(map(str, points)) + (f" points of {components} components" if components > 1 else " points")
        raise refuse("latent_dim", f"a number that divides {grid} evenly: {some}", latent_dim)
    per = choices[latent_dim]
    coarse, mirrors = tuple(n // per for n in points), [_mirror(s, layout) for s in group.symmetries]
    known = [mirror for mirror in mirrors if mirror is not None]
    flipped, signs = tuple(axes for axes, _ in known), tuple(factors for _, factors in known)
    return Cells(Lattice(coarse, components, flipped, signs), per, width)


def _mirror(symmetry: Symmetry, layout: Layout) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """What a symmetry does: the axes that it reflects, and the factors of components; None where it does neither.

    Where there are translations, a reflection that shifts is one that does not. Of phases a half turn is used.
    """
    components = layout.shape[0]
    if isinstance(symmetry, Reflection):
        axes = [name.strip() for name in symmetry.axis.split(",")]
        return tuple(layout.axis(name, symmetry) for name in axes), (symmetry.sign,) * components
    if isinstance(symmetry, Phase):
        pair = [layout.component(name, symmetry) for name in (symmetry.first, symmetry.second)]
        return (), tuple(-1 if c in pair else 1 for c in range(components))
    if isinstance(symmetry, Sign):
        turned = [layout.component(name, symmetry) for name in symmetry.components] or list(range(components))
        return (), tuple(-1 if c in turned else 1 for c in range(components))
    assert not isinstance(symmetry, Exchange)
    return None
