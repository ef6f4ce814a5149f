"""The group that symmetries generate: amplitudes on which it acts by phases, and images of states."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from dynred.checks import refuse
from dynred.data.grid import Grid
from dynred.data.layout import Layout
from dynred.data.symmetries import Diagonal, Exchange, Symmetry, Translation
from dynred.rng import generator


@dataclass(frozen=True, eq=False)
class Group:
    """The group that symmetries generate, on states [..., D] of one layout.

    Attributes:
        symmetries: its generators.
        layout: of the states.
    """

    symmetries: tuple[Symmetry, ...]
    layout: Layout

    @classmethod
    def of(cls, symmetries: Sequence[Symmetry], grid: Grid | None, dim: int) -> "Group":
        """The group on states of `dim` values.

        Raises:
            InputError: a symmetry does not fit the grid.
        """
        axes = [symmetry.axis for symmetry in symmetries if isinstance(symmetry, Translation)]
        layout = Layout.of(grid, dim, [name for symmetry in symmetries for name in symmetry.named_axes], axes)
        for symmetry in symmetries:
            symmetry.check(layout)
        if len(set(axes)) < len(axes):
            raise refuse("symmetries", "with one translation or shift along an axis", ", ".join(map(str, symmetries)))
        return cls(tuple(symmetries), layout)

    @property
    def diagonal(self) -> list[Diagonal]:
        """The symmetries that turn amplitudes by phases."""
        return [symmetry for symmetry in self.symmetries if isinstance(symmetry, Diagonal)]

    @property
    def exchanges(self) -> list[Exchange]:
        """The discrete symmetries."""
        return [symmetry for symmetry in self.symmetries if isinstance(symmetry, Exchange)]

    @property
    def orders(self) -> tuple[int, ...]:
        """The order of each diagonal symmetry; 0 for a continuous one."""
        return tuple(symmetry.order(self.layout) for symmetry in self.diagonal)

    def amplitudes(self, x: Float[Tensor, "*batch D"]) -> Complex[Tensor, "*batch D"]:
        """The amplitudes of states, on which the diagonal symmetries act by phases; a unitary transform."""
        a = x.double().unflatten(-1, self.layout.shape).to(torch.complex128)
        for symmetry in self.diagonal:
            a = symmetry.forward(a, self.layout)
        return a.flatten(-len(self.layout.shape))

    def state(self, a: Complex[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """The real part of the states with these amplitudes."""
        a = a.unflatten(-1, self.layout.shape)
        for symmetry in reversed(self.diagonal):
            a = symmetry.backward(a, self.layout)
        return a.real.flatten(-len(self.layout.shape))

    @property
    def charges(self) -> Int[Tensor, "D G"]:
        """The charges of every amplitude under each diagonal symmetry."""
        columns = [s.charges(self.layout).expand(self.layout.shape).flatten() for s in self.diagonal]
        return torch.stack(columns, -1) if columns else torch.zeros(math.prod(self.layout.shape), 0, dtype=torch.long)

    @property
    def partners(self) -> Int[Tensor, " D"]:
        """Where the complex conjugate of every amplitude of a real state stands."""
        index = torch.arange(math.prod(self.layout.shape)).reshape(self.layout.shape)
        for symmetry in self.diagonal:
            index = symmetry.partners(index, self.layout)
        return index.flatten()

    def turned(self, x: Float[Tensor, "*batch D"], angles: Sequence[float]) -> Float[Tensor, "*batch D"]:
        """States moved by angles, one for each diagonal symmetry, of circle 2 pi: u(x) becomes u(x + s), s being that
        part of the period. What a field has of the highest wave number of an even grid is not moved rightly.
        """
        phase = (self.charges.double() * torch.tensor(list(angles), dtype=torch.float64)).sum(-1)
        return self.state(self.amplitudes(x) * torch.polar(torch.ones_like(phase), phase))

    def image(self, exchange: Exchange, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """States moved by a discrete symmetry."""
        field = x.unflatten(-1, self.layout.shape)
        return exchange.image(field, self.layout).flatten(-len(self.layout.shape))

    @property
    def mirror(self) -> Exchange | None:
        """The first discrete symmetry that reverses all charges and is its own inverse; None where there is none."""
        x = self._probes
        back = [-turn for turn in self._turns]
        for exchange in self.exchanges:
            image = self.image(exchange, x)
            twice = self.image(exchange, image)
            moved = self.image(exchange, self.turned(x, self._turns))
            if _same(twice, x) and _same(moved, self.turned(image, back)):
                return exchange
        return None

    @property
    def signs(self) -> list[tuple[Exchange, ...]]:
        """Discrete symmetries, or products of two, that keep all charges, are their own inverses, and commute with each
        other and with the mirror; none is made of others. Products are in the order in which their factors act.
        """
        x, mirror, found = self._probes, self.mirror, list[tuple[Exchange, ...]]()
        # The images of the probes under all that is found so far: what is among them already is not taken twice.
        made = [x] if mirror is None else [x, self.image(mirror, x)]
        words = [(first,) for first in self.exchanges] + list(product(self.exchanges, repeat=2))
        for word in words:
            image = self.images(word, x)
            keeps = _same(self.images(word, self.turned(x, self._turns)), self.turned(image, self._turns))
            others = [*found, *([] if mirror is None else [(mirror,)])]
            commutes = all(_same(self.images((*word, *o), x), self.images((*o, *word), x)) for o in others)
            if keeps and commutes and _same(self.images(word, image), x) and not any(_same(image, y) for y in made):
                found.append(word)
                made = [*made, *(self.images(word, y) for y in made)]
        return found

    def images(self, word: Sequence[Exchange], x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """States moved by discrete symmetries, one after the other."""
        for exchange in word:
            x = self.image(exchange, x)
        return x

    @property
    def _probes(self) -> Float[Tensor, "n D"]:
        """States without any symmetry, by whose images elements of the group are told apart."""
        rng = generator(0, "mirror")
        return self.resolved(torch.randn(2, math.prod(self.layout.shape), generator=rng, dtype=torch.float64))

    @property
    def _turns(self) -> list[float]:
        return [2 * math.pi / order if order else 1.0 + i for i, order in enumerate(self.orders)]

    def random(
        self, symmetry: Symmetry, x: Float[Tensor, "*batch D"], rng: torch.Generator
    ) -> Float[Tensor, "*batch D"]:
        """States moved by a random element that one of the symmetries generates."""
        if isinstance(symmetry, Exchange):
            return self.image(symmetry, x)
        place, order = self.diagonal.index(symmetry), self.orders[self.diagonal.index(symmetry)]  # type: ignore[arg-type]
        part = torch.rand(1, generator=rng, dtype=torch.float64)
        part = part if order == 0 else (1 + part * (order - 1)).floor() / order
        return self.turned(x, [2 * math.pi * float(part) if i == place else 0.0 for i in range(len(self.diagonal))])

    def resolved(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """States without the highest wave number of even grids, which no translation moves rightly."""
        return self.state(self.amplitudes(x) * self.representable)

    @property
    def representable(self) -> Bool[Tensor, " D"]:
        """Which amplitudes [D] have a charge: all but those of the highest wave number of even grids."""
        mirrored, orders = self.charges[self.partners], torch.tensor(self.orders, dtype=torch.long)
        return ((self.charges + mirrored == 0) | (orders > 0)).all(-1)


def _same(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= 1e-9 * (1 + b.abs().max()))
